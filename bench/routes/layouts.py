# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's dynamic configuration as somebody writes it by hand: other rules, other layouts, routers in layers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isqrt
from typing import Callable, Dict, List, Sequence, Tuple

Files = Dict[str, str]
LEAF = 16


def exact(host: str) -> str:
    """The plain rule."""
    return f"Host(`{host}`)"


def regexp(host: str) -> str:
    """The same as a pattern."""
    return f"HostRegexp(`^{re.escape(host)}$`)"


def with_path(host: str) -> str:
    """The same, with a path that all requests have."""
    return f"Host(`{host}`) && PathPrefix(`/`)"


def _router(name: str, rule: str, *more: str) -> str:
    return f"    {name}: {{{', '.join([f'rule: {json.dumps(rule)}', *more])}}}\n"


def _pair(name: str, rule: str, *more: str) -> str:
    """A router for each entrypoint."""
    return (_router(name, rule, "entryPoints: [web]", *more)
            + _router(f"{name}-tls", rule, "entryPoints: [websecure]", "tls: {}", *more))


def _service(name: str, target: str) -> str:
    return f"    {name}: {{loadBalancer: {{servers: [{{url: {json.dumps(target)}}}]}}}}\n"


def _document(routers: str, services: str = "") -> str:
    return f"http:\n  routers:\n{routers}" + (f"  services:\n{services}" if services else "")


def _name(host: str) -> str:
    return host.partition(".")[0]


def one(host: str, target: str, rule: Callable[[str], str] = exact, *more: str) -> str:
    """The file of one route."""
    name = _name(host)
    return _document(_pair(name, rule(host), f"service: {name}", *more), _service(name, target))


def file_per_route(rule: Callable[[str], str] = exact, *more: str) -> Layout:
    """A file for each route."""
    return lambda hosts, target: {f"{_name(host)}.yml": one(host, target, rule, *more) for host in hosts}


def one_file(hosts: Sequence[str], target: str) -> Files:
    """All routes in one file."""
    routers = (_pair(_name(host), exact(host), f"service: {_name(host)}") for host in hosts)
    return {"routes.yml": _document("".join(routers), "".join(_service(_name(host), target) for host in hosts))}


Layout = Callable[[Sequence[str], str], Files]


@dataclass
class Node:
    """Hosts that share a prefix, parted further where they are many."""

    prefix: str
    hosts: List[str]
    children: List[Node]

    @property
    def name(self) -> str:
        """Of its router."""
        return "at-" + re.sub(r"[^a-z0-9]", "_", self.prefix)


def parted(hosts: Sequence[str], most: int, prefix: str = "") -> List[Node]:
    """Hosts by the shortest prefixes that at most so many share."""
    found: Dict[str, List[str]] = {}
    for host in hosts:
        found.setdefault(host[:len(prefix) + 1], []).append(host)
    nodes = []
    for longer, group in found.items():
        nodes += [Node(longer, group, [])] if len(group) <= most else parted(group, most, longer)
    return nodes


def trie(hosts: Sequence[str], prefix: str = "") -> List[Node]:
    """Hosts by one character after the other, as deep as they are many; a layer in which all are alike is left out."""
    found: Dict[str, List[str]] = {}
    for host in hosts:
        found.setdefault(host[:len(prefix) + 1], []).append(host)
    if len(found) == 1:
        return trie(hosts, next(iter(found)))
    return [Node(longer, group, []) if len(group) <= LEAF else Node(longer, [], trie(group, longer)) for longer, group in found.items()]


def _layers(nodes: Sequence[Node], target: str, above: Sequence[str] = ()) -> Tuple[str, Files]:
    """The routers of nodes that have no service, and the files of the routes below them."""
    routers, files = "", {}
    for node in nodes:
        rule = f"HostRegexp(`^{re.escape(node.prefix)}`)"
        routers += _router(node.name, rule, f"parentRefs: [{', '.join(above)}]") if above else _pair(node.name, rule)
        here = [node.name] if above else [node.name, f"{node.name}-tls"]
        for host in node.hosts:
            name = _name(host)
            files[f"{name}.yml"] = _document(
                _router(name, exact(host), f"service: {name}", f"parentRefs: [{', '.join(here)}]"), _service(name, target))
        inner, more = _layers(node.children, target, here)
        routers, files = routers + inner, {**files, **more}
    return routers, files


def two_layers(hosts: Sequence[str], target: str) -> Files:
    """About as many parents as each has children."""
    routers, files = _layers(parted(hosts, 2 * isqrt(len(hosts))), target)
    return {**files, "parents.yml": _document(routers)}


def many_layers(hosts: Sequence[str], target: str) -> Files:
    """A layer for each character that tells hosts apart."""
    routers, files = _layers(trie(hosts), target)
    return {**files, "parents.yml": _document(routers)}


LAYOUTS: Dict[str, Layout] = {
    "hand": file_per_route(), "hand-one-file": one_file, "priority": file_per_route(exact, "priority: 100"),
    "regexp": file_per_route(regexp), "path": file_per_route(with_path), "two-layers": two_layers, "many-layers": many_layers,
}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's dynamic configuration (file provider, Traefik v3): a route as one file, and back.

The second line of a file is the route as JSON: it is what was asked for, the YAML below is derived from it, so that
a file edited by hand is noticed and mended. Values hold no template braces (the models' allow-lists see to that),
which matters because Traefik runs every file through Go's template engine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ..errors import GatewayError
from ..models.fields import as_written
from ..models.route import PLAIN_ENTRYPOINT, Route
from .strict_json import parse_object

NOTICE = "# Written by edge.gateway.traefik_route; a change made here is undone by its next run."
MARKER = "# edge.gateway route schema 1: "
# of a second router for plain HTTP; no id has capital letters, so that name is nobody's
PLAIN_SUFFIX = "-HTTP"
# characters of "Host(`a`)": no exact name's rule is ranked lower
SHORTEST_RULE = 9


def render(route: Route) -> str:
    """The file of one route."""
    wanted = json.dumps(route.as_dict(), sort_keys=True)
    return "\n".join([NOTICE, MARKER + wanted, *_yaml({"http": _http(route)})]) + "\n"


def is_ours(text: str) -> bool:
    """Whether a file carries our marker (of any schema version)."""
    return text.startswith(NOTICE.split(";", maxsplit=1)[0])


def parse(text: str) -> Route:
    """The route that a file of ours was written for.

    Raises:
        ValueError: the header is not one that this version writes.
    """
    lines = text.split("\n", 2)
    if len(lines) < 3 or not lines[1].startswith(MARKER):
        raise ValueError("has no header of this version")
    try:
        entry = parse_object(lines[1][len(MARKER):].encode())
        route = Route.parse(entry)
    except GatewayError as problem:
        raise ValueError(f"has an invalid header ({problem.message})") from None
    if not as_written(entry, route.as_dict()):
        raise ValueError("has a header that this version would not write")
    return route


@dataclass(frozen=True)
class Router:
    """One router as far as this collection decides it; what Traefik's API reports is compared with it."""

    rule: str
    entrypoints: Tuple[str, ...]
    service: str
    certresolver: str = ""


def routers(route: Route) -> Dict[str, Router]:
    """The routers of a route by name. One serves either TLS or plain HTTP, so a route on both kinds of entrypoints has two."""
    plain = tuple(name for name in route.entrypoint if name == PLAIN_ENTRYPOINT)
    secure = tuple(name for name in route.entrypoint if name != PLAIN_ENTRYPOINT)
    found = {}
    if secure:
        found[route.route_id] = Router(rule(route), secure, route.route_id, route.certresolver)
    if plain:
        found[route.route_id + PLAIN_SUFFIX if secure else route.route_id] = Router(rule(route), plain, route.route_id)
    return found


def router_names(route_id: str) -> Tuple[str, str]:
    """All names that a route's routers can have."""
    return route_id, route_id + PLAIN_SUFFIX


def servers(route: Route) -> Tuple[str, ...]:
    """The targets as Traefik's service lists them."""
    return tuple(str(target) for target in route.target_url)


def rule(route: Route) -> str:
    """The router's rule (Traefik v3 syntax). Names hold no backtick, so quoting them is safe."""
    hosts = " || ".join(_host(name) for name in route.hostname)
    if not route.path_prefix:
        return hosts
    return f"({hosts}){_path(route)}" if len(route.hostname) > 1 else hosts + _path(route)


def _host(name: str) -> str:
    if name.startswith("*."):
        return f"HostRegexp(`^[^.]+{re.escape(name[1:])}$`)"
    return f"Host(`{name}`)"


def _path(route: Route) -> str:
    return f" && PathPrefix(`{route.path_prefix}`)" if route.path_prefix else ""


def priority(route: Route) -> Optional[int]:
    """What to rank the rule by, where its length, which Traefik takes, would be wrong; None where it is right.

    A wildcard's rule is long, yet the exact name wins, whatever its path. Several names make a rule long, yet the one
    with a path wins: such a route counts as if it had one name.
    """
    if any(name.startswith("*.") for name in route.hostname):
        return min(1 + route.path_prefix.count("/"), SHORTEST_RULE - 1)
    if len(route.hostname) == 1:
        return None
    lengths = [len(_host(name)) for name in route.hostname]
    return max(lengths) + len(_path(route)) if route.path_prefix else min(lengths)


def _http(route: Route) -> Dict[str, Any]:
    name = json.dumps(route.route_id)       # quoted: 123 and true are valid ids, but not strings in YAML
    rank = priority(route)
    made: Dict[str, Any] = {}
    for router_name, router in routers(route).items():
        entry: Dict[str, Any] = {
            "rule": router.rule, "entryPoints": list(router.entrypoints), "service": router.service}
        made[json.dumps(router_name)] = entry
        if rank is not None:
            entry["priority"] = rank
        # the default certificate is served unless a resolver is named
        if router.entrypoints != (PLAIN_ENTRYPOINT,):
            entry["tls"] = {"certResolver": router.certresolver} if router.certresolver else {"options": "default"}
    urls = [{"url": url} for url in servers(route)]
    return {"routers": made, "services": {name: {"loadBalancer": {"servers": urls}}}}


def _yaml(value: Any, indent: int = 0, key: Optional[str] = None) -> List[str]:
    """Block-style YAML of dicts, lists and strings; every string is quoted as JSON, which is YAML too."""
    pad = "  " * indent
    if isinstance(value, dict):
        head = [f"{pad}{key}:"] if key is not None else []
        inner = indent + 1 if key is not None else indent
        return head + [line for name, item in value.items() for line in _yaml(item, inner, name)]
    if isinstance(value, list):
        return [f"{pad}{key}:"] + [f"{pad}  - {json.dumps(item)}" for item in value]
    return [f"{pad}{key}: {json.dumps(value)}"]

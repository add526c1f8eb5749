# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy routing: the script that sets it up, and what ``ip -json`` prints of it."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, FrozenSet, List, Mapping, Sequence, Tuple

from ..models.tunnel import Route, Routing, Rule, slot

# rules and routes with this number are ours; no routing daemon has it
PROTOCOL = "218"
HEADER = """#!/bin/sh
# Written by edge.gateway.{author}; a change made here is undone by its next run.
# Routing of {interface}: run by wg-quick when the interface comes up, and by edge-gateway-mesh@{interface}.timer, since others
# (systemd-networkd for one) take rules away that are not theirs. With "down" it takes them away itself.
"""


def script(author: str, interface: str, routing: Routing) -> str:
    """The script; it can be run again and again."""
    down = [f"  {_rule('delete', rule)} 2>/dev/null" for rule in sorted(routing.rules)]
    # routes that lead nowhere do not go with the interface
    tables = sorted({(route.family, route.table) for route in routing.routes if route.table})
    down += [f"  ip -{family} route flush table {table} proto {PROTOCOL} 2>/dev/null" for family, table in tables]
    lines = ["if [ \"${1:-up}\" = down ]; then", *down, "  exit 0", "fi"]
    lines += [f"{{ echo {value} >/proc/sys/{path}; }} 2>/dev/null" for path, value in sorted(routing.switches)]
    lines += [_route(interface, route) for route in sorted(routing.routes)]
    lines += [f"{_rule('add', rule)} 2>/dev/null" for rule in sorted(routing.rules)]
    # one that stands already is no failure, and what is missing must not keep the tunnel down
    return HEADER.format(author=author, interface=interface) + "\n".join([*lines, "exit 0"]) + "\n"


def switches(text: str) -> FrozenSet[Tuple[str, str]]:
    """The settings that a script makes, with their values."""
    lines = (line.split(" ") for line in text.splitlines() if line.startswith("{ echo "))
    return frozenset((words[3].partition("/proc/sys/")[2].rstrip(";"), words[2]) for words in lines if len(words) == 6)


def delete_rule(rule: Rule) -> List[str]:
    """The command that takes a rule away."""
    return _rule("delete", rule).split()


def delete_route(route: Route, interface: str) -> List[str]:
    """The command that takes a route away."""
    return ["ip", f"-{route.family}", "route", "delete", *_where(interface, route).split()]


def _rule(verb: str, rule: Rule) -> str:
    return f"ip -{rule.family} rule {verb} priority {rule.priority} {rule.selector} {rule.action} protocol {PROTOCOL}"


def _route(interface: str, route: Route) -> str:
    return f"ip -{route.family} route replace {_where(interface, route)}" + (f" proto {PROTOCOL}" if route.table else "")


def _where(interface: str, route: Route) -> str:
    leads = f"{route.network} dev {interface}" if route.reachable else f"unreachable {route.network}"
    return leads + (f" table {route.table}" if route.table else "")


def parse_rules(family: int, interface: str, entries: Sequence[Mapping[str, Any]]) -> FrozenSet[Rule]:
    """Our rules for an interface in the output of ``ip -json rule show``."""
    first = slot(interface)
    return frozenset(
        Rule(family, entry["priority"], _selector(entry), _action(entry)) for entry in entries
        if str(entry.get("protocol")) == PROTOCOL and first <= entry["priority"] < first + 10)


def _selector(entry: Mapping[str, Any]) -> str:
    words = f"from {_network(entry, 'src')}"
    words += f" to {_network(entry, 'dst')}" if "dst" in entry else ""
    return words + (f" iif {entry['iif']}" if "iif" in entry else "")


def _network(entry: Mapping[str, Any], name: str) -> str:
    length = entry.get(f"{name}len")
    return f"{entry[name]}/{length}" if length is not None else str(entry[name])


def _action(entry: Mapping[str, Any]) -> str:
    if "table" not in entry:
        return str(entry.get("action", ""))
    return f"lookup {entry['table']}" + (f" suppress_prefixlength {entry['suppress_prefixlen']}" if "suppress_prefixlen" in entry else "")


def parse_table(family: int, table: int, interface: str, entries: Sequence[Dict[str, Any]]) -> FrozenSet[Route]:
    """Our routes in the output of ``ip -json route show table NUMBER``."""
    found = set()
    for entry in entries:
        if str(entry.get("protocol")) == PROTOCOL and (entry.get("type") == "unreachable" or entry.get("dev") == interface):
            network = {4: "0.0.0.0/0", 6: "::/0"}[family] if entry["dst"] == "default" else str(ipaddress.ip_network(entry["dst"]))
            found.add(Route(family, table, network, entry.get("type", "unicast") == "unicast"))
    return frozenset(found)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of policy routing, and what the kernel makes of it, read back by ip(8)."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import routing
from ansible_collections.edge.gateway.plugins.module_utils.formats.wireguard import HUB, JOIN
from ansible_collections.edge.gateway.plugins.module_utils.models.tunnel import Route, Routing, hub_routing, node_routing, slot

# recorded in a network namespace of its own by ip 6.1.0 on Linux 6.18: both scripts run twice over interfaces of wireguard-go, beside rules
# and a route of others; then both with "down"
RECORDED: Dict[str, List[Dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "ip-6.1.0-mesh-routing-2026-11-26.json").read_text())
NODE = node_routing("wg0", ["10.50.0.12", "fd50::12"], ["10.50.0.0/24", "fd50::/64"], ["0.0.0.0/0", "198.51.100.7/32", "2001:db8::/32"])
EDGE_HUB = hub_routing("wg1", ["10.60.0.0/24", "fd60::/64"], ["203.0.113.0/24", "2001:db8:1::/48"], closed=True)
BOTH = [("wg0", NODE), ("wg1", EDGE_HUB)]


@pytest.mark.parametrize(("interface", "wanted"), BOTH)
@pytest.mark.parametrize("family", [4, 6])
def test_what_the_script_sets_up_is_read_back(interface: str, wanted: Routing, family: int) -> None:
    """Exactly that, once, though it ran twice; what others have in the same table or slot is not ours."""
    rules = routing.parse_rules(family, interface, RECORDED[f"rules {family}"])
    assert rules == {rule for rule in wanted.rules if rule.family == family}
    ours = [entry for entry in RECORDED[f"rules {family}"] if slot(interface) <= entry["priority"] < slot(interface) + 10
            and entry.get("protocol") == routing.PROTOCOL]
    assert len(ours) == len(rules)
    routes = routing.parse_table(family, slot(interface), interface, RECORDED[f"table {family} {interface}"])
    assert routes == {route for route in wanted.routes if route.family == family and route.table}
    main = {entry["dst"] for entry in RECORDED[f"main {family} {interface}"]}
    assert {route.network for route in wanted.routes if route.family == family and not route.table} <= main


@pytest.mark.parametrize(("interface", "_wanted"), BOTH)
@pytest.mark.parametrize("family", [4, 6])
def test_down_takes_it_all_away(interface: str, _wanted: Routing, family: int) -> None:
    """And leaves what is not ours."""
    assert not routing.parse_rules(family, interface, RECORDED[f"rules {family} after down"])
    assert not routing.parse_table(family, slot(interface), interface, RECORDED[f"table {family} {interface} after down"])
    if (family, interface) == (4, "wg0"):
        assert [entry["dst"] for entry in RECORDED["table 4 wg0 after down"]] == ["192.0.2.0/24"]
        assert {16835, 500} <= {entry["priority"] for entry in RECORDED["rules 4 after down"]}


def test_rules_and_routes_of_others() -> None:
    """Another protocol, another slot, another interface: each keeps an entry out."""
    rule = {"priority": slot("wg0"), "src": "all", "table": "77", "protocol": "218"}
    assert len(routing.parse_rules(4, "wg0", [rule])) == 1 and len(routing.parse_rules(4, "wg0", [{**rule,
                                                                                                   "priority": slot("wg0") + 9}])) == 1
    for change in ({"protocol": "static"}, {"priority": slot("wg0") - 1}, {"priority": slot("wg0") + 10}, {"protocol": None}):
        assert not routing.parse_rules(4, "wg0", [{**rule, **change}])
    assert not routing.parse_rules(4, "wg1", [rule])
    route = {"dst": "10.1.0.0/16", "dev": "wg0", "protocol": 218}
    assert routing.parse_table(4, 9, "wg0", [route]) == {Route(4, 9, "10.1.0.0/16")}
    for change in ({"protocol": "kernel"}, {"dev": "eth0"}):
        assert not routing.parse_table(4, 9, "wg0", [{**route, **change}])


def test_the_script_is_plain_shell() -> None:
    """Every word is a command of ours, a number, a network or the interface; a failure does not keep the tunnel down."""
    for author, (interface, wanted) in zip((JOIN, HUB), BOTH):
        text = routing.script(author, interface, wanted)
        assert text.startswith("#!/bin/sh\n") and f"edge.gateway.{author};" in text and text.endswith("\nexit 0\n")
        body = [line for line in text.splitlines() if not line.startswith("#")]
        assert body[0] == 'if [ "${1:-up}" = down ]; then'
        for line in body[1:]:
            # a failure of the shell itself, which cannot open the setting, is silenced by a group
            plain = line.replace(" 2>/dev/null", "").replace("{ ", "").replace("; }", "").replace(" >/proc/", " /proc/").strip()
            assert plain == shlex.join(shlex.split(plain)) and plain.split()[0] in ("ip", "echo", "exit", "fi")
        assert body[1:].count("exit 0") == 1 and body[1:].count("  exit 0") == 1
        # down: others may have routes in a table of that number
        assert all(f" proto {routing.PROTOCOL} " in line for line in body if " flush " in line)
        # up: nothing that fails when it stands already, but for the rules, which say so to nobody
        assert all(line.endswith("2>/dev/null") for line in body if " rule add " in line or line.startswith("  ip"))
        assert not any(" route add " in line for line in body)


def test_switches() -> None:
    """Are read back from the script, whose changes by hand are seen so."""
    assert routing.switches(routing.script(HUB, "wg1", EDGE_HUB)) == EDGE_HUB.switches
    assert routing.switches(routing.script(HUB, "eth0.5", hub_routing("eth0.5", ["10.50.0.0/24"], [], True))) == {
        ("net/ipv4/conf/eth0.5/forwarding", "1")}
    assert routing.switches("") == routing.switches("echo\necho 1\necho a b c\n# echo 1 >/proc/sys/x\n") == frozenset()
    assert routing.switches(routing.script(JOIN, "wg0", NODE)) == frozenset()


@pytest.mark.parametrize(("interface", "wanted"), BOTH)
def test_one_by_one(interface: str, wanted: Routing) -> None:
    """What is taken away in place is named as it was set up."""
    text = routing.script(JOIN, interface, wanted)
    for rule in wanted.rules:
        assert f"  {' '.join(routing.delete_rule(rule))} 2>/dev/null\n" in text
    for route in wanted.routes:
        words = routing.delete_route(route, interface)
        assert words[:4] == ["ip", f"-{route.family}", "route", "delete"]
        assert f"ip -{route.family} route replace {' '.join(words[4:])}" in text
        assert ("unreachable" in words) == (not route.reachable) == (interface not in words)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tunnel as it should be: its routing for clients with their own address, and a hub's."""

from __future__ import annotations

import ipaddress
import string
from typing import List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models.tunnel import (
    Route,
    Routing,
    Rule,
    TunnelConfig,
    TunnelPeer,
    hub_routing,
    is_within,
    node_routing,
    slot,
)
from unit.samples import KEY

TABLE = slot("wg0")


def selectors(routing: Routing) -> List[str]:
    """The rules in the order in which the kernel asks them."""
    return [f"{rule.selector} {rule.action}" for rule in sorted(routing.rules, key=lambda rule: (rule.family, rule.priority))]


def test_slots() -> None:
    """Ten priorities to an interface, before the kernel's main table (32766), the same on every host and in every version."""
    names = [f"{first}{second}{number}" for first in string.ascii_lowercase for second in "g_.-" for number in range(20)]
    assert all(slot(name) >= 10_000 and slot(name) + 10 <= 30_000 and slot(name) % 10 == 0 for name in [*names, "x", "w" * 15])
    assert (slot("wg0"), slot("wg1")) == (16830, 23570)


def test_a_node_answers_through_the_tunnel() -> None:
    """What it sends from its mesh address goes back, where it would leave by a default route; nothing else differs."""
    found = node_routing("wg0", ["10.50.0.5"], ["10.50.0.0/24"], ["0.0.0.0/0"])
    assert selectors(found) == ["from 10.50.0.5 lookup main suppress_prefixlength 0", f"from 10.50.0.5 lookup {TABLE}"]
    assert found.routes == {Route(4, 0, "10.50.0.0/24"), Route(4, TABLE, "0.0.0.0/0")} and not found.switches


def test_a_node_routes_each_version_by_its_own_address() -> None:
    """Clients of a version in which the node has no address cannot reach it, and a version without clients needs no rules."""
    both = node_routing("wg0", ["10.50.0.5", "fd50::5"], ["10.50.0.0/24", "fd50::/64"], ["0.0.0.0/0", "::/0"])
    assert {(rule.family, rule.selector) for rule in both.rules} == {(4, "from 10.50.0.5"), (6, "from fd50::5")} and len(both.rules) == 4
    single = node_routing("wg0", ["10.50.0.5"], ["10.50.0.0/24"], ["::/0"])
    assert not single.rules and single.routes == {Route(4, 0, "10.50.0.0/24")}
    other = node_routing("wg0", ["10.50.0.5", "fd50::5"], [], ["2001:db8::/32"])
    assert {rule.family for rule in other.rules} == {6} and other.routes == {Route(6, TABLE, "2001:db8::/32")}


def test_a_closed_hub() -> None:
    """Who comes out of the mesh finds the mesh alone; from elsewhere, the hub itself alone reaches it."""
    found = hub_routing("wg0", ["10.50.0.0/24"], [], closed=True)
    assert selectors(found) == [f"from all iif wg0 lookup {TABLE}", "from all to 10.50.0.0/24 iif lo lookup main",
                                "from all to 10.50.0.0/24 prohibit"]
    assert found.routes == {Route(4, TABLE, "10.50.0.0/24"), Route(4, TABLE, "0.0.0.0/0", reachable=False)}
    assert found.switches == {("net/ipv4/conf/wg0/forwarding", "1")}


def test_a_closed_hub_with_clients() -> None:
    """They are led to their edge; a default route of clients stands where nothing was reachable."""
    some = hub_routing("wg0", ["10.50.0.0/24"], ["198.51.100.0/24", "2001:db8::/32"], closed=True)
    assert selectors(some)[:3] == [f"from all iif wg0 lookup {TABLE}", "from 10.50.0.0/24 lookup main suppress_prefixlength 0",
                                   f"from 10.50.0.0/24 lookup {TABLE}"]
    assert some.routes == {Route(4, TABLE, "10.50.0.0/24"), Route(4, TABLE, "198.51.100.0/24"),
                           Route(4, TABLE, "0.0.0.0/0", reachable=False)}
    every = hub_routing("wg0", ["10.50.0.0/24", "fd50::/64"], ["0.0.0.0/0"], closed=True)
    assert {route for route in every.routes if route.network.endswith("/0")} == {
        Route(4, TABLE, "0.0.0.0/0"), Route(6, TABLE, "::/0", reachable=False)}
    assert {rule.family for rule in every.rules if rule.priority in (TABLE + 1, TABLE + 2)} == {4}


def test_an_open_hub() -> None:
    """Passes packets, and leaves the rest to the host's own routing."""
    found = hub_routing("wg0", ["10.50.0.0/24"], [], closed=False)
    assert not found.rules and not found.routes and found.switches


@pytest.mark.parametrize("routing", [
    hub_routing("wg0", ["10.50.0.0/24", "fd50::/64"], ["0.0.0.0/0", "2001:db8::/32"], closed=True),
    node_routing("wg0", ["10.50.0.5", "fd50::5"], ["10.50.0.0/24", "fd50::/64"], ["0.0.0.0/0", "::/0"]),
])
def test_no_two_rules_of_one_priority(routing: Routing) -> None:
    """Their order would be that of their making; and all lie in the interface's slot."""
    places = [(rule.family, rule.priority) for rule in routing.rules]
    assert len(places) == len(set(places)) and all(TABLE <= priority < TABLE + 10 for _family, priority in places)
    assert all(isinstance(rule, Rule) and route.table in (0, TABLE) for rule in routing.rules for route in routing.routes)


def test_main_routes() -> None:
    """By wg-quick all but default routes and what the own addresses bring; with routing of ours, what that puts in the main table."""
    peers = (TunnelPeer(KEY, ("10.50.0.7/32", "10.60.0.0/16", "0.0.0.0/0", "fd50::/64")), TunnelPeer(KEY, ()))
    assert TunnelConfig(("10.50.0.1/24", "fd50::1/128"), peers).main_routes == {"10.60.0.0/16", "fd50::/64"}
    ours = node_routing("wg0", ["10.50.0.5"], ["10.50.0.0/24"], ["0.0.0.0/0"])
    assert TunnelConfig(("10.50.0.5/32",), peers, routing=ours).main_routes == {"10.50.0.0/24"}


def test_is_within() -> None:
    """The whole network; another version is never within."""
    wide = [ipaddress.ip_network("10.50.0.0/24"), ipaddress.ip_network("::/0")]
    assert is_within("10.50.0.7", wide) and is_within("10.50.0.0/24", wide) and is_within("fd50::", wide)
    assert not is_within("10.50.0.0/23", wide) and not is_within("10.50.1.0", wide) and not is_within("10.50.0.7", wide[1:])

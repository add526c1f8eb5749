# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table as text, and a change of it as text."""

from __future__ import annotations

import re
from typing import Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats.nftables import (
    NO_TABLE,
    OLDEST,
    allow_list,
    elements_of,
    merged,
    version,
)
from ansible_collections.edge.gateway.plugins.module_utils.formats.nftables_text import Layout
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from unit.forward_samples import FORWARDS, only, without


def text(forwards: Forwards, interface: str = "wg0") -> str:
    """The whole table."""
    return Layout(forwards, interface).text


def change(before: Forwards, after: Forwards) -> str:
    """From one table to another."""
    return Layout(after, "wg0").change(Layout(before, "wg0").table)


def test_both_protocols_make_two_elements() -> None:
    """One entry in each map."""
    assert [(item.holder, item.key) for item in elements_of(FORWARDS["dns"])] == [("tcp4", "53"), ("udp4", "53")]


def test_a_shifted_range_is_an_element_for_each_port() -> None:
    """nft would send all ports of a range to the first port of the other."""
    found = [(item.key, item.value) for item in elements_of(FORWARDS["moved"]) if item.holder == "tcp4"]
    assert found == [(str(port), f"10.50.0.16 . {port + 1000}") for port in range(7000, 7004)]


def test_a_range_with_the_same_ports_is_one_element() -> None:
    """Only the address is translated."""
    assert [(item.holder, item.key, item.value) for item in elements_of(FORWARDS["voice"])] == [("udp4_ranges", "6000-6010", "10.50.0.14")]


def test_every_element_carries_its_forward() -> None:
    """By its comment it is known again."""
    for name, forward in FORWARDS.items():
        for element in elements_of(forward):
            assert element.note.split(" ")[0] == name and f'comment "{element.note}"' in element.text


@pytest.mark.parametrize("forwards", [{}, only("dns"), FORWARDS])
def test_render_is_one_transaction_that_replaces_only_our_table(forwards: Forwards) -> None:
    """It must load on an empty kernel as well as over an older table, and name no other table."""
    whole = text(forwards)
    assert whole.startswith("add table inet edge_gateway\ndelete table inet edge_gateway\ntable inet edge_gateway {\n")
    assert set(re.findall(r"\btable (\S+ \S+)", whole)) == {"inet edge_gateway"}
    assert "flush" not in whole and "destroy" not in whole and "policy drop" not in whole


def test_what_no_forward_needs_is_not_there() -> None:
    """One map, one look-up."""
    whole = text(only("vm-1"))
    assert re.findall(r"\b(?:map|set) (\S+) {", whole) == ["tcp4"] and "interval" not in whole
    assert whole.count("dnat ") == 1 + whole.count("ct status dnat")
    assert "type inet_service : ipv4_addr . inet_service; size 65536;" in whole


def test_only_traffic_to_the_edge_from_outside_the_mesh_is_forwarded() -> None:
    """All maps stand behind one check, and it names the interface that was asked for."""
    whole = text(without("turn"), "wg7")
    chain = whole[whole.index("chain prerouting"):whole.index("chain postrouting")]
    assert re.findall(r"\t\t(?!type)(.*) comment", chain) == ['iifname != "wg7" fib daddr type local jump forwards']
    assert "wg0" not in whole and whole.count("maxseg size set rt mtu") == 2


def test_hairpin_opens_only_its_own_ports_to_the_mesh() -> None:
    """The set that lets nodes in holds the forwards that ask for it."""
    whole = text(FORWARDS)
    assert 'iifname "wg0" fib daddr type local meta nfproto ipv4 tcp dport @tcp4_hairpin jump forwards' in whole
    assert [element.key for name in FORWARDS for element in elements_of(FORWARDS[name]) if "hairpin" in element.holder] == ["9500"]


def test_without_forwards_only_the_guard_stands() -> None:
    """The last forward takes masquerade and DNAT away; the mesh stays closed."""
    whole = text({})
    assert "masquerade" not in whole and "dnat ip" not in whole and "hook nat" not in whole and "map" not in whole
    assert 'oifname "wg0" jump to_mesh' in whole and 'iifname "wg0" jump from_mesh' in whole
    assert [chain.count("drop comment") for chain in whole.split("chain ")[1:]] == [1, 1, 0]


def test_render_is_stable() -> None:
    """The boot file does not change with the order of the state."""
    assert text(FORWARDS) == text(dict(reversed(list(FORWARDS.items()))))


def test_one_list_is_one_chain() -> None:
    """Whoever else has the same networks, in whatever order, shares it; another IP version has its own."""
    one, same = allow_list(4, ("10.0.0.0/8", "192.0.2.0/24")), \
        allow_list(4, ("192.0.2.0/25", "192.0.2.128/25", "10.0.0.0/8", "10.1.0.0/16"))
    assert one == same and one[0] != allow_list(4, ("10.0.0.0/8",))[0]
    assert allow_list(6, ("10.0.0.0/8", "2001:db8::/32"))[1] == ((0x20010DB8 << 96, (0x20010DB9 << 96) - 1),)


@pytest.mark.parametrize(("spans", "expected"), [
    ([], ()), ([(5, 9), (1, 3)], ((1, 3), (5, 9))), ([(1, 3), (4, 5)], ((1, 5),)), ([(1, 9), (2, 3)], ((1, 9),)),
])
def test_merged(spans: list[tuple[int, int]], expected: tuple[tuple[int, int], ...]) -> None:
    """Overlaps and seams go, gaps stay."""
    assert merged(spans) == expected


def test_change_names_only_the_elements_that_differ() -> None:
    """An added, a changed and a removed forward among those that stay."""
    wanted = {**without("vm-1", "game"), "game": Forward.parse({**FORWARDS["game"].as_dict(), "target_ip": "10.50.0.99"}),
              "new": Forward.parse({"forward_id": "new", "public_port": 80, "target_ip": "10.50.0.15"})}
    assert change(FORWARDS, wanted).splitlines() == [
        "delete element inet edge_gateway tcp4 { 22015 }",
        "delete element inet edge_gateway udp4 { 2456 }",
        'add element inet edge_gateway tcp4 { 80 comment "new" : 10.50.0.15 . 80 }',
        'add element inet edge_gateway udp4 { 2456 comment "game a:b #1" : 10.50.0.99 . 2456 }',
    ]


def test_no_change_is_no_text() -> None:
    """Nothing to do is not a transaction."""
    assert change(FORWARDS, FORWARDS) == ""


def test_the_first_of_a_kind_adds_its_map_and_leaves_the_others() -> None:
    """Chains are written anew, elements of other forwards are not named."""
    lines = change(without("voice", "next"), without("next")).splitlines()
    assert any(line.startswith("add map inet edge_gateway udp4_ranges {") for line in lines)
    assert [line for line in lines if " element " in line] == [
        'add element inet edge_gateway udp4_ranges { 6000-6010 comment "voice" : 10.50.0.14 }']
    assert {line.split()[4] for line in lines if line.startswith("flush chain")} == {"forwards"}


def test_the_last_of_a_kind_takes_its_map_along() -> None:
    """Its elements are not deleted one by one."""
    lines = change(without("next"), without("voice", "next")).splitlines()
    assert "delete map inet edge_gateway udp4_ranges" in lines and not any(" element " in line for line in lines)


def test_a_table_of_another_type_does_not_fit() -> None:
    """It is replaced as a whole; one that only lacks something is not."""
    wanted = Layout(FORWARDS, "wg0")
    assert not wanted.fits(NO_TABLE)
    assert wanted.fits(Layout({}, "wg0").table) and wanted.fits(Layout(FORWARDS, "wg1").table)
    table = wanted.table
    other = table.holders["tcp4"]._replace(interval=True)
    for broken in ({"flags": 1}, {"holders": {**table.holders, "tcp4": other}}, {"lists": dict.fromkeys(table.lists, ((1, 1),))},
                   {"chains": {**table.chains, "forward": table.chains["forward"]._replace(hook=("filter", "input", "0"))}}):
        parts = {name: getattr(table, name) for name in ("flags", "holders", "lists", "chains", "elements")}
        assert not wanted.fits(type(table)(**{**parts, **broken}))


@pytest.mark.parametrize(("text", "found"), [
    ("nftables v1.0.6 (Lester Gooch #5)\n", (1, 0, 6)), ("nftables v0.9.3 (Topsy)", (0, 9, 3)), ("nftables v1.1", (1, 1)),
    ("", ()), ("v1.0.6", ()),
    ("nftables v1.0.x", ()), ("nftables vx", ())])
def test_the_version_of_nft(text: str, found: Tuple[int, ...]) -> None:
    """What cannot be understood is no version, and never too old."""
    assert version(text) == found and (found < OLDEST) is (found[:1] in ((), (0,)))

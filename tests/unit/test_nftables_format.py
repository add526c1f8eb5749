# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table as text, a change as text, and the kernel's listing read back."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import nftables
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from unit.samples import one_sentence

RECORDED = Path(__file__).parent / "data" / "nft-1.0.6-list-table-2026-11-23.json"
FORWARDS = {item.forward_id: item for item in (
    Forward("vm-1", 22015, "10.50.0.12", 32215, "tcp", "opened by ops"),
    Forward("dns", 53, "10.50.0.13", 53, "both"),
    Forward("game", 2456, "10.50.0.14", 2456, "udp", "a:b #1"),
)}


@pytest.fixture(name="listing")
def recorded_listing() -> Dict[str, Any]:
    """A real 'nft -j list table' of the three forwards, by nft 1.0.6 on 2026-11-23."""
    document: Dict[str, Any] = json.loads(RECORDED.read_text())
    return document


def bodies(listing: Dict[str, Any], kind: str) -> List[Dict[str, Any]]:
    """The objects of one kind in a listing."""
    return [entry[kind] for entry in listing["nftables"] if kind in entry]


def test_parse_recorded_listing(listing: Dict[str, Any]) -> None:
    """The elements of the kernel are the elements that were wanted, with their comments."""
    table = nftables.parse_table(listing)
    assert table.elements == nftables.table_of(FORWARDS, "wg0").elements
    chains = {part[1:] for part in table.structure if part[0] == "chain"}
    assert chains == {("forward", "filter", "forward", "0", "accept"), ("prerouting", "nat", "prerouting", "-100", "accept"),
                      ("postrouting", "nat", "postrouting", "100", "accept")}


def test_parse_reads_the_list_form_of_later_versions(listing: Dict[str, Any]) -> None:
    """A later nft prints a concatenated type as a list."""
    newer = copy.deepcopy(listing)
    for body in bodies(newer, "map"):
        body["map"] = body["map"].split(" . ")
    assert nftables.parse_table(newer) == nftables.parse_table(listing)


def test_both_protocols_make_two_elements() -> None:
    """One entry in each map."""
    assert [(item.map_name, item.port) for item in nftables.elements_of(FORWARDS["dns"])] == [("tcp4", 53), ("udp4", 53)]


@pytest.mark.parametrize("forwards", [{}, {"dns": FORWARDS["dns"]}, FORWARDS])
def test_render_is_one_transaction_that_replaces_only_our_table(forwards: Dict[str, Forward]) -> None:
    """It must load on an empty kernel as well as over an older table, and name no other table."""
    text = nftables.render_table(nftables.table_of(forwards, "wg0"), "wg0")
    assert text.startswith("add table inet edge_gateway\ndelete table inet edge_gateway\ntable inet edge_gateway {\n")
    assert set(re.findall(r"\btable (\S+ \S+)", text)) == {"inet edge_gateway"}
    assert "flush" not in text and "destroy" not in text
    assert "policy drop" not in text


def test_render_declares_what_the_measurements_demand() -> None:
    """Hash maps with a size, keyed by port; forwards only what is addressed to the edge and not from the mesh."""
    text = nftables.render_table(nftables.table_of(FORWARDS, "wg7"), "wg7")
    assert text.count("type inet_service : ipv4_addr . inet_service") == 2 and text.count("size 65536") == 2
    assert "interval" not in text
    for line in (line for line in text.splitlines() if " dnat ip to " in line):
        assert line.strip().startswith('iifname != "wg7" fib daddr type local dnat ip to')
    assert text.count("dnat ip to") == 2
    assert text.count("maxseg size set rt mtu") == 2
    assert "wg0" not in text


def test_without_forwards_only_the_guard_stands() -> None:
    """The last forward takes masquerade and DNAT away; the mesh stays closed."""
    text = nftables.render_table(nftables.table_of({}, "wg0"), "wg0")
    assert "masquerade" not in text and "dnat ip to" not in text and "hook nat" not in text
    assert 'oifname "wg0" drop' in text and 'iifname "wg0" drop' in text


def test_render_is_stable() -> None:
    """The boot file does not change with the order of the state."""
    reverse = dict(reversed(list(FORWARDS.items())))
    assert nftables.render_table(nftables.table_of(FORWARDS, "wg0"), "wg0") == \
        nftables.render_table(nftables.table_of(reverse, "wg0"), "wg0")


def test_change_names_only_the_elements_that_differ() -> None:
    """An added, a changed and a removed forward among those that stay."""
    wanted = {**FORWARDS, "game": Forward("game", 2456, "10.50.0.99", 2456, "udp"), "new": Forward("new", 80, "10.50.0.15", 80)}
    wanted.pop("vm-1")
    text = nftables.render_change(nftables.table_of(FORWARDS, "wg0"), nftables.table_of(wanted, "wg0"))
    assert text.splitlines() == [
        "delete element inet edge_gateway tcp4 { 22015 }",
        "delete element inet edge_gateway udp4 { 2456 }",
        'add element inet edge_gateway tcp4 { 80 comment "new" : 10.50.0.15 . 80 }',
        'add element inet edge_gateway udp4 { 2456 comment "game" : 10.50.0.99 . 2456 }',
    ]


def test_no_change_is_no_text() -> None:
    """Nothing to do is not a transaction."""
    table = nftables.table_of(FORWARDS, "wg0")
    assert nftables.render_change(table, table) == ""


FOREIGN: List[Dict[str, Any]] = [
    {"rule": {"family": "inet", "table": "edge_gateway", "chain": "forward", "handle": 99, "expr": [{"accept": None}]}},
    {"rule": {"family": "inet", "table": "edge_gateway", "chain": "forward", "handle": 99, "comment": "mine",
    "expr": [{"accept": None}]}},
    {"rule": {"family": "inet", "table": "edge_gateway", "chain": "prerouting", "handle": 99, "comment": "tcp forwards", "expr": []}},
    {"chain": {"family": "inet", "table": "edge_gateway", "name": "mine", "handle": 99}},
    {"chain": {"family": "inet", "table": "edge_gateway", "name": "input", "handle": 9, "type": "filter", "hook": "input", "prio": 0,
    "policy": "drop"}},
    {"map": {"family": "inet", "table": "edge_gateway", "name": "mine", "handle": 99, "type": "inet_service", "map": "verdict"}},
    {"set": {"family": "inet", "table": "edge_gateway", "name": "mine", "handle": 99, "type": "ipv4_addr"}},
    {"counter": {"family": "inet", "table": "edge_gateway", "name": "mine", "handle": 99}},
    {"flowtable": {"family": "inet", "table": "edge_gateway", "name": "mine", "handle": 99}},
]


@pytest.mark.parametrize("entry", FOREIGN, ids=lambda entry: "-".join([*entry, *(str(body.get("comment", "")) for body in entry.values())]))
def test_what_we_did_not_write_is_an_error_that_names_it(listing: Dict[str, Any], entry: Dict[str, Any]) -> None:
    """Someone's own rule, chain or set in our table is never swept away in silence."""
    listing["nftables"].append(entry)
    with pytest.raises(StateRefused) as caught:
        nftables.parse_table(listing)
    (body,) = entry.values()
    assert body.get("name", "99") in one_sentence(caught.value.message)


ELEMENT_VALUE = {"concat": ["10.50.0.12", 80]}


@pytest.mark.parametrize("element", [
    [80, ELEMENT_VALUE],
    [{"elem": {"val": 80}}, ELEMENT_VALUE],
    [{"elem": {"val": 80, "comment": ""}}, ELEMENT_VALUE],
    [{"elem": {"val": 80, "comment": "Not An Id"}}, ELEMENT_VALUE],
    [{"elem": {"val": 80, "comment": "(firewall table)"}}, ELEMENT_VALUE],
    [{"elem": {"val": 80, "comment": "(x) hidden from the comparison"}}, ELEMENT_VALUE],
    [{"elem": {"val": 80, "comment": "web"}}, "10.50.0.12"],
    [{"elem": {"val": 80, "comment": "web"}}, {"concat": ["10.50.0.12"]}],
    [{"elem": {"val": {"range": [80, 90]}, "comment": "web"}}, ELEMENT_VALUE],
])
def test_an_element_we_did_not_write_is_an_error(listing: Dict[str, Any], element: Any) -> None:
    """No comment of ours, no element of ours; an id that we do not accept would never be compared."""
    bodies(listing, "map")[0]["elem"].append(element)
    with pytest.raises(StateRefused) as caught:
        nftables.parse_table(listing)
    assert "tcp4" in one_sentence(caught.value.message)


def test_a_table_switched_off_is_not_in_effect(listing: Dict[str, Any]) -> None:
    """'flags dormant' takes every hook away; nft 1.0.6 prints the flag as the name of the family."""
    dormant = copy.deepcopy(listing)
    bodies(dormant, "table")[0]["flags"] = "inet"
    try:
        assert nftables.parse_table(dormant).structure != nftables.parse_table(listing).structure
    except StateRefused as problem:
        one_sentence(problem.message)


def test_a_missing_or_reordered_rule_is_seen(listing: Dict[str, Any]) -> None:
    """The order of the guard's rules is part of the structure."""
    right = nftables.parse_table(listing).structure
    rules = [number for number, entry in enumerate(listing["nftables"]) if "rule" in entry]
    swapped = copy.deepcopy(listing)
    entries = swapped["nftables"]
    entries[rules[3]], entries[rules[4]] = entries[rules[4]], entries[rules[3]]
    assert nftables.parse_table(swapped).structure != right
    del listing["nftables"][rules[4]]
    assert nftables.parse_table(listing).structure != right

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our table as the kernel sent it, recorded, and what must not stand in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import nftables_dump as dump
from ansible_collections.edge.gateway.plugins.module_utils.formats.netlink import attribute, attributes, nested
from ansible_collections.edge.gateway.plugins.module_utils.formats.nftables import Table
from ansible_collections.edge.gateway.plugins.module_utils.formats.nftables_text import Layout
from unit.forward_samples import FORWARDS
from unit.samples import one_sentence

RECORDED = Path(__file__).parent / "data" / "nftables-linux-6.18-nft-1.0.6-2026-11-23.json"


@pytest.fixture(name="recorded")
def recorded_dump() -> Dict[str, Any]:
    """What Linux 6.18 sent on 2026-11-23 after nft 1.0.6 had loaded the table of all sample forwards."""
    raw: Dict[str, Any] = json.loads(RECORDED.read_text())
    return {name: {key: unpack(rows) for key, rows in value.items()} if isinstance(value, dict) else unpack(value)
            for name, value in raw.items()}


def unpack(rows: List[str]) -> List[bytes]:
    """The bytes of recorded messages."""
    return [bytes.fromhex(row) for row in rows]


def table(recorded: Dict[str, Any]) -> Table:
    """The table of a dump."""
    flags = dump.table_flags(recorded["tables"])
    assert flags is not None
    infos = dump.sets(recorded["sets"])
    lists = {info.name: dump.allow_list(info, recorded["elements"][info.name]) for info in infos if info.is_list}
    entries = [entry for info in infos if info.is_holder for entry in dump.elements(info, recorded["elements"][info.name], {})]
    return dump.table_of(flags, infos, dump.chains(recorded["chains"], recorded["rules"]), lists, entries)


def refusal(recorded: Dict[str, Any]) -> str:
    """Why a dump is refused."""
    with pytest.raises(StateRefused) as caught:
        table(recorded)
    return one_sentence(caught.value.message)


def test_the_recorded_table_is_the_wanted_one(recorded: Dict[str, Any]) -> None:
    """Structure, lists and elements of every kind."""
    wanted = Layout(FORWARDS, "wg0").table
    assert table(recorded) == wanted and table(recorded).structure == wanted.structure


def test_no_table_of_ours_is_none(recorded: Dict[str, Any]) -> None:
    """Someone else's does not count."""
    assert dump.table_flags([]) is None
    assert dump.table_flags([body.replace(b"edge_gateway", b"edge_gatewax") for body in recorded["tables"]]) is None


def test_a_dormant_table_is_not_the_wanted_one(recorded: Dict[str, Any]) -> None:
    """It stands there and does nothing."""
    recorded["tables"] = [attribute(1, b"edge_gateway\0") + attribute(2, bytes([0, 0, 0, 1]))]
    assert table(recorded).structure != Layout(FORWARDS, "wg0").table.structure


def test_a_policy_of_drop_is_not_the_wanted_one(recorded: Dict[str, Any]) -> None:
    """Ours accepts what other rules do not decide."""
    changed = [body.replace(attribute(5, bytes([0, 0, 0, 1])), attribute(5, bytes(4))) for body in recorded["chains"]]
    assert changed != recorded["chains"]
    recorded["chains"] = changed
    assert table(recorded).structure != Layout(FORWARDS, "wg0").table.structure


def rule(comment: bytes, chain: bytes = b"forward\0") -> bytes:
    """A rule as the kernel sends it."""
    return attribute(1, b"edge_gateway\0") + attribute(2, chain) + attribute(3, bytes(7) + b"\x63") + \
        (attribute(7, bytes([0, len(comment)]) + comment) if comment else b"")


@pytest.mark.parametrize("comment", [
    b"", b"mine\0", b"tcp4 forwards\0", b"Tcp forwards #00000000\0", b"x #0000000\0", b"\xff #00000000\0"])
def test_a_foreign_rule_is_an_error_that_names_it(recorded: Dict[str, Any], comment: bytes) -> None:
    """Someone's own rule in our table is never swept away in silence."""
    recorded["rules"].append(rule(comment))
    assert "forward" in refusal(recorded) and "99" in refusal(recorded)


def test_a_rule_of_ours_that_was_changed_is_drift(recorded: Dict[str, Any]) -> None:
    """Nobody else's, but not what is wanted either."""
    recorded["rules"].append(rule(b"nothing else leaves the mesh #00000000\0"))
    assert table(recorded).structure != Layout(FORWARDS, "wg0").table.structure


@pytest.mark.parametrize("name", ["mine", "input", "allow4_short", "forward2"])
def test_a_foreign_chain_is_an_error_that_names_it(recorded: Dict[str, Any], name: str) -> None:
    """Hooked in or not."""
    recorded["chains"].append(attribute(1, b"edge_gateway\0") + attribute(3, name.encode() + b"\0"))
    assert f"chain {name} " in refusal(recorded)


def test_chains_of_other_tables_are_not_looked_at(recorded: Dict[str, Any]) -> None:
    """The kernel sends those of the whole family."""
    recorded["chains"].append(attribute(1, b"other\0") + attribute(3, b"mine\0"))
    assert table(recorded) == Layout(FORWARDS, "wg0").table


@pytest.mark.parametrize("name", ["mine", "tcp5", "tcp4_mine", "__set0", "allow4_x"])
def test_a_foreign_set_is_an_error_that_names_it(recorded: Dict[str, Any], name: str) -> None:
    """Anonymous ones of foreign rules too."""
    recorded["sets"].append(attribute(1, b"edge_gateway\0") + attribute(2, name.encode() + b"\0"))
    recorded["elements"][name] = []
    assert f"set {name} " in refusal(recorded)


@pytest.mark.parametrize("kind", ["named object", "flowtable"])
def test_other_objects_are_refused(kind: str) -> None:
    """We make none."""
    dump.refuse_objects(kind, [])
    with pytest.raises(StateRefused) as caught:
        dump.refuse_objects(kind, [attribute(1, b"edge_gateway\0") + attribute(2, b"mine\0")])
    assert f"{kind} mine" in one_sentence(caught.value.message)


KEY = nested(1, attribute(1, bytes([0, 80])))
TARGET = nested(2, attribute(1, bytes([10, 50, 0, 12, 0, 80, 0, 0])))


def comment_of(words: bytes) -> bytes:
    """nft's user data of an element."""
    return attribute(6, bytes([0, len(words) + 1]) + words + b"\0")


@pytest.mark.parametrize("element", [
    KEY + TARGET, KEY + TARGET + comment_of(b""), KEY + TARGET + comment_of(b"Not An Id"), KEY + TARGET + comment_of(b"(firewall table)"),
    KEY + TARGET + comment_of(b'web x"; flush ruleset'), KEY + comment_of(b"web"),
    TARGET + comment_of(b"web"), b"", KEY + TARGET + attribute(6, bytes([5, 3]) + b"web"),
])
def test_an_element_we_did_not_write_is_an_error(recorded: Dict[str, Any], element: bytes) -> None:
    """No comment of ours, no element of ours; an id that we do not accept would never be compared."""
    recorded["elements"]["tcp4"].append(nested(3, nested(1, element)))
    assert "tcp4" in refusal(recorded)


def test_an_element_with_our_comment_that_nobody_asked_for_is_read(recorded: Dict[str, Any]) -> None:
    """It is reported as in effect though unwanted, and removed."""
    recorded["elements"]["tcp4"].append(nested(3, nested(1, KEY + TARGET + comment_of(b"web by hand"))))
    assert [(item.key, item.value) for item in table(recorded).elements["web"]] == [("80", "10.50.0.12 . 80")]


@pytest.mark.parametrize(("number", "value"), [(3, 4), (4, 7), (6, 1)])
def test_a_map_of_another_type_is_drift_and_not_a_crash(recorded: Dict[str, Any], number: int, value: int) -> None:
    """An interval map, a key or data of another type."""
    broken = [b"".join(attribute(kind, bytes([0, 0, 0, value]) if kind == number and attributes(body)[2] == b"tcp4\0" else data)
                       for kind, data in attributes(body).items()) for body in recorded["sets"]]
    infos = {info.name: info.holder for info in dump.sets(broken)}
    assert infos["tcp4"] != Layout(FORWARDS, "wg0").table.holders["tcp4"]
    assert infos["udp4"] == Layout(FORWARDS, "wg0").table.holders["udp4"]


def test_counters_add_up_by_forward(recorded: Dict[str, Any]) -> None:
    """A forward of several elements has one count."""
    counters: Dict[str, List[bytes]] = {}
    info = next(info for info in dump.sets(recorded["sets"]) if info.name == "tcp4")
    list(dump.elements(info, recorded["elements"]["tcp4"], counters))
    assert len(counters["moved"]) == 4 and len(counters["vm-1"]) == 1
    expression = attribute(1, b"counter\0") + nested(2, attribute(1, bytes(7) + b"\x3c"), attribute(2, bytes(7) + b"\x02"))
    assert dump.count([expression, expression]) == (4, 120)
    assert dump.count(counters["moved"]) == (0, 0)


@pytest.mark.parametrize("name", ["tcp4", "udp4"])
def test_entries_that_are_expected_are_read_alike_without_being_taken_apart(recorded: Dict[str, Any], name: str) -> None:
    """What is expected is what the kernel sent, byte for byte; counters go the same way."""
    info = next(info for info in dump.sets(recorded["sets"]) if info.name == name)
    slow: Dict[str, List[bytes]] = {}
    fast: Dict[str, List[bytes]] = {}
    bodies = recorded["elements"][name]
    known = dump.expected(name, Layout(FORWARDS, "wg0").table.elements)
    found = list(dump.elements(info, bodies, slow))
    assert found == list(dump.elements(info, bodies, fast, known)) and slow == fast
    assert sorted(entry for _owner, entry in known.values()) == sorted(entry for _owner, entry in found)
    marked = {raw: ("marked", entry) for raw, (_owner, entry) in known.items()}
    assert {owner for owner, _entry in dump.elements(info, bodies, {}, marked)} == {"marked"}


def test_an_entry_that_differs_in_one_byte_is_taken_apart(recorded: Dict[str, Any]) -> None:
    """Another target, port or comment is never mistaken for the expected one."""
    info = next(info for info in dump.sets(recorded["sets"]) if info.name == "tcp4")
    known = dump.expected("tcp4", Layout(FORWARDS, "wg0").table.elements)
    body = next(body for body in recorded["elements"]["tcp4"] if b"opened by ops" in body)
    for old, new in ((bytes([10, 50, 0, 12]), bytes([10, 50, 0, 13])), (b"opened by ops", b"opened by opx"), (b"\x55\xff", b"\x55\xfe")):
        assert old in body
        changed = dict(dump.elements(info, [body.replace(old, new)], {}, known))
        assert changed["vm-1"] not in [entry for _owner, entry in known.values()]


@pytest.mark.parametrize(("table", "hook", "seen"), [
    (b"filter\0", 2, True), (b"nat\0", 0, True), (b"nat\0", 4, True), (b"filter\0", 1, False), (b"filter\0", 3, False),
    (b"edge_gateway\0", 2, False), (b"filter\0", None, False),
])
def test_chains_of_others_that_see_forwarded_packets(table: bytes, hook: Any, seen: bool) -> None:
    """Only these make a closer look worth its time."""
    where = b"" if hook is None else nested(4, attribute(1, bytes([0, 0, 0, hook])), attribute(2, bytes(4)))
    assert dump.is_hooked_elsewhere(attribute(1, table) + attribute(3, b"x\0") + where) == seen

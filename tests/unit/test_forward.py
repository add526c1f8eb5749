# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One forward, and the rules among several."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.models import forward_rules as rules
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, check_names
from unit.samples import refusal

GOOD: Dict[str, Any] = {"forward_id": "vm-1", "public_port": "22015", "target_ip": "10.50.0.12"}
MESH = [ipaddress.ip_network("10.50.0.0/24")]


def of(**changes: Any) -> Forward:
    """A forward that differs from the good one in these options."""
    return Forward.parse({**GOOD, **changes})


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, Forward("vm-1", 22015, 22015, "10.50.0.12", 22015, "tcp")),
    ({"target_port": None, "proto": None, "comment": None}, Forward("vm-1", 22015, 22015, "10.50.0.12", 22015)),
    ({"target_port": 80}, Forward("vm-1", 22015, 22015, "10.50.0.12", 80)),
    ({"target_port": "80", "public_port": 22015}, Forward("vm-1", 22015, 22015, "10.50.0.12", 80)),
    ({"proto": "both", "comment": " who: why "}, Forward("vm-1", 22015, 22015, "10.50.0.12", 22015, "both", comment="who: why")),
    ({"public_port": "6000-6010"}, Forward("vm-1", 6000, 6010, "10.50.0.12", 6000)),
    ({"public_port": "6000-6010", "target_port": 5000}, Forward("vm-1", 6000, 6010, "10.50.0.12", 5000)),
    ({"target_ip": "FD00:0:0::1"}, Forward("vm-1", 22015, 22015, "fd00::1", 22015)),
    ({"source_ranges": ["203.0.113.0/24", "10.0.0.1", "203.0.113.0/24"]},
     Forward("vm-1", 22015, 22015, "10.50.0.12", 22015, source_ranges=("10.0.0.1/32", "203.0.113.0/24"))),
    ({"source_ranges": "203.0.113.0/24, 2001:DB8::/32"},
     Forward("vm-1", 22015, 22015, "10.50.0.12", 22015, source_ranges=("203.0.113.0/24", "2001:db8::/32"))),
    ({"source_ranges": [], "source_nat": "none"}, Forward("vm-1", 22015, 22015, "10.50.0.12", 22015, source_nat="none")),
    ({"hairpin": "yes"}, Forward("vm-1", 22015, 22015, "10.50.0.12", 22015, hairpin=True)),
])
def test_parse(changes: Dict[str, Any], expected: Forward) -> None:
    """Options become one canonical forward; a port that is not given is the public one."""
    assert of(**changes) == expected


def test_round_trip_of_the_state_file() -> None:
    """What is kept is read back as the same forward, and public_port stays a string for users."""
    item = of(proto="both", comment="x", target_port=80)
    assert Forward.parse(item.as_dict()) == item
    assert item.as_dict()["public_port"] == "22015"


@pytest.mark.parametrize("name", ["forward_id", "public_port", "target_ip"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_missing_option_is_named(name: str, nothing: object) -> None:
    """Each of the three is needed."""
    assert name in refusal(Forward.parse, {**GOOD, name: nothing})


@pytest.mark.parametrize("changes", [
    {"forward_id": "../x"}, {"forward_id": "a\n"}, {"public_port": "6010-6000"}, {"public_port": "0"}, {"public_port": True},
    {"public_port": 22.5},
    {"target_port": 0}, {"target_port": "80\n"}, {"target_port": True}, {"target_ip": "010.100.0.2"}, {"target_ip": "fe80::1"},
    {"target_ip": "10.50.0.12/32"},
    {"target_ip": "169.254.169.254"}, {"target_ip": "127.0.0.1"}, {"target_ip": "0.0.0.0"}, {"target_ip": "224.0.0.1"},
    {"target_ip": "255.255.255.255"},
    {"target_ip": "::ffff:10.100.0.2"}, {"target_ip": "node.example"}, {"target_ip": 167772161}, {"proto": "sctp"}, {"proto": "TCP"},
    {"proto": ""},
    {"public_port": "6000-"}, {"public_port": "6000-6000"}, {"public_port": "6000-65536"}, {"public_port": "6000 - 6010"},
    {"public_port": "6000-6010\n"}, {"public_port": "6000-6005-6010"}, {"public_port": "\uff16-\uff17"}, {"public_port": "06-10"},
    {"source_ranges": ["10.0.0.0/33"]}, {"source_ranges": ["203.0.113.7/24"]}, {"source_ranges": ["2001:db8::1/32"]},
    {"target_ip": "0.1.2.3"}, {"source_ranges": ["10.0.0.0/8", "x"]},
    {"source_ranges": [5]}, {"source_ranges": {"a": 1}},
    {"source_ranges": [["10.0.0.0/8"]]}, {"source_ranges": "10.0.0.0/8;"}, {"source_ranges": ["fe80::1%eth0/64"]},
    {"source_nat": "yes"}, {"hairpin": "maybe"}, {"hairpin": 1}, {"hairpin": [True]},
    {"comment": 'x"; flush ruleset; add table ip pwned; #'}, {"comment": "a\nb"}, {"comment": "x" * 65},
])
def test_hostile_option_is_refused_and_named(changes: Dict[str, Any]) -> None:
    """A refusal names the entry of the list and the option."""
    (name, _value), = changes.items()
    with pytest.raises(InvalidInput) as caught:
        Forward.parse({**GOOD, **changes}, "forwards[3].")
    assert caught.value.option == f"forwards[3].{name}"
    refusal(Forward.parse, {**GOOD, **changes})


@pytest.mark.parametrize("protos", [("tcp", "tcp"), ("both", "tcp"), ("udp", "both"), ("both", "both")])
def test_overlap_names_both_forwards(protos: List[str]) -> None:
    """One port of one protocol has one owner."""
    pair = {"vm-1": of(proto=protos[0]), "vm-2": of(forward_id="vm-2", proto=protos[1])}
    for owner, other in (("vm-1", "vm-2"), ("vm-2", "vm-1")):
        message = refusal(rules.check_overlaps, pair, {owner: pair[owner]})
        assert f"of {other} is already forwarded by {owner} " in message and "22015" in message


@pytest.mark.parametrize("other", [{"proto": "udp"}, {"public_port": "22016"}])
def test_no_overlap(other: Dict[str, Any]) -> None:
    """The same port of the other protocol, or the next port, is free."""
    rules.check_overlaps({"vm-1": of(), "vm-2": of(forward_id="vm-2", **other)}, {})


@pytest.mark.parametrize(("proto", "reserved"), [
    ("tcp", ("tcp", 22015)), ("both", ("tcp", 22015)), ("both", ("udp", 22015)), ("udp", ("udp", 22015)),
])
def test_reserved_port_is_refused(proto: str, reserved: Any) -> None:
    """A port of the host itself is refused, and its user named."""
    assert "sshd" in refusal(rules.Reserved({reserved: "sshd"}).check, of(proto=proto))


def test_reserved_port_of_the_other_protocol_is_free() -> None:
    """TCP 22 taken says nothing about UDP 22."""
    rules.Reserved({("tcp", 22015): "sshd"}).check(of(proto="udp"))


@pytest.mark.parametrize(("target", "mesh", "own", "fine"), [
    ("10.50.0.12", MESH, [], True),
    ("10.50.1.12", MESH, [], False),
    ("10.50.1.12", [], [], True),
    ("10.50.0.12", MESH, ["10.50.0.12"], False),
    ("10.50.0.12", [], ["10.50.0.12"], False),
    ("192.168.1.5", [*MESH, ipaddress.ip_network("192.168.0.0/16")], [], True),
    ("10.50.0.12", [ipaddress.ip_network("fd00::/64")], [], False),
])
def test_target_is_another_host_behind_the_mesh(target: str, mesh: Any, own: List[str], fine: bool) -> None:
    """Inside the mesh networks, and not the edge."""
    if fine:
        rules.Reach(mesh, own).check(of(target_ip=target))
    else:
        assert target in refusal(rules.Reach(mesh, own).check, of(target_ip=target))


def test_description_shows_everything_that_can_change() -> None:
    """A diff must show a difference in every option."""
    base = str(of())
    for change in ({"public_port": 1}, {"target_ip": "10.50.0.13"}, {"target_port": 1}, {"proto": "both"}, {"comment": "x"},
                   {"public_port": "22015-22016"}, {"source_ranges": ["10.0.0.0/8"]}, {"source_nat": "none"}, {"hairpin": True}):
        assert str(of(**change)) != base, change


@pytest.mark.parametrize(("changes", "option"), [
    ({"public_port": "6000-6010", "target_port": 65530}, "target_port"),
    ({"source_ranges": ["2001:db8::/32"]}, "source_ranges"),
    ({"target_ip": "fd00::1", "source_ranges": ["10.0.0.0/8"]}, "source_ranges"),
    ({"hairpin": True, "source_nat": "none"}, "hairpin"),
])
def test_options_that_cannot_go_together(changes: Dict[str, Any], option: str) -> None:
    """Each is fine alone, and together they are a forward that nobody could use."""
    with pytest.raises(InvalidInput) as caught:
        Forward.parse({**GOOD, **changes}, "forwards[3].")
    assert caught.value.option == f"forwards[3].{option}"
    assert caught.value.message.startswith(f"forwards[3].{option} ")


RANGE = {"forward_id": "range", "public_port": "6000-6010"}


@pytest.mark.parametrize(("other", "clash"), [
    ({"public_port": "5999"}, False), ({"public_port": "6000"}, True), ({"public_port": "6010"}, True), ({"public_port": "6011"}, False),
    ({"public_port": "5990-6000"}, True), ({"public_port": "6010-6020"}, True), ({"public_port": "1-65535"}, True),
    ({"public_port": "6003-6004"}, True), ({"public_port": "6005", "proto": "udp"}, False),
    ({"public_port": "6005", "proto": "both"}, True), ({"public_port": "6005", "target_ip": "fd00::1"}, False),
])
def test_ranges_overlap_like_their_ports(other: Dict[str, Any], clash: bool) -> None:
    """Every port of a range counts; the other protocol and the other IP version are free."""
    pair = {"range": of(**RANGE), "vm-1": of(**other), "far": of(forward_id="far", public_port="40000")}
    if not clash:
        rules.check_overlaps(pair, {})
    for owner, late in (("range", "vm-1"), ("vm-1", "range")) if clash else ():
        assert f"of {late} is already forwarded by {owner} " in refusal(rules.check_overlaps, pair, {owner: pair[owner]})


def test_a_clash_behind_a_long_range_is_found() -> None:
    """The range that reaches furthest is not always the one before."""
    items = {"long": of(forward_id="long", public_port="1000-9000"), "short": of(forward_id="short", public_port="2000", proto="udp"),
             "last": of(forward_id="last", public_port="8999")}
    assert "8999" in refusal(rules.check_overlaps, items, {})


@pytest.mark.parametrize(("port", "taken"), [(5999, False), (6000, True), (6005, True), (6010, True), (6011, False)])
def test_a_reserved_port_inside_a_range_is_refused(port: int, taken: bool) -> None:
    """And named."""
    reserved = rules.Reserved({("tcp", port): "sshd", ("udp", 6005): "not asked for", ("tcp", 1): "below"})
    if taken:
        assert f"port {port}" in refusal(reserved.check, of(**RANGE))
    else:
        reserved.check(of(**RANGE))


def test_the_state_file_leaves_defaults_out() -> None:
    """And what is left out is read back as the default."""
    item = of(source_ranges=["10.0.0.0/8"])
    assert item.as_kept() == {**GOOD, "target_port": 22015, "source_ranges": ["10.0.0.0/8"]}
    assert Forward.parse(item.as_kept()) == item


def test_an_unknown_name_in_a_file_is_refused() -> None:
    """Ansible checks the names of options only where it carries them itself."""
    check_names(GOOD, "forwards[3].")
    assert "forwards[3].pubic_port" in refusal(check_names, {**GOOD, "pubic_port": 1}, "forwards[3].")


NODES = ["10.50.0.0/28", "fd50::12"]


@pytest.mark.parametrize(("changes", "told", "nodes", "fine"), [
    ({}, [], [], False), ({}, ["10.50.0.12"], [], True), ({}, ["10.50.0.13", "10.50.0.1"], [], False), ({}, [], NODES, True),
    ({}, [], ["10.50.0.12"], True), ({}, [], ["10.50.0.12/32", "fd51::/64"], True), ({}, [], ["10.50.0.13"], False),
    ({"target_ip": "10.50.0.16"}, [], NODES, False), ({"target_ip": "FD50:0::12"}, ["fd50::12"], [], True),
    ({"target_ip": "fd50::12"}, [], NODES, True), ({"target_ip": "fd50::13"}, [], [*NODES, "0.0.0.0/0"], False), ({}, [], ["::/0"], False),
    ({"source_nat": "masquerade"}, [], [], True), ({"source_nat": None}, [], [], True),
])
def test_who_keeps_the_clients_address_needs_a_node_that_answers(changes: Dict[str, Any], told: List[str], nodes: List[str],
                                                                 fine: bool) -> None:
    """By the word of a hub or of the user; otherwise every answer would leave by another way, and nothing would say so."""
    forward = of(**{"source_nat": "none", **changes})
    networks = rules.reply_networks(nodes)
    if fine:
        rules.check_replies(forward, set(told), networks)
    else:
        message = refusal(rules.check_replies, forward, set(told), networks)
        assert forward.target_ip in message and "reply_nodes" in message and "vm-1" in message


@pytest.mark.parametrize("word", [
    None, 5, True, "", "x", "10.50.0.12/24", "fd50::12/64", "10.50.0.12\n", "10.50.0.12/33", "fe80::1%\nx", ["10.50.0.12"], {"a": 1},
    "node.example",
    "10.50.0.12,10.50.0.13", "10.50.0.0/255.255.255.0",
])
def test_reply_nodes_refused(word: object) -> None:
    """One address with the length of its network is refused: it would acknowledge 256 nodes."""
    assert refusal(rules.reply_networks, ["10.50.0.0/24", word]).startswith("reply_nodes")

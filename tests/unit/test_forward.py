# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One forward, and the rules among several."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.models import forward as rules
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from unit.samples import refusal

GOOD: Dict[str, Any] = {"forward_id": "vm-1", "public_port": "22015", "target_ip": "10.50.0.12"}
MESH = [ipaddress.ip_network("10.50.0.0/24")]


def of(**changes: Any) -> Forward:
    """A forward that differs from the good one in these options."""
    return Forward.parse({**GOOD, **changes})


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, Forward("vm-1", 22015, "10.50.0.12", 22015, "tcp", "")),
    ({"target_port": None, "proto": None, "comment": None}, Forward("vm-1", 22015, "10.50.0.12", 22015)),
    ({"target_port": 80}, Forward("vm-1", 22015, "10.50.0.12", 80)),
    ({"target_port": "80", "public_port": 22015}, Forward("vm-1", 22015, "10.50.0.12", 80)),
    ({"proto": "both", "comment": " who: why "}, Forward("vm-1", 22015, "10.50.0.12", 22015, "both", "who: why")),
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
    {"forward_id": "../x"}, {"forward_id": "a\n"}, {"public_port": "6000-6010"}, {"public_port": "0"}, {"public_port": True},
    {"public_port": 22.5},
    {"target_port": 0}, {"target_port": "80\n"}, {"target_port": True}, {"target_ip": "010.100.0.2"}, {"target_ip": "fd00::1"},
    {"target_ip": "10.50.0.12/32"},
    {"target_ip": "169.254.169.254"}, {"target_ip": "127.0.0.1"}, {"target_ip": "0.0.0.0"}, {"target_ip": "224.0.0.1"},
    {"target_ip": "255.255.255.255"},
    {"target_ip": "::ffff:10.100.0.2"}, {"target_ip": "node.example"}, {"target_ip": 167772161}, {"proto": "sctp"}, {"proto": "TCP"},
    {"proto": ""},
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
        assert f"of {other} is already forwarded by {owner};" in message and "22015" in message


@pytest.mark.parametrize("other", [{"proto": "udp"}, {"public_port": "22016"}])
def test_no_overlap(other: Dict[str, Any]) -> None:
    """The same port of the other protocol, or the next port, is free."""
    rules.check_overlaps({"vm-1": of(), "vm-2": of(forward_id="vm-2", **other)}, {})


@pytest.mark.parametrize(("proto", "reserved"), [
    ("tcp", ("tcp", 22015)), ("both", ("tcp", 22015)), ("both", ("udp", 22015)), ("udp", ("udp", 22015)),
])
def test_reserved_port_is_refused(proto: str, reserved: Any) -> None:
    """A port of the host itself is refused, and its user named."""
    assert "sshd" in refusal(rules.check_reserved, of(proto=proto), {reserved: "sshd"})


def test_reserved_port_of_the_other_protocol_is_free() -> None:
    """TCP 22 taken says nothing about UDP 22."""
    rules.check_reserved(of(proto="udp"), {("tcp", 22015): "sshd"})


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
        rules.check_target(of(target_ip=target), mesh, own)
    else:
        assert target in refusal(rules.check_target, of(target_ip=target), mesh, own)


def test_description_shows_everything_that_can_change() -> None:
    """A diff must show a difference in every option."""
    base = str(of())
    for change in ({"public_port": 1}, {"target_ip": "10.50.0.13"}, {"target_port": 1}, {"proto": "both"}, {"comment": "x"}):
        assert str(of(**change)) != base, change

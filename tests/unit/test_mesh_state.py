# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared of an interface, how a clock is judged, and what echo answers prove."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Dict, List, Optional

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines.interface import Standing
from ansible_collections.edge.gateway.plugins.module_utils.engines.tunnel import Running
from ansible_collections.edge.gateway.plugins.module_utils.formats import icmp
from ansible_collections.edge.gateway.plugins.module_utils.formats.drift import closed, drift
from ansible_collections.edge.gateway.plugins.module_utils.models.mesh_state import MEMBER, MeshState, age_of, clock, is_connected
from ansible_collections.edge.gateway.plugins.module_utils.models.reply import OwnAddress, Probe, client_sources, one_way, probes
from ansible_collections.edge.gateway.plugins.module_utils.models.tunnel import Route, Routing, Rule
from unit.samples import KEY, OTHER_KEY

TEXT = "# ours\n[Interface]\nPrivateKey = a\nAddress = 10.50.0.5/32\n\n[Peer]\nPublicKey = b\nPresharedKey = p\nEndpoint = 192.0.2.1:1\n"
ROUTING = Routing(frozenset({Route(4, 10, "0.0.0.0/0")}), frozenset({Rule(4, 1, "from x", "lookup 10")}), frozenset({("net/x", "1")}))
RUNNING = Running(KEY, True, 51820, frozenset({(OTHER_KEY, "p", ("10.50.0.0/24",), 25)}), frozenset({"10.50.0.5/32"}),
                  frozenset({"10.50.0.0/24"}), ROUTING, 1420, True)
WANTED = Standing(TEXT, "script", RUNNING, (0o600, 0o600), False)


def peers(*rows: Any) -> Dict[str, Any]:
    """A tunnel with these peers."""
    return {"running": replace(RUNNING, peers=frozenset(rows))}


def tunnel(**changes: Any) -> Dict[str, Any]:
    """A tunnel that differs in this."""
    return {"running": replace(RUNNING, **changes)}


@pytest.mark.parametrize(("changes", "told"), [
    ({}, []),
    ({"text": None}, ["the file is missing"]),
    ({"text": TEXT + "PostUp = x\n"}, ["the file was edited"]),
    ({"text": TEXT.replace(":1", ":2").replace("= a", "= c")}, ["the file was edited"]),
    ({"text": TEXT.replace("[Peer]", "[Peer] ")}, ["the file was edited"]),
    ({"text": TEXT.replace("\n\n", "\n")}, ["the file was edited"]),
    ({"text": TEXT.replace(":1", ":2")}, ["the file names an endpoint of the peer that is not right any more"]),
    ({"text": TEXT.replace("= a", "= c")}, ["the file and the key file hold different keys"]),
    ({"text": TEXT.replace("PresharedKey = p\n", "")}, ["the file holds another preshared key"]),
    ({"routing": None}, ["the routing script is missing"]),
    ({"routing": "other"}, ["the routing script was edited"]),
    ({"running": None}, ["the interface is down"]),
    (tunnel(is_up=False), ["the interface is down"]),
    (tunnel(public_key=OTHER_KEY), ["the interface runs with another key"]),
    (tunnel(listen_port=1), ["the interface listens on port 1 instead of 51820"]),
    (tunnel(mtu=1280), ["the interface has the MTU 1280 instead of 1420"]),
    (tunnel(mtu=None), ["it differs from what was asked for"]),
    (tunnel(addresses=frozenset({"10.50.0.6/32"})), ["address 10.50.0.5/32 is missing", "address 10.50.0.6/32 is not ours"]),
    (tunnel(routes=frozenset()), ["route 10.50.0.0/24 is missing"]),
    (tunnel(routing=replace(RUNNING.routing, rules=frozenset())), ["routing for clients is missing"]),
    (tunnel(routing=replace(RUNNING.routing, rules=RUNNING.routing.rules | {Rule(6, 1, "a", "b")})),
     ["routing for clients is there that is not wanted any more"]),
    (tunnel(routing=replace(RUNNING.routing, switches=frozenset({("net/x", "0")}))), ["the kernel setting net/x is not 1"]),
    (tunnel(starts_at_boot=False), ["it does not start at boot"]),
    (peers(), ["peer the hub is missing"]),
    (peers(*RUNNING.peers, (KEY, "", (), 0)), [f"peer {KEY} is not ours"]),
    (peers((OTHER_KEY, "q", (), 0)), ["peer the hub has another preshared key, has other networks, has another keepalive"]),
    ({"modes": (0o640, 0o600)}, ["keys can be read by others"]),
    ({"modes": (0o600, None)}, ["the key file is missing"]),
    ({"modes": (0o400, 0o600)}, ["the files with the keys have unusual permissions"]),
    ({"pending": True}, ["a next key waits to replace the present one"]),
    ({"text": TEXT + "x", "pending": True, **tunnel(is_up=False, starts_at_boot=False)},
     ["the interface is down", "the file was edited", "it does not start at boot", "a next key waits to replace the present one"]),
])
def test_drift(changes: Dict[str, Any], told: List[str]) -> None:
    """Each difference has its words; without one there are none, and never the other way round."""
    live = replace(WANTED, **changes)
    assert drift(live, WANTED, "clients", {OTHER_KEY: "the hub"}) == told
    assert bool(told) == (live != WANTED)


def test_drift_of_what_is_gone_and_what_is_too_much() -> None:
    """Nothing there at all; and a script where none is wanted."""
    assert drift(None, WANTED, "clients", {}) == ["the interface is down", "the file is missing"]
    assert drift(WANTED, replace(WANTED, routing=None), "clients", {}) == ["the routing script is not wanted any more"]


@pytest.mark.parametrize(("modes", "result"), [((), True), ((None, 0o600), True), ((0o600, 0o604), False), ((0o640, None), False)])
def test_closed(modes: Any, result: bool) -> None:
    """A file that is not there cannot be read."""
    assert closed(modes) is result


@pytest.mark.parametrize(("changed", "handshake", "synchronized", "wrong", "words"), [
    ({}, 0, None, False, "ok"),
    ({"f": 1000.9}, 1060, True, False, "ok"),
    ({"f": 1002.0}, 0, True, True, "f was changed 2 s in the future"),
    ({"f": 10.0}, 1061, None, True, "handshake lies 61 s in the future"),
    ({}, 0, False, False, "not synchronized"),
    ({"f": 4600.0}, 0, False, True, "3600 s in the future"),
])
def test_clock(changed: Dict[str, float], handshake: int, synchronized: Optional[bool], wrong: bool, words: str) -> None:
    """Back is an error; without NTP it is worth a mention."""
    found = clock(1000.0, changed, handshake, synchronized)
    assert found.wrong == wrong and words in found.words


def test_ages() -> None:
    """Never, now, and with clocks that are not quite the same; a session lives for three minutes."""
    assert (age_of(0, 1000.5), age_of(990, 1000.5), age_of(1010, 1000.5)) == (None, 10, 0)
    assert [is_connected(age) for age in (None, 0, 179, 180)] == [False, True, True, False]


def test_the_state_as_it_is_returned() -> None:
    """Facts and identity side by side, fit for JSON."""
    found = json.loads(json.dumps(MeshState(MEMBER, running=True, identity={"interface": "wg0"}, drift=("x",)).as_dict()))
    assert (found["joined"], found["interface"], found["drift"], found["clock"], found["peers"]) == (True, "wg0", ["x"], "ok", [])


OWN = [OwnAddress("10.50.0.5", "wg0"), OwnAddress("127.0.0.9", "lo"), OwnAddress("172.17.0.1", "docker0"),
       OwnAddress("198.51.100.1", "eth0"), OwnAddress("2001:db8::1", "eth0"), OwnAddress("fd50::5", "wg0")]


@pytest.mark.parametrize(("clients", "sources"), [
    ([], ["198.51.100.1", "172.17.0.1", "2001:db8::1"]),
    (["0.0.0.0/0", "::/0"], ["198.51.100.1", "172.17.0.1", "2001:db8::1"]),
    (["198.51.100.0/24"], ["198.51.100.1"]),
    (["203.0.113.0/24"], []),
])
def test_sources(clients: List[str], sources: List[str]) -> None:
    """Not of the mesh, the default route's first, and none that the hub would not take for a client."""
    assert client_sources(OWN, "wg0", ["eth0"], clients) == sources


def test_probes_and_what_they_prove() -> None:
    """A target is asked both ways or not at all; any client's address that is answered is enough."""
    asked = probes(["10.50.0.3", "10.50.0.4", "fd50::3"], ["10.50.0.5"], ["198.51.100.1", "172.17.0.1", "2001:db8::1"])
    assert [probe.target for probe in asked] == ["10.50.0.3"] * 3 + ["10.50.0.4"] * 3
    mesh = ["10.50.0.5"]
    plain = {Probe(target, "10.50.0.5") for target in ("10.50.0.3", "10.50.0.4")}
    assert one_way(asked, set(), mesh) == [] and one_way(asked, plain, mesh) == ["10.50.0.3", "10.50.0.4"]
    assert one_way(asked, plain | {Probe("10.50.0.3", "172.17.0.1")}, mesh) == ["10.50.0.4"]
    assert one_way(asked, set(asked) - plain, mesh) == []


@pytest.mark.parametrize("family", [4, 6])
def test_echo(family: int) -> None:
    """An answer to ours is told by number; anything else, the request itself included, is none."""
    head = b"\x46" + bytes(23) if family == 4 else b""
    payload = b"sixteen bytes ok"
    request = icmp.request(family, 7, 300, payload)
    answer = head + bytes([icmp.REPLY[family]]) + request[1:]
    assert icmp.reply_number(family, answer, 7, payload) == 300
    wrong = [head + request, answer[:-1], answer + b"x", answer[: len(head) + 5], b"", b"\x4f", head]
    assert [icmp.reply_number(family, packet, 7, payload) for packet in wrong] == [None] * len(wrong)
    assert icmp.reply_number(family, answer, 8, payload) is None and icmp.reply_number(family, answer, 7, b"another payload!") is None


def test_the_checksum() -> None:
    """A message with its checksum sums up to nothing, of even and of odd length."""
    for payload in (b"", b"abc", b"\xff" * 64):
        assert icmp.checksum(icmp.request(4, 0xFFFF, 0xFFFF, payload)) == 0

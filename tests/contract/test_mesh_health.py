# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wg_join_info and gateway_health: a damaged tunnel is told in plain words, exactly when a run would repair it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines.mesh_state import look
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from contract import hub_mesh, world
from contract.hub_mesh import EDGE_1, HUB, NODE_1, NODE_2, SETTINGS, Member
from contract.test_client_address import ALL, forward, kept
from contract.world import CONFIG_DIR, inside, sh
from unit.test_wireguard_format import PRIVATE

pytestmark = pytest.mark.usefixtures("no_tunnels")
PSK = "2zg7MCJNA9rJy2zK6Jaf9BJGUCJ+UUkJxTiJ14qUyhU="
STRANGER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
BOTH = [kept("v4", 7000, "10.50.0.3"), kept("v6", 7000, "fd50::3")]


def places(member: Member, **more: str) -> Dict[str, str]:
    """Where a host has its things."""
    return {"interface": member.interface, "config_dir": str(member.config_dir), **more}


def info(member: Member, whole: bool = False) -> Dict[str, Any]:
    """What wg_join_info tells there (or, which takes longer, the module itself), without a secret."""
    with inside(member.name):
        result = world.module("wg_join_info", **places(member, data_dir=str(member.data_dir))) if whole else (
            look(Host(), member.interface, str(member.config_dir), str(member.data_dir)).as_dict())
    assert not result.get("failed"), result
    secrets = [path.read_text().strip() for path in member.config_dir.glob("*.key*")]
    assert not any(secret in json.dumps(result) for secret in (*secrets, PSK))
    return result


def health(member: Member) -> Dict[str, Dict[str, str]]:
    """gateway_health there, by part."""
    with inside(member.name):
        result = world.module("gateway_health", **places(member, state_dir=str(member.data_dir), dynamic_dir="/run/no-traefik"))
    assert not result.get("failed"), result
    parts: Dict[str, Dict[str, str]] = result["parts"]
    return parts


def conf(member: Member) -> Path:
    """The file of wg-quick."""
    return member.config_dir / f"{member.interface}.conf"


def wg(*words: str) -> Callable[[], object]:
    """Someone else's wg command on the edge."""
    def damage() -> str:
        with inside(EDGE_1.name):
            return sh("wg", "set", EDGE_1.interface, *words)
    return damage


def ip(*words: str, member: Member = EDGE_1) -> Callable[[], object]:
    """Someone else's ip command."""
    return lambda: sh("ip", "-n", member.name, *words)


def edit(old: str, new: str, member: Member = EDGE_1) -> Callable[[], object]:
    """A change of the file."""
    def damage() -> object:
        text = conf(member).read_text()
        assert old in text
        return conf(member).write_text(text.replace(old, new))
    return damage


def hub_peer(*words: str) -> Callable[[], object]:
    """Someone else's change of the edge's one peer."""
    def damage() -> None:
        key, = hub_mesh.peers(EDGE_1)
        wg("peer", key, *words)()
    return damage


def unwanted_key() -> None:
    """Another key in the running interface."""
    Path("/run/other.key").write_text(PRIVATE)
    wg("private-key", "/run/other.key")()


DAMAGE: Dict[str, Callable[[], object]] = {
    "the file was edited": edit("[Peer]", "PostUp = true\n[Peer]"),
    "the file is missing": lambda: conf(EDGE_1).unlink(),
    "the file holds another preshared key": edit(PSK, PRIVATE),
    "the file names an endpoint of the peer that is not right any more": edit("192.0.2.1:51820", "192.0.2.9:51820"),
    "the interface is down": ip("link", "set", EDGE_1.interface, "down"),
    "keys can be read by others": lambda: conf(EDGE_1).chmod(0o640),
    "route 10.50.0.0/24 is missing": ip("route", "delete", "10.50.0.0/24"),
    "route 10.99.0.0/16 is not ours": ip("route", "add", "10.99.0.0/16", "dev", EDGE_1.interface),
    "address 10.50.0.2/32 is missing": ip("address", "delete", "10.50.0.2/32", "dev", EDGE_1.interface),
    f"peer {STRANGER} is not ours": wg("peer", STRANGER),
    "peer HUB is missing": hub_peer("remove"),
    "peer HUB has other networks": hub_peer("allowed-ips", "10.50.0.0/24"),
    "peer HUB has another keepalive": hub_peer("persistent-keepalive", "7"),
    "peer HUB has another preshared key": hub_peer("preshared-key", "/dev/null"),
    "the interface runs with another key": unwanted_key,
    "a next key waits to replace the present one": lambda: hub_mesh.make_key(EDGE_1, next_key=True),
}


def test_a_member() -> None:
    """All facts; every damage is told, alone where it has no consequences, and a run that repairs it leaves nothing to tell."""
    hub_mesh.enter(EDGE_1, {"preshared_key": PSK}, preshared_key=PSK)
    assert hub_mesh.answers(EDGE_1, "10.50.0.1")
    found = info(EDGE_1, whole=True)
    assert (found["role"], found["joined"], found["running"], found["drift"]) == ("member", True, True, [])
    assert found["node_ips"] == ["10.50.0.2", "fd50::2"] and found["peers"] == []
    assert found["peer_endpoint"] == "192.0.2.1:51820" and 0 <= found["handshake_age"] < 20
    assert found["mtu"] > 1000 and found["listen_port"] > 0 and found["key_file_modes_ok"] and found["clock"] == "ok"
    hub_key, = hub_mesh.peers(EDGE_1)
    for words, damage in DAMAGE.items():
        damage()
        told = info(EDGE_1)
        assert words.replace("HUB", hub_key) in told["drift"], (words, told["drift"])
        assert told["key_file_modes_ok"] == (words != "keys can be read by others")
        assert hub_mesh.join(EDGE_1, preshared_key=PSK).plan.changed, words
        assert info(EDGE_1)["drift"] == [], words


def test_what_health_makes_of_it() -> None:
    """From not joined to well, and degraded by drift and by the clock; the edge is no Traefik and has no forwards."""
    assert "not joined" in health(EDGE_1)["mesh"]["message"] and info(EDGE_1)["role"] == "none"
    hub_mesh.enter(EDGE_1, {})
    assert hub_mesh.answers(EDGE_1, "10.50.0.1")
    assert {part["status"] for part in health(EDGE_1).values()} == {"ok"}
    ip("route", "delete", "10.50.0.0/24")()
    mesh = health(EDGE_1)["mesh"]
    assert mesh["status"] == "degraded" and "route 10.50.0.0/24 is missing" in mesh["message"] and "site.yml" in mesh["remedy"]
    hub_mesh.join(EDGE_1)
    soon = time.time() + 3600
    os.utime(EDGE_1.data_dir / "join.json", (soon, soon))
    assert "in the future" in info(EDGE_1)["clock"]
    mesh = health(EDGE_1)["mesh"]
    assert mesh["status"] == "degraded" and "the clock went back" in mesh["message"]
    sh("ip", "-n", EDGE_1.name, "link", "delete", EDGE_1.interface)
    assert health(EDGE_1)["mesh"]["status"] == "failed" and info(EDGE_1)["drift"] == ["the interface is down"]


def test_routing_for_clients_and_a_file_of_somebody_else() -> None:
    """A node's rules, which others wipe; and what a run would refuse is told in its words."""
    hub_mesh.enter(NODE_1, {"client_networks": ALL}, replies=True)
    assert info(NODE_1)["drift"] == []
    ip("rule", "delete", "protocol", "218", member=NODE_1)()
    assert info(NODE_1)["drift"] == ["routing for clients is missing"]
    (NODE_1.config_dir / f"{NODE_1.interface}.routing").unlink()
    assert "the routing script is missing" in info(NODE_1)["drift"]
    hub_mesh.join(NODE_1, client_networks=ALL)
    assert info(NODE_1)["drift"] == []
    conf(NODE_1).write_text("# my own\n")
    sentence, = info(NODE_1)["drift"]
    assert "was not written by edge.gateway" in sentence


def test_a_hub() -> None:
    """Its nodes, with a next key and without a call; what others do to it; and no part fails for want of an edge's."""
    (CONFIG_DIR / "hub.json").write_text(json.dumps({**SETTINGS, "schema": 1}))
    hub_mesh.enter(EDGE_1, {"preshared_key": PSK}, preshared_key=PSK)
    hub_mesh.register(node_id=NODE_2.name, node_pubkey=hub_mesh.make_key(NODE_2)["public_key"])
    key = hub_mesh.make_key(EDGE_1)["public_key"]
    hub_mesh.register(node_id=EDGE_1.name, node_pubkey=key, next_pubkey=STRANGER, preshared_key=PSK)
    assert hub_mesh.answers(EDGE_1, "10.50.0.1")
    found = info(HUB, whole=True)
    assert (found["role"], found["joined"], found["running"], found["drift"]) == ("hub", False, True, [])
    assert found["node_ips"] == list(hub_mesh.HUB_IPS) and found["listen_port"] == 51820 and found["peer_endpoint"] == ""
    edge, node = found["peers"]
    assert (edge["node_id"], edge["node_ip"], edge["connected"], edge["pending"]) == (EDGE_1.name, "10.50.0.2", True, True)
    assert edge["endpoint"].startswith("192.0.2.2:") and edge["received"] and edge["sent"] and 0 <= edge["handshake_age"] < 20
    assert node == {"node_id": NODE_2.name, "node_ip": "10.50.0.3", "endpoint": "", "handshake_age": None, "received": 0, "sent": 0,
                    "connected": False, "pending": False}
    parts = health(HUB)
    assert {part["status"] for part in parts.values()} == {"ok"} and parts["mesh"]["message"].startswith("1 of 2 nodes connected on wgh")
    with inside(HUB.name):
        sh("wg", "set", HUB.interface, "peer", key, "remove")
        sh("ip", "rule", "delete", "protocol", "218")
    assert info(HUB)["drift"] == [f"peer {EDGE_1.name} is missing", "routing for the mesh is missing"]
    mesh = health(HUB)["mesh"]
    assert mesh["status"] == "degraded" and f"peer {EDGE_1.name} is missing (and 1 more)" in mesh["message"]
    assert hub_mesh.register(peers=[], node_id=None).as_dict()["repaired"]
    assert info(HUB)["drift"] == []


def forwards_part() -> Dict[str, str]:
    """What the edge says of its forwards."""
    part = health(EDGE_1)["forwards"]
    if "reboot" in part["message"]:        # nothing here has a boot
        return {"status": "ok"}
    return part


def whole(clients: List[str], replies: bool = True) -> None:
    """Edge and a node, each with its half, or without."""
    hub_mesh.enter(EDGE_1, {}, client_networks=clients)
    hub_mesh.enter(NODE_1, {"client_networks": ALL} if replies else {}, replies=replies)
    hub_mesh.join(EDGE_1)
    assert hub_mesh.answers(EDGE_1, "10.50.0.3")


def test_the_way_back_of_a_client() -> None:
    """Proved in both IP versions; missed when the node's half is gone, and when the hub's is."""
    whole(ALL)
    forward(*BOTH)
    assert forwards_part() == {"status": "ok"}
    ip("rule", "delete", "protocol", "218", member=NODE_1)()
    ip("rule", "delete", "protocol", "218", member=NODE_1)()
    part = forwards_part()
    assert part["status"] == "degraded" and "10.50.0.3 does not send answers to clients back through the mesh" in part["message"]
    assert "edge_gateway_client_networks" in part["remedy"] and "fd50::3" not in part["message"]
    hub_mesh.join(NODE_1)
    assert "10.50.0.3 (and 1 more) does not" in forwards_part()["message"]
    hub_mesh.join(NODE_1, client_networks=ALL)
    assert forwards_part() == {"status": "ok"}
    hub_mesh.register(node_id=EDGE_1.name, node_pubkey=hub_mesh.make_key(EDGE_1)["public_key"])
    assert "10.50.0.3 (and 1 more) does not" in forwards_part()["message"]


def test_what_proves_nothing() -> None:
    """A node that answers nobody; and an edge none of whose addresses is one of a client."""
    whole(ALL)
    forward(*BOTH)
    hub_mesh.join(NODE_1)
    sh("ip", "-n", NODE_1.name, "link", "set", NODE_1.interface, "down")
    assert forwards_part() == {"status": "ok"}
    hub_mesh.join(NODE_1)
    hub_mesh.register(node_id=EDGE_1.name, node_pubkey=hub_mesh.make_key(EDGE_1)["public_key"], client_networks=["203.0.113.0/24"])
    hub_mesh.join(EDGE_1)
    assert hub_mesh.answers(EDGE_1, "10.50.0.3") and forwards_part() == {"status": "ok"}


def test_an_answer_by_another_way_is_none() -> None:
    """The node has a route of its own to the edge's network: its answer arrives, but not through the mesh."""
    near = ["192.0.2.0/24"]
    hub_mesh.enter(EDGE_1, {}, client_networks=near)
    hub_mesh.enter(NODE_1, {"client_networks": near}, replies=True)
    hub_mesh.join(EDGE_1)
    forward(BOTH[0])
    assert hub_mesh.answers(EDGE_1, "10.50.0.3") and forwards_part() == {"status": "ok"}
    with inside(HUB.name):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    sh("ip", "-n", NODE_1.name, "route", "add", *near, "via", "10.1.1.1")
    try:
        with inside(EDGE_1.name):
            assert "1 received" in sh("ping", "-c1", "-W1", "-I", "192.0.2.2", "10.50.0.3")
        assert "10.50.0.3 does not send answers" in forwards_part()["message"]
    finally:
        sh("ip", "-n", NODE_1.name, "route", "delete", *near)
        with inside(HUB.name):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("0")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole mesh without a controller: client -- edge -- hub -- two nodes, each in a namespace, all joined by the real engines.

wireguard-go keeps its sockets in one folder for all namespaces, so every host's interface has a name of its own.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.hub import HubEngine, hub_of
from ansible_collections.edge.gateway.plugins.module_utils.engines.keys import KeyEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.keys import edit_of as key_edit_of
from ansible_collections.edge.gateway.plugins.module_utils.engines.wireguard import MeshEngine, join_options
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.hub import Registration
from ansible_collections.edge.gateway.plugins.module_utils.models.hub_edits import edit_of as peer_edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership
from ansible_collections.edge.gateway.plugins.module_utils.models.join import edit_of as join_edit_of
from contract import mesh, world
from contract.world import STATE_DIR, WIREGUARD_DIR, inside, sh

CLIENT, CLIENT6, EDGE, EDGE6 = "198.51.100.21", "2001:db8:100::21", "198.51.100.1", "2001:db8:100::1"
POOLS = ["10.50.0.0/24", "fd50::/64"]
HUB_IPS = ("10.50.0.1", "fd50::1")


@dataclass(frozen=True)
class Member:
    """One host of the mesh: its namespace, its interface there, and where the hub is for it."""

    name: str
    interface: str
    hub: str

    @property
    def config_dir(self) -> Path:
        """Where its WireGuard files are."""
        return WIREGUARD_DIR / self.name

    @property
    def data_dir(self) -> Path:
        """Where its state is."""
        return STATE_DIR / self.name


EDGE_1 = Member("m-edge", "wge", "192.0.2.1")
NODE_1, NODE_2 = Member("m-node1", "wgn1", "10.1.1.1"), Member("m-node2", "wgn2", "10.1.2.1")
HUB = Member("m-hub", "wgh", "")
MEMBERS = (HUB, EDGE_1, NODE_1, NODE_2)
NAMESPACES = ("m-client", *(member.name for member in MEMBERS))
SETTINGS: Dict[str, Any] = {"interface": HUB.interface, "pools": POOLS, "endpoint": "192.0.2.1:51820"}


def build() -> None:
    """The namespaces and cables. The nodes have a default route of their own, beside the tunnel."""
    for name in NAMESPACES:
        world.add_namespace(name)
    world.connect(("m-client", "eth0", f"{CLIENT}/24"), (EDGE_1.name, "up0", f"{EDGE}/24"))
    for namespace, device, address in (("m-client", "eth0", CLIENT6), (EDGE_1.name, "up0", EDGE6)):
        sh("ip", "-n", namespace, "address", "add", f"{address}/64", "dev", device, "nodad")
    world.connect((HUB.name, "up0", "192.0.2.1/24"), (EDGE_1.name, "eth0", "192.0.2.2/24"))
    for number, node in enumerate((NODE_1, NODE_2), 1):
        world.connect((HUB.name, f"lan{number}", f"10.1.{number}.1/24"), (node.name, "eth0", f"10.1.{number}.2/24"))
        sh("ip", "-n", node.name, "route", "add", "default", "via", f"10.1.{number}.1")
    sh("ip", "-n", HUB.name, "route", "add", "default", "via", "192.0.2.2")


def clear() -> None:
    """Every tunnel gone; files go with the fixture that empties the folders."""
    for member in MEMBERS:
        sh("ip", "-n", member.name, "link", "delete", member.interface, check=False)
        with inside(member.name):
            for family in ("-4", "-6"):
                while "proto 218" in sh("ip", family, "rule"):
                    sh("ip", family, "rule", "delete", "protocol", "218")
            sh("nft", "flush", "ruleset")
    end = time.monotonic() + 5
    while any(Path(f"/run/wireguard/{member.interface}.sock").exists() for member in MEMBERS) and time.monotonic() < end:
        time.sleep(0.02)


def register(dry: bool = False, timeout: float = 0.0, hub: Dict[str, Any] = SETTINGS, **params: Any) -> Outcome[Registration]:
    """wg_peer on the hub."""
    given = {"node_id": None, "peers": None, "purge": False, "max_removals": 3, **params}
    with inside(HUB.name):
        engine = _hub(hub, awaited=given.get("node_pubkey", "") if timeout else "", patience=timeout)
        return converge(engine, peer_edit_of(given, engine.hub), dry)


def _hub(settings: Dict[str, Any], **options: Any) -> HubEngine:
    host = Host()
    return HubEngine(host, hub_of(host, settings), str(HUB.config_dir), str(HUB.data_dir), **options)


def answer(node_id: str, endpoint: str) -> Dict[str, Any]:
    """What the hub tells a node."""
    with inside(HUB.name):
        engine = _hub(SETTINGS)
        items = engine.load()
        return {**engine.answer(items[node_id], items, None), "endpoint": endpoint}


def make_key(member: Member, next_key: bool = False) -> Dict[str, str]:
    """wg_key on a host."""
    with inside(member.name):
        engine = KeyEngine(Host(), member.interface, str(member.config_dir))
        converge(engine, key_edit_of(next_key, engine.files), False)
        return engine.public_keys()


def join(member: Member, dry: bool = False, **params: Any) -> Outcome[Membership]:
    """wg_join on a host, with what the hub has told."""
    told = {"join_answer": answer(member.name, f"{member.hub}:51820")} if "state" not in params else {}
    given = {**mesh.DEFAULTS, "interface": member.interface, "node_id": member.name, **told, **params}
    with inside(member.name):
        engine = MeshEngine(Host(), member.interface, str(member.config_dir), str(member.data_dir), join_options(given))
        return converge(engine, join_edit_of(given), dry)


def enter(member: Member, join_with: Dict[str, Any], **registered: Any) -> None:
    """All three steps, as the role does them."""
    key = make_key(member)["public_key"]
    register(node_id=member.name, node_pubkey=key, **registered)
    join(member, **join_with)


def peers(member: Member = HUB) -> Dict[str, Dict[str, Any]]:
    """The peers that wg shows, by public key."""
    names = ("psk", "endpoint", "allowed_ips", "handshake", "received", "sent", "keepalive")
    with inside(member.name):
        lines = sh("wg", "show", member.interface, "dump").splitlines()[1:]
    return {words[0]: dict(zip(names, words[1:])) for words in (line.split("\t") for line in lines)}


def answers(member: Member, address: str) -> bool:
    """Whether a packet comes back."""
    with inside(member.name):
        return "1 received" in sh("ping", "-c1", "-W2", address, check=False)


def call_again(member: Member) -> None:
    """A new handshake at once: a hub that has forgotten a node's session is otherwise noticed after a quarter of a minute."""
    config = str(member.config_dir / f"{member.interface}.conf")
    with inside(member.name):
        for peer in peers(member):
            sh("wg", "set", member.interface, "peer", peer, "remove")
        sh("wg", "syncconf", member.interface, "/dev/stdin", stdin=sh("wg-quick", "strip", config))


def index(member: Member) -> int:
    """Number of the interface: the same as long as it lives."""
    shown = sh("ip", "-n", member.name, "-json", "link", "show", "dev", member.interface, check=False)
    links: List[Dict[str, Any]] = json.loads(shown or "[{}]")
    return int(links[0].get("ifindex", 0))

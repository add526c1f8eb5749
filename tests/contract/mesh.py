# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub with a controller in one namespace, and the engine of an edge in another."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.wireguard import MeshEngine, join_options
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership, edit_of
from contract import world
from contract.world import STATE_DIR, WIREGUARD_DIR, inside, sh
from unit.servers import Handler, Server, serving

HUB, EDGE, MESH_HUB, NODE_IP = "192.0.2.1", "192.0.2.2", "10.50.0.1", "10.50.0.5"
TOKEN = "s3cret-join-token"
CONF, KEY = WIREGUARD_DIR / "wg0.conf", WIREGUARD_DIR / "wg0.key"
DEFAULTS: Dict[str, Any] = {
    "controller_url": None, "join_token": TOKEN, "node_id": "edge-1", "join_answer": None, "interface": "wg0", "persistent_keepalive": 25,
    "listen_port": None, "mtu": None, "allowed_ips": None, "validate_certs": True, "ca_path": None, "timeout": 5, "retries": 0,
    "delay": 0,
    "rejoin": False, "allow_default_route": False, "allow_lockout": False, "state": "joined", "client_networks": None,
    "preshared_key": None, "probe_mtu": False, "rotate_key": False,
}


def add_hub() -> str:
    """Two namespaces on one cable, and the hub's WireGuard interface in the first; its public key."""
    for name in ("hub", "edge"):
        world.add_namespace(name)
    world.connect(("hub", "eth0", f"{HUB}/24"), ("edge", "eth0", f"{EDGE}/24"))
    private = sh("wg", "genkey")
    key_file = Path("/run/hub.key")
    key_file.write_text(private)
    with inside("hub"):
        sh("wireguard-go", "hub0")
        sh("wg", "set", "hub0", "private-key", str(key_file), "listen-port", "51820")
        sh("ip", "address", "add", f"{MESH_HUB}/24", "dev", "hub0")
        sh("ip", "link", "set", "hub0", "up")
        sh("ip", "route", "add", "10.60.0.0/16", "dev", "hub0")
    return sh("wg", "pubkey", stdin=private).strip()


class Controller:
    """Answers joins as the contract says; a test may change what it answers."""

    def __init__(self, public_key: str) -> None:
        self.answer: Dict[str, Any] = {
            "node_ip": NODE_IP, "controller_pubkey": public_key, "endpoint": f"{HUB}:51820", "allowed_ips": "10.50.0.0/24",
        }
        self.down = False
        self.server: Optional[Server] = None

    def react(self, handler: Handler, _number: int) -> None:
        """One join: make the node a peer of the hub and answer."""
        assert self.server is not None
        body = json.loads(self.server.seen[-1][3])
        if self.down:
            handler.reply(503, {}, b"")
            return
        sh("wg", "set", "hub0", "peer", body["node_pubkey"], "allowed-ips", f"{NODE_IP}/32,10.50.0.6/32")
        handler.reply(200, {"Content-Type": "application/json"}, json.dumps(self.answer).encode())

    @property
    def requests(self) -> int:
        """How often it was asked."""
        assert self.server is not None
        return len(self.server.seen)

    @property
    def url(self) -> str:
        """Where it is asked."""
        assert self.server is not None
        return f"http://{HUB}:{self.server.port}"


@contextlib.contextmanager
def controller(public_key: str) -> Iterator[Controller]:
    """A controller on the hub."""
    found = Controller(public_key)
    with inside("hub"):
        context = serving(found.react, address=HUB)
        found.server = context.__enter__()
    try:
        yield found
    finally:
        context.__exit__(None, None, None)


def join(dry: bool = False, **params: Any) -> Outcome[Membership]:
    """One run of the module's life on the edge."""
    given = {**DEFAULTS, **params}
    with inside("edge"):
        engine = MeshEngine(Host(), given["interface"], str(WIREGUARD_DIR), str(STATE_DIR), join_options(given))
        return converge(engine, edit_of(given), dry)


def walk(**params: Any) -> Dict[str, Any]:
    """Check mode (which touches nothing), the real run (which does what was predicted), and again (which does nothing)."""
    before = snapshot()
    predicted = join(True, **params)
    assert snapshot() == before
    real = join(**params)
    assert world.report(predicted) == world.report(real)
    after = snapshot()
    for dry in (True, False):
        assert not join(dry, **params).plan.changed
    assert snapshot() == after
    return world.report(real)


def snapshot() -> List[Any]:
    """All that a run may change."""
    with inside("edge"):
        words = sh("ip", "rule") + sh("ip", "-6", "rule") + sh("ip", "-4", "route", "show", "table", "all") + sh("ip", "-6", "route")
        show = sh("wg", "show", "wg0", "dump", check=False).split("\n")
    # handshakes, counters and link-local routes come by themselves; wireguard-go lists its peers in any order
    tunnel = sorted([*line.split("\t")[:4], line.split("\t")[-1]] for line in show)
    return [world.files(WIREGUARD_DIR), world.files(STATE_DIR), interface_index(), tunnel,
    [line for line in words.splitlines() if "fe80::" not in line]]


def interface_index() -> int:
    """Number of the edge's wg0, 0 without one: it stays the same as long as the interface does."""
    links = json.loads(sh("ip", "-n", "edge", "-json", "link", "show", "dev", "wg0", check=False) or "[{}]")
    return int(links[0].get("ifindex", 0))


def routes() -> List[str]:
    """Networks that the edge's kernel sends into the tunnel."""
    return sorted(entry["dst"] for entry in json.loads(sh("ip", "-n", "edge", "-json", "route", "show", "dev", "wg0") or "[]"))


def peer() -> Dict[str, str]:
    """The edge's one peer, as wg shows it."""
    with inside("edge"):
        lines = sh("wg", "show", "wg0", "dump").strip().split("\n")
    assert len(lines) == 2
    names = ("key", "psk", "endpoint", "allowed_ips", "handshake", "received", "sent", "keepalive")
    return dict(zip(names, lines[1].split("\t")))


def hub_answers() -> bool:
    """Whether a packet comes back through the tunnel."""
    with inside("edge"):
        return "1 received" in sh("ping", "-c1", "-W2", MESH_HUB, check=False)


def remove_edge() -> None:
    """Take the edge's tunnel away, and wait until its process has gone."""
    sh("ip", "-n", "edge", "link", "delete", "wg0", check=False)
    with inside("edge"):
        sh("nft", "flush", "ruleset")
        for family in ("-4", "-6"):
            sh("ip", family, "rule", "flush", "table", "51820", check=False)
            while "suppress_prefixlength" in sh("ip", family, "rule"):
                sh("ip", family, "rule", "delete", "table", "main", "suppress_prefixlength", "0")
    end = time.monotonic() + 5
    while Path("/run/wireguard/wg0.sock").exists() and time.monotonic() < end:
        time.sleep(0.02)

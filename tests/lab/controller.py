#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's WireGuard hub and the controller that edges and nodes join: POST /join, GET /health.

Usage: controller.py CONFIG, a JSON file with "token", "mesh" (a network) and "reservations" (node id -> address).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

INTERFACE = "wg0"
WIREGUARD_PORT = 51820
HTTP_PORT = 9000
KEY_FILE = Path("/etc/wireguard/wg0.key")
PEERS_FILE = Path("/var/lib/lab-controller/peers.json")
MAX_BODY = 4096
NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status and the text of the answer."""
        super().__init__(message)
        self.status = status


def run(*command: str, stdin: str | None = None) -> str:
    """Run a command, fail if it fails, return what it printed."""
    return subprocess.run(command, check=True, input=stdin, stdout=subprocess.PIPE, text=True, timeout=20).stdout


def write_durably(path: Path, text: str) -> None:
    """Replace a private file so that it is the old or the new one at any moment, even after a power cut."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


class Hub:
    """The WireGuard interface and the peers on it."""

    def __init__(self, mesh: str, reservations: dict[str, str]) -> None:
        """Read the peers of earlier runs."""
        self.mesh = ipaddress.IPv4Network(mesh)
        self.reservations = reservations
        self.address = str(self.mesh[1])
        self.peers: dict[str, dict[str, str]] = json.loads(PEERS_FILE.read_text()) if PEERS_FILE.exists() else {}
        self.lock = threading.Lock()
        self.public_key = ""

    def start(self) -> None:
        """Bring the interface up with all peers, and let the host forward between them."""
        if not KEY_FILE.exists():
            write_durably(KEY_FILE, run("wg", "genkey"))
        self.public_key = run("wg", "pubkey", stdin=KEY_FILE.read_text()).strip()
        subprocess.run(["ip", "link", "delete", INTERFACE], stderr=subprocess.DEVNULL, check=False)
        kernel = subprocess.run(["ip", "link", "add", INTERFACE, "type", "wireguard"], check=False)
        if kernel.returncode != 0:
            run("wireguard-go", INTERFACE)
        run("wg", "set", INTERFACE, "private-key", str(KEY_FILE), "listen-port", str(WIREGUARD_PORT))
        run("ip", "address", "add", f"{self.address}/{self.mesh.prefixlen}", "dev", INTERFACE)
        run("ip", "link", "set", "mtu", "1420", "up", "dev", INTERFACE)
        for peer in self.peers.values():
            self._add(peer)
        # forward what comes out of the mesh, and nothing else: this host is no router between its networks
        Path(f"/proc/sys/net/ipv4/conf/{INTERFACE}/forwarding").write_text("1")

    def _add(self, peer: dict[str, str]) -> None:
        run("wg", "set", INTERFACE, "peer", peer["node_pubkey"], "allowed-ips", f"{peer['node_ip']}/32")

    def _address_for(self, node_id: str) -> str:
        """The node's own address if it has one, else the lowest that nobody has or may claim."""
        if node_id in self.peers:
            return self.peers[node_id]["node_ip"]
        if node_id in self.reservations:
            return self.reservations[node_id]
        taken = {self.address, *self.reservations.values(), *(peer["node_ip"] for peer in self.peers.values())}
        for address in map(str, self.mesh.hosts()):
            if address not in taken:
                return address
        raise Refused(507, "no address is left")

    def join(self, node_id: str, node_pubkey: str) -> str:
        """Make the node a peer, or give its peer another key; return its address."""
        with self.lock:
            old = self.peers.get(node_id)
            peer = {"node_ip": self._address_for(node_id), "node_pubkey": node_pubkey}
            if peer == old:
                return peer["node_ip"]
            if node_pubkey == self.public_key or any(node_pubkey == p["node_pubkey"] for p in self.peers.values()):
                raise Refused(409, "another node has this key")
            peers = {**self.peers, node_id: peer}
            write_durably(PEERS_FILE, json.dumps(peers, indent=2) + "\n")
            self.peers = peers
            if old is not None:
                run("wg", "set", INTERFACE, "peer", old["node_pubkey"], "remove")
            self._add(peer)
            return peer["node_ip"]


def read_request(body: bytes) -> tuple[str, str]:
    """The node id and public key of a request body."""
    try:
        request: Any = json.loads(body)
    except ValueError as error:
        raise Refused(400, "the body is not JSON") from error
    if not isinstance(request, dict):
        raise Refused(400, "the body is not a JSON object")
    node_id, key = request.get("node_id"), request.get("node_pubkey")
    if not isinstance(node_id, str) or not NODE_ID.fullmatch(node_id):
        raise Refused(400, "node_id is missing or not a name")
    try:
        valid = isinstance(key, str) and base64.b64encode(base64.b64decode(key, validate=True)).decode() == key
    except (binascii.Error, ValueError):
        valid = False
    if not valid or len(str(key)) != 44:
        raise Refused(400, "node_pubkey is missing or not a WireGuard key")
    return node_id, str(key)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = 10
    hub: Hub
    token: str

    def answer(self, status: int, content: dict[str, str]) -> None:
        """Send a JSON answer."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Tell that the controller lives."""
        if self.path == "/health":
            self.answer(200, {"status": "ok"})
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        """Let a node join."""
        try:
            if self.path != "/join":
                raise Refused(404, "not found")
            self.answer(200, self._join())
        except Refused as refusal:
            self.answer(refusal.status, {"error": str(refusal)})
        except (OSError, subprocess.SubprocessError) as error:
            self.answer(500, {"error": str(error)})

    def _join(self) -> dict[str, str]:
        token = self.headers.get("X-Join-Token", "")
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            raise Refused(401, "wrong token")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY:
            raise Refused(400, "the body's length is missing or too large")
        node_id, key = read_request(self.rfile.read(int(length)))
        local_address = self.connection.getsockname()[0]
        return {
            "node_ip": self.hub.join(node_id, key),
            "controller_pubkey": self.hub.public_key,
            "endpoint": f"{local_address}:{WIREGUARD_PORT}",
            "allowed_ips": str(self.hub.mesh),
        }


def main() -> None:
    """Start the hub, then serve for ever."""
    config = json.loads(Path(sys.argv[1]).read_text())
    hub = Hub(config["mesh"], config["reservations"])
    hub.start()
    Handler.hub, Handler.token = hub, config["token"]
    ThreadingHTTPServer(("0.0.0.0", HTTP_PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()

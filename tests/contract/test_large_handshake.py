# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS handshake that fills a whole segment, and a long answer, through a forward into a mesh that is narrower than it says.

This is what breaks first for a visitor: with the key shares of today a ClientHello no longer fits a small packet, and where
ICMP errors are filtered, nobody learns why it never arrives. No other test sends a segment as large as the path allows.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any, Iterator

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from contract import iptables_host, world
from contract.forwarding import ANY_NODE
from contract.hostile_controller import tls_certificate
from contract.talk import family
from contract.world import STATE_DIR, inside, nft, sh

NAMESPACES = ("client", "gateway", "node")
CLIENT = {4: "198.51.100.2", 6: "2001:db8:1::2"}
EDGE = {4: "198.51.100.1", 6: "2001:db8:1::1"}
EDGE_MESH = {4: "10.50.0.1", 6: "fd50::1"}
NODE = {4: "10.50.0.12", 6: "fd50::12"}
PORT, TLS_PORT = 22015, 8443
MESH_MTU = 1420
ANSWER = 200_000
# a lost segment is sent again after a fifth of a second, and as large as before
PATIENCE_SECONDS = 1.5
BACKENDS = ("nftables", *(f"iptables-{variant}" for variant in iptables_host.VARIANTS))
FILTER = """table inet filtered {
 chain c {
  type filter hook prerouting priority -300
  icmp type { destination-unreachable, time-exceeded } drop
  icmpv6 type { destination-unreachable, packet-too-big, time-exceeded } drop
 }
}
"""
# the cable that stands for the tunnel would carry what is larger than the mesh interface; the tunnel does not
TUNNEL = f"""table netdev tunnel {{
 chain c {{
  type filter hook ingress device wg0 priority 0
  meta length > {MESH_MTU} drop
 }}
}}
"""


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """client -- edge -- node; both ends take their path for 1500 bytes wide, and the mesh interface of the edge is narrower."""
    for name in NAMESPACES:
        world.add_namespace(name)
        with inside(name):
            sh("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0", "net.ipv4.tcp_mtu_probing=0")
    for name, address, device, router in (("client", CLIENT, "up0", EDGE), ("node", NODE, "wg0", EDGE_MESH)):
        world.connect((name, "eth0", f"{address[4]}/24"), ("gateway", device, f"{router[4]}/24"))
        # segments go out one by one, as they do on a real wire
        sh("ip", "-n", name, "link", "set", "eth0", "gso_max_segs", "1")
        sh("ip", "-n", name, "address", "add", f"{address[6]}/64", "dev", "eth0", "nodad")
        sh("ip", "-n", "gateway", "address", "add", f"{router[6]}/64", "dev", device, "nodad")
        for version in (4, 6):
            sh("ip", "-n", name, f"-{version}", "route", "add", "default", "via", router[version])
    sh("ip", "-n", "gateway", "link", "set", "wg0", "mtu", str(MESH_MTU))
    for name in ("client", "node"):
        with inside(name):
            nft(FILTER)
    yield
    world.remove_namespaces(*NAMESPACES)


@pytest.fixture(autouse=True)
def clean_edge(network: None) -> Iterator[None]:
    """An edge without rules and flows, behind whose mesh interface nothing large comes through."""
    with inside("gateway"):
        sh("nft", "flush", "ruleset")
        for name in iptables_host.NAMES:
            for table in ("nat", "filter", "mangle"):
                for flag in ("-F", "-X"):
                    sh(f"{name}-legacy", "-t", table, flag)
        sh("conntrack", "-F", check=False)
        nft(FILTER + TUNNEL)
    yield
    iptables_host.choose("nft")


@pytest.fixture(autouse=True, scope="module")
def server(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A web server of the node, in both versions of IP."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_certificate(tmp_path_factory.mktemp("tls") / "server.pem", NODE[4]))
    with inside("node"):
        listeners = [socket.create_server((NODE[version], TLS_PORT), family=family(NODE[version])) for version in (4, 6)]
    for listener in listeners:
        threading.Thread(target=_serve, args=(listener, context), daemon=True).start()
    yield
    for listener in listeners:
        listener.close()


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _peer = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, context), daemon=True).start()


def _answer(connection: socket.socket, context: ssl.SSLContext) -> None:
    connection.settimeout(5)
    with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(100)
        secured.sendall(b"x" * ANSWER)


def visitor() -> ssl.SSLContext:
    """A client who offers many protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([f"protocol-{number:03}-{'x' * 50}" for number in range(24)])
    return context


def hello_size() -> int:
    """Bytes of the visitor's first message."""
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        visitor().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return len(out.read())


def visit(version: int) -> str:
    """How far a visitor comes who asks the edge."""
    received = 0
    with inside("client"):
        connection = socket.create_connection((EDGE[version], PORT), PATIENCE_SECONDS)
    with connection:
        try:
            secured = visitor().wrap_socket(connection)
        except OSError:
            return "no handshake"
        with secured:
            try:
                secured.sendall(b"GET")
                while piece := secured.recv(65536):
                    received += len(piece)
            except OSError:
                return "no whole answer"
    return f"{received} bytes"


def forward(version: int, backend: str) -> None:
    """Forward the port to the node, by the real engine."""
    name, _dash, variant = backend.partition("-")
    if variant:
        iptables_host.choose(variant)
    params: dict[str, Any] = {"forward_id": "web", "public_port": str(PORT), "target_ip": NODE[version], "target_port": TLS_PORT}
    with inside("gateway"):
        engine = ForwardEngine(Host(), str(STATE_DIR), "wg0", name, reply_nodes=ANY_NODE)
        assert converge(engine, edit_of(params, "forward_id", "forwards", Forward.parse), False).plan.changed


def without_clamp(backend: str, chain: str) -> None:
    """Take the clamp of one direction away."""
    with inside("gateway"):
        if backend == "nftables":
            line = next(line for line in sh("nft", "-a", "list", "chain", "inet", "edge_gateway", chain).splitlines() if "maxseg" in line)
            sh("nft", "delete", "rule", "inet", "edge_gateway", chain, "handle", line.rpartition(" ")[2])
            return
        flag = "-o" if chain == "to_mesh" else "-i"
        for name in iptables_host.NAMES:
            rule = next(line for line in sh(name, "-t", "mangle", "-S").splitlines() if "TCPMSS" in line and f"{flag} wg0" in line)
            sh("sh", "-c", f"{name} -t mangle {rule.replace('-A', '-D', 1)}")


def test_the_handshake_is_large() -> None:
    """Larger than any segment that the mesh carries, and than a full one of an Ethernet, so that one of these goes out."""
    assert hello_size() > 1460


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_large_handshake_and_a_long_answer_pass(backend: str, version: int) -> None:
    """Both directions carry full segments although nobody says what fits."""
    forward(version, backend)
    assert visit(version) == f"{ANSWER} bytes"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("chain", "outcome"), [("from_mesh", "no handshake"), ("to_mesh", "no whole answer")])
@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_the_clamp_that_lets_them_pass(backend: str, chain: str, outcome: str, version: int) -> None:
    """Without the one on the node's SYN-ACK the hello is lost, without the one on the client's SYN the answer."""
    forward(version, backend)
    without_clamp(backend, chain)
    assert visit(version) == outcome

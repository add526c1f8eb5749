# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets through a real edge: what is forwarded arrives, what is not stays out. No probe starts on the edge itself."""

from __future__ import annotations

import socket
from typing import Any, Dict, Iterator, List

import pytest
from contract import world
from contract.forwarding import IP_FORWARD, run
from contract.talk import SILENCE_SECONDS, Echo, dial, flow, say, tcp, udp
from contract.world import inside, nft, sh

CLIENT, EDGE, EDGE_MESH, NODE, SECOND, OTHER = "198.51.100.2", "198.51.100.1", "10.50.0.1", "10.50.0.12", "10.50.0.13", "203.0.113.2"
NAMESPACES = ("client", "gateway", "node", "other")
PORT = 22015


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """client -- edge -- node, and another network behind the edge; everyone's default route is the edge."""
    for name in NAMESPACES:
        world.add_namespace(name)
    world.connect(("client", "eth0", f"{CLIENT}/24"), ("gateway", "up0", f"{EDGE}/24"))
    world.connect(("node", "eth0", f"{NODE}/24"), ("gateway", "wg0", f"{EDGE_MESH}/24"))
    world.connect(("other", "eth0", f"{OTHER}/24"), ("gateway", "lan0", "203.0.113.1/24"))
    sh("ip", "-n", "node", "address", "add", f"{SECOND}/24", "dev", "eth0")
    for name, router in (("client", EDGE), ("node", EDGE_MESH), ("other", "203.0.113.1")):
        sh("ip", "-n", name, "route", "add", "default", "via", router)
    yield
    world.remove_namespaces(*NAMESPACES)


@pytest.fixture(name="all_servers", scope="module")
def start_servers(network: None) -> Dict[str, Echo]:
    """A server on each host; both addresses of the node have one."""
    places = {"first": ("node", NODE, 8080), "second": ("node", SECOND, 8080), "client": ("client", CLIENT, 7000), "other": ("other",
    OTHER, PORT)}
    found = {}
    for name, (namespace, address, port) in places.items():
        with inside(namespace):
            found[name] = Echo(name, address, port)
    return found


@pytest.fixture(name="servers")
def quiet_servers(all_servers: Dict[str, Echo]) -> Dict[str, Echo]:
    """The servers, which have seen nobody yet."""
    for server in all_servers.values():
        server.seen.clear()
    return all_servers


@pytest.fixture(autouse=True)
def clean_edge(network: None) -> None:
    """No rules, no flows, no forwarding left by the test before."""
    with inside("gateway"):
        sh("nft", "flush", "ruleset")
        sh("conntrack", "-F", check=False)
        IP_FORWARD.write_text("0")


def edge(**params: Any) -> Dict[str, Any]:
    """Run the forwards' engine on the edge."""
    with inside("gateway"):
        return run(**params).as_dict()


def forward(proto: str = "tcp", target_ip: str = NODE, **changes: Any) -> Dict[str, Any]:
    """Forward the port to the node."""
    return edge(forward_id="vm-1", public_port=str(PORT), target_ip=target_ip, target_port=8080, proto=proto, **changes)


def track_connections() -> None:
    """A rule that looks at connection states, as every real firewall has one: without it the kernel forgets too readily."""
    with inside("gateway"):
        nft("table inet admin {\n chain input { type filter hook input priority 0; ct state established,related accept; }\n}\n")


@pytest.mark.parametrize("proto", ["tcp", "udp", "both"])
def test_a_forward_carries_traffic(servers: Dict[str, Echo], proto: str) -> None:
    """From the client to the node's other port; the node sees the edge (masquerade); the other protocol stays closed."""
    forward(proto)
    with inside("client"):
        answers = {"tcp": tcp(EDGE, PORT, SILENCE_SECONDS), "udp": udp(EDGE, PORT)}
    assert answers == {name: f"first {EDGE_MESH}" if proto in (name, "both") else "" for name in answers}
    assert set(servers["first"].seen) == {EDGE_MESH}


def test_a_deleted_forward_carries_nothing(servers: Dict[str, Echo]) -> None:
    """New connections are refused again."""
    forward("both")
    edge(forward_id="vm-1", state="absent")
    with inside("client"):
        assert (tcp(EDGE, PORT, SILENCE_SECONDS), udp(EDGE, PORT)) == ("", "")
    assert servers["first"].seen == []


def test_the_guard_closes_the_mesh(servers: Dict[str, Echo]) -> None:
    """Forwarding alone is an open router in both directions; with the first forward, and after the last, it is none."""
    with inside("gateway"):
        IP_FORWARD.write_text("1")
    assert reachable() == ["node tcp", "node udp", "client from node"]
    forward()
    assert reachable() == []
    edge(forward_id="vm-1", state="absent")
    assert reachable() == []
    assert servers["second"].seen == []


def reachable() -> List[str]:
    """What gets through the edge without a forward."""
    found = []
    with inside("client"):
        found += ["node tcp"] if tcp(NODE, 8080, SILENCE_SECONDS) else []
        found += ["node udp"] if udp(NODE, 8080) else []
    with inside("node"):
        found += ["client from node"] if tcp(CLIENT, 7000, SILENCE_SECONDS) else []
    return found


def test_other_routed_traffic_is_not_touched(servers: Dict[str, Echo]) -> None:
    """A connection through the edge to another host keeps its addresses, on the forwarded port too: no hijack, no masquerade."""
    with inside("gateway"):
        IP_FORWARD.write_text("1")
    forward("both")
    with inside("client"):
        assert (tcp(OTHER, PORT), udp(OTHER, PORT)) == (f"other {CLIENT}", f"other {CLIENT}")
    assert servers["first"].seen == []


def test_the_mesh_side_is_not_forwarded(servers: Dict[str, Echo]) -> None:
    """A node that calls the edge's port does not come back to a node."""
    forward("both")
    with inside("node"):
        assert (tcp(EDGE_MESH, PORT, SILENCE_SECONDS), udp(EDGE_MESH, PORT)) == ("", "")
    assert servers["first"].seen == []


def test_the_edges_own_services_and_calls_are_untouched(servers: Dict[str, Echo]) -> None:
    """Its other ports answer clients and nodes, and it reaches its nodes itself."""
    with inside("gateway"):
        own = Echo("edge", "0.0.0.0", 9000)
    forward("both")
    try:
        with inside("client"):
            assert (tcp(EDGE, 9000), udp(EDGE, 9000)) == (f"edge {CLIENT}", f"edge {CLIENT}")
        with inside("node"):
            assert (tcp(EDGE_MESH, 9000), udp(EDGE_MESH, 9000)) == (f"edge {NODE}", f"edge {NODE}")
        with inside("gateway"):
            assert tcp(NODE, 8080) == f"first {EDGE_MESH}"
    finally:
        own.close()


def test_every_public_address_of_the_edge_is_forwarded(servers: Dict[str, Echo]) -> None:
    """The rule asks for an address of the edge, not for a certain one: clouds translate the public address."""
    forward()
    with inside("other"):
        assert tcp("203.0.113.1", PORT) == f"first {EDGE_MESH}"
        assert tcp(EDGE, PORT) == f"first {EDGE_MESH}"
    assert len(servers["first"].seen) == 2


def test_an_open_connection_survives_changes_of_others(servers: Dict[str, Echo]) -> None:
    """Adding, changing and removing other forwards, and repairing the whole table, cuts nobody off."""
    forward()
    with inside("client"):
        connection = dial(EDGE, PORT)
    assert connection is not None and say(connection) == f"first {EDGE_MESH}"
    for number in range(3):
        edge(forward_id=f"x-{number}", public_port=str(30000 + number), target_ip=SECOND, proto="both")
    edge(forward_id="x-1", state="absent")
    with inside("gateway"):
        nft("flush chain inet edge_gateway forward")
    assert edge(forwards=[])["changed"]
    assert say(connection) == f"first {EDGE_MESH}" and servers["second"].seen == []
    connection.close()


def test_an_open_udp_flow_moves_with_its_forward(servers: Dict[str, Echo]) -> None:
    """Not forwarded yet, added, pointed elsewhere, deleted: each counts at once for a client that keeps sending."""
    track_connections()
    with inside("client"), flow(EDGE, PORT) as client:
        say(client)
        assert say(client) == ""
        forward("udp")
        assert say(client) == f"first {EDGE_MESH}"
        forward("udp", SECOND)
        assert say(client) == f"second {EDGE_MESH}"
        edge(forward_id="vm-1", state="absent")
        assert say(client) == ""
    assert len(servers["first"].seen) == len(servers["second"].seen) == 1


def test_an_open_udp_flow_of_another_forward_stays(servers: Dict[str, Echo]) -> None:
    """Only flows of the changed port are cut: the node sees the same source port all along."""
    track_connections()
    edge(forward_id="game", public_port="2456", target_ip=SECOND, target_port=8080, proto="udp")
    with inside("client"), flow(EDGE, 2456) as client:
        assert say(client) == f"second {EDGE_MESH}"
        with inside("gateway"):
            before = sh("conntrack", "-L", "-p", "udp", "--orig-port-dst", "2456", "-o", "id")
        forward("both")
        assert say(client) == f"second {EDGE_MESH}"
        with inside("gateway"):
            after = sh("conntrack", "-L", "-p", "udp", "--orig-port-dst", "2456", "-o", "id")
    assert before.split("id=")[1] == after.split("id=")[1]


@pytest.mark.parametrize("damage", ["delete element inet edge_gateway udp4 { 22015 }", "delete table inet edge_gateway"])
def test_an_open_udp_flow_is_healed_with_its_forward(servers: Dict[str, Echo], damage: str) -> None:
    """The rules were lost for a while and the client kept sending (or a run was killed between state and kernel)."""
    track_connections()
    forward("udp")
    with inside("gateway"):
        nft(damage)
    with inside("client"), flow(EDGE, PORT) as client:
        say(client)
        assert say(client) == ""
        assert edge(forwards=[])["repaired"] == ["vm-1"]
        assert say(client) == f"first {EDGE_MESH}"
    assert servers["first"].seen == [EDGE_MESH]


def test_segments_are_clamped_to_the_tunnel_in_both_directions(servers: Dict[str, Echo]) -> None:
    """The mesh interface is narrower than the networks on both sides, and nobody sends 'too big' back."""
    sh("ip", "-n", "gateway", "link", "set", "wg0", "mtu", "1280")
    try:
        forward()
        with inside("client"):
            connection = dial(EDGE, PORT)
        assert connection is not None and say(connection) == f"first {EDGE_MESH}"
        with inside("node"):
            sockets = sh("ss", "-tni", "state", "established", "sport", "=", ":8080")
        sizes = [int(word[4:]) for word in sockets.split() if word.startswith("mss:")]
        sizes.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
        assert len(sizes) == 2 and max(sizes) <= 1240
        connection.close()
    finally:
        sh("ip", "-n", "gateway", "link", "set", "wg0", "mtu", "1500")

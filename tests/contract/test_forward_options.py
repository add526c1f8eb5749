# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of a forward, proven by packets of both IP versions and protocols: who gets through, to which port, seen as whom."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

import pytest
from contract import talk, world
from contract.forwarding import IP_FORWARD, run
from contract.talk import SILENCE_SECONDS, Echo, dial, flow, say
from contract.world import inside, nft, sh

NAMESPACES = ("client", "gateway", "node", "other")
VERSIONS = (4, 6)
PROTOS = ("tcp", "udp")
CLIENT = {4: "198.51.100.2", 6: "2001:db8:1::2"}
NEAR = {4: "198.51.100.3", 6: "2001:db8:1::3"}
FAR = {4: "198.51.100.130", 6: "2001:db8:1:0:8000::2"}
EDGE = {4: "198.51.100.1", 6: "2001:db8:1::1"}
EDGE_LAN = {4: "203.0.113.1", 6: "2001:db8:2::1"}
OTHER = {4: "203.0.113.2", 6: "2001:db8:2::2"}
EDGE_MESH = {4: "10.50.0.1", 6: "fd50::1"}
NODE = {4: "10.50.0.12", 6: "fd50::12"}
SECOND = {4: "10.50.0.13", 6: "fd50::13"}
LENGTH = {4: 24, 6: 64}
# the networks that hold CLIENT and NEAR but not FAR, and CLIENT alone
HALF = {4: "198.51.100.0/25", 6: "2001:db8:1::/65"}
HOST = {4: "198.51.100.2/32", 6: "2001:db8:1::2/128"}
FAR_HALF = {4: "198.51.100.128/25", 6: "2001:db8:1:0:8000::/65"}
SYSCTL = Path("/proc/sys/net/ipv6/conf")
PORT = 22015
# public ports, the node's first one, and the port that is tried
KINDS = {"port": (str(PORT), 8080, PORT), "range": ("6000-6010", 6000, 6010), "shifted": ("7000-7010", 6000, 7010)}


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """client -- edge -- node, and another network behind the edge, all with both IP versions; everyone's default route is the edge."""
    for name in NAMESPACES:
        world.add_namespace(name)
        with inside(name):
            for scope in ("all", "default"):
                (SYSCTL / scope / "accept_dad").write_text("0")
    cables: List[Any] = [("client", CLIENT, "up0", EDGE), ("node", NODE, "wg0", EDGE_MESH), ("other", OTHER, "lan0", EDGE_LAN)]
    for name, address, interface, router in cables:
        world.connect((name, "eth0", f"{address[4]}/{LENGTH[4]}"), ("gateway", interface, f"{router[4]}/{LENGTH[4]}"))
        sh("ip", "-n", name, "address", "add", f"{address[6]}/64", "dev", "eth0", "nodad")
        sh("ip", "-n", "gateway", "address", "add", f"{router[6]}/64", "dev", interface, "nodad")
        for version in VERSIONS:
            sh("ip", "-n", name, f"-{version}", "route", "add", "default", "via", router[version])
    for name, address in (("node", SECOND), ("client", NEAR), ("client", FAR)):
        for version in VERSIONS:
            sh("ip", "-n", name, "address", "add", f"{address[version]}/{LENGTH[version]}", "dev", "eth0",
               *(["nodad"] if version == 6 else []))
    yield
    world.remove_namespaces(*NAMESPACES)


@pytest.fixture(name="all_servers", scope="module")
def start_servers(network: None) -> Iterator[Dict[str, Echo]]:
    """Servers that answer with the port they are on: 8080 on both addresses of the node, 5999-6011 on its first; and one outside."""
    found: Dict[str, Echo] = {}
    with inside("node"):
        for version in VERSIONS:
            found[f"second{version}"] = Echo("second", SECOND[version], 8080)
            for port in (8080, *range(5999, 6012)):
                found[f"{port}/{version}"] = Echo(str(port), NODE[version], port)
    with inside("other"):
        for version in VERSIONS:
            found[f"other{version}"] = Echo("other", OTHER[version], PORT)
    with inside("client"):
        for version in VERSIONS:
            found[f"client{version}"] = Echo("client", CLIENT[version], 7000)
    yield found
    for server in found.values():
        server.close()


@pytest.fixture(name="servers")
def quiet_servers(all_servers: Dict[str, Echo]) -> Dict[str, Echo]:
    """The servers, which have seen nobody yet."""
    for server in all_servers.values():
        server.seen.clear()
    return all_servers


@pytest.fixture(autouse=True)
def clean_edge(network: None) -> None:
    """No rules, no flows, no forwarding left by the test before, and a rule that looks at states, as every real firewall has one."""
    with inside("gateway"):
        sh("nft", "flush", "ruleset")
        nft("table inet admin {\n chain input { type filter hook input priority 0; ct state established,related accept; }\n}\n")
        sh("conntrack", "-F", check=False)
        IP_FORWARD.write_text("0")
        (SYSCTL / "all/forwarding").write_text("0")
        for interface in ("up0", "lan0", "wg0"):
            (SYSCTL / interface / "accept_ra").write_text("1")


def edge(**params: Any) -> Dict[str, Any]:
    """Run the forwards' engine on the edge."""
    with inside("gateway"):
        return run(**params).as_dict()


def forward(version: int, proto: str = "tcp", **changes: Any) -> Dict[str, Any]:
    """One forward with the name vm-1, to port 8080 of the node unless something else is asked for."""
    options = {"forward_id": "vm-1", "public_port": str(PORT), "target_ip": NODE[version], "target_port": 8080, "proto": proto}
    return edge(**{**options, **changes})


def ask(proto: str, address: str, port: int, source: str = "") -> str:
    """What one who asks once is told, in the namespace we are in."""
    return talk.tcp(address, port, SILENCE_SECONDS, source) if proto == "tcp" else talk.udp(address, port, source)


def from_client(proto: str, port: int, source: str = "", version: int = 4) -> str:
    """What the client is told at a public port of the edge."""
    with inside("client"):
        return ask(proto, EDGE[version], port, source)


def answers(version: int, proto: str, ports: Sequence[int]) -> List[str]:
    """Names of the servers that the client reaches at public ports."""
    return [from_client(proto, port, version=version).split(" ")[0] for port in ports]


@contextlib.contextmanager
def own_service(*ports: int) -> Iterator[None]:
    """A service of the edge itself, on ports where nobody expects it to find a forward."""
    with inside("gateway"):
        found = [Echo("edge", address, port) for port in ports for address in (EDGE[4], EDGE[6])]
    try:
        yield
    finally:
        for server in found:
            server.close()


both_versions = pytest.mark.parametrize("version", VERSIONS)
both_protos = pytest.mark.parametrize("proto", PROTOS)


@both_versions
@pytest.mark.parametrize("proto", ["tcp", "udp", "both"])
def test_single_port(servers: Dict[str, Echo], version: int, proto: str) -> None:
    """Arrives at the other port of the node, which sees the edge; protocol and neighbours that were not asked for stay closed."""
    forward(version, proto)
    for name in PROTOS:
        expected = f"8080 {EDGE_MESH[version]}" if proto in (name, "both") else ""
        assert from_client(name, PORT, version=version) == expected
    assert answers(version, "tcp", [PORT - 1, PORT + 1]) == ["", ""]


@both_versions
@pytest.mark.parametrize("proto", ["tcp", "udp", "both"])
def test_range(servers: Dict[str, Echo], version: int, proto: str) -> None:
    """Each port arrives at the same port; the ports beside the range and the other protocol are closed."""
    forward(version, proto, public_port="6000-6010", target_port=None)
    for name in PROTOS:
        expected = ["", "6000", "6005", "6010", ""] if proto in (name, "both") else [""] * 5
        assert answers(version, name, [5999, 6000, 6005, 6010, 6011]) == expected


@both_versions
@pytest.mark.parametrize(("first", "target"), [(7000, 6000), (5999, 6000), (6001, 6000)], ids=["apart", "up by one", "down by one"])
def test_shifted_range_keeps_its_order(servers: Dict[str, Echo], version: int, first: int, target: int) -> None:
    """Each of the ports arrives at its own one, also when the old and the new range overlap."""
    forward(version, "both", public_port=f"{first}-{first + 10}", target_port=target)
    for proto in PROTOS:
        assert answers(version, proto, range(first, first + 11)) == [str(target + offset) for offset in range(11)]
        assert answers(version, proto, [first - 1, first + 11]) == ["", ""]
    assert servers[f"5999/{version}"].seen == servers[f"6011/{version}"].seen == []


def test_a_range_beside_single_ports_and_other_ranges(servers: Dict[str, Echo]) -> None:
    """Adjacent forwards of every kind do not bleed into each other, and the neighbour's removal leaves each as it was."""
    edge(forwards=[
        {"forward_id": "one", "public_port": "6000", "target_ip": NODE[4], "target_port": 8080},
        {"forward_id": "two", "public_port": "6001-6005", "target_ip": NODE[4]},
        {"forward_id": "three", "public_port": "6006-6008", "target_ip": NODE[4], "target_port": 6001},
        {"forward_id": "four", "public_port": "6009-6010", "target_ip": NODE[4]},
    ])
    expected = ["8080", "6001", "6002", "6003", "6004", "6005", "6001", "6002", "6003", "6009", "6010", ""]
    assert answers(4, "tcp", range(6000, 6012)) == expected
    edge(forward_id="two", state="absent")
    assert answers(4, "tcp", range(6000, 6012)) == ["8080", "", "", "", "", "", "6001", "6002", "6003", "6009", "6010", ""]


@both_protos
def test_one_port_for_both_versions(servers: Dict[str, Echo], proto: str) -> None:
    """Two forwards share a public port: clients of each IP version reach the target of theirs; one goes, the other stays."""
    edge(forwards=[
        {"forward_id": "v4", "public_port": str(PORT), "target_ip": NODE[4], "target_port": 8080, "proto": proto},
        {"forward_id": "v6", "public_port": str(PORT), "target_ip": SECOND[6], "target_port": 8080, "proto": proto},
    ])
    assert (from_client(proto, PORT), from_client(proto, PORT, version=6)) == (f"8080 {EDGE_MESH[4]}", f"second {EDGE_MESH[6]}")
    edge(forward_id="v4", state="absent")
    assert (from_client(proto, PORT), from_client(proto, PORT, version=6)) == ("", f"second {EDGE_MESH[6]}")


@both_versions
@both_protos
@pytest.mark.parametrize("kind", KINDS)
def test_allow_list(servers: Dict[str, Echo], version: int, proto: str, kind: str) -> None:
    """Who is listed gets through; to anyone else the port is not forwarded: what the edge itself has there answers."""
    port, target, probe = KINDS[kind]
    forward(version, proto, public_port=port, target_port=target, source_ranges=[HALF[version]])
    assert from_client(proto, probe, FAR[version], version) == ""
    with own_service(probe):
        passed, refused = (from_client(proto, probe, source[version], version) for source in (NEAR, FAR))
    assert passed.endswith(f" {EDGE_MESH[version]}") and passed.split(" ")[0] == str(target + probe - int(port.split("-", maxsplit=1)[0]))
    assert refused == f"edge {FAR[version]}"


def test_allow_list_refuses_a_tcp_client_at_once(servers: Dict[str, Echo]) -> None:
    """Nothing listens there: the answer is 'refused', not silence."""
    forward(4, source_ranges=[HALF[4]])
    with inside("client"), socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.settimeout(1)
        client.bind((FAR[4], 0))
        client.connect((EDGE[4], PORT))


@both_versions
@pytest.mark.parametrize("order", [1, -1])
def test_overlapping_and_adjacent_networks_in_one_list(servers: Dict[str, Echo], version: int, order: int) -> None:
    """A network inside another, one twice, two halves of a whole: the list is their union, in any order."""
    lists = [([HOST[version], HALF[version], HOST[version]], [True, True, False]),
             ([HALF[version], FAR_HALF[version]], [True, True, True]),
             ([FAR_HALF[version], HOST[version]], [True, False, True])]
    for networks, expected in lists:
        forward(version, source_ranges=networks[::order])
        assert [bool(from_client("tcp", PORT, source[version], version)) for source in (CLIENT, NEAR, FAR)] == expected
        assert not forward(version, source_ranges=networks[::-order])["changed"]


@both_versions
def test_different_lists_on_different_forwards(servers: Dict[str, Echo], version: int) -> None:
    """Each has its own, on single ports, ranges and both protocols; the one without a list is open to all."""
    edge(forwards=[
        {"forward_id": "a", "public_port": "6000", "target_ip": NODE[version], "source_ranges": [HOST[version]], "proto": "both"},
        {"forward_id": "b", "public_port": "6001-6003", "target_ip": NODE[version], "source_ranges": [FAR_HALF[version]], "proto": "both"},
        {"forward_id": "c", "public_port": "6004", "target_ip": NODE[version], "source_ranges": [HALF[version]]},
        {"forward_id": "d", "public_port": "6005", "target_ip": NODE[version], "proto": "both"},
    ])
    for proto in PROTOS:
        found = {source[version]: [bool(from_client(proto, port, source[version], version)) for port in (6000, 6001, 6003, 6004, 6005)]
                 for source in (CLIENT, NEAR, FAR)}
        tcp = proto == "tcp"
        assert found == {CLIENT[version]: [True, False, False, tcp, True], NEAR[version]: [False, False, False, tcp, True],
                         FAR[version]: [False, True, True, False, True]}


@both_versions
def test_a_list_for_one_version_leaves_the_other_open(servers: Dict[str, Echo], version: int) -> None:
    """The forward of the other IP version on the same port has no list."""
    other = 10 - version
    edge(forwards=[
        {"forward_id": "listed", "public_port": "6000", "target_ip": NODE[version], "source_ranges": [HOST[version]]},
        {"forward_id": "open", "public_port": "6000", "target_ip": NODE[other]},
    ])
    assert [bool(from_client("tcp", 6000, FAR[which], which)) for which in (version, other)] == [False, True]


@both_versions
def test_a_changed_list_counts_at_once(servers: Dict[str, Echo], version: int) -> None:
    """For new connections and for running UDP flows, in both directions; an open TCP connection stays."""
    forward(version, "both", source_ranges=[HALF[version]])
    address = EDGE[version]
    with inside("client"):
        near, far = flow(address, PORT, NEAR[version]), flow(address, PORT, FAR[version])
        connection = dial(address, PORT, source=NEAR[version])
    assert connection is not None
    with near, far, connection:
        expected = f"8080 {EDGE_MESH[version]}"
        assert (say(near), say(far), say(connection)) == (expected, "", expected)
        assert forward(version, "both", source_ranges=[FAR_HALF[version]])["updated"] == ["vm-1"]
        assert (say(near), say(far), say(connection)) == ("", expected, expected)
        assert from_client("tcp", PORT, NEAR[version], version) == "" and from_client("tcp", PORT, FAR[version], version) == expected
        assert forward(version, "both", source_ranges=[])["updated"] == ["vm-1"]
        assert (say(near), say(far), say(connection)) == (expected, expected, expected)


@both_versions
@both_protos
@pytest.mark.parametrize(("port", "target"), [("6000", 6000), ("6000-6010", 6000), ("6990-7010", 5990)], ids=["port", "range", "shifted"])
def test_source_nat_none(servers: Dict[str, Echo], version: int, proto: str, port: str, target: int) -> None:
    """The node sees the client; another forward to the same node, and one of the other protocol, are still masqueraded."""
    probe = int(port.split("-", maxsplit=1)[0]) + (6000 - target)
    rest = {"tcp": "udp", "udp": "tcp"}[proto]
    edge(forwards=[
        {"forward_id": "plain", "public_port": port, "target_ip": NODE[version], "target_port": target, "proto": proto,
         "source_nat": "none"},
        {"forward_id": "other", "public_port": str(probe), "target_ip": NODE[version], "target_port": 6001, "proto": rest},
        {"forward_id": "third", "public_port": "8081", "target_ip": NODE[version], "target_port": 6000, "proto": "both"},
    ])
    assert from_client(proto, probe, NEAR[version], version) == f"6000 {NEAR[version]}"
    assert from_client(rest, probe, NEAR[version], version) == f"6001 {EDGE_MESH[version]}"
    assert {from_client(name, 8081, NEAR[version], version) for name in PROTOS} == {f"6000 {EDGE_MESH[version]}"}


@both_versions
def test_source_nat_changes_in_place(servers: Dict[str, Echo], version: int) -> None:
    """There and back: new connections and a running UDP flow are seen as the last run said."""
    with inside("client"):
        client = flow(EDGE[version], PORT, NEAR[version])
    with client:
        for nat, seen in (("masquerade", EDGE_MESH), ("none", NEAR), ("masquerade", EDGE_MESH)):
            forward(version, "both", source_nat=nat)
            assert say(client) == f"8080 {seen[version]}"
            assert from_client("tcp", PORT, NEAR[version], version) == f"8080 {seen[version]}"


@both_versions
@both_protos
@pytest.mark.parametrize("kind", KINDS)
def test_hairpin(servers: Dict[str, Echo], version: int, proto: str, kind: str) -> None:
    """A node reaches the port at every address of the edge, the target being itself or another; without the option it does not."""
    port, target, probe = KINDS[kind]
    for wanted in (False, True, False):
        forward(version, proto, public_port=port, target_port=target, hairpin=wanted)
        expected = f"{target + probe - int(port.split('-', maxsplit=1)[0])} {EDGE_MESH[version]}" if wanted else ""
        with inside("node"):
            for address in (EDGE, EDGE_MESH, EDGE_LAN):
                for source in (NODE, SECOND):
                    assert ask(proto, address[version], probe, source[version]) == expected
        assert from_client(proto, probe, version=version).endswith(EDGE_MESH[version])


def test_hairpin_is_of_one_forward_and_one_protocol(servers: Dict[str, Echo]) -> None:
    """Neighbours, the other protocol and the other IP version of the same port keep nodes out."""
    edge(forwards=[
        {"forward_id": "a", "public_port": "6000", "target_ip": NODE[4], "hairpin": True},
        {"forward_id": "b", "public_port": "6000", "target_ip": NODE[4], "proto": "udp"},
        {"forward_id": "c", "public_port": "6000", "target_ip": NODE[6], "proto": "both"},
        {"forward_id": "d", "public_port": "6001-6003", "target_ip": NODE[4], "proto": "both"},
    ])
    with inside("node"):
        found = {(proto, version, port): bool(ask(proto, EDGE[version], port)) for proto in PROTOS for version in VERSIONS
                 for port in (6000, 6001)}
    assert [key for key, reached in found.items() if reached] == [("tcp", 4, 6000)]


@both_versions
def test_hairpin_heeds_the_allow_list(servers: Dict[str, Echo], version: int) -> None:
    """A node is a client like any other."""
    host = f"{SECOND[version]}/{32 if version == 4 else 128}"
    forward(version, "both", hairpin=True, source_ranges=[host, HOST[version]])
    for proto in PROTOS:
        with inside("node"):
            found = [bool(ask(proto, EDGE[version], PORT, source[version])) for source in (NODE, SECOND)]
        assert found == [False, True]
        assert [bool(from_client(proto, PORT, source[version], version)) for source in (CLIENT, NEAR)] == [True, False]


def test_hairpin_leaves_calls_through_the_edge_alone(servers: Dict[str, Echo]) -> None:
    """A node's call to a host that is not the edge is not taken, nor let out of the mesh."""
    with inside("gateway"):
        IP_FORWARD.write_text("1")
    forward(4, "both", hairpin=True)
    with inside("node"):
        assert [ask(proto, OTHER[4], PORT) for proto in PROTOS] == ["", ""]
    assert servers["8080/4"].seen == [] and servers["other4"].seen == []


def forwarding() -> Dict[str, str]:
    """The kernel's switches on the edge."""
    names = ["all/forwarding", "up0/accept_ra", "lan0/accept_ra", "wg0/accept_ra", "default/accept_ra", "all/accept_ra"]
    with inside("gateway"):
        return {"ip_forward": IP_FORWARD.read_text().strip(), **{name: (SYSCTL / name).read_text().strip() for name in names}}


@contextlib.contextmanager
def default_route(*words: str) -> Iterator[None]:
    """The edge's IPv6 default route."""
    sh("ip", "-n", "gateway", "-6", "route", "add", "default", "via", "2001:db8:1::fe", "dev", "up0", *words)
    try:
        yield
    finally:
        sh("ip", "-n", "gateway", "-6", "route", "delete", "default", "via", "2001:db8:1::fe", "dev", "up0", check=False)


def test_ipv6_forwarding_comes_with_the_first_ipv6_forward(servers: Dict[str, Echo]) -> None:
    """Not before; check mode foresees it; a host whose route nobody advertised keeps its way with router advertisements."""
    with default_route("proto", "static"):
        before = forwarding()
        forward(4)
        assert forwarding() == {**before, "ip_forward": "1"}
        change: Dict[str, Any] = {"forward_id": "six", "public_port": "6000", "target_ip": NODE[6]}
        with inside("gateway"):
            predicted = world.report(run(True, **change))
        assert forwarding() == {**before, "ip_forward": "1"}
        with inside("gateway"):
            assert world.report(run(**change)) == predicted
        assert forwarding() == {**before, "ip_forward": "1", "all/forwarding": "1"}
        assert not edge(**change)["changed"]


def test_an_advertised_uplink_keeps_its_route(servers: Dict[str, Echo]) -> None:
    """accept_ra=2 on that interface alone, or the kernel forgets the default route; also when it is set back by hand."""
    with default_route("proto", "ra"):
        before = forwarding()
        forward(4)
        assert forwarding() == {**before, "ip_forward": "1"}
        forward(6, forward_id="six")
        wanted = {**before, "ip_forward": "1", "all/forwarding": "1", "up0/accept_ra": "2"}
        assert forwarding() == wanted
        assert "2001:db8:1::fe" in sh("ip", "-n", "gateway", "-6", "route", "show", "default")
        with inside("gateway"):
            (SYSCTL / "up0/accept_ra").write_text("1")
        assert edge(forwards=[])["changed"] and forwarding() == wanted
        assert not edge(forwards=[])["changed"]


def test_ipv6_forwarding_switched_off_is_drift(servers: Dict[str, Echo]) -> None:
    """A forward without it carries nothing: the run says so and puts it right."""
    forward(6)
    assert from_client("tcp", PORT, version=6)
    with inside("gateway"):
        (SYSCTL / "all/forwarding").write_text("0")
        assert run(True, forwards=[]).as_dict()["changed"]
    assert from_client("tcp", PORT, version=6) == ""
    assert edge(forwards=[])["changed"] and from_client("tcp", PORT, version=6)


@both_versions
def test_the_guard_closes_the_mesh(servers: Dict[str, Echo], version: int) -> None:
    """Forwarding makes a router; with a forward of either IP version, and after the last, nothing else crosses the mesh interface."""
    with inside("gateway"):
        IP_FORWARD.write_text("1")
        (SYSCTL / "all/forwarding").write_text("1")
    assert crossing() == [f"{proto} {way} {which}" for which in VERSIONS for proto in PROTOS for way in ("in", "out")]
    forward(version, "both", public_port="6000-6005", target_port=6000, hairpin=True)
    assert crossing() == []
    edge(forward_id="vm-1", state="absent")
    assert crossing() == []


def crossing() -> List[str]:
    """What gets into the mesh and out of it without a forward."""
    found = []
    for version in VERSIONS:
        for proto in PROTOS:
            with inside("client"):
                found += [f"{proto} in {version}"] if ask(proto, NODE[version], 8080) else []
            with inside("node"):
                found += [f"{proto} out {version}"] if ask(proto, CLIENT[version], 7000) else []
    return found


@both_versions
def test_transit_is_not_touched(servers: Dict[str, Echo], version: int) -> None:
    """What passes through to another host keeps its addresses, on forwarded ports too, listed or not."""
    with inside("gateway"):
        IP_FORWARD.write_text("1")
        (SYSCTL / "all/forwarding").write_text("1")
    for changes in ({}, {"source_ranges": [HALF[version]]}, {"public_port": "22010-22020", "target_port": None},
                    {"public_port": "22010-22020", "target_port": 6000, "hairpin": True}):
        forward(version, "both", **changes)
        with inside("client"):
            assert {ask(proto, OTHER[version], PORT, NEAR[version]) for proto in PROTOS} == {f"other {NEAR[version]}"}
    assert servers[f"8080/{version}"].seen == []


@both_versions
@pytest.mark.parametrize("nat", ["masquerade", "none"])
def test_segments_fit_the_tunnel(servers: Dict[str, Echo], version: int, nat: str) -> None:
    """The mesh interface is narrower than both sides: neither end may send more than fits, whatever the node sees as its client."""
    sh("ip", "-n", "gateway", "link", "set", "wg0", "mtu", "1280")
    try:
        forward(version, source_nat=nat)
        with inside("client"):
            connection = dial(EDGE[version], PORT)
        assert connection is not None and say(connection)
        with inside("node"):
            sockets = sh("ss", "-tni", "state", "established", "sport", "=", ":8080", "and", "src", f"[{NODE[version]}]")
        sizes = [int(word[4:]) for word in sockets.split() if word.startswith("mss:")]
        sizes.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
        connection.close()
        assert len(sizes) >= 2 and max(sizes) <= 1280 - (40 if version == 4 else 60)
    finally:
        sh("ip", "-n", "gateway", "link", "set", "wg0", "mtu", "1500")


def test_targets_outside_the_mesh_are_not_masqueraded(servers: Dict[str, Echo]) -> None:
    """Only what goes through the mesh interface gets the edge's address."""
    with inside("gateway"):
        engine_result = world.module("dnat_forward", forward_id="lan", public_port="6000", target_ip=OTHER[4], target_port=PORT,
                                     allow_outside_mesh=True)
    assert engine_result.get("changed"), engine_result
    assert from_client("tcp", 6000, NEAR[4]) == f"other {NEAR[4]}"


@both_versions
def test_counters_count_and_outlive_changes_of_others(servers: Dict[str, Echo], version: int) -> None:
    """The kernel counts connections per forward; a run that changes other forwards does not set that back."""
    forward(version, public_port="6000-6002", target_port=None, forward_id="range")
    forward(version)
    for _ in range(3):
        assert from_client("tcp", PORT, version=version) and from_client("tcp", 6001, version=version)
    before = counters()
    assert before == {str(PORT): 3, "6000-6002": 3}
    forward(version, public_port="7000", forward_id="another")
    edge(forward_id="another", state="absent")
    assert counters() == before


def counters() -> Dict[str, int]:
    """Packets (one for a connection) that the kernel has counted per public port."""
    with inside("gateway"):
        words = sh("nft", "list", "table", "inet", "edge_gateway").replace("{ ", "{ ").split()
    return {words[at - 1]: int(words[at + 2]) for at, word in enumerate(words) if word == "counter" and words[at + 1] == "packets"}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections and flows that are open while forwards change: who is cut off, who is moved, and who does not notice."""

from __future__ import annotations

import re
import socket
from typing import Any, Dict, List, Sequence, Tuple

import pytest
from contract.forwarding import IP_FORWARD
from contract.talk import Echo, dial, flow, say
from contract.test_forward_options import (  # noqa: F401  (the fixtures are used by their names)
    CLIENT,
    EDGE,
    EDGE_MESH,
    FAR,
    FAR_HALF,
    HALF,
    NEAR,
    NODE,
    OTHER,
    PORT,
    SECOND,
    SYSCTL,
    both_versions,
    clean_edge,
    edge,
    forward,
    from_client,
    network,
    quiet_servers,
    start_servers,
)
from contract.world import inside, nft, sh

# what one after the other may be done to other forwards: the first and the last of each kind
CHANGES: List[Dict[str, Any]] = [
    {"forward_id": "a", "public_port": "30000", "target_ip": SECOND[4]},
    {"forward_id": "a", "public_port": "30000", "target_ip": SECOND[4], "proto": "both"},
    {"forward_id": "b", "public_port": "30001-30100", "target_ip": SECOND[4], "proto": "both"},
    {"forward_id": "c", "public_port": "30101-30110", "target_ip": SECOND[4], "target_port": 1000, "proto": "both"},
    {"forward_id": "d", "public_port": "30200", "target_ip": SECOND[4], "source_ranges": [FAR[4]], "proto": "both"},
    {"forward_id": "d", "public_port": "30200", "target_ip": SECOND[4], "source_ranges": [HALF[4], FAR_HALF[4]], "proto": "both"},
    {"forward_id": "e", "public_port": "30300", "target_ip": SECOND[6], "proto": "both"},
    {"forward_id": "f", "public_port": "30301-30310", "target_ip": SECOND[6], "proto": "both", "source_ranges": [FAR[6]]},
    {"forward_id": "g", "public_port": "30400-30401", "target_ip": SECOND[4], "source_nat": "none", "proto": "both"},
    {"forward_id": "h", "public_port": "30500", "target_ip": SECOND[4], "hairpin": True, "proto": "both"},
    {"forward_id": "h", "public_port": "30500", "target_ip": SECOND[6], "hairpin": True},
    *({"forward_id": name, "state": "absent"} for name in "bdfg"),
    {"forwards": [{"forward_id": "k", "public_port": "1-9", "target_ip": SECOND[4]}, {"forward_id": "a", "state": "absent"}]},
]


def ids_of(port: int, address: Dict[int, str], protos: Sequence[str] = ("tcp", "udp")) -> List[str]:
    """Numbers that the edge's kernel gave to the flows that were sent to a port, of both IP versions."""
    with inside("gateway"):
        return [number for version in (4, 6) for proto in protos for number in re.findall(r"id=(\d+)", sh(
            "conntrack", "-L", "-f", f"ipv{version}", "-p", proto, "--orig-dst", address[version], "--orig-port-dst", str(port), "-o", "id",
            check=False))]


@pytest.mark.parametrize("kind", ["single", "range", "shifted", "listed", "plain source"])
def test_open_connections_outlive_every_change_of_others(servers: Dict[str, Echo], kind: str) -> None:
    """TCP and UDP, both IP versions, and transit: the kernel keeps each flow, by its number, and each still answers."""
    kinds: Dict[str, Dict[str, Any]] = {"single": {}, "range": {"public_port": "6000-6010", "target_port": None},
                                        "shifted": {"public_port": "7000-7010", "target_port": 6000}, "listed": {},
                                        "plain source": {"source_nat": "none"}}
    options = kinds[kind]
    with inside("gateway"):
        IP_FORWARD.write_text("1")
        (SYSCTL / "all/forwarding").write_text("1")
    for version in (4, 6):
        source = {"source_ranges": [HALF[version]]} if kind == "listed" else {}
        forward(version, "both", forward_id=f"kept-{version}", **options, **source)
    port = int(str(options.get("public_port", PORT)).split("-", maxsplit=1)[0])
    with inside("client"):
        calls = [(dial(EDGE[version], port, source=NEAR[version]), flow(EDGE[version], port, NEAR[version]),
                  dial(OTHER[version], PORT), flow(OTHER[version], PORT)) for version in (4, 6)]
    sockets = [item for call in calls for item in call]
    assert None not in sockets
    open_sockets: List[socket.socket] = [item for item in sockets if item is not None]
    answers = [say(item) for item in open_sockets]
    assert all(answers)
    before = [ids_of(port, EDGE), ids_of(PORT, OTHER)]
    assert [len(numbers) for numbers in before] == [4, 4]
    kept = [{"forward_id": f"kept-{version}", "public_port": options.get("public_port", str(PORT)), "target_ip": NODE[version],
             "target_port": options.get("target_port", 8080), "proto": "both", "source_nat": options.get("source_nat", "masquerade"),
             "source_ranges": [HALF[version]] if kind == "listed" else []} for version in (4, 6)]
    for change in [*CHANGES, {"forwards": kept, "purge": True}]:
        assert edge(**change)["changed"], change
        assert [say(item) for item in open_sockets] == answers, change
        assert [ids_of(port, EDGE), ids_of(PORT, OTHER)] == before, change
    with inside("gateway"):
        nft("flush chain inet edge_gateway prerouting\nflush chain inet edge_gateway postrouting\n")
    assert edge(forwards=[])["changed"]
    # after a repair UDP flows are looked up anew
    assert [say(item) for item in open_sockets] == answers
    assert (ids_of(port, EDGE, ("tcp",)), ids_of(PORT, OTHER)) == (before[0][::2], before[1])
    for item in open_sockets:
        item.close()


@both_versions
@pytest.mark.parametrize("proto", ["udp", "both"])
@pytest.mark.parametrize(("port", "target"), [(str(PORT), 8080), ("8070-8090", 8070), ("7000-7010", 8075)],
                         ids=["port", "range", "shifted"])
def test_a_udp_flow_moves_at_once(servers: Dict[str, Echo], version: int, proto: str, port: str, target: int) -> None:
    """Closed, forwarded, pointed elsewhere, deleted: each counts for a client that keeps sending from one port."""
    options: Dict[str, Any] = {"public_port": port, "target_port": target}
    probe = int(port.split("-", maxsplit=1)[0]) + 8080 - target
    with inside("client"):
        client = flow(EDGE[version], probe)
    with client:
        say(client)
        assert say(client) == ""
        forward(version, proto, **options)
        assert say(client) == f"8080 {EDGE_MESH[version]}"
        forward(version, proto, **options, target_ip=SECOND[version])
        assert say(client) == f"second {EDGE_MESH[version]}"
        assert edge(forwards=[], purge=True)["removed"] == ["vm-1"]
        assert say(client) == ""
    assert len(servers[f"8080/{version}"].seen) == len(servers[f"second{version}"].seen) == 1


@both_versions
def test_a_udp_flow_follows_every_kind_of_change(servers: Dict[str, Echo], version: int) -> None:
    """A range shrinks away from it, grows over it, is shifted; the protocol is taken away; a port passes from one forward to another."""
    with inside("client"):
        client = flow(EDGE[version], 6005)
    mesh = EDGE_MESH[version]
    steps: List[Tuple[Dict[str, Any], str]]
    with client:
        steps = [
            ({"public_port": "6000-6010", "target_port": None}, f"6005 {mesh}"), ({"public_port": "6000-6004", "target_port": None}, ""),
            ({"public_port": "6001-6009", "target_port": 6000}, f"6004 {mesh}"), ({"public_port": "6005", "target_port": 8080},
            f"8080 {mesh}"), ({"public_port": "6005", "target_port": 8080, "proto": "tcp"}, ""),
            ({"public_port": "6005", "target_port": 8080, "proto": "both"}, f"8080 {mesh}"),
        ]
        for options, expected in steps:
            assert forward(version, **{"proto": "udp", **options})["changed"]
            assert say(client) == expected, options
        edge(forwards=[{"forward_id": "vm-1", "state": "absent"},
                       {"forward_id": "heir", "public_port": "6003-6006", "target_ip": NODE[version], "proto": "udp"}])
        assert say(client) == f"6005 {mesh}"


def test_a_udp_flow_of_one_ip_version_does_not_notice_the_other(servers: Dict[str, Echo]) -> None:
    """The same port, protocol and moment: only the version that was changed is cut."""
    for version in (4, 6):
        forward(version, "udp", forward_id=f"v{version}")
    with inside("client"):
        flows = {version: flow(EDGE[version], PORT) for version in (4, 6)}
    with flows[4], flows[6]:
        assert [say(flows[version]) for version in (4, 6)] == [f"8080 {EDGE_MESH[version]}" for version in (4, 6)]
        before = ids_of(PORT, EDGE)
        forward(6, "udp", forward_id="v6", target_ip=SECOND[6])
        assert ids_of(PORT, EDGE) == before[:1]
        assert [say(flows[version]) for version in (4, 6)] == [f"8080 {EDGE_MESH[4]}", f"second {EDGE_MESH[6]}"]


def test_many_udp_flows_are_cut_in_one_run(servers: Dict[str, Echo]) -> None:
    """A range of hundreds and many single ports change at once: every flow to them goes, every other one stays."""
    singles: List[Dict[str, Any]] = [{"forward_id": f"s-{port}", "public_port": str(port), "target_ip": NODE[4],
                                      "target_port": 8080, "proto": "udp"}
               for port in range(9000, 9060)]
    wide: Dict[str, Any] = {"forward_id": "wide", "public_port": "10000-10400", "target_ip": NODE[4], "proto": "udp"}
    edge(forwards=[*singles, wide, {"forward_id": "stay", "public_port": "9100-9110", "target_ip": NODE[4], "proto": "udp"}])
    probes = [*range(9000, 9060), *range(10000, 10401, 8), 9100, 9110]
    with inside("client"):
        flows = [flow(EDGE[4], port) for port in probes]
    for client in flows:
        client.send(b"hello")
    with inside("gateway"):
        assert all(ids_of(port, EDGE) for port in (9000, 9059, 10000, 10400, 9100))
        moved = [{**options, "target_ip": SECOND[4]} for options in [*singles, wide]]
        edge(forwards=moved)
        listing = sh("conntrack", "-L", "-p", "udp", check=False)
    found = {int(port) for line in listing.splitlines() for port in re.findall(r"dport=(\d+)", line)[:1]}
    assert found & set(probes) == {9100, 9110}
    for client in flows:
        client.close()


@both_versions
def test_a_deleted_forward_takes_no_new_connection(servers: Dict[str, Echo], version: int) -> None:
    """Refused at once; deleting it with purge does the same; while there are other forwards, an open connection may end in peace."""
    stays = {"forward_id": "stays", "public_port": "1", "target_ip": SECOND[4]}
    edge(**stays)
    for end in ({"forward_id": "vm-1", "state": "absent"}, {"forwards": [stays], "purge": True}):
        forward(version)
        with inside("client"):
            connection = dial(EDGE[version], PORT, source=CLIENT[version])
        assert connection is not None and say(connection) and from_client("tcp", PORT, NEAR[version], version)
        assert edge(**end)["removed"] == ["vm-1"]
        assert from_client("tcp", PORT, NEAR[version], version) == ""
        assert say(connection)
        connection.close()

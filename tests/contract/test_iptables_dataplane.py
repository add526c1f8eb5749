# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same packets as for nftables, through both variants of iptables: all tests of ``test_forward_options``, and what differs."""

from __future__ import annotations

from typing import Any, Dict, Iterator

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.iptables import IptablesBackend
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from contract import iptables_host, world
from contract import test_forward_options as options
from contract.forwarding import IP_FORWARD
from contract.talk import Echo, dial, flow, say
from contract.test_forward_options import (
    CLIENT,
    EDGE,
    EDGE_MESH,
    FAR,
    HALF,
    NEAR,
    NODE,
    PORT,
    PROTOS,
    SECOND,
    VERSIONS,
    both_versions,
    crossing,
    edge,
    forward,
    from_client,
)
from contract.world import STATE_DIR, inside, sh

SCRIPT = IptablesBackend.boot_file
TABLES = ("nat", "filter", "mangle")

# those that look at nftables itself; both are here in terms of iptables
OF_NFTABLES = ("test_targets_outside_the_mesh_are_not_masqueraded", "test_counters_count_and_outlive_changes_of_others")
# the tests and fixtures of the sibling are collected here again
globals().update({name: value for name, value in vars(options).items()
                  if name.startswith("test_") and name not in OF_NFTABLES
                  or name in ("network", "start_servers", "quiet_servers", "clean_edge")})


def run(dry: bool = False, interface: str = "wg0", **params: Any) -> Outcome[Forward]:
    """One run of the module's life, with iptables."""
    engine = ForwardEngine(Host(), str(STATE_DIR), interface, "iptables", allow_outside_mesh=True)
    return converge(engine, edit_of(params, "forward_id", "forwards", Forward.parse), dry)


@pytest.fixture(autouse=True, params=iptables_host.VARIANTS)
def variant(request: pytest.FixtureRequest, clean_edge: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One variant of iptables drives the edge; its tables are empty."""
    monkeypatch.setattr(options, "run", run)
    iptables_host.choose(request.param)
    with inside("gateway"):
        for name in iptables_host.NAMES:
            wipe(f"{name}-legacy")
    yield request.param
    iptables_host.choose("nft")


def wipe(program: str) -> None:
    """What somebody's restart of a firewall does."""
    sh(program, "-P", "FORWARD", "ACCEPT")
    for table in TABLES:
        sh(program, "-t", table, "-F")
        sh(program, "-t", table, "-X")


def on_edge(*words: str) -> str:
    """Run a program on the edge."""
    with inside("gateway"):
        return sh(*words)


@pytest.mark.parametrize("rule", ["-P FORWARD DROP", "-A FORWARD -j DROP", "-A FORWARD -j REJECT"])
@both_versions
def test_forwards_pass_a_policy_of_others(servers: Dict[str, Echo], version: int, rule: str) -> None:
    """Docker and ufw drop what they do not know at the end of FORWARD: ours stands before it."""
    on_edge("sh", "-c", f"{'iptables' if version == 4 else 'ip6tables'} {rule}")
    forward(version, "both", source_ranges=[HALF[version]])
    for proto in PROTOS:
        assert from_client(proto, PORT, NEAR[version], version) == f"8080 {EDGE_MESH[version]}"
        assert from_client(proto, PORT, FAR[version], version) == ""


def test_the_mesh_stays_closed_whatever_others_accept(servers: Dict[str, Echo]) -> None:
    """An ACCEPT in front of our jump, in both versions: nothing crosses, but forwards do."""
    with inside("gateway"):
        IP_FORWARD.write_text("1")
        (options.SYSCTL / "all/forwarding").write_text("1")
    forward(4)
    for name in iptables_host.NAMES:
        on_edge(name, "-I", "FORWARD", "-j", "ACCEPT")
    assert crossing() == []
    assert from_client("tcp", PORT) == f"8080 {EDGE_MESH[4]}"
    edge(forward_id="vm-1", state="absent")
    assert crossing() == []


def test_a_drop_of_others_in_front_still_drops(servers: Dict[str, Echo]) -> None:
    """A block list that the admin puts first stays first, through runs and through the boot script's next run of ours."""
    forward(4)
    on_edge("iptables", "-I", "FORWARD", "-s", CLIENT[4], "-j", "DROP")
    assert not edge(forwards=[])["changed"]
    assert from_client("tcp", PORT) == "" and from_client("tcp", PORT, NEAR[4]) == f"8080 {EDGE_MESH[4]}"


@pytest.mark.parametrize("heal", ["script", "run"])
@both_versions
def test_wiped_rules_come_back_under_an_open_connection(servers: Dict[str, Echo], version: int, heal: str) -> None:
    """The boot script, or a run: an open connection goes on, new ones work, the guard is closed."""
    forward(version, "both")
    with inside("client"):
        connection = dial(EDGE[version], PORT)
    assert connection is not None and say(connection) == f"8080 {EDGE_MESH[version]}"
    with inside("gateway"):
        for name in iptables_host.NAMES:
            wipe(name)
    assert from_client("tcp", PORT, version=version) == ""
    if heal == "script":
        on_edge("sh", SCRIPT)
    else:
        assert edge(forwards=[])["repaired"] == ["vm-1"]
    with connection:
        assert say(connection) == f"8080 {EDGE_MESH[version]}"
    assert {from_client(proto, PORT, NEAR[version], version) for proto in PROTOS} == {f"8080 {EDGE_MESH[version]}"}
    with inside("gateway"):
        IP_FORWARD.write_text("1")
        (options.SYSCTL / "all/forwarding").write_text("1")
    assert crossing() == []


def test_an_open_connection_survives_changes_of_others(servers: Dict[str, Echo]) -> None:
    """Adding, changing and removing other forwards, and the script over standing rules, cuts nobody off."""
    forward(4)
    with inside("client"):
        connection = dial(EDGE[4], PORT)
    assert connection is not None
    with connection:
        for number in range(3):
            edge(forward_id=f"x-{number}", public_port=str(30000 + number), target_ip=SECOND[4], proto="both")
            assert say(connection) == f"8080 {EDGE_MESH[4]}"
        edge(forward_id="x-1", state="absent")
        on_edge("sh", SCRIPT)
        assert say(connection) == f"8080 {EDGE_MESH[4]}"


def test_an_open_udp_flow_moves_with_its_forward(servers: Dict[str, Echo]) -> None:
    """Not forwarded yet, added, pointed elsewhere, deleted: each counts at once for a client that keeps sending."""
    with inside("client"), flow(EDGE[4], PORT) as client:
        say(client)
        assert say(client) == ""
        forward(4, "udp")
        assert say(client) == f"8080 {EDGE_MESH[4]}"
        forward(4, "udp", target_ip=SECOND[4])
        assert say(client) == f"second {EDGE_MESH[4]}"
        edge(forward_id="vm-1", state="absent")
        assert say(client) == ""


def test_who_is_not_listed_meets_the_rules_of_others(servers: Dict[str, Echo]) -> None:
    """For them the port is as if there were no forward: somebody's DNAT behind ours takes them."""
    on_edge("iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", str(PORT), "-j", "DNAT", "--to-destination",
            f"{SECOND[4]}:8080")
    forward(4, source_ranges=[HALF[4]])
    assert from_client("tcp", PORT, NEAR[4]) == f"8080 {EDGE_MESH[4]}"
    assert from_client("tcp", PORT, FAR[4]) == f"second {EDGE_MESH[4]}"


@both_versions
def test_connections_are_counted_by_forward(servers: Dict[str, Echo], version: int) -> None:
    """One packet for each connection, over both protocols; those who are refused are not counted; another forward's change keeps it."""
    forward(version, "both", source_ranges=[HALF[version]])
    for proto in PROTOS:
        for source in (CLIENT, NEAR, FAR):
            from_client(proto, PORT, source[version], version)
    edge(forward_id="other", public_port="30000", target_ip=NODE[version])
    with inside("gateway"):
        live = IptablesBackend(Host(), "wg0")
        live.read()
        packets, size = live.counts()["vm-1"]
    assert packets == 4 and size >= 4 * 28
    assert live.counts()["other"] == (0, 0)


def test_the_edges_own_services_and_calls_are_untouched(servers: Dict[str, Echo]) -> None:
    """Its other ports answer clients and nodes, and it reaches its nodes itself."""
    forward(4, "both")
    with options.own_service(9000):
        assert {from_client(proto, 9000) for proto in PROTOS} == {f"edge {CLIENT[4]}"}
        with inside("node"):
            assert {options.ask(proto, EDGE[4], 9000) for proto in PROTOS} == {f"edge {NODE[4]}"}
    with inside("gateway"):
        assert {options.ask(proto, NODE[4], 8080) for proto in PROTOS} == {f"8080 {EDGE_MESH[4]}"}


def test_only_the_mesh_is_masqueraded(servers: Dict[str, Echo]) -> None:
    """A target behind another interface sees its clients."""
    edge(forward_id="lan", public_port="6000", target_ip=options.OTHER[4], target_port=PORT)
    assert from_client("tcp", 6000, NEAR[4]) == f"other {NEAR[4]}"


def test_clearing_leaves_a_router_as_it_was(servers: Dict[str, Echo]) -> None:
    """When another firewall takes over, nothing of ours forwards or blocks."""
    forward(4, "both")
    with inside("gateway"):
        (options.SYSCTL / "all/forwarding").write_text("1")
        IptablesBackend(Host(), "wg0").clear()
        assert world.ruleset().count("EDGE") == 0
    assert len(crossing()) == 2 * 2 * len(VERSIONS)
    assert from_client("tcp", PORT) == ""

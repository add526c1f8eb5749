# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""source_nat none: a service on a node sees the client's own address, and its answer comes back by edge and hub."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from contract import hub_mesh, talk
from contract.hub_mesh import CLIENT, CLIENT6, EDGE, EDGE6, EDGE_1, HUB, MEMBERS, NODE_1, NODE_2
from contract.talk import Echo
from contract.world import inside, sh

pytestmark = pytest.mark.usefixtures("no_tunnels")
ALL = ["0.0.0.0/0", "::/0"]
# by node: its addresses, as the hub gives them
ADDRESSES = {NODE_1: ("10.50.0.3", "fd50::3"), NODE_2: ("10.50.0.4", "fd50::4")}


def forward(*entries: Dict[str, Any], dry: bool = False, **options: Any) -> bool:
    """dnat_forward on the edge; whether anything changed."""
    with inside(EDGE_1.name):
        engine = ForwardEngine(Host(), str(EDGE_1.data_dir), EDGE_1.interface, **options)
        edit = edit_of({"forwards": list(entries), "purge": False}, "forward_id", "forwards", Forward.parse)
        return converge(engine, edit, dry).plan.changed


def kept(name: str, port: int, target: str) -> Dict[str, Any]:
    """A forward that keeps the client's address."""
    return {"forward_id": name, "public_port": str(port), "target_ip": target, "target_port": 7000, "proto": "both", "source_nat": "none"}


EVERY = [kept(f"n{number}-{version}", 7000 + 10 * number, ADDRESSES[node][version])
         for number, node in enumerate(ADDRESSES) for version in (0, 1)]


@pytest.fixture(name="whole")
def whole_mesh() -> None:
    """Edge and both nodes have joined, with both halves of what keeps the client's address."""
    hub_mesh.enter(EDGE_1, {}, client_networks=ALL)
    for node in ADDRESSES:
        hub_mesh.enter(node, {"client_networks": ALL}, replies=True)
    hub_mesh.join(EDGE_1)      # once more, since the nodes are known only now


@pytest.fixture(name="services")
def services_of_the_nodes(whole: None) -> Iterator[List[Echo]]:
    """A TCP and a UDP service on every address of every node."""
    found = []
    for node, addresses in ADDRESSES.items():
        with inside(node.name):
            found += [Echo(node.name, address, 7000) for address in addresses]
    yield found
    for service in found:
        service.close()


def seen(port: int, address: str) -> List[str]:
    """Who a TCP and a UDP service say that the client is."""
    with inside("m-client"):
        return [talk.tcp(address, port), talk.udp(address, port)]


def expect_the_client() -> None:
    """All services of all nodes, by both protocols and in both versions of IP."""
    for number, node in enumerate(ADDRESSES):
        port = 7000 + 10 * number
        assert seen(port, EDGE) == [f"{node.name} {CLIENT}"] * 2
        assert seen(port, EDGE6) == [f"{node.name} {CLIENT6}"] * 2


def routes(member: hub_mesh.Member) -> List[str]:
    """The main table but for the tunnel, and where a packet to the outside goes."""
    with inside(member.name):
        lines = [line for family in ("-4", "-6") for line in sh("ip", family, "route").splitlines()
                 if member.interface not in line and "fe80" not in line]
        return [*lines, *(" ".join(sh("ip", "route", "get", address).split()[:5]) for address in (CLIENT, "9.9.9.9"))]


def test_the_services_see_the_client(services: List[Echo]) -> None:
    """Several forwards to several nodes; an ordinary one beside them still shows the edge."""
    assert forward(*EVERY)
    expect_the_client()
    assert forward({**EVERY[0], "forward_id": "plain", "public_port": "7100", "source_nat": "masquerade"})
    assert seen(7100, EDGE) == ["m-node1 10.50.0.2"] * 2


def test_it_holds_with_strict_checks_of_the_source(services: List[Echo]) -> None:
    """rp_filter 1 everywhere, as some distributions ship it: the rules answer the kernel's look at the way back, too."""
    forward(*EVERY)
    for member in MEMBERS:
        with inside(member.name):
            for path in Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter"):
                path.write_text("1")
    try:
        expect_the_client()
    finally:
        for member in MEMBERS:
            with inside(member.name):
                for path in Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter"):
                    path.write_text("0")


def test_nothing_else_of_the_nodes_routing_changes() -> None:
    """Its default route, and the way of everything that does not come from its mesh address."""
    hub_mesh.enter(EDGE_1, {}, client_networks=ALL)
    hub_mesh.enter(NODE_1, {})
    before = routes(NODE_1)
    assert f"{CLIENT} via 10.1.1.1" in before[-2]
    hub_mesh.register(node_id=NODE_1.name, node_pubkey=hub_mesh.make_key(NODE_1)["public_key"], replies=True)
    index = hub_mesh.index(NODE_1)
    assert hub_mesh.join(NODE_1, client_networks=ALL).plan.changed
    assert routes(NODE_1) == before and hub_mesh.index(NODE_1) == index
    with inside(NODE_1.name):
        assert f"dev {NODE_1.interface}" in sh("ip", "route", "get", CLIENT, "from", "10.50.0.3")
        # a neighbour, or a container of its own, that talks to the mesh address directly
        assert "dev eth0" in sh("ip", "route", "get", "10.1.1.77", "from", "10.50.0.3")
    assert hub_mesh.answers(NODE_1, "10.50.0.1")


def test_it_goes_away_without_a_trace(whole: None) -> None:
    """Rules, table and script; the tunnel stays up."""
    index = hub_mesh.index(NODE_1)
    assert hub_mesh.join(NODE_1).plan.changed and not hub_mesh.join(NODE_1).plan.changed
    with inside(NODE_1.name):
        assert "proto 218" not in sh("ip", "rule") + sh("ip", "-6", "rule") + sh("ip", "route", "show", "table", "all")
    assert not (NODE_1.config_dir / f"{NODE_1.interface}.routing").exists() and "Table" not in (
        NODE_1.config_dir / f"{NODE_1.interface}.conf").read_text()
    assert hub_mesh.index(NODE_1) == index and hub_mesh.answers(NODE_1, "10.50.0.1")


def test_a_wiped_rule_is_repaired(services: List[Echo]) -> None:
    """By the next run, and by the script alone, which the timer runs."""
    forward(*EVERY)
    for by_the_run in (True, False):
        with inside(NODE_1.name):
            sh("ip", "rule", "delete", "protocol", "218")
            sh("ip", "rule", "delete", "protocol", "218")
        assert seen(7000, EDGE) == ["", ""]
        with inside(NODE_1.name):
            if by_the_run:
                assert hub_mesh.join(NODE_1, client_networks=ALL).plan.changed
            else:
                sh("sh", str(NODE_1.config_dir / f"{NODE_1.interface}.routing"))
        expect_the_client()


def test_it_survives_a_boot(services: List[Echo]) -> None:
    """What wg-quick does when a host starts: down and up again, from the files alone."""
    forward(*EVERY)
    with inside(HUB.name):
        standing = sh("ip", "rule") + sh("ip", "-6", "rule")
    for member in (NODE_1, HUB):
        with inside(member.name):
            sh("wg-quick", "down", str(member.config_dir / f"{member.interface}.conf"))
            assert "proto 218" not in sh("ip", "rule")
            sh("wg-quick", "up", str(member.config_dir / f"{member.interface}.conf"))
    with inside(HUB.name):
        assert sh("ip", "rule") + sh("ip", "-6", "rule") == standing
    for member in (EDGE_1, *ADDRESSES):
        hub_mesh.call_again(member)
        assert hub_mesh.answers(member, "10.50.0.1")
    expect_the_client()


def test_refused_when_the_nodes_half_is_not_there() -> None:
    """Neither managed nor acknowledged: in check mode too. Managed, it needs no word."""
    hub_mesh.enter(EDGE_1, {}, client_networks=ALL)
    hub_mesh.enter(NODE_1, {})
    for dry in (True, False):
        with pytest.raises(InvalidInput) as caught:
            forward(EVERY[0], dry=dry)
        assert "10.50.0.3" in caught.value.message and "edge_gateway_client_networks" in caught.value.message
    assert forward(EVERY[0], reply_nodes=[ipaddress.ip_network("10.50.0.0/24")])
    hub_mesh.enter(NODE_1, {"client_networks": ALL}, replies=True)
    hub_mesh.join(EDGE_1)
    assert forward(EVERY[1])


def test_one_edge_only_for_a_client(whole: None) -> None:
    """A network belongs to one peer of WireGuard: the hub could not tell where to send an answer."""
    with pytest.raises(InvalidInput) as caught:
        hub_mesh.register(node_id="edge-2", node_pubkey="xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", client_networks=["203.0.113.0/24"])
    assert all(word in caught.value.message for word in ("0.0.0.0/0", "m-edge", "203.0.113.0/24", "edge-2"))


@pytest.mark.parametrize("clients", [[], ALL])
def test_the_hub_is_no_router(clients: List[str]) -> None:
    """Between the mesh and the hub's own networks nothing passes, though the host forwards for others; the hub itself is reached."""
    hub_mesh.enter(EDGE_1, {}, client_networks=clients)
    hub_mesh.enter(NODE_1, {"allowed_ips": [*hub_mesh.POOLS, "10.1.2.0/24"]})
    with inside(HUB.name):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    changes = [(EDGE_1.name, "10.1.2.0/24", "via", "192.0.2.1"),
               (NODE_2.name, "192.0.2.0/24", "via", "10.1.2.1"), (NODE_2.name, "10.50.0.0/24", "via", "10.1.2.1")]
    for namespace, *route in changes:
        sh("ip", "-n", namespace, "route", "add", *route)
    try:
        assert hub_mesh.answers(EDGE_1, "10.1.2.2"), "the host is a router for others"
        assert not hub_mesh.answers(NODE_1, "10.1.2.2"), "out of the mesh"
        assert not hub_mesh.answers(NODE_2, "10.50.0.3"), "into the mesh"
        assert hub_mesh.answers(NODE_2, "10.50.0.1") and hub_mesh.answers(NODE_1, "10.1.2.1")
    finally:
        for namespace, *route in changes:
            sh("ip", "-n", namespace, "route", "delete", *route, check=False)
        with inside(HUB.name):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("0")

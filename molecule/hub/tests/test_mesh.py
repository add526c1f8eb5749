# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What a client and a node get from a mesh with a hub, after every host was rebooted."""

from __future__ import annotations

from pathlib import Path

import pytest
from mesh_runs import CLIENT, EDGE, NODE, hub_peers, playbook
from runs import eventually
from testinfra.host import Host


@pytest.mark.parametrize(("port", "seen"), [(22000, "10.50.0.2"), (22001, CLIENT)])
def test_who_the_services_see(client: Host, port: int, seen: str) -> None:
    """TCP and UDP: the edge's own address by default, the client's where source_nat is none."""
    script = (Path(__file__).parents[1] / "files" / "who_am_i.py").read_text()
    assert client.check_output(f"python3 - {EDGE} {port} <<'END'\n{script}\nEND").splitlines() == [f"you are {seen}"] * 2


def test_the_nodes_own_way_out_is_untouched(node: Host) -> None:
    """Its default route, and everything that does not come from its mesh address."""
    assert node.check_output("ip route show default").startswith("default via 10.89.61.2 dev site")
    assert "dev site" in node.check_output(f"ip route get {CLIENT}")
    assert "dev wg0" in node.check_output(f"ip route get {CLIENT} from {NODE}")


def test_https_reaches_the_node(client: Host) -> None:
    """Routes go through the same mesh."""
    command = f"curl --silent --insecure --max-time 5 --resolve demo.edge.test:443:{EDGE} https://demo.edge.test/"
    eventually(client, command, "hello from node1")


def test_the_hub_knows_both_and_nobody_else(hub: Host, edge: Host, node: Host) -> None:
    """Each with its addresses; clients come in by the edge alone."""
    edge_key, node_key = (host.check_output("wg show wg0 public-key") for host in (edge, node))
    assert hub_peers(hub) == {edge_key: {"10.50.0.2/32", "fd50::3/128", "0.0.0.0/0", "::/0"}, node_key: {"10.50.0.12/32", "fd50::2/128"}}


def test_the_edge_is_healthy() -> None:
    """The way back of clients too, which is tried."""
    health = playbook("playbooks/health.yml")
    assert health.returncode == 0 and "edge1 is ok" in health.stdout and "2 in effect" in health.stdout, health.output


@pytest.mark.parametrize("name", ["hub", "edge", "node"])
def test_the_tunnel_is_looked_after(request: pytest.FixtureRequest, name: str) -> None:
    """By a timer, whose unit can do little else."""
    host: Host = request.getfixturevalue(name)
    assert host.service("edge-gateway-mesh@wg0.timer").is_running and host.service("edge-gateway-mesh@wg0.timer").is_enabled
    assert host.service("wg-quick@wg0").is_enabled
    host.check_output("systemctl start edge-gateway-mesh@wg0.service")
    exposure = host.check_output("systemd-analyze security --no-pager edge-gateway-mesh@wg0.service").splitlines()[-1]
    assert float(exposure.split(": ")[1].split()[0]) <= 2.0
    assert not host.check_output("systemctl --failed --plain --no-legend")


@pytest.mark.parametrize(("name", "path"), [("hub", "/var/lib/edge-gateway/peers.json"), ("hub", "/etc/wireguard/wg0.conf"),
                                            ("node", "/etc/wireguard/wg0.routing"), ("edge", "/var/lib/edge-gateway/join.json")])
def test_files_are_roots_alone(request: pytest.FixtureRequest, name: str, path: str) -> None:
    """Keys and who has which address."""
    host: Host = request.getfixturevalue(name)
    file = host.file(path)
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o600")

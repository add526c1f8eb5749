# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What people outside get from an edge gateway. No probe starts on the edge: there, things work that fail outside."""

from __future__ import annotations

import pytest
from runs import eventually
from testinfra.host import Host

EDGE = "10.89.50.11"
NODE = "10.89.61.12"
NAME = "demo.edge.test"
CURL = f"curl --silent --show-error --insecure --max-time 5 --resolve {NAME}:443:{EDGE} --resolve {NAME}:80:{EDGE}"
ECHO = f"printf 'over the mesh\\n' | socat -t 3 - TCP:{EDGE}:22000,connect-timeout=3"

# design.md section 4: (path, mode, owner, group)
FILES = [
    ("/etc/edge-gateway/gateway.json", 0o644, "root", "root"),
    ("/var/lib/edge-gateway/forwards.json", 0o600, "root", "root"),
    ("/var/lib/edge-gateway/join.json", 0o600, "root", "root"),
    ("/etc/edge-gateway/forwards.nft", 0o600, "root", "root"),
    ("/etc/wireguard/wg0.conf", 0o600, "root", "root"),
    ("/etc/wireguard/wg0.key", 0o600, "root", "root"),
    ("/etc/traefik/traefik.yml", 0o640, "root", "traefik"),
    ("/etc/traefik/dynamic/demo.yml", 0o640, "root", "traefik"),
]
SERVICES = ["edge-gateway-forwards.service", "traefik.service", "wg-quick@wg0.service"]


def test_https_route_reaches_the_node(client: Host) -> None:
    """The host name leads through Traefik and the mesh to the node's web page."""
    page = eventually(client, f"{CURL} https://{NAME}/some/path", "hello from node1")
    assert "path: /some/path" in page
    assert f"Host: {NAME}" in page
    assert "X-Forwarded-Proto: https" in page
    assert "X-Forwarded-For: 10.89.50.21" in page


def test_unknown_name_is_not_found(client: Host) -> None:
    """A name without a route shows nothing of the mesh."""
    eventually(client, f"{CURL} https://{NAME}/", "hello from node1")
    command = f"{CURL} --output /dev/null --write-out '%{{http_code}}' --connect-to ::{EDGE}: https://other.edge.test/"
    assert client.check_output(command) == "404"


def test_http_redirects_to_https(client: Host) -> None:
    """Plain HTTP only says where to go."""
    answer = eventually(client, f"{CURL} --head http://{NAME}/", "Location:")
    assert answer.split()[1] in ("301", "308")
    assert f"Location: https://{NAME}/" in answer


def test_tcp_forward_reaches_the_node(client: Host) -> None:
    """The forwarded port greets as the node and echoes."""
    answer = eventually(client, ECHO, "over the mesh")
    assert "echo from node1" in answer


def test_the_hub_has_a_fresh_handshake_with_the_edge(hub: Host, edge: Host) -> None:
    """WireGuard's session is alive, seen from the other end."""
    key = edge.check_output("wg show wg0 public-key")
    handshakes = dict(line.split() for line in hub.check_output("wg show wg0 latest-handshakes").splitlines())
    age = int(hub.check_output("date +%s")) - int(handshakes[key])
    assert age < 180


@pytest.mark.parametrize("address", [NODE, "10.50.0.12", "10.50.0.1"])
def test_the_client_has_no_way_around_the_edge(client: Host, address: str) -> None:
    """The client reaches neither the site nor the mesh itself."""
    assert not client.run(f"ping -c 1 -W 1 {address}").succeeded


@pytest.mark.parametrize("network", ["10.50.0.0/24", "10.89.61.0/24"])
def test_the_edge_is_no_open_router(client: Host, network: str) -> None:
    """A client that sends the private networks' packets to the edge gets no answer."""
    client.check_output(f"ip route replace {network} via {EDGE}")
    try:
        target = "10.50.0.12" if network.startswith("10.50") else NODE
        assert not client.run(f"ping -c 1 -W 1 {target}").succeeded
        assert not client.run(f"curl --silent --max-time 2 http://{target}:8080/").succeeded
    finally:
        client.check_output(f"ip route del {network}")


def test_no_unit_has_failed(edge: Host) -> None:
    """The boot, or the run, left no unit failed."""
    failed = [line.split()[0] for line in edge.check_output("systemctl --failed --plain --no-legend").splitlines()]
    for unit in failed:
        print(edge.run(f"journalctl --no-pager --lines=40 --unit={unit}").stdout)
    assert not failed


@pytest.mark.parametrize("unit", SERVICES)
def test_service_runs_and_starts_at_boot(edge: Host, unit: str) -> None:
    """Everything that the edge needs comes back by itself."""
    service = edge.service(unit)
    assert service.is_running
    assert service.is_enabled


@pytest.mark.parametrize(("path", "mode", "owner", "group"), FILES)
def test_file_has_its_mode(edge: Host, path: str, mode: int, owner: str, group: str) -> None:
    """Secrets are root's alone, and Traefik can read what it must."""
    file = edge.file(path)
    assert (file.user, file.group, oct(file.mode)) == (owner, group, oct(mode))

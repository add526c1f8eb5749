# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""These tests change firewall, interfaces and files of the host: they run in a throw-away namespace or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest
from contract import edge_traefik, hub_mesh, iptables_host, mesh, refusals, route_refusals, world
from contract.edge_traefik import DYNAMIC, Backend, Traefik
from contract.forwarding import IPV6_FORWARDING, SYSCTL_DIR, invoke
from contract.mesh import Controller

OWN_MOUNTS = ("/etc/wireguard", "/etc/edge-gateway", "/etc/traefik", "/var/lib/edge-gateway", "/run")


def pytest_sessionstart() -> None:
    """Refuse, loudly, to touch the machine itself: the mark of the namespace and its private mounts must be there."""
    missing = [path for path in OWN_MOUNTS if not os.path.ismount(path)]
    if os.environ.get("EDGE_LAB_ISOLATED") != "1" or missing:
        raise pytest.UsageError("the contract tests would change this machine; run them as: "
                                "tests/lab/lab isolate .venv/bin/pytest tests/contract")


@pytest.fixture(autouse=True)
def empty_host() -> Iterator[None]:
    """Every test starts on a host that never had a gateway."""
    world.reset()
    yield
    world.leave_namespace()


@pytest.fixture(name="traefik_user", scope="module")
def user_of_traefik(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuple[int, int]]:
    """The user that the role traefik creates, in this mount namespace alone; his ids."""
    folder = tmp_path_factory.mktemp("users")
    for name, line in (("passwd", "traefik:x:64242:64243::/var/lib/traefik:/usr/sbin/nologin\n"), ("group", "traefik:x:64243:\n")):
        present = [entry for entry in Path("/etc", name).read_text().splitlines(True) if not entry.startswith("traefik:")]
        (folder / name).write_text("".join([*present, line]))
        world.sh("mount", "--bind", str(folder / name), f"/etc/{name}")
    yield 64242, 64243
    for name in ("passwd", "group"):
        world.sh("umount", f"/etc/{name}")


@pytest.fixture(name="hub_key", scope="session")
def running_hub() -> Iterator[str]:
    """The mesh's hub, for all tests that join; its public key."""
    yield mesh.add_hub()
    world.remove_namespaces("hub", "edge")


@pytest.fixture(name="ctl")
def running_controller(hub_key: str) -> Iterator[Controller]:
    """A controller, and an edge that has not joined."""
    mesh.remove_edge()
    with mesh.controller(hub_key) as found:
        yield found
    mesh.remove_edge()


@pytest.fixture(name="mesh_hosts", scope="module")
def hosts_of_a_mesh() -> Iterator[None]:
    """Client, edge, hub and two nodes, for a file's tests."""
    hub_mesh.build()
    yield
    hub_mesh.clear()
    world.remove_namespaces(*hub_mesh.NAMESPACES)


@pytest.fixture(name="no_tunnels")
def nobody_has_joined(mesh_hosts: None, empty_host: None) -> None:
    """The hosts, without a tunnel."""
    hub_mesh.clear()


@pytest.fixture(name="traefik", scope="module")
def running_traefik(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traefik]:
    """One Traefik for all tests of a file."""
    with edge_traefik.started(tmp_path_factory.mktemp("traefik")) as found:
        yield found


@pytest.fixture(name="backends", scope="module")
def running_backends() -> Iterator[List[Backend]]:
    """Three services that say which one they are."""
    with edge_traefik.backends("one", "two", "three") as found:
        yield found


@pytest.fixture(name="no_routes")
def without_routes(traefik: Traefik) -> None:
    """The test starts without routes."""
    for path in DYNAMIC.iterdir():
        path.unlink()
    traefik.wait_for([])


@pytest.fixture(name="variant", params=iptables_host.VARIANTS)
def chosen_variant(request: pytest.FixtureRequest) -> Iterator[str]:
    """One variant of iptables, in a network namespace that never had a rule or a table."""
    world.add_namespace("fresh")
    iptables_host.choose(request.param)
    with world.inside("fresh"):
        yield request.param
    iptables_host.choose("nft")
    world.remove_namespaces("fresh")


@pytest.fixture(name="standing")
def standing_forwards() -> Iterator[None]:
    """Some forwards stand already: none of them may be lost over a refusal."""
    IPV6_FORWARDING.write_text("0")
    for path in SYSCTL_DIR.glob("*edge*"):
        path.unlink()
    result = invoke(forwards=refusals.STANDING)
    assert result.get("changed"), result
    yield
    IPV6_FORWARDING.write_text("0")


@pytest.fixture(name="standing_routes")
def routes_that_stand() -> Iterator[None]:
    """Some routes stand already: none of them may be lost over a refusal."""
    with route_refusals.standing():
        yield


@pytest.fixture(name="src")
def source_file(tmp_path: Path) -> Path:
    """Where a list may be put."""
    return tmp_path / "forwards.json"

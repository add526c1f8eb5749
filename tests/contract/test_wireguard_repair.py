# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do to a joined tunnel, its files and its key; and the default route."""

from __future__ import annotations

import socket
import stat
from typing import Callable, Dict, Iterator

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, StateRefused
from contract import mesh, world
from contract.mesh import CONF, EDGE, HUB, KEY, Controller, join, snapshot, walk
from contract.world import WIREGUARD_DIR, inside, sh


@pytest.fixture(name="ctl")
def joined_edge(hub_key: str) -> Iterator[Controller]:
    """A controller, and an edge that has joined."""
    mesh.remove_edge()
    with mesh.controller(hub_key) as found:
        join(controller_url=found.url)
        yield found
    mesh.remove_edge()


def wg(*words: str) -> Callable[[], str]:
    """Someone else's wg command on the edge."""
    def damage() -> str:
        with inside("edge"):
            return sh("wg", "set", "wg0", *words)
    return damage


def ip(*words: str) -> Callable[[], str]:
    """Someone else's ip command on the edge."""
    return lambda: sh("ip", "-n", "edge", *words)


STRANGER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
DAMAGE: Dict[str, Callable[[], object]] = {
    "edited file": lambda: CONF.write_text(CONF.read_text() + "PostUp = touch /run/pwned\n"), "file gone": CONF.unlink,
    "file open to all": lambda: CONF.chmod(0o644), "key open to all": lambda: KEY.chmod(0o644), "interface gone": ip("link", "delete",
    "wg0"),
    "interface down": ip("link", "set", "wg0", "down"), "route gone": ip("route", "delete", "10.50.0.0/24"),
    "route added": ip("route", "add", "10.99.0.0/16", "dev", "wg0"), "address gone": ip("address", "flush", "dev", "wg0"),
    "address added": ip("address", "add", "10.98.0.1/32", "dev", "wg0"), "peer added": wg("peer", STRANGER, "allowed-ips",
    "10.97.0.0/16"),
    "another key": wg("private-key", "/run/hub.key"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_tunnel_is_repaired(ctl: Controller, damage: str) -> None:
    """By hand or by another tool: the next run says that it changes something, and the tunnel is as before."""
    before, key = CONF.read_bytes(), KEY.read_bytes()
    DAMAGE[damage]()
    assert walk(controller_url=ctl.url)["changed"]
    assert (CONF.read_bytes(), KEY.read_bytes()) == (before, key)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (CONF, KEY)} == {0o600}
    assert mesh.routes() == ["10.50.0.0/24"]
    assert mesh.hub_answers()


@pytest.mark.parametrize("text", ["", "not a key\n", "A" * 43 + "=\n"])
def test_a_key_file_that_holds_no_key_is_never_replaced(ctl: Controller, text: str) -> None:
    """A new identity would cut this node off; the way out is told."""
    KEY.write_text(text)
    before = snapshot()
    for dry in (True, False):
        with pytest.raises(StateRefused) as caught:
            join(dry, controller_url=ctl.url, persistent_keepalive=5)
        assert "wg0.key" in caught.value.message
    assert snapshot() == before


def test_a_key_file_that_is_a_link_is_refused(ctl: Controller) -> None:
    """Neither read nor written through."""
    KEY.rename(WIREGUARD_DIR / "elsewhere")
    KEY.symlink_to(WIREGUARD_DIR / "elsewhere")
    with pytest.raises(GatewayError):
        join(controller_url=ctl.url, persistent_keepalive=5)


def test_the_default_route_in_place(ctl: Controller) -> None:
    """Allowed and asked for, it must really lead into the tunnel, and back out of it when it is taken away; the hub stays reachable."""
    walk(controller_url=ctl.url, allowed_ips=["0.0.0.0/0"], allow_default_route=True)
    with inside("edge"):
        assert "dev wg0" in sh("ip", "route", "get", "9.9.9.9")
    assert mesh.peer()["endpoint"] == f"{HUB}:51820"
    walk(controller_url=ctl.url)
    with inside("edge"):
        assert "dev wg0" not in sh("ip", "route", "get", "9.9.9.9", check=False)
        assert f"src {EDGE}" in sh("ip", "route", "get", HUB) and "dev wg0" in sh("ip", "route", "get", "10.50.0.1")


def test_leaving_a_damaged_tunnel(ctl: Controller) -> None:
    """Gone already, or its file gone: what is left is cleared away."""
    sh("ip", "-n", "edge", "link", "delete", "wg0")
    assert walk(state="left")["changed"]
    assert not CONF.exists()
    walk(controller_url=ctl.url)
    CONF.unlink()
    assert walk(state="left")["changed"]
    assert mesh.interface_index() == 0


def test_a_failed_change_restores_the_tunnel(ctl: Controller) -> None:
    """The port it should listen on is taken: file, membership and tunnel are as before, and the failure is one line."""
    before = (CONF.read_bytes(), (world.STATE_DIR / "join.json").read_bytes())
    with inside("edge"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 51999))
        with pytest.raises(GatewayError) as caught:
            join(controller_url=ctl.url, listen_port=51999)
    assert "\n" not in caught.value.message
    assert before == (CONF.read_bytes(), (world.STATE_DIR / "join.json").read_bytes())
    assert mesh.routes() == ["10.50.0.0/24"] and mesh.hub_answers()
    assert not join(controller_url=ctl.url).plan.changed


def test_a_route_of_someone_else_is_not_taken_over(ctl: Controller) -> None:
    """The host reaches that network another way already: refused, and its route stays."""
    sh("ip", "-n", "edge", "route", "add", "10.60.0.0/16", "via", HUB)
    try:
        for dry in (True, False):
            with pytest.raises(GatewayError) as caught:
                join(dry, controller_url=ctl.url, allowed_ips=["10.50.0.0/24", "10.60.0.0/16"])
            assert "10.60.0.0/16" in caught.value.message
        assert f"via {HUB}" in sh("ip", "-n", "edge", "route", "show", "10.60.0.0/16")
    finally:
        sh("ip", "-n", "edge", "route", "delete", "10.60.0.0/16", "via", HUB, check=False)
    assert mesh.routes() == ["10.50.0.0/24"]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transfer goes on through every change that need not break it, on both ends of the tunnel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from contract import hub_mesh, mesh
from contract.hub_mesh import EDGE_1, HUB, NODE_1, NODE_2, SETTINGS
from contract.mesh import MESH_HUB, Controller, join, snapshot
from contract.transfer import transfer
from contract.world import inside, nft, sh

KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
SECRET = "EJFXaW5bUHRLAe3lG0WJCBSlUzf9vbTLRWxGgLaOwWQ="
ECHOES_COUNTED = "table inet count {\n chain in { type filter hook input priority 0; icmp type echo-request counter; }\n}\n"
# seconds for which nothing may arrive; a lost packet alone costs TCP 0.2
LONGEST_GAP = 1.0


def test_changes_of_a_member(ctl: Controller) -> None:
    """Keepalive, networks, MTU, port, clients with their own address, another endpoint: each in place, and back again."""
    sh("ip", "-n", "hub", "address", "add", "192.0.2.8/24", "dev", "eth0")
    other = {**ctl.answer, "endpoint": "192.0.2.8:51820"}
    changes: Dict[str, Dict[str, Any]] = {
        "keepalive": {"persistent_keepalive": 5}, "more networks": {"allowed_ips": ["10.50.0.0/24", "10.60.0.0/16"]},
        "another network": {"allowed_ips": ["10.50.0.0/25", "10.61.0.0/16"]}, "MTU": {"mtu": 1340}, "port": {"listen_port": 51999},
        "clients": {"client_networks": ["0.0.0.0/0", "::/0"]}, "endpoint": {"join_answer": other},
    }
    join(controller_url=ctl.url)
    index = mesh.interface_index()
    with transfer("edge", "hub", MESH_HUB) as running:
        for name, change in changes.items():
            for options in (change, {}):
                assert join(**{"join_answer": ctl.answer, **options}).plan.changed, name
                assert running.goes_on(), name
        assert running.longest_gap < LONGEST_GAP and mesh.interface_index() == index
    sh("ip", "-n", "hub", "address", "delete", "192.0.2.8/24", "dev", "eth0")


def test_another_address_keeps_the_interface(ctl: Controller) -> None:
    """What was bound to the old one ends, of course; the tunnel stays."""
    join(controller_url=ctl.url)
    index = mesh.interface_index()
    ctl.answer["node_ip"] = "10.50.0.6,fd50::6"
    assert join(controller_url=ctl.url, rejoin=True).plan.changed and mesh.interface_index() == index
    shown = sh("ip", "-n", "edge", "address", "show", "wg0")
    assert "10.50.0.6/32" in shown and "fd50::6/128" in shown and "10.50.0.5" not in shown and mesh.hub_answers()


def test_the_mtu_follows_the_path(ctl: Controller) -> None:
    """Measured when joining and when the endpoint changes; check mode sends nothing, and foresees no more than that it will be measured."""
    with inside("hub"):
        nft(ECHOES_COUNTED)
        assert join(True, controller_url=ctl.url, probe_mtu=True).plan.changed
        assert "counter packets 0" in sh("nft", "list", "table", "inet", "count")
    result = join(controller_url=ctl.url, probe_mtu=True)
    assert "mtu: measured when joining" in result.diff["after"] and "MTU = 1440\n" in mesh.CONF.read_text() and mtu() == 1440
    with inside("hub"):
        nft(f"flush ruleset\n{ECHOES_COUNTED}")
        assert not join(controller_url=ctl.url, probe_mtu=True).plan.changed
        assert "counter packets 0" in sh("nft", "list", "table", "inet", "count")
        sh("nft", "flush", "ruleset")
        sh("ip", "address", "add", "192.0.2.8/24", "dev", "eth0")
        sh("ip", "link", "set", "eth0", "mtu", "1400")
    sh("ip", "-n", "edge", "link", "set", "eth0", "mtu", "1400")
    try:
        index = mesh.interface_index()
        ctl.answer["endpoint"] = "192.0.2.8:51820"
        assert join(controller_url=ctl.url, probe_mtu=True).plan.changed
        assert mtu() == 1328 and mesh.interface_index() == index and mesh.hub_answers()
        # one that is given counts, and without either the interface has what wg-quick would choose
        assert join(controller_url=ctl.url, probe_mtu=True, mtu=1300).plan.changed and mtu() == 1300
        assert join(controller_url=ctl.url).plan.changed and mtu() == 1320 and mesh.interface_index() == index
    finally:
        with inside("hub"):
            sh("ip", "link", "set", "eth0", "mtu", "1500")
            sh("ip", "-n", "edge", "link", "set", "eth0", "mtu", "1500")
            sh("ip", "address", "delete", "192.0.2.8/24", "dev", "eth0")


def test_the_path_cannot_be_measured(ctl: Controller) -> None:
    """Nobody answers to an echo: a warning, and wg-quick's own choice."""
    with inside("hub"):
        nft("table inet deaf {\n chain in { type filter hook input priority 0; icmp type echo-request drop; }\n}\n")
    result = join(controller_url=ctl.url, probe_mtu=True)
    assert any("could not be measured" in words for words in result.warnings) and mtu() == 1420
    with inside("hub"):
        sh("nft", "flush", "ruleset")


def mtu() -> int:
    """Of the edge's interface."""
    return int(sh("ip", "-n", "edge", "-o", "link", "show", "wg0").partition("mtu ")[2].split()[0])


def test_the_hub_was_rebuilt(ctl: Controller, hub_key: str) -> None:
    """It has another key: refused without a word from the user, with the old tunnel as it was; then joined anew."""
    join(controller_url=ctl.url)
    before = snapshot()
    old = Path("/run/hub.key").read_text()
    Path("/run/rebuilt.key").write_text(sh("wg", "genkey"))
    try:
        with inside("hub"):
            sh("wg", "set", "hub0", "private-key", "/run/rebuilt.key")
        ctl.answer["controller_pubkey"] = sh("wg", "pubkey", stdin=Path("/run/rebuilt.key").read_text()).strip()
        with pytest.raises(Exception, match="rejoin"):
            join(controller_url=ctl.url)
        assert snapshot() == before
        assert join(controller_url=ctl.url, rejoin=True).plan.changed and mesh.hub_answers()
        assert not join(controller_url=ctl.url).plan.changed
    finally:
        Path("/run/rebuilt.key").write_text(old)
        with inside("hub"):
            sh("wg", "set", "hub0", "private-key", "/run/rebuilt.key")


@pytest.mark.usefixtures("no_tunnels")
def test_changes_of_the_hub() -> None:
    """Nodes come and go, settings change: the others do not notice."""
    hub_mesh.enter(EDGE_1, {})
    hub_mesh.enter(NODE_1, {})
    register = hub_mesh.register
    edge_key = hub_mesh.make_key(EDGE_1)["public_key"]
    acts: Dict[str, Callable[[], Any]] = {
        "a node more": lambda: register(node_id="x", node_pubkey=KEY), "a node less": lambda: register(node_id="x", state="absent"),
        "a whole node": lambda: hub_mesh.enter(NODE_2, {}), "clients": lambda: register(
            node_id=EDGE_1.name, node_pubkey=edge_key, client_networks=["0.0.0.0/0", "::/0"]),
        "a shared key": lambda: hub_mesh.enter(EDGE_1, {"preshared_key": SECRET}, preshared_key=SECRET),
        "an open hub": lambda: register(peers=[], hub={**SETTINGS, "closed": False}), "closed again": lambda: register(peers=[]),
        "another MTU": lambda: register(peers=[], hub={**SETTINGS, "mtu": 1400}),
    }
    index = hub_mesh.index(HUB)
    with transfer(EDGE_1.name, NODE_1.name, "10.50.0.3") as running:
        for name, act in acts.items():
            act()
            assert running.goes_on(), name
        assert hub_mesh.index(HUB) == index and running.longest_gap < LONGEST_GAP


@pytest.mark.usefixtures("no_tunnels")
def test_leaving_takes_nobody_along() -> None:
    """One node leaves and gives its address back; the transfer of two others goes on."""
    for member in (EDGE_1, NODE_1, NODE_2):
        hub_mesh.enter(member, {"client_networks": ["0.0.0.0/0"]})
    with transfer(EDGE_1.name, NODE_1.name, "10.50.0.3") as running:
        assert hub_mesh.join(NODE_2, state="left").plan.changed
        hub_mesh.register(node_id=NODE_2.name, state="absent")
        assert running.goes_on() and running.longest_gap < LONGEST_GAP
    with inside(NODE_2.name):
        assert "proto 218" not in sh("ip", "rule") and hub_mesh.index(NODE_2) == 0
    assert sorted(path.name for path in NODE_2.config_dir.iterdir()) == ["wgn2.key"]
    assert len(hub_mesh.peers()) == 2

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining a mesh with real wireguard-go on both ends and a controller that answers over HTTP."""

from __future__ import annotations

import json
import stat
from typing import Any, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import wireguard
from ansible_collections.edge.gateway.plugins.module_utils.errors import (
    ControllerError,
    GatewayError,
    InvalidInput,
    StateRefused,
    VerifyFailed,
)
from contract import mesh
from contract.mesh import CONF, HUB, KEY, NODE_IP, TOKEN, Controller, join, snapshot, walk
from contract.world import STATE_DIR, WIREGUARD_DIR, inside, sh

OTHER_KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="


def secrets() -> str:
    """The private key that must never show."""
    return KEY.read_text().strip()


def test_join(ctl: Controller) -> None:
    """The first join, predicted and done: files, interface, route and a handshake; nothing to do again."""
    result = walk(controller_url=ctl.url)
    assert result["changed"] and "assigned by the controller" in result["diff"]["after"]
    assert mesh.hub_answers() and int(mesh.peer()["handshake"]) > 0
    assert mesh.routes() == ["10.50.0.0/24"] and mesh.peer()["keepalive"] == "25"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (CONF, KEY, STATE_DIR / "join.json")} == {0o600}
    text = CONF.read_text()
    assert f"Address = {NODE_IP}/32\n" in text and f"PrivateKey = {secrets()}\n" in text


def test_what_the_controller_is_told_and_what_is_kept(ctl: Controller) -> None:
    """The public key goes out, the private one stays; neither key nor token is in the result or in join.json."""
    outcome = join(controller_url=ctl.url)
    assert ctl.server is not None
    (method, path, headers, body), = ctl.server.seen
    public = sh("wg", "pubkey", stdin=secrets()).strip()
    assert (method, path, headers["X-Join-Token"]) == ("POST", "/join", TOKEN)
    assert json.loads(body) == {"node_id": "edge-1", "node_pubkey": public}
    told = json.dumps(outcome.as_dict()) + (STATE_DIR / "join.json").read_text()
    assert secrets() not in told and TOKEN not in told


def test_check_mode_asks_nobody_and_makes_nothing(ctl: Controller) -> None:
    """No request, no key, no file."""
    assert join(True, controller_url=ctl.url).plan.changed
    assert ctl.requests == 0 and list(WIREGUARD_DIR.iterdir()) == [] and list(STATE_DIR.iterdir()) == []


def test_a_join_by_a_given_answer(ctl: Controller, hub_key: str) -> None:
    """The hub's owner has introduced the two; nobody is asked, and the diff is known beforehand."""
    result = walk(join_answer=ctl.answer)
    assert result["changed"] and NODE_IP in result["diff"]["after"] and ctl.requests == 0
    assert mesh.peer()["key"] == hub_key


@pytest.mark.parametrize(("keepalive", "shown"), [(10, "10"), (0, "off")])
def test_keepalive_changes_in_place(ctl: Controller, keepalive: int, shown: str) -> None:
    """The interface stays; taking the keepalive away counts as well."""
    walk(join_answer=ctl.answer)
    before = mesh.interface_index()
    assert walk(join_answer=ctl.answer, persistent_keepalive=keepalive)["changed"]
    assert mesh.interface_index() == before and mesh.peer()["keepalive"] == shown


def test_networks_change_in_place(ctl: Controller) -> None:
    """Routes follow AllowedIPs both ways; 'wg syncconf' alone would leave them."""
    walk(join_answer=ctl.answer)
    before = mesh.interface_index()
    walk(join_answer=ctl.answer, allowed_ips=["10.50.0.0/24", "10.60.0.0/16", "fd50::/64"])
    assert mesh.routes() == ["10.50.0.0/24", "10.60.0.0/16"] and mesh.peer()["allowed_ips"] == "10.50.0.0/24,10.60.0.0/16,fd50::/64"
    assert "fd50::/64" in sh("ip", "-n", "edge", "-6", "route", "show", "dev", "wg0")
    walk(join_answer={**ctl.answer, "allowed_ips": "10.60.0.0/16"})
    assert mesh.routes() == ["10.60.0.0/16"] and mesh.interface_index() == before
    assert "fd50::/64" not in sh("ip", "-n", "edge", "-6", "route", "show", "dev", "wg0")


def test_listen_port_changes_in_place_and_mtu_anew(ctl: Controller) -> None:
    """Only what wg-quick alone can set takes the interface down."""
    walk(controller_url=ctl.url)
    before = mesh.interface_index()
    walk(controller_url=ctl.url, listen_port=51999)
    assert mesh.interface_index() == before
    with inside("edge"):
        assert sh("wg", "show", "wg0", "listen-port") == "51999\n"
    walk(controller_url=ctl.url, listen_port=51999, mtu=1300)
    assert "mtu 1300" in sh("ip", "-n", "edge", "link", "show", "wg0") and mesh.hub_answers()


def test_another_address_needs_rejoin_and_sets_up_anew(ctl: Controller) -> None:
    """A controller that suddenly gives another address is refused, unless that is meant."""
    walk(controller_url=ctl.url)
    before = snapshot()
    ctl.answer["node_ip"] = "10.50.0.6"
    with pytest.raises(InvalidInput) as caught:
        join(controller_url=ctl.url)
    assert "rejoin" in caught.value.message and "10.50.0.5" in caught.value.message and snapshot() == before
    assert join(controller_url=ctl.url, rejoin=True).plan.changed
    assert "inet 10.50.0.6/32" in sh("ip", "-n", "edge", "address", "show", "wg0") and NODE_IP not in CONF.read_text()
    assert mesh.hub_answers() and not join(controller_url=ctl.url).plan.changed


REFUSED = {"address": {"node_ip": "10.50.0.6"}, "key": {"controller_pubkey": OTHER_KEY}, "networks": {"allowed_ips": "0.0.0.0/0"}}


@pytest.mark.parametrize("dry", [False, True], ids=["real", "check"])
@pytest.mark.parametrize("name", [*REFUSED, "override"])
def test_check_mode_refuses_what_the_real_run_refuses(ctl: Controller, name: str, dry: bool) -> None:
    """Another identity or too much in a given answer, and networks of the task itself, are known beforehand."""
    walk(join_answer=ctl.answer)
    with pytest.raises(InvalidInput):
        if name == "override":
            join(dry, controller_url=ctl.url, allowed_ips=["0.0.0.0/0"])
        else:
            join(dry, join_answer={**ctl.answer, **REFUSED[name]})


def test_leaving_keeps_the_key_and_coming_back_is_the_same_node(ctl: Controller) -> None:
    """Interface, file and membership go; the identity stays."""
    walk(controller_url=ctl.url)
    key = secrets()
    assert walk(state="left")["changed"]
    assert mesh.interface_index() == 0 and [path.name for path in WIREGUARD_DIR.iterdir()] == ["wg0.key"]
    assert not (STATE_DIR / "join.json").exists()
    assert walk(controller_url=ctl.url)["changed"] and secrets() == key and mesh.hub_answers()


@pytest.mark.parametrize("text", ["[Interface]\nPrivateKey = x\n", "", "# my own\n"])
@pytest.mark.parametrize("state", ["joined", "left"])
def test_a_foreign_file_is_refused(ctl: Controller, text: str, state: str) -> None:
    """Someone's own wg0.conf is neither changed nor removed, and nobody is asked."""
    CONF.write_text(text)
    for dry in (True, False):
        with pytest.raises(StateRefused) as caught:
            join(dry, controller_url=ctl.url, state=state)
        assert "wg0.conf" in caught.value.message
    assert CONF.read_text() == text and ctl.requests == 0 and not KEY.exists()


HOSTILE: Dict[str, Any] = {
    "endpoint": f"{HUB}:51820\n[Interface]\nPreUp = touch /run/pwned\n[Peer]\nPublicKey = {OTHER_KEY}",
    "node_ip": "10.50.0.5/32\nPostUp = touch /run/pwned",
    "controller_pubkey": f"{OTHER_KEY}\n[Interface]\nPreUp = touch /run/pwned", "allowed_ips": "10.50.0.0/24\nPostUp = touch /run/pwned",
}
TAKING = {
    "the default route": {"allowed_ips": "0.0.0.0/0"}, "the host's network": {"allowed_ips": "192.0.2.0/24"},
    "the host's address": {"node_ip": "192.0.2.2"},
    "the endpoint": {"allowed_ips": f"{HUB}/32"}, "metadata": {"allowed_ips": "169.254.169.254/32"},
    "endpoint on loopback by name": {"endpoint": "localhost:51820"},
}


@pytest.mark.parametrize("changes", [*({name: value} for name, value in HOSTILE.items()), *TAKING.values()], ids=[*HOSTILE, *TAKING])
def test_a_hostile_answer_writes_nothing(ctl: Controller, changes: Dict[str, Any]) -> None:
    """Before the first join nothing appears but the key; after it nothing changes."""
    good = dict(ctl.answer)
    ctl.answer.update(changes)
    with pytest.raises(GatewayError) as caught:
        join(controller_url=ctl.url)
    assert "\n" not in caught.value.message
    assert [path.name for path in WIREGUARD_DIR.iterdir()] == ["wg0.key"]
    assert mesh.interface_index() == 0 and list(STATE_DIR.iterdir()) == []
    ctl.answer.update(good)
    walk(controller_url=ctl.url)
    before = snapshot()
    ctl.answer.update(changes)
    with pytest.raises(GatewayError):
        join(controller_url=ctl.url)
    assert snapshot() == before


def test_our_own_key_as_the_controllers_is_refused(ctl: Controller) -> None:
    """A reflected key makes a tunnel to nobody."""
    walk(controller_url=ctl.url)
    ctl.answer["controller_pubkey"] = sh("wg", "pubkey", stdin=secrets()).strip()
    before = snapshot()
    with pytest.raises(GatewayError):
        join(controller_url=ctl.url, rejoin=True)
    assert snapshot() == before


def test_a_joined_host_outlives_its_controller(ctl: Controller) -> None:
    """Away: a warning and the tunnel stays. Refusing the token: a failure, and the tunnel stays too."""
    walk(controller_url=ctl.url)
    before = snapshot()
    ctl.down = True
    outcome = join(controller_url=ctl.url)
    assert not outcome.plan.changed and outcome.warnings and snapshot() == before
    ctl.answer.clear()
    ctl.down = False
    with pytest.raises(ControllerError):
        join(controller_url=ctl.url)
    assert snapshot() == before


def test_a_first_join_without_a_controller_fails(ctl: Controller) -> None:
    """And nothing but the key, which is made before the request, appears."""
    ctl.down = True
    with pytest.raises(ControllerError):
        join(controller_url=ctl.url)
    assert [path.name for path in WIREGUARD_DIR.iterdir()] == ["wg0.key"] and list(STATE_DIR.iterdir()) == []
    key = secrets()
    ctl.down = False
    assert join(controller_url=ctl.url).plan.changed and secrets() == key


def test_a_key_is_rotated_by_the_controller(ctl: Controller) -> None:
    """It learns the next key by another join; the address, the interface and the tunnel stay."""
    walk(controller_url=ctl.url)
    old, index = secrets(), mesh.interface_index()
    assert join(True, controller_url=ctl.url, rotate_key=True).plan.changed and secrets() == old
    assert join(controller_url=ctl.url, rotate_key=True).plan.changed
    assert secrets() != old and mesh.interface_index() == index and mesh.hub_answers()
    assert [path.name for path in sorted(WIREGUARD_DIR.iterdir())] == ["wg0.conf", "wg0.key"]
    assert not join(controller_url=ctl.url).plan.changed


def test_a_rotation_that_the_hub_does_not_follow_is_taken_back(ctl: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller says yes, but its hub does not answer to the new key: the old one returns, and the controller is told so."""
    monkeypatch.setattr(wireguard, "HANDSHAKE_SECONDS", 1.0)
    walk(controller_url=ctl.url)
    before, public = snapshot()[0], sh("wg", "pubkey", stdin=secrets()).strip()
    assert ctl.server is not None
    follow = ctl.server.react
    ctl.server.react = lambda handler, _number: handler.reply(200, {}, json.dumps(ctl.answer).encode())
    try:
        with pytest.raises(VerifyFailed):
            join(controller_url=ctl.url, rotate_key=True)
    finally:
        ctl.server.react = follow
    assert {name: found[0] for name, found in snapshot()[0].items()} == {name: found[0] for name, found in before.items()}
    assert json.loads(ctl.server.seen[-1][3])["node_pubkey"] == public and mesh.hub_answers()


def test_a_rotation_without_the_controller_fails(ctl: Controller) -> None:
    """Nothing has changed; the next key waits, or goes with the next plain run."""
    walk(controller_url=ctl.url)
    old = secrets()
    ctl.down = True
    with pytest.raises(ControllerError):
        join(controller_url=ctl.url, rotate_key=True)
    ctl.down = False
    assert secrets() == old and mesh.hub_answers()
    assert join(controller_url=ctl.url).plan.changed and not (WIREGUARD_DIR / "wg0.key.next").exists() and secrets() == old

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node changes its key: the hub knows the next one, a handshake with it is seen, then the old one goes. The tunnel stays."""

from __future__ import annotations

import threading
from typing import Any, Dict, List, Optional

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import wireguard
from ansible_collections.edge.gateway.plugins.module_utils.errors import CommandFailed, GatewayError, InvalidInput, VerifyFailed
from contract import hub_mesh
from contract.hub_mesh import HUB_IPS, NODE_1, answers, enter, join, make_key, peers, register
from contract.transfer import transfer

pytestmark = pytest.mark.usefixtures("no_tunnels")


def prepare() -> Dict[str, str]:
    """The first phase: a next key, which the hub knows."""
    keys = make_key(NODE_1, next_key=True)
    register(node_id=NODE_1.name, node_pubkey=keys["public_key"], next_pubkey=keys["next_public_key"])
    return keys


def rotate() -> Dict[str, str]:
    """Both phases, as the role does them: the hub waits for the handshake while the node changes."""
    keys = prepare()
    problems: List[Optional[GatewayError]] = []

    def promote() -> None:
        try:
            register(node_id=NODE_1.name, node_pubkey=keys["next_public_key"], timeout=10)
        except GatewayError as problem:
            problems.append(problem)

    hub = threading.Thread(target=promote)
    hub.start()
    assert join(NODE_1, rotate_key=True).plan.changed
    hub.join()
    assert not problems
    return keys


def networks() -> Dict[str, str]:
    """The hub's peers: key to networks."""
    return {key: str(peer["allowed_ips"]) for key, peer in peers().items()}


def test_a_transfer_survives() -> None:
    """Old key out, new key in, the same address, the same interface; what was on the way arrives."""
    enter(NODE_1, {})
    index = hub_mesh.index(NODE_1)
    with transfer("m-hub", "m-node1", "10.50.0.2") as running:
        assert running.goes_on()
        keys = rotate()
        assert running.goes_on() and running.longest_gap < 1
    assert networks() == {keys["next_public_key"]: "10.50.0.2/32,fd50::2/128"} and hub_mesh.index(NODE_1) == index
    assert make_key(NODE_1) == {"public_key": keys["next_public_key"], "next_public_key": ""}
    assert not join(NODE_1).plan.changed and not register(node_id=NODE_1.name, node_pubkey=keys["next_public_key"]).plan.changed


def test_check_mode_foresees_it() -> None:
    """Also before there is a next key; nothing is made."""
    enter(NODE_1, {})
    keys = make_key(NODE_1)
    assert join(NODE_1, dry=True, rotate_key=True).plan.changed and make_key(NODE_1) == keys


def test_the_first_phase_changes_no_traffic() -> None:
    """The hub knows the next key, and sends nothing there."""
    enter(NODE_1, {})
    keys = prepare()
    assert networks() == {keys["public_key"]: "10.50.0.2/32,fd50::2/128", keys["next_public_key"]: "(none)"}
    assert answers(NODE_1, HUB_IPS[0])


def test_a_key_that_the_hub_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one comes back, and the tunnel with it."""
    monkeypatch.setattr(wireguard, "HANDSHAKE_SECONDS", 1.0)
    enter(NODE_1, {})
    keys = make_key(NODE_1, next_key=True)
    with pytest.raises(VerifyFailed) as caught:
        join(NODE_1, rotate_key=True)
    assert "does not answer to the new key" in caught.value.message
    assert make_key(NODE_1)["public_key"] == keys["public_key"] and answers(NODE_1, HUB_IPS[0])


def test_without_a_next_key() -> None:
    """Said as such, with the way to do it."""
    enter(NODE_1, {})
    with pytest.raises(InvalidInput) as caught:
        join(NODE_1, rotate_key=True)
    assert "rotate_keys.yml" in caught.value.message


def test_the_hub_waits_in_vain() -> None:
    """Nothing has changed there."""
    enter(NODE_1, {})
    keys = prepare()
    before = networks()
    with pytest.raises(CommandFailed) as caught:
        register(node_id=NODE_1.name, node_pubkey=keys["next_public_key"], timeout=0.2)
    assert "has not called" in caught.value.message and networks() == before


def plain_run() -> None:
    """What the next run of the role does: register with the key that there is, and join."""
    enter(NODE_1, {})


@pytest.mark.parametrize("phase", ["next key made", "next key registered", "node changed, hub not", "hub changed, node not"])
def test_the_next_plain_run_finishes_or_returns(phase: str) -> None:
    """Wherever it stopped: one peer, one key, and the tunnel is up."""
    enter(NODE_1, {})
    keys: Dict[str, Any] = make_key(NODE_1, next_key=True)
    if phase != "next key made":
        keys = prepare()
    if phase == "node changed, hub not":
        join(NODE_1, rotate_key=True)
        assert len(networks()) == 2
    if phase == "hub changed, node not":
        register(node_id=NODE_1.name, node_pubkey=keys["next_public_key"])
    plain_run()
    key = make_key(NODE_1)
    assert networks() == {key["public_key"]: "10.50.0.2/32,fd50::2/128"} and not key["next_public_key"]
    assert key["public_key"] == keys["next_public_key" if phase == "node changed, hub not" else "public_key"]
    hub_mesh.call_again(NODE_1)
    assert answers(NODE_1, HUB_IPS[0])

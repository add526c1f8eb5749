# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh without a controller: the hub registers nodes, which join by what it tells them."""

from __future__ import annotations

import stat
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, InvalidInput, StateRefused
from contract import hub_mesh, world
from contract.hub_mesh import EDGE_1, HUB, HUB_IPS, NODE_1, NODE_2, SETTINGS, answers, enter, make_key, peers, register
from contract.world import inside, sh

pytestmark = pytest.mark.usefixtures("no_tunnels")
KEYS = ["xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "c+AoixopNgaiSZ1wLkplI3EDxMGvYppVnQ5RgiVv1gQ=",
        "eqzPKQTbJJR5TW7kp0w4iUcjCC7XK3IJ+RD48F40w1Y=", "2zg7MCJNA9rJy2zK6Jaf9BJGUCJ+UUkJxTiJ14qUyhU="]


def snapshot() -> List[Any]:
    """All that a run on the hub may change."""
    with inside(HUB.name):
        routing = [sh("ip", family, *what) for family in ("-4", "-6") for what in (("rule",), ("route", "show", "table", "all"))]
        shown = sorted(line.split("\t")[:4] for line in sh("wg", "show", HUB.interface, "dump", check=False).splitlines())
    folders = [world.files(folder) if folder.exists() else None for folder in (HUB.config_dir, HUB.data_dir)]
    return [*folders, shown, hub_mesh.index(HUB), [line for text in routing for line in text.splitlines() if "fe80::" not in line]]


def walk(**params: Any) -> Dict[str, Any]:
    """Check mode (which touches nothing), the real run (which does what was predicted), and again (which does nothing)."""
    before = snapshot()
    predicted = register(True, **params)
    assert snapshot() == before
    real = register(**params)
    assert world.report(predicted) == world.report(real)
    after = snapshot()
    for dry in (True, False):
        again = register(dry, **params).as_dict()
        assert not again["changed"] and not again["repaired"] and again["diff"]["before"] == again["diff"]["after"]
    assert snapshot() == after
    return world.report(real)


def allowed() -> Dict[str, str]:
    """The hub's peers: key to networks."""
    return {key: str(peer["allowed_ips"]) for key, peer in peers().items()}


def test_nodes_reach_each_other_through_the_hub() -> None:
    """Both IP versions, from edge to node."""
    enter(EDGE_1, {})
    enter(NODE_1, {})
    assert answers(EDGE_1, HUB_IPS[0]) and answers(EDGE_1, HUB_IPS[1])
    assert answers(EDGE_1, "10.50.0.3") and answers(EDGE_1, "fd50::3")


def test_the_life_of_a_node() -> None:
    """Registered, changed, replaced, removed; the interface of the hub and its other peer never notice."""
    assert walk(peers=[])["changed"], "the hub itself"
    index = hub_mesh.index(HUB)
    assert walk(node_id="a", node_pubkey=KEYS[0])["added"] == ["a"]
    assert walk(node_id="b", node_pubkey=KEYS[1], node_ip="10.50.0.77")["added"] == ["b"]
    assert allowed() == {KEYS[0]: "10.50.0.2/32,fd50::2/128", KEYS[1]: "10.50.0.77/32,fd50::3/128"}
    assert walk(node_id="a", node_pubkey=KEYS[2])["updated"] == ["a"]
    assert allowed() == {KEYS[2]: "10.50.0.2/32,fd50::2/128", KEYS[1]: "10.50.0.77/32,fd50::3/128"}
    assert walk(node_id="b", node_pubkey=KEYS[1], client_networks=["203.0.113.0/24"])["updated"] == ["b"]
    assert walk(node_id="b", state="absent")["removed"] == ["b"] and not register(node_id="b", state="absent").plan.changed
    assert allowed() == {KEYS[2]: "10.50.0.2/32,fd50::2/128"} and hub_mesh.index(HUB) == index
    assert walk(node_id="c", node_pubkey=KEYS[3])["added"] == ["c"], "and has the address that was given back"
    assert allowed()[KEYS[3]] == "10.50.0.3/32,fd50::3/128"
    assert stat.S_IMODE((HUB.data_dir / "peers.json").stat().st_mode) == 0o600


def test_peers_come_from_what_is_kept() -> None:
    """A run that names one node changes that one: the others stay, and so does one that is down."""
    enter(EDGE_1, {})
    enter(NODE_1, {})
    sh("ip", "-n", NODE_1.name, "link", "delete", NODE_1.interface)
    before = allowed()
    assert len(before) == 2
    enter(EDGE_1, {})
    assert allowed() == before
    # not even the hub's own run, which names nobody
    assert not register(peers=[]).plan.changed and allowed() == before


def test_many_removals_need_a_word() -> None:
    """A list that came out short must not empty the mesh."""
    entries = [{"node_id": f"n{number}", "node_pubkey": key} for number, key in enumerate(KEYS)]
    assert walk(peers=entries)["added"] == ["n0", "n1", "n2", "n3"]
    for dry in (True, False):
        with pytest.raises(InvalidInput) as caught:
            register(dry, peers=[], purge=True)
        assert "max_removals" in caught.value.message and "n0, n1, n2" in caught.value.message
    assert len(allowed()) == 4
    assert walk(peers=entries[:2], purge=True)["removed"] == ["n2", "n3"]
    assert walk(peers=[], purge=True, max_removals=2)["removed"] == ["n0", "n1"] and allowed() == {}


REFUSED: Dict[str, Dict[str, Any]] = {
    "another node's key": {"node_id": "b", "node_pubkey": KEYS[0]}, "another node's next key": {"node_id": "b", "node_pubkey": KEYS[1]},
    "another node's address": {"node_id": "b", "node_pubkey": KEYS[2], "node_ip": "10.50.0.2"},
    "the hub's address": {"node_id": "b", "node_pubkey": KEYS[2], "node_ip": "10.50.0.1"},
    "an address outside": {"node_id": "b", "node_pubkey": KEYS[2], "node_ip": "10.51.0.2"},
    "a hook": {"node_id": "b", "node_pubkey": f"{KEYS[2]}\nPostUp = x"}, "a hook in the id": {"node_id": "b\nx", "node_pubkey": KEYS[2]},
    "a hook in the address": {"node_id": "b", "node_pubkey": KEYS[2], "node_ip": "10.50.0.9/32\nPostUp = x"},
    "no shared key": {"node_id": "b", "node_pubkey": KEYS[2], "preshared_key": "secret words"},
    "the same key again": {"node_id": "b", "node_pubkey": KEYS[2], "next_pubkey": KEYS[2]}, "no key": {"node_id": "b"},
    "clients of the mesh": {"node_id": "b", "node_pubkey": KEYS[2], "client_networks": ["10.50.0.0/25"]},
    "twice": {"peers": [{"node_id": "b", "node_pubkey": KEYS[2]}, {"node_id": "b", "node_pubkey": KEYS[3]}]},
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """In one sentence, which names the option; nothing is changed, and a secret is not shown."""
    register(node_id="a", node_pubkey=KEYS[0], next_pubkey=KEYS[1])
    before = snapshot()
    for dry in (True, False):
        if dry and name == "no key":
            continue        # check mode may foresee a node that has none yet
        with pytest.raises(GatewayError) as caught:
            register(dry, **REFUSED[name])
        assert "\n" not in caught.value.message and caught.value.option and "secret words" not in caught.value.message
        assert ";" in caught.value.message
    assert snapshot() == before


DAMAGE = {
    "a peer is gone": ["wg", "set", "wgh", "peer", KEYS[0], "remove"], "a peer too many": ["wg", "set", "wgh", "peer", KEYS[3]],
    "networks taken": ["wg", "set", "wgh", "peer", KEYS[0], "allowed-ips", ""], "the interface is gone": ["ip", "link", "delete", "wgh"],
    "rules are gone": ["ip", "rule", "delete", "protocol", "218"], "it does not forward": ["sysctl", "net.ipv4.conf.wgh.forwarding=0"],
    "IPv6 is not forwarded": ["sysctl", "net.ipv6.conf.all.forwarding=0"],
    "another address": ["ip", "address", "add", "10.99.0.1/24", "dev", "wgh"],
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_hub_is_repaired(name: str) -> None:
    """By hand or by another tool."""
    register(node_id="a", node_pubkey=KEYS[0])
    good = snapshot()[2:]
    with inside(HUB.name):
        sh(*DAMAGE[name])
    assert walk(peers=[])["changed"]
    assert allowed() == {KEYS[0]: "10.50.0.2/32,fd50::2/128"}
    with inside(HUB.name):
        assert sh("sysctl", "-n", "net.ipv4.conf.wgh.forwarding", "net.ipv6.conf.all.forwarding").split() == ["1", "1"]
    assert name == "the interface is gone" or snapshot()[2:] == good


def test_settings_change_in_place() -> None:
    """Another port, MTU or pool; the peers stay, with their addresses as far as these have room."""
    register(node_id="a", node_pubkey=KEYS[0])
    index = hub_mesh.index(HUB)
    assert walk(peers=[], hub={**SETTINGS, "listen_port": 51999, "mtu": 1380, "closed": False})["changed"]
    with inside(HUB.name):
        assert sh("wg", "show", "wgh", "listen-port") == "51999\n" and "mtu 1380" in sh("ip", "link", "show", "wgh")
        assert "proto 218" not in sh("ip", "rule")
    assert hub_mesh.index(HUB) == index and allowed() == {KEYS[0]: "10.50.0.2/32,fd50::2/128"}


def test_the_node_that_ansible_comes_from_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control node that is part of the mesh does not cut itself off; another one may go."""
    register(node_id="a", node_pubkey=KEYS[0])
    register(node_id="b", node_pubkey=KEYS[1])
    monkeypatch.setenv("SSH_CONNECTION", "10.50.0.2 40000 10.50.0.1 22")
    with pytest.raises(InvalidInput) as caught:
        register(node_id="a", state="absent")
    assert "10.50.0.2" in caught.value.message and len(allowed()) == 2
    assert register(node_id="b", state="absent").plan.removed == ["b"]


def test_a_pool_that_is_the_hosts_own_network() -> None:
    """Refused before anything is set up: the host would be cut off."""
    for dry in (True, False):
        with pytest.raises(InvalidInput) as caught:
            register(dry, peers=[], hub={**SETTINGS, "pools": ["192.0.2.0/24"]})
        assert "192.0.2.0/24" in caught.value.message
    assert hub_mesh.index(HUB) == 0


def test_somebody_elses_file_is_refused() -> None:
    """A hub set up by hand is not taken over."""
    HUB.config_dir.mkdir(parents=True)
    (HUB.config_dir / "wgh.conf").write_text("[Interface]\nPrivateKey = x\n")
    with pytest.raises(StateRefused):
        register(peers=[])


def test_a_lost_state_is_no_empty_one() -> None:
    """A damaged or missing list of nodes is refused, and the peers stay."""
    register(node_id="a", node_pubkey=KEYS[0])
    register(node_id="b", node_pubkey=KEYS[1])
    state = HUB.data_dir / "peers.json"
    for damage in (lambda: state.write_text(""), lambda: state.write_text('{"peers": [], "schema": 2}'), state.unlink):
        damage()
        with pytest.raises(StateRefused):
            register(peers=[])
        assert len(allowed()) == 2


def test_a_shared_key() -> None:
    """Both ends have it, it changes while the tunnel is up, and goes again; without it on one side there is no handshake."""
    first, second = (sh("wg", "genpsk").strip() for _ in range(2))
    enter(NODE_1, {"preshared_key": first}, preshared_key=first)
    assert answers(NODE_1, HUB_IPS[0]) and next(iter(peers().values()))["psk"] == first
    enter(NODE_1, {"preshared_key": second}, preshared_key=second)
    assert next(iter(peers(NODE_1).values()))["psk"] == second and answers(NODE_1, HUB_IPS[0])
    enter(NODE_1, {})
    assert next(iter(peers(NODE_1).values()))["psk"] == next(iter(peers().values()))["psk"] == "(none)"
    enter(NODE_2, {"preshared_key": first})
    assert not answers(NODE_2, HUB_IPS[0])


def test_a_pool_runs_out() -> None:
    """Said as such; an address that was given back is used again."""
    small = {**SETTINGS, "pools": ["10.50.0.0/30"]}
    register(hub=small, node_id="a", node_pubkey=KEYS[0])
    with pytest.raises(InvalidInput) as caught:
        register(hub=small, node_id="b", node_pubkey=KEYS[1])
    assert "no address of 10.50.0.0/30 is left" in caught.value.message
    register(hub=small, node_id="a", state="absent")
    assert register(hub=small, node_id="b", node_pubkey=KEYS[1]).plan.added == ["b"]


def test_a_key_is_made_once() -> None:
    """And never shown; an unreadable one is refused."""
    keys = make_key(NODE_1)
    assert len(keys["public_key"]) == 44 and not keys["next_public_key"] and make_key(NODE_1) == keys
    (NODE_1.config_dir / "wgn1.key").write_text("rubbish\n")
    with pytest.raises(StateRefused):
        make_key(NODE_1)

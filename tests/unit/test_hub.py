# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub of a mesh: its settings, who is registered, what each is told, and the edits of a task."""

from __future__ import annotations

import base64
import ipaddress
import random
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines.store import Store
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.answer import Answer
from ansible_collections.edge.gateway.plugins.module_utils.models.fields import as_written
from ansible_collections.edge.gateway.plugins.module_utils.models.hub import Hub, Registration, Registrations, reply_nodes
from ansible_collections.edge.gateway.plugins.module_utils.models.hub_edits import edit_of, state_of
from ansible_collections.edge.gateway.plugins.module_utils.models.target import Endpoint
from unit.samples import KEY, OTHER_KEY, refusal

SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="
ENDPOINT = "203.0.113.7:51820"


def key(number: int) -> str:
    """A key of its own for every number."""
    return base64.b64encode(bytes([7]) + number.to_bytes(31, "big")).decode()


def hub(*pools: str, **changes: Any) -> Hub:
    """A hub with these pools."""
    return Hub.parse({"pools": list(pools or ("10.50.0.0/24",)), "endpoint": ENDPOINT, **changes})


def node(name: str, number: int = 0, **changes: Any) -> Dict[str, Any]:
    """An entry of a task, whose key follows from the number in its name."""
    return {"node_id": name, "node_pubkey": key(number or int(name.strip("abcdefghijklmnopqrstuvwxyz-") or 1)), **changes}


def run(place: Hub, known: Registrations, *entries: Dict[str, Any], **options: Any) -> Registrations:
    """What a task with this list makes of the nodes."""
    return edit_of({"peers": list(entries), "max_removals": 3, **options}, place)(known)


def addresses(items: Registrations) -> Dict[str, str]:
    """The addresses by node."""
    return {name: ",".join(item.addresses) for name, item in items.items()}


def parsed(**changes: Any) -> Registration:
    """A registration that differs from a plain one in these fields."""
    return Registration.parse({"node_id": "n1", "node_pubkey": KEY, **changes})


FULL: Dict[str, Any] = {"node_id": "n1", "node_pubkey": KEY, "next_pubkey": OTHER_KEY, "node_ip": "10.50.0.9,fd50::9",
                        "preshared_key": SECRET,
                        "client_networks": ["198.51.100.0/24", "2001:db8::/32"], "replies": True}


@pytest.mark.parametrize(("pools", "own"), [
    (["10.50.0.0/24"], ("10.50.0.1",)), (["10.50.0.7/24"], ("10.50.0.1",)), (["10.50.0.4/30"], ("10.50.0.5",)),
    (["fd50::/64"], ("fd50::1",)), (["fd50::4/126"], ("fd50::5",)), (["fd50::/64", "10.50.0.0/24"], ("10.50.0.1", "fd50::1")),
    ("10.50.0.0/24, fd50::/64", ("10.50.0.1", "fd50::1")), (["10.50.0.0/24", "10.50.0.9/24"], ("10.50.0.1",)),
])
def test_the_hub_has_the_first_address_of_each_pool(pools: object, own: object) -> None:
    """Whatever the order and the notation."""
    assert Hub.parse({"pools": pools}).own == own


@pytest.mark.parametrize("pools", [
    None, [], "", "x", 5, {"a": 1}, [None], [["10.50.0.0/24"]], ["10.50.0.0/24\n"], "10.50.0.0/24,", ["10.50.0.0/24"] * 65,
    ["10.50.0.0/31"], ["10.50.0.0/32"], ["10.50.0.1"], ["fd50::/127"], ["fd50::1"],
    ["10.50.0.0/24", "10.60.0.0/24"], ["fd50::/64", "fd60::/64"], ["10.50.0.0/24", "fd50::/64", "10.60.0.0/24"],
    ["0.0.0.0/0"], ["::/0"], ["127.0.0.0/8"], ["169.254.0.0/16"], ["224.0.0.0/4"], ["fe80::/64"], ["ff00::/8"],
])
def test_pools_refused(pools: object) -> None:
    """None, two of one version, no room for a node, and addresses that never leave a host."""
    with pytest.raises(InvalidInput) as caught:
        Hub.parse({"pools": pools})
    assert caught.value.option == "hub.pools"
    refusal(Hub.parse, {"pools": pools})


@pytest.mark.parametrize("changes", [
    {"interface": "wg0\n"}, {"interface": "../x"}, {"endpoint": "203.0.113.7"}, {"endpoint": "203.0.113.7:51820\nPostUp = x"},
    {"endpoint": "127.0.0.1:51820"}, {"listen_port": 65536}, {"listen_port": True}, {"listen_port": "51820\n"}, {"mtu": 1279},
    {"mtu": 9001},
    {"mtu": True}, {"closed": "maybe"}, {"closed": 1}, {"closed": None}, {"pool": ["10.0.0.0/8"]}, {"private_key": SECRET},
])
def test_settings_refused(changes: Dict[str, Any]) -> None:
    """Of a task or of hub.json; a setting of another version is named, and not what it says."""
    message = refusal(Hub.parse, {"pools": ["10.50.0.0/24"], **changes})
    assert SECRET not in message and next(iter(changes)) in message


@pytest.mark.parametrize(("networks", "routes", "way_in"), [
    (["10.50.0.77/24"], set(), None), (["10.0.0.1/8"], set(), None), (["fd50::9/48"], set(), None), ([], {"10.50.0.0/24"}, None),
    ([], set(), "10.50.0.9"), ([], set(), "fd50::9"),
])
def test_a_hub_does_not_take_over_its_own_host(networks: List[str], routes: Any, way_in: Optional[str]) -> None:
    """Its networks, its routes, and where Ansible comes from."""
    place = hub("10.50.0.0/24", "fd50::/64")
    assert "hub.pools" in refusal(place.check_place, networks, routes, way_in)
    place.check_place(["192.0.2.1/24", "127.0.0.1/8", "2001:db8::1/64"], {"10.0.0.0/8"}, "198.51.100.7")


def test_the_lowest_free_address() -> None:
    """Of each pool, in the order of the list, and never the hub's own; a hole is filled first."""
    place = hub("10.50.0.0/29", "fd50::/64")
    first = run(place, {}, node("n3"), node("n1"), node("n2"))
    assert addresses(first) == {"n1": "10.50.0.3,fd50::3", "n2": "10.50.0.4,fd50::4", "n3": "10.50.0.2,fd50::2"}
    second = run(place, first, {"node_id": "n1", "state": "absent"}, node("n4"))
    assert addresses(second) == {**addresses({name: first[name] for name in ("n2", "n3")}), "n4": "10.50.0.3,fd50::3"}


def test_an_address_stays() -> None:
    """Another key, a lost neighbour, another order, a repetition: none of it moves a node."""
    place = hub()
    items = run(place, {}, node("n1"), node("n2"), node("n3"))
    assert run(place, items, node("n3"), node("n2"), node("n1")) == items
    again = run(place, items, node("n2", 9), {"node_id": "n1", "state": "absent"})
    assert addresses(again) == {"n2": "10.50.0.3", "n3": "10.50.0.4"} and again["n2"].public_key == key(9)


def test_a_full_pool() -> None:
    """A /30 has room for the hub and one node, and an address that is given back is free in the same run."""
    place = hub("10.50.0.0/30")
    items = run(place, {}, node("n1"))
    assert addresses(items) == {"n1": "10.50.0.2"}
    assert "10.50.0.0/30" in refusal(run, place, items, node("n2"))
    assert addresses(run(place, items, node("n2"), {"node_id": "n1", "state": "absent"})) == {"n2": "10.50.0.2"}
    assert addresses(run(place, items, node("n2"), purge=True)) == {"n2": "10.50.0.2"}


@pytest.mark.parametrize(("wish", "given"), [
    ("10.50.0.77", "10.50.0.77,fd50::2"), ("10.50.0.77/32", "10.50.0.77,fd50::2"), ("FD50:0::77", "10.50.0.2,fd50::77"),
    ("fd50::77,10.50.0.77", "10.50.0.77,fd50::77"), (["10.50.0.77", "fd50::77"], "10.50.0.77,fd50::77"), ("", "10.50.0.2,fd50::2"),
    (None, "10.50.0.2,fd50::2"), ("fd50::ffff:0:0:1", "10.50.0.2,fd50::ffff:0:0:1"),
])
def test_a_wished_address(wish: object, given: str) -> None:
    """What is left open comes from the pool."""
    assert addresses(run(hub("10.50.0.0/24", "fd50::/64"), {}, node("n1", node_ip=wish))) == {"n1": given}


@pytest.mark.parametrize("wish", [
    "10.50.0.1", "fd50::1", "10.50.0.5", "fd50::5", "10.60.0.5", "fd60::5", "10.50.0.77,fd60::5", "10.50.0.0", "10.50.0.255", "fd50::",
    "10.50.0.77,10.50.0.78", "10.50.0.0/24", "10.50.0.77\n", "10.50.0.077", "fe80::1%\nPostUp = x", "127.0.0.1", "::ffff:10.50.0.77", 5,
    True, {"a": 1}, ["10.50.0.77", None], [["10.50.0.77"]], "10.50.0.77,", "10.50.0.77,fd50::77,fd50::78",
])
def test_a_wished_address_refused(wish: object) -> None:
    """The hub's, another node's, one outside, one that means the whole network, and rubbish."""
    place = hub("10.50.0.0/24", "fd50::/64")
    known = run(place, {}, node("n5", node_ip="10.50.0.5,fd50::5"))
    assert "node_ip" in refusal(run, place, known, node("n1", node_ip=wish))


def test_wishes_among_themselves() -> None:
    """Whoever wishes an address is asked first; two nodes may swap in either order; two cannot wish the same."""
    place = hub()
    assert addresses(run(place, {}, node("n1"), node("n2", node_ip="10.50.0.2"))) == {"n1": "10.50.0.3", "n2": "10.50.0.2"}
    known = run(place, {}, node("n1"), node("n2"))
    swap = [node("n1", node_ip="10.50.0.3"), node("n2", node_ip="10.50.0.2")]
    assert addresses(run(place, known, *swap)) == addresses(run(place, known, *reversed(swap))) == {"n1": "10.50.0.3", "n2": "10.50.0.2"}
    for pair in (swap[:1], [node("n3", node_ip="10.50.0.9"), node("n4", node_ip="10.50.0.9")]):
        refusal(run, place, known, *pair)
        refusal(run, place, known, *reversed(pair))


def test_a_node_that_wishes_one_version_keeps_the_other() -> None:
    place = hub("10.50.0.0/24", "fd50::/64")
    known = run(place, {}, node("n1"), node("n2"))
    moved = run(place, known, node("n3"), node("n1", node_ip="10.50.0.9"))
    assert addresses(moved) == {"n1": "10.50.0.9,fd50::2", "n2": "10.50.0.3,fd50::3", "n3": "10.50.0.2,fd50::4"}
    lower_is_free = run(place, known, node("n2", node_ip="10.50.0.9"), {"node_id": "n1", "state": "absent"})
    assert addresses(lower_is_free) == {"n2": "10.50.0.9,fd50::3"}


@pytest.mark.parametrize("pools", [["10.50.0.0/24"], ["10.50.1.0/24"], ["10.50.0.0/30", "fd50::/64"], ["10.60.0.0/24"], ["10.50.0.128/25"]])
def test_other_pools(pools: List[str]) -> None:
    """A node keeps what still fits, and never gets an address that has become the hub's own, or everyone's."""
    wide = hub("10.50.0.0/16")
    known = run(wide, {}, node("n1"), node("n2", node_ip="10.50.1.1"), node("n3", node_ip="10.50.0.3"), node("n4", node_ip="10.50.0.129"),
                node("n5", node_ip="10.50.0.255"), node("n6", node_ip="10.50.1.0"))
    place = hub(*pools)
    for name, item in known.items():
        after = run(place, {name: item}, node(name), purge=True)[name]
        assert not set(after.addresses) & set(place.own)
        for pool, address in zip(place.networks, after.addresses):
            assert ipaddress.ip_address(address) in pool
            assert ipaddress.ip_address(address) not in (pool.network_address, pool.broadcast_address)
        kept = item.addresses[0] in after.addresses
        old = ipaddress.ip_address(item.addresses[0])
        assert kept == any(old in pool and old not in (pool.network_address, pool.broadcast_address) for pool in place.networks
                           if str(old) not in place.own)


def test_a_large_pool_is_not_walked_through() -> None:
    """An IPv6 /8 has more addresses than there is time, be it full at its beginning."""
    place = hub("fd00::/8")
    known = run(place, {}, *(node(f"n{number}") for number in range(1, 300)))
    assert addresses(run(place, known, node("n300")))["n300"] == "fd00::12d"


@pytest.mark.parametrize(("others", "clash"), [
    ([node("n2", 1)], "node_pubkey"), ([node("n2", 2, next_pubkey=key(1))], "next_pubkey"), ([node("a-1", 2, next_pubkey=key(1))],
                                                                                             "node_pubkey"),
    ([node("n2", 2, next_pubkey=key(9)), node("n3", 3, next_pubkey=key(9))], "next_pubkey"), ([node("n2", 99)], "node_pubkey"),
    ([node("n2", 2, next_pubkey=key(99))], "next_pubkey"),
])
def test_every_node_needs_its_own_key(others: List[Dict[str, Any]], clash: str) -> None:
    """Also against the next keys, and the hub's own; two peers of one key would be one."""
    place = hub()
    items = run(place, {}, node("n1"), *others)
    with pytest.raises(InvalidInput) as caught:
        place.check(items, key(99))
    assert caught.value.option == clash
    refusal(place.check, items, key(99))


def test_keys_that_go_together() -> None:
    """Before the hub has a key, nobody can have it; nodes without a key yet are no clash; a next key may become the key."""
    place = hub()
    place.check(run(place, {}, node("n1", next_pubkey=key(2)), node("n3")), "")
    nameless = run(place, {}, {"node_id": "n1"}, {"node_id": "n2", "node_pubkey": ""})
    place.check(nameless, "")
    assert place.config(nameless).peers == ()
    before = run(place, {}, node("n1", next_pubkey=key(2)))
    after = run(place, before, node("n1", 2))
    place.check(after, key(99))
    assert after["n1"].public_key == key(2) and not after["n1"].next_public_key and addresses(after) == addresses(before)
    assert "present key" in refusal(run, place, before, node("n1", 1, next_pubkey=key(1)))


def test_one_address_twice_in_the_state() -> None:
    """Only a hand can have written that; both nodes are named, and registering one of them anew mends it."""
    place = hub()
    items = {name: Registration(name, key(number), ("10.50.0.2",)) for number, name in enumerate(("n1", "n2"), 1)}
    message = refusal(place.check, items, "")
    assert "n1" in message and "n2" in message and "10.50.0.2" in message
    place.check(run(place, items, node("n2")), "")


@pytest.mark.parametrize(("one", "other", "fine"), [
    (["198.51.100.0/24"], ["203.0.113.0/24"], True), (["198.51.100.0/24"], ["2001:db8::/32"], True), (["0.0.0.0/0"], ["::/0"], True),
    (["0.0.0.0/0", "198.51.100.0/24"], [], True), (["10.0.0.0/8"], [], True), (["198.51.100.0/24"], ["198.51.100.0/24"], False),
    (["0.0.0.0/0"], ["198.51.100.0/24"], False), (["198.51.100.7/32"], ["198.51.100.0/24"], False), (["10.50.0.0/24"], [], False),
    (["10.50.0.77/32"], [], False), (["fd50::5"], [], False), (["203.0.113.0/24", "10.50.0.128/25"], [], False),
])
def test_client_networks(one: List[str], other: List[str], fine: bool) -> None:
    """The hub can send an answer one way only; the mesh itself is nobody's clients."""
    place = hub("10.50.0.0/24", "fd50::/64")
    items = run(place, {}, node("n1", client_networks=one), node("n2", client_networks=other))
    if fine:
        place.check(items, "")
        assert "needs a closed hub" in refusal(hub(closed=False).check, items, "")
    else:
        assert "client_networks" in refusal(place.check, items, "")


def test_an_overlap_names_both_nodes_and_networks() -> None:
    place = hub()
    message = refusal(place.check, run(place, {}, node("n1", client_networks=["0.0.0.0/0"]),
                                       node("n2", client_networks=["198.51.100.0/24"])), "")
    assert all(word in message for word in ("n1", "n2", "0.0.0.0/0", "198.51.100.0/24"))


@pytest.mark.parametrize(("field", "value"), [
    *[(field, value) for field in ("node_id", "node_pubkey", "next_pubkey", "node_ip", "preshared_key", "client_networks", "replies")
      for value in (5, {"a": 1}, ["\n"], "a b\n", "\ud800")],
    ("node_id", None), ("node_id", ""), ("node_id", "a/b"), ("node_id", "x" * 64), ("node_pubkey", "A" * 43 + "="), ("node_pubkey",
                                                                                                                     KEY + "\n"),
    ("next_pubkey", KEY), ("preshared_key", SECRET + "\n"), ("preshared_key", "A" * 43 + "="), ("client_networks",
                                                                                                ["198.51.100.0/24"] * 65),
    ("client_networks", ["fe80::1%\nx/64"]), ("client_networks", ["x"]), ("replies", "maybe"), ("replies", 2), ("replies", ["x"]),
])
def test_registration_refused(field: str, value: object) -> None:
    """A task and peers.json are both validated; the entry of the list is named, a secret is not."""
    with pytest.raises(InvalidInput) as caught:
        Registration.parse({"node_id": "n1", "node_pubkey": KEY, field: value}, "peers[3].")
    assert caught.value.option == f"peers[3].{field}"
    message = refusal(Registration.parse, {"node_id": "n1", "node_pubkey": KEY, field: value})
    if field == "preshared_key":
        assert str(value).strip() not in message


@pytest.mark.parametrize("changes", [{}, FULL, {"client_networks": "198.51.100.9/24"}, {"node_pubkey": None},
                                     {"node_ip": "fd50::9,10.50.0.9"}])
def test_registration_round_trip(changes: Dict[str, Any]) -> None:
    """What is written is read back as the same node, by the rule that nothing unknown is dropped."""
    item = parsed(**changes)
    assert Registration.parse(item.as_dict()) == item and as_written(item.as_dict(), Registration.parse(item.as_dict()).as_dict())


def test_the_state_file(tmp_path: Path) -> None:
    """Through the store: the same nodes again; what this version would not write is refused, and no secret told."""
    store = Store(Host(), str(tmp_path / "state"), "peers.json", "peers")
    items = run(hub("10.50.0.0/24", "fd50::/64"), {}, node("n2"), FULL)
    store.save(state_of(items))
    assert store.load(Registration.parse, lambda item: item.node_id) == items
    changes: List[Dict[str, Any]] = [
        {"node_ip": "10.50.0.9/32"}, {"node_ip": "fd50::9,10.50.0.9"}, {"client_networks": "198.51.100.0/24"}, {"replies": None},
        {"allow": []}, {"replies": 1}, {"node_id": "n3\n"}, {"preshared_key": SECRET + "\n"}, {"node_ip": ["10.50.0.9"]}]
    for change in changes:
        store.save([{**FULL, **change}])
        with pytest.raises(StateRefused) as caught:
            store.load(Registration.parse, lambda item: item.node_id)
        assert SECRET not in caught.value.message


def test_a_secret_is_never_shown() -> None:
    """Neither in what a module returns, nor in the diff, nor in a message; a change of it shows all the same."""
    item, other = parsed(**FULL), parsed(**{**FULL, "preshared_key": OTHER_KEY})
    for text in (str(item), str(item.shown()), str(hub("10.50.0.0/24", "fd50::/64").answer(item, {"n1": item}, KEY, None))):
        assert SECRET not in text
    assert item.shown()["preshared"] and "preshared_key" not in item.shown() and not parsed().shown()["preshared"]
    assert str(item) != str(other)
    for place in (hub(), hub(closed=False), hub("10.60.0.0/24")):
        for known in ({}, {"n9": parsed(**FULL)}):
            try:
                place.check(run(place, known, FULL, node("n2", next_pubkey=KEY)), "")
            except InvalidInput as problem:
                assert SECRET not in problem.message


def test_description_shows_everything_that_can_change() -> None:
    """A diff must show a difference in every option."""
    base = str(parsed())
    for change in FULL.items():
        assert change[0] in ("node_id", "node_pubkey") or str(parsed(**dict([change]))) != base, change
    assert str(parsed(node_pubkey=OTHER_KEY)) != base != str(parsed(node_pubkey=None))


def test_the_interface() -> None:
    """Each address and network belongs to one peer; a next key has none yet, but the shared key."""
    place = hub("10.50.0.0/24", "fd50::/64", mtu=1400, listen_port=51821)
    config = place.config(run(place, {}, node("n2"), FULL))
    assert config.addresses == ("10.50.0.1/24", "fd50::1/64") and (config.mtu, config.listen_port) == (1400, 51821)
    assert [(peer.public_key, peer.allowed_ips, peer.preshared_key) for peer in config.peers] == [
        (KEY, ("10.50.0.9/32", "198.51.100.0/24", "2001:db8::/32", "fd50::9/128"), SECRET), (OTHER_KEY, (), SECRET),
        (key(2), ("10.50.0.2/32", "fd50::2/128"), "")]
    assert not any(peer.endpoint or peer.keepalive for peer in config.peers)


@pytest.mark.parametrize(("own_key", "addressed", "where", "told"), [
    (KEY, True, None, ENDPOINT), (KEY, True, Endpoint("hub.example", 5), "hub.example:5"), (KEY, True, Endpoint("2001:db8::1", 5),
                                                                                            "[2001:db8::1]:5"),
    ("", True, None, None), (KEY, False, None, None), ("", True, Endpoint("hub.example", 5), None),
])
def test_the_answer(own_key: str, addressed: bool, where: Optional[Endpoint], told: Optional[str]) -> None:
    """Empty while the hub has no key; else what the node's own parser takes."""
    item = parsed(node_ip="10.50.0.9" if addressed else "")
    answer = hub().answer(item, {"n1": item}, own_key, where)
    assert answer == ({"node_ip": "10.50.0.9", "controller_pubkey": KEY, "endpoint": told, "allowed_ips": ["10.50.0.0/24"]} if told else {})
    assert not told or Answer.parse(answer).as_dict() == answer


def test_the_answer_without_an_endpoint() -> None:
    """Nobody knows where; but check mode, which has no answer anyway, needs none."""
    place, item = hub(endpoint=None), parsed(node_ip="10.50.0.9")
    assert "endpoint" in refusal(place.answer, item, {}, KEY, None)
    assert place.answer(item, {}, "", None) == {}
    assert place.answer(item, {}, KEY, Endpoint("203.0.113.9", 5))["endpoint"] == "203.0.113.9:5"


def test_only_an_edge_is_told_of_clients_and_of_nodes_that_reply() -> None:
    """And what it is told comes through its own parser unchanged, be they hundreds."""
    place = hub("10.50.0.0/16", "fd50::/64")
    items = run(place, {}, *(node(f"n{number}", replies=number % 2 == 1) for number in range(1, 601)),
                node("edge-1", 5000, client_networks=["0.0.0.0/0"]))
    told = place.answer(items["edge-1"], items, KEY, None)
    assert told["client_networks"] == ["0.0.0.0/0"] and told["reply_nodes"] == reply_nodes(items) and len(told["reply_nodes"]) == 600
    assert Answer.parse(told).as_dict() == told
    assert "reply_nodes" not in place.answer(items["n1"], items, KEY, None)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_one_node(state: str) -> None:
    """Without a list; removing one that is not known changes nothing."""
    params = {**node("n1", state=state), "peers": None, "purge": False, "max_removals": 3, "endpoint": ENDPOINT}
    other = run(hub(), {}, node("n2", 2, node_ip="10.50.0.2"))
    assert addresses(edit_of(params, hub())(other)) == {**({"n1": "10.50.0.3"} if state == "present" else {}), "n2": "10.50.0.2"}
    known = run(hub(), other, node("n1"))
    assert set(edit_of(params, hub())(known)) == ({"n1", "n2"} if state == "present" else {"n2"})
    assert list(other) == ["n2"]


@pytest.mark.parametrize("params", [
    {}, {"node_id": None}, {"node_id": ""}, {"node_id": 5}, {"node_id": "n1", "purge": True}, {"peers": [{}]},
    {"peers": [{"node_id": None}]},
    {"peers": [node("n1"), node("n1", 2)]}, {"peers": [node("n1"), {"node_id": "n1", "state": "absent"}]},
    {"peers": [{"node_id": "n1", "state": "absent"}] * 2}, {"peers": [{"node_id": "n1", "state": "absent"}, node("n1")]},
    {"peers": [{"node_id": "a b", "state": "absent"}]},
    *({"peers": [node("n1")], **stray} for stray in (
        {"state": "absent"}, {"preshared_key": SECRET}, {"client_networks": ["0.0.0.0/0"]}, {"node_ip": "10.50.0.9"}, {"replies": True},
        {"next_pubkey": KEY}, {"node_pubkey": KEY}, {"node_id": "n2"}, {"endpoint": ENDPOINT})),
])
def test_task_refused(params: Dict[str, Any]) -> None:
    """Nobody named, one named twice, purge without a list, and options of one node beside a list, which would say nothing."""
    message = refusal(edit_of, {"max_removals": 3, **params}, hub())
    assert SECRET not in message and (params or "peers" in message)


def test_an_empty_list_changes_nothing_but_with_purge() -> None:
    place = hub()
    known = run(place, {}, node("n1"), node("n2"))
    assert run(place, known) == known and run(place, known, purge=True) == {} and run(place, {}, purge=True) == {}


@pytest.mark.parametrize(("limit", "fine"), [(0, False), (3, False), (4, True), ("4", True), (1_000_000, True)])
@pytest.mark.parametrize("by_purge", [True, False])
def test_many_removals(limit: object, fine: bool, by_purge: bool) -> None:
    """A list that came out short must not empty the mesh; what is changed or was never there does not count."""
    place = hub()
    known = run(place, {}, *(node(f"n{number}") for number in range(1, 6)))
    entries = [node("n1", 9), {"node_id": "n77", "state": "absent"}]
    entries += [] if by_purge else [{"node_id": f"n{number}", "state": "absent"} for number in range(2, 6)]
    if fine:
        assert set(run(place, known, *entries, purge=by_purge, max_removals=limit)) == {"n1"}
    else:
        edit = edit_of({"peers": entries, "purge": by_purge, "max_removals": limit}, place)
        assert "4 nodes (n2, n3, n4, ...)" in refusal(edit, known)


@pytest.mark.parametrize("limit", [-1, True, "3\n", None, 3.0])
def test_a_limit_that_is_none(limit: object) -> None:
    """Must not count as no limit."""
    assert "whole number" in refusal(edit_of({"peers": [], "purge": True, "max_removals": limit}, hub()), {})


@pytest.mark.parametrize("seed", range(12))
def test_any_edits(seed: int) -> None:
    """Whatever comes and goes: addresses are unique, in the pools, and stay; no network belongs to two peers."""
    chance = random.Random(seed)
    place = hub("10.50.0.0/27", "fd50::/64")
    items: Registrations = {}
    for _turn in range(40):
        entries: List[Dict[str, Any]] = []
        for number in chance.sample(range(1, 30), chance.randint(0, 8)):
            entry = node(f"n{number}", number + 100 * chance.randint(0, 3))
            entry.update({"state": "absent"} if chance.random() < 0.3 else {})
            entry.update({"node_ip": chance.choice(["10.50.0.", "fd50::"]) + str(chance.randint(1, 30))} if chance.random() < 0.2 else {})
            entry.update({"client_networks": [f"198.51.{number}.0/24"], "next_pubkey": key(number + 1000)} if chance.random() < 0.2 else {})
            entries.append(entry)
        try:
            after = run(place, items, *entries, purge=chance.random() < 0.05, max_removals=100)
        except InvalidInput as problem:
            assert problem.option == "node_ip"
            continue
        place.check(after, key(99_999))
        for entry in entries:
            name = entry["node_id"]
            if name in items and name in after and "node_ip" not in entry:
                assert after[name].addresses == items[name].addresses
        given = [address for item in after.values() for address in item.addresses]
        assert len(given) == len({*given}) == 2 * len(after) and not {*given} & {*place.own}
        assert all(any(ipaddress.ip_address(address) in pool for pool in place.networks) for address in given)
        allowed = [network for peer in place.config(after).peers for network in peer.allowed_ips]
        assert len(allowed) == len(set(allowed))
        items = after
        assert run(place, items, *map(Registration.as_dict, items.values()), purge=True) == items

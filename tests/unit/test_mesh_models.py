# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh without a controller, as pure values: addresses, keys, clients with their own address, and the routing that they need."""

from __future__ import annotations

import base64
import random
from typing import Any, Dict, List, Optional

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import routing
from ansible_collections.edge.gateway.plugins.module_utils.models import hub_edits, join_rules, shared_key
from ansible_collections.edge.gateway.plugins.module_utils.models.answer import Answer
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.forward_rules import check_replies, reply_networks
from ansible_collections.edge.gateway.plugins.module_utils.models.hub import Hub, Registration, Registrations
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership, edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.target import endpoint
from ansible_collections.edge.gateway.plugins.module_utils.models.tunnel import hub_routing, node_routing, slot
from unit.samples import ANSWER, KEY, OTHER_KEY, refusal

POOLS = ["10.50.0.0/24", "fd50::/64"]
TASK: Dict[str, Any] = {"peers": None, "purge": False, "max_removals": 3}


def key(number: int) -> str:
    """A key of its own for each number."""
    return base64.b64encode(number.to_bytes(32, "big")).decode()


def hub(**changes: Any) -> Hub:
    """A hub of both IP versions."""
    return Hub.parse({"pools": POOLS, "endpoint": "hub.example:51820", **changes})


def registered(current: Registrations, settings: Optional[Hub] = None, **params: Any) -> Registrations:
    """The nodes after one run."""
    return hub_edits.edit_of({**TASK, **params}, settings or hub())(current)


def addresses(items: Registrations) -> List[str]:
    """All of them, in the order of the nodes."""
    return [address for _name, item in sorted(items.items()) for address in item.addresses]


@pytest.mark.parametrize(("node_ip", "expected"), [
    ("10.50.0.5", ("10.50.0.5",)), ("fd50::5", ("fd50::5",)), ("fd50::5, 10.50.0.5", ("10.50.0.5", "fd50::5")),
    (["FD50::5/128", "10.50.0.5/32"], ("10.50.0.5", "fd50::5")),
])
def test_an_answer_of_both_versions(node_ip: Any, expected: Any) -> None:
    """One address for each IP version, the IPv4 one first; it is kept as it came."""
    answer = Answer.parse({**ANSWER, "node_ip": node_ip})
    assert answer.addresses == expected and answer.node_ip == expected[0] and Answer.parse(answer.as_dict()) == answer


@pytest.mark.parametrize("node_ip", ["10.50.0.5,10.50.0.6", "fd50::5,fd50::6", "10.50.0.5,", ",", "10.50.0.5,fd50::5,fd50::6",
                                     ["10.50.0.5", 5],
                                     "10.50.0.5\n,fd50::5", {"a": 1}, ["10.50.0.0/24"]])
def test_too_many_addresses(node_ip: Any) -> None:
    """Two of one version, or something that is none."""
    refusal(Answer.parse, {**ANSWER, "node_ip": node_ip})


def test_the_lowest_free_address() -> None:
    """The hub has the first of each pool; what is given back is used again, and nobody's changes."""
    items = registered({}, node_id="a", node_pubkey=key(1))
    items = registered(items, node_id="b", node_pubkey=key(2))
    assert addresses(items) == ["10.50.0.2", "fd50::2", "10.50.0.3", "fd50::3"]
    items = registered(registered(items, node_id="a", state="absent"), node_id="c", node_pubkey=key(3))
    assert addresses(items) == ["10.50.0.3", "fd50::3", "10.50.0.2", "fd50::2"]
    assert registered(items, node_id="b", node_pubkey=key(9))["b"].addresses == items["b"].addresses
    assert addresses(registered(items, hub(pools=["10.50.0.0/16", "fd50::/64"]), peers=[])) == addresses(items)


def test_a_wish_is_granted_before_the_pool() -> None:
    """In one run, whatever the order of the list."""
    items = registered({}, peers=[{"node_id": "a", "node_pubkey": key(1)}, {"node_id": "b", "node_pubkey": key(2), "node_ip": "10.50.0.2"}])
    assert items["b"].addresses[0] == "10.50.0.2" and items["a"].addresses[0] == "10.50.0.3"


@pytest.mark.parametrize(("pools", "fits"), [
    (["10.50.0.0/30"], True), (["10.50.0.0/31"], False), (["10.50.0.1/32"], False), (["fd50::/126"], True), (["fd50::/127"], False),
    (["10.50.0.0/24", "10.60.0.0/24"], False), ([], False), (["fd50::/8"], True), (["0.0.0.0/0"], False),
])
def test_pools(pools: List[str], fits: bool) -> None:
    """One for each version, with room for a node; a huge one is not walked through."""
    if fits:
        items = registered({}, hub(pools=pools), node_id="a", node_pubkey=key(1))
        assert len(items["a"].addresses) == len(pools) and hub(pools=pools).own[0] not in items["a"].addresses
    else:
        refusal(Hub.parse, {"pools": pools})


def test_random_lives_of_a_mesh() -> None:
    """Whatever comes and goes: addresses are single, stable and of the pools, and every network belongs to one peer."""
    dice = random.Random(7)
    settings = hub()
    items: Registrations = {}
    for number in range(300):
        name = f"n{dice.randrange(40)}"
        before = dict(items)
        items = registered(items, settings, node_id=name, state="absent") if dice.random() < 0.3 else \
            registered(items, settings, node_id=name, node_pubkey=key(number + 1))
        settings.check(items, key(100_000))
        used = addresses(items)
        assert len(set(used)) == len(used) and not set(used) & set(settings.own)
        assert all(items[other].addresses == before[other].addresses for other in before if other in items)
        networks = [network for peer in settings.config(items).peers for network in peer.allowed_ips]
        assert len(set(networks)) == len(networks)


def test_the_next_key() -> None:
    """Known, but without networks; with it the node comes back as itself, and the old key is gone."""
    items = registered({}, node_id="a", node_pubkey=key(1), next_pubkey=key(2))
    first, second = hub().config(items).peers
    assert (first.public_key, second.public_key, second.allowed_ips) == (key(1), key(2), ()) and first.allowed_ips
    after = registered(items, node_id="a", node_pubkey=key(2))
    peer, = hub().config(after).peers
    assert (peer.public_key, peer.allowed_ips) == (key(2), first.allowed_ips)
    back, = hub().config(registered(items, node_id="a", node_pubkey=key(1))).peers
    assert back == first


CLASHES = {
    "one key twice": {"b": Registration("b", key(1))},
    "a next key that another has": {"b": Registration("b", key(3), next_public_key=key(1))},
    "a key that another will have": {"b": Registration("b", key(2))}, "the hub's own": {"b": Registration("b", key(9))},
    "clients twice": {"b": Registration("b", key(3), client_networks=("203.0.113.0/24",))},
    "clients of the mesh": {"b": Registration("b", key(3), client_networks=("10.50.0.128/25",))},
}


@pytest.mark.parametrize("name", CLASHES)
def test_what_cannot_stand_together(name: str) -> None:
    """Each names the node and the option."""
    there = {"a": Registration("a", key(1), next_public_key=key(2), client_networks=("0.0.0.0/0",))}
    assert "b" in refusal(hub().check, {**there, **CLASHES[name]}, key(9))
    hub().check(there, key(9))


@pytest.mark.parametrize(("networks", "routes", "way_in"), [
    (["10.50.0.77/24"], set(), None), (["10.0.0.1/8"], set(), None), (["fd50::9/48"], set(), None), ([], {"10.50.0.0/24"}, None),
    ([], set(), "10.50.0.9"), ([], set(), "fd50::9"),
])
def test_a_hub_does_not_take_over_its_own_host(networks: List[str], routes: Any, way_in: Optional[str]) -> None:
    """Its networks, its routes, and where Ansible comes from."""
    assert "hub.pools" in refusal(hub().check_place, networks, routes, way_in)
    hub().check_place(["192.0.2.1/24", "127.0.0.1/8", "2001:db8::1/64"], {"10.0.0.0/8"}, "198.51.100.7")


@pytest.mark.parametrize("pool", ["127.0.0.0/8", "224.0.0.0/8", "169.254.0.0/16", "fe80::/64", "ff00::/8", "0.0.0.0/8"])
def test_pools_that_no_node_can_have(pool: str) -> None:
    """Loopback, link-local, multicast and nobody's addresses."""
    refusal(Hub.parse, {"pools": [pool]})


@pytest.mark.parametrize("address", ["10.50.0.0", "10.50.0.255", "fd50::"])
def test_an_address_that_means_the_whole_network(address: str) -> None:
    """The kernel takes it for itself, or for everyone."""
    refusal(registered_with, address)


def registered_with(address: str) -> Registrations:
    """A node that wishes this address."""
    return registered({}, node_id="a", node_pubkey=key(1), node_ip=address)


def test_two_nodes_change_places() -> None:
    """In one run, what one leaves the other may have."""
    items = registered({}, peers=[{"node_id": "a", "node_pubkey": key(1)}, {"node_id": "b", "node_pubkey": key(2)}])
    one, other = items["a"].addresses, items["b"].addresses
    swapped = registered(items, peers=[{"node_id": "a", "node_pubkey": key(1), "node_ip": ",".join(other)},
                                       {"node_id": "b", "node_pubkey": key(2), "node_ip": ",".join(one)}])
    assert (swapped["a"].addresses, swapped["b"].addresses) == (other, one)


def test_the_hub_has_moved_to_a_nodes_address() -> None:
    """With other pools: the node is given another one."""
    items = registered({}, node_id="a", node_pubkey=key(1), node_ip="10.50.0.129")
    moved = hub(pools=["10.50.0.128/25", "fd50::/64"])
    assert moved.own[0] == "10.50.0.129" and registered(items, moved, node_id="a", node_pubkey=key(1))["a"].addresses[0] == "10.50.0.130"


def test_networks_of_one_edge_may_overlap() -> None:
    """They lead to the same peer."""
    hub().check({"a": Registration("a", key(1), client_networks=("10.0.0.0/8", "10.1.0.0/16"))}, "")


def test_addresses_of_a_state_file_are_single() -> None:
    """Somebody has edited it."""
    items = {name: Registration(name, key(number + 1), ("10.50.0.9",)) for number, name in enumerate("ab")}
    assert "10.50.0.9" in refusal(hub().check, items, "")


def test_clients_and_a_default_route_by_an_answer() -> None:
    """The same refusal, whoever says that everything goes through the tunnel."""
    item = Membership.parse({"node_id": "e", "controller_url": "http://h", "client_networks": ["0.0.0.0/0"]})
    refusal(item.answered, Answer.parse({**ANSWER, "allowed_ips": "0.0.0.0/0"}))


def test_an_open_hub_takes_no_clients() -> None:
    """It routes by the host's own table, which knows nothing of them."""
    items = {"a": Registration("a", key(1), client_networks=("0.0.0.0/0",))}
    assert "closed" in refusal(hub(closed=False).check, items, "")


def test_what_a_node_is_told() -> None:
    """As a controller would; nothing before the hub has a key; an edge is told of the nodes that answer back."""
    items = registered({}, peers=[{"node_id": "edge", "node_pubkey": key(1), "client_networks": ["0.0.0.0/0"]},
                                  {"node_id": "node", "node_pubkey": key(2), "replies": True}])
    told = hub().answer(items["edge"], items, KEY, None)
    answer = Answer.parse(told)
    assert str(answer.endpoint) == "hub.example:51820" and answer.allowed_ips == ("10.50.0.0/24", "fd50::/64")
    assert answer.reply_nodes == ("10.50.0.3", "fd50::3") and answer.client_networks == ("0.0.0.0/0",)
    assert "reply_nodes" not in hub().answer(items["node"], items, KEY, endpoint("endpoint", "203.0.113.9:1"))
    assert hub().answer(items["node"], items, "", None) == {}
    assert "endpoint" in refusal(hub(endpoint=None).answer, items["node"], items, KEY, None)


def test_a_shared_key_shows_nowhere() -> None:
    """Neither in what a module returns, nor in a diff, nor in a refusal."""
    item = Registration.parse({"node_id": "a", "node_pubkey": key(1), "preshared_key": OTHER_KEY})
    assert OTHER_KEY not in f"{item} {item.shown()}" and item.shown()["preshared"] and Registration.parse(item.as_dict()) == item
    assert "s3cret" not in refusal(Registration.parse, {"node_id": "a", "node_pubkey": key(1), "preshared_key": "s3cret"})
    assert "s3cret" not in refusal(edit_of, {"interface": "wg0", "state": "joined", "node_id": "a", "controller_url": None,
                                             "join_answer": ANSWER, "preshared_key": "s3cret"})


@pytest.mark.parametrize(("gone", "limit", "refused"), [(3, 3, False), (4, 3, True), (4, 4, False), (1, 0, True), (0, 0, False)])
def test_removals_are_limited(gone: int, limit: int, refused: bool) -> None:
    """By name, or by a list that does not name them."""
    there: Registrations = {f"n{number}": Registration(f"n{number}", key(number + 1)) for number in range(5)}
    kept = [{"node_id": name, "node_pubkey": item.public_key} for name, item in list(there.items())[gone:]]
    removed = [{"node_id": name, "state": "absent"} for name in list(there)[:gone]]
    for params in ({"peers": kept, "purge": True}, {"peers": removed}):
        edit = hub_edits.edit_of({**TASK, **params, "max_removals": limit}, hub())
        if refused:
            assert "max_removals" in refusal(edit, there)
        else:
            assert len(edit(there)) == 5 - gone


@pytest.mark.parametrize("params", [{}, {"purge": True, "node_id": "a"}, {"peers": [{"node_id": "a"}, {"node_id": "a", "state": "absent"}]},
                                    {"node_id": "a b"}, {"peers": [{}]}])
def test_edits_refused(params: Dict[str, Any]) -> None:
    """Before the host is looked at."""
    refusal(hub_edits.edit_of, {**TASK, **params}, hub())


def test_a_derived_key() -> None:
    """One for each node and secret, always the same, and what WireGuard takes for a key."""
    made = {(secret, name): shared_key.derive(secret, name) for secret in ("a" * 20, "b" * 20) for name in ("edge-1", "edge-2")}
    assert len(set(made.values())) == 4 and made == {pair: shared_key.derive(*pair) for pair in made}
    assert all(Registration.parse({"node_id": "a", "preshared_key": value}).preshared_key == value for value in made.values())
    for secret in ("short", "", None, 5, ["a" * 20]):
        message = refusal(shared_key.derive, secret, "edge-1")
        assert "short" not in message
    refusal(shared_key.derive, "a" * 20, "edge 1")


def member(networks: str = "10.50.0.0/24", node_ip: str = "10.50.0.5") -> Membership:
    """A membership that has been answered."""
    return Membership.parse({"node_id": "edge", "answer": {**ANSWER, "allowed_ips": networks, "node_ip": node_ip}})


CUT = {"leaving": None, "another address": member(node_ip="10.50.0.6"), "other networks": member("10.60.0.0/24")}


@pytest.mark.parametrize("name", CUT)
def test_the_way_in_is_not_cut(name: str) -> None:
    """Ansible came in through the tunnel; from elsewhere the same is fine, and so is what leaves its way alone."""
    refusal(join_rules.check_way_in, member(), CUT[name], "10.50.0.9", "10.50.0.5")
    join_rules.check_way_in(member(), CUT[name], "198.51.100.7", "203.0.113.1")
    join_rules.check_way_in(None, CUT[name], "10.50.0.9", "10.50.0.5")
    for harmless in (member(), member("10.50.0.0/16,10.60.0.0/24"), Membership.parse({"node_id": "e", "controller_url": "http://h"})):
        join_rules.check_way_in(member(), harmless, "10.50.0.9", "10.50.0.5")


def test_slots_are_stable_and_apart_from_others() -> None:
    """Priorities before the main table's, and before those of wg-quick."""
    names = [f"wg{number}" for number in range(100)]
    assert slot("wg0") == 16830 and all(10_000 <= slot(name) < 30_000 and slot(name) % 10 == 0 for name in names)
    assert len({slot(name) for name in names}) > 90


def as_printed(rules: Any) -> List[Dict[str, Any]]:
    """Rules as ``ip -json rule show`` prints them (iproute2 6.1)."""
    entries = []
    for rule in rules:
        words = rule.selector.split()
        entry: Dict[str, Any] = {"priority": rule.priority, "protocol": "218"}
        for name, word in zip(words[::2], words[1::2]):
            field = {"from": "src", "to": "dst", "iif": "iif"}[name]
            value, slash, length = word.partition("/")
            entry.update({field: value, **({f"{field}len": int(length)} if slash else {})})
        if rule.action == "prohibit":
            entry["action"] = "prohibit"
        else:
            entry["table"] = rule.action.split()[1]
            entry.update({"suppress_prefixlen": 0} if "suppress" in rule.action else {})
        entries.append(entry)
    return entries


@pytest.mark.parametrize("clients", [[], ["0.0.0.0/0"], ["0.0.0.0/0", "::/0"], ["203.0.113.0/24"]])
def test_rules_are_read_as_they_are_wanted(clients: List[str]) -> None:
    """And those of others are nobody's business."""
    for wanted in (hub_routing("wg0", POOLS, clients, True), node_routing("wg0", ["10.50.0.5", "fd50::5"], POOLS, clients)):
        for family in (4, 6):
            rules = {rule for rule in wanted.rules if rule.family == family}
            foreign = [{"priority": 0, "src": "all", "table": "local"},
                       {"priority": slot("wg0"), "src": "all", "table": "main", "protocol": "static"},
                       {"priority": 5, "src": "all", "table": "9", "protocol": "218"}]
            assert routing.parse_rules(family, "wg0", [*foreign, *as_printed(rules)]) == rules
        text = routing.script("wg_join", "wg0", wanted)
        assert routing.switches(text) == wanted.switches and text.startswith("#!/bin/sh\n# Written by edge.gateway.wg_join;")
        assert all(line.startswith(("ip -", "  ip -", "{ echo ", "#", "if ", "fi", "exit 0", "  exit 0")) for line in text.splitlines())


def test_a_closed_hub_leads_nowhere_but_into_the_mesh() -> None:
    """What comes out of the mesh finds the mesh, clients, or an end."""
    closed = {route.network: route.reachable for route in hub_routing("wg0", POOLS, ["0.0.0.0/0"], True).routes}
    assert closed == {"10.50.0.0/24": True, "fd50::/64": True, "0.0.0.0/0": True, "::/0": False}
    assert not hub_routing("wg0", POOLS, [], False).rules


@pytest.mark.parametrize(("told", "acknowledged", "fits"), [
    (set(), [], False), ({"10.50.0.12"}, [], True), ({"10.50.0.13"}, [], False), (set(), ["10.50.0.0/24"], True),
    (set(), ["10.50.0.12"], True), (set(), ["fd50::/64"], False),
])
def test_the_way_back_must_be_known(told: Any, acknowledged: List[str], fits: bool) -> None:
    """Told by a hub, or acknowledged by the user; only where the client keeps its address."""
    forward = Forward.parse({"forward_id": "a", "public_port": "1", "target_ip": "10.50.0.12", "source_nat": "none"})
    if fits:
        check_replies(forward, told, reply_networks(acknowledged))
    else:
        assert "10.50.0.12" in refusal(check_replies, forward, told, reply_networks(acknowledged))
    check_replies(forward._replace(source_nat="masquerade"), set(), [])
    refusal(reply_networks, ["10.50.0.1/24"])

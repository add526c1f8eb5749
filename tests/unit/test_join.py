# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's answer, a membership, and what it may do to the host's network."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.models import join_rules as rules
from ansible_collections.edge.gateway.plugins.module_utils.models.answer import Answer
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership, edit_of
from unit.samples import ANSWER, KEY, OTHER_KEY, one_sentence, refusal

TASK: Dict[str, Any] = {
    "node_id": "edge", "controller_url": "http://10.0.0.1:9000", "interface": "wg0", "state": "joined", "join_answer": None,
    "preshared_key": None,
}
OWN_KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
LAN = ["127.0.0.1/8", "::1/128", "10.9.0.2/24", "2001:db8::2/64"]
INJECTED = f"203.0.113.7:51820\n[Interface]\nPreUp=touch /tmp/pwned\n[Peer]\nPublicKey={KEY}"


def check_networks(item: Membership, lan: List[str], way_in: Optional[str], allow_default_route: bool) -> None:
    """The check of a first join."""
    rules.check_networks(item, None, rules.Surroundings(frozenset(lan), frozenset(), way_in), allow_default_route)



def answer(**changes: Any) -> Answer:
    """An answer that differs from the good one in these fields."""
    return Answer.parse({**ANSWER, **changes})


def member(override: Optional[List[str]] = None, **changes: Any) -> Membership:
    """A membership with such an answer."""
    return Membership.parse({**TASK, "allowed_ips": override, "answer": {**ANSWER, **changes}})


@pytest.mark.parametrize(("changes", "field", "canonical"), [
    ({}, "node_ip", "10.50.0.5"),
    ({"node_ip": "10.50.0.5/32"}, "node_ip", "10.50.0.5"),
    ({"node_ip": "FD00::5/128"}, "node_ip", "fd00::5"),
    ({"endpoint": "Hub.Example:51820"}, "endpoint", "hub.example:51820"),
    ({"allowed_ips": "10.50.0.0/24, 10.60.0.0/16"}, "allowed_ips", ["10.50.0.0/24", "10.60.0.0/16"]),
    ({"allowed_ips": ["10.60.0.9/16", "10.50.0.0/24", "10.60.0.0/16"]}, "allowed_ips", ["10.50.0.0/24", "10.60.0.0/16"]),
])
def test_answer_accepted(changes: Dict[str, Any], field: str, canonical: object) -> None:
    """The controller's forms come out canonical, and join.json is read back as the same answer."""
    item = answer(**changes)
    assert item.as_dict()[field] == canonical
    assert Answer.parse(item.as_dict()) == item


@pytest.mark.parametrize(("field", "value"), [
    *[(field, value) for field in ANSWER for value in (None, "", 5, True, {"a": 1}, ["\n"])],
    ("endpoint", INJECTED), ("endpoint", "203.0.113.7:51820\nPostUp = x"), ("endpoint", "127.0.0.1:51820"), ("endpoint", "0.0.0.0:1"),
    ("endpoint", "224.0.0.1:1"), ("endpoint", "[::]:1"), ("endpoint", "203.0.113.7:0"), ("endpoint", "203.0.113.7:65536"),
    ("node_ip", "10.100.0.2/32\nPostUp = touch /tmp/pwned"), ("node_ip", "fe80::1%\nPreUp = touch pwned #/64"), ("node_ip",
    "10.9.0.77/16"),
    ("node_ip", "10.100.0.2/32 $(id) *"), ("node_ip", "10.100.0.2/32\rPostUp=x"), ("node_ip", "10.100.0.2/32\x0bPostUp=x"),
    ("node_ip", "10.100.0.2/32\u2028PostUp=x"), ("node_ip", "10.100.0.2/032"), ("node_ip", "10.100.0.2/"), ("node_ip", "127.0.0.1"),
    ("node_ip", "0.0.0.0"),
    ("node_ip", "224.0.0.1"), ("node_ip", "169.254.1.1"), ("node_ip", "::ffff:10.1.1.1"), ("node_ip", "10.1.1.1,10.1.1.2"),
    ("controller_pubkey", f"{KEY}\n[Interface]\nPreUp = x"), ("controller_pubkey", "A" * 43 + "="), ("controller_pubkey", "!!" + KEY),
    ("controller_pubkey", KEY + "\n"), ("allowed_ips", "+10.0.0.0/8"), ("allowed_ips", "-10.0.0.0/8"), ("allowed_ips",
    "10.0.0.0/8\nPostUp = x"),
    ("allowed_ips", "10.0.0.0/8,"), ("allowed_ips", ","), ("allowed_ips", []), ("allowed_ips", ["10.0.0.0/8", None]), ("allowed_ips",
    ["10.0.0.0/8"] * 65),
    ("allowed_ips", "10.0.0.0/8 10.1.0.0/16"), ("allowed_ips", "10.0.0.0/255.0.0.0"),
])
def test_answer_refused(field: str, value: object) -> None:
    """Every field of the answer is hostile until it is parsed; the refusal names it."""
    with pytest.raises(InvalidInput) as caught:
        answer(**{field: value})
    assert caught.value.option.startswith(f"answer.{field}")
    refusal(Answer.parse, {**ANSWER, field: value})


@pytest.mark.parametrize("field", list(ANSWER))
def test_answer_without_a_field(field: str) -> None:
    """An incomplete answer is named as such."""
    assert field in refusal(Answer.parse, {name: value for name, value in ANSWER.items() if name != field})


@pytest.mark.parametrize("changes", [
    {"node_id": None}, {"node_id": ""}, {"node_id": "a b"}, {"interface": "wg0\n"}, {"interface": "../x"}, {"controller_url": None},
    {"controller_url": "file:///etc/shadow"}, {"controller_url": "http://u:p@h/"}, {"controller_url": "h2c://h"},
    {"persistent_keepalive": -1},
    {"persistent_keepalive": 65536}, {"persistent_keepalive": True}, {"listen_port": 65536}, {"listen_port": "51820\nPostUp=x"},
    {"mtu": 100},
    {"mtu": 9001}, {"mtu": "1420\n"}, {"allowed_ips": ["x"]}, {"allowed_ips": "10.0.0.0/8\nx"}, {"answer": {**ANSWER,
    "endpoint": INJECTED}},
    {"answer": [ANSWER]}, {"answer": "10.50.0.5"}, {"answer": 5}, {"answer": True},
])
def test_membership_refused(changes: Dict[str, Any]) -> None:
    """Options of a task and fields of join.json are validated alike; a wrong type is refused, not a crash."""
    refusal(Membership.parse, {**TASK, **changes})


def test_membership_round_trip() -> None:
    """What is kept in join.json is read back as the same membership."""
    item = Membership.parse({**TASK, "listen_port": 51820, "mtu": 1400, "allowed_ips": ["10.50.0.0/16"], "answer": ANSWER})
    assert Membership.parse(item.as_dict()) == item
    assert item.routes == ("10.50.0.0/16",)
    assert Membership.parse({**TASK, "answer": ANSWER}).routes == ("10.50.0.0/24",)


@pytest.mark.parametrize("changes", [{"node_ip": "10.50.0.6"}, {"controller_pubkey": OTHER_KEY}])
def test_another_identity_is_refused(changes: Dict[str, Any]) -> None:
    """A repeated join that changes our address or the controller's key needs rejoin; old and new are shown."""
    (name, _value), = changes.items()
    message = refusal(rules.check_identity, member(**changes), member(), OWN_KEY)
    assert "rejoin" in message and str(ANSWER[name]) in message and str(changes[name]) in message


@pytest.mark.parametrize("changes", [{}, {"allowed_ips": "10.60.0.0/16"}, {"endpoint": "203.0.113.8:51820"}])
def test_the_same_identity_is_fine(changes: Dict[str, Any]) -> None:
    """Networks and the endpoint may move; a first answer has nothing to differ from."""
    rules.check_identity(member(**changes), member(), OWN_KEY)
    rules.check_identity(member(node_ip="10.50.0.6", **changes), None, "")


def test_our_own_key_is_refused() -> None:
    """A reflected key makes a tunnel to nobody, also where another identity would be accepted."""
    assert "own key" in refusal(rules.check_identity, member(), None, ANSWER["controller_pubkey"])


def test_a_route_of_someone_else_is_refused() -> None:
    """The host reaches that network another way already; a wider route of its own is no obstacle."""
    around = rules.Surroundings(frozenset(), frozenset({"10.60.0.0/16", "10.0.0.0/8"}))
    refusal(rules.check_networks, member(allowed_ips="10.50.0.0/24,10.60.0.0/16"), None, around, False)
    rules.check_networks(member(allowed_ips="10.50.0.0/24,10.60.0.0/16"), member(allowed_ips="10.60.0.0/16"), around, False)
    rules.check_networks(member(), None, around, False)


@pytest.mark.parametrize("networks", [
    "0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1", "::/0", "2000::/3", "64.0.0.0/2", "198.51.100.0/24", "198.51.100.7/32", "10.9.0.1/32",
    "10.9.0.0/24",
    "10.9.0.0/16", "10.0.0.0/8", "203.0.113.0/24", "203.0.113.7/32", "169.254.169.254/32", "169.254.0.0/16", "127.0.0.0/8", "224.0.0.0/4",
    "2001:db8::/32", "2001:db8::1/128", "fe80::/64", "::1/128", "10.50.0.0/24,10.9.0.5/32",
])
def test_networks_that_would_take_over_are_refused(networks: str) -> None:
    """The default route, the operator, the gateway, the LAN, the endpoint itself, loopback and metadata stay out of the tunnel."""
    refusal(check_networks, member(allowed_ips=networks), LAN, "198.51.100.7", False)


@pytest.mark.parametrize("networks", ["169.0.0.0/8", "168.0.0.0/5", "126.0.0.0/7"])
def test_networks_that_only_contain_metadata_or_loopback_are_refused(networks: str) -> None:
    """A wider network takes 169.254.169.254 or 127.0.0.1 just as well."""
    refusal(check_networks, member(allowed_ips=networks), [], None, False)


def test_the_default_route_in_many_pieces_is_refused() -> None:
    """64 networks of /8 that avoid the own ones still send a quarter of the internet into the tunnel."""
    pieces = ",".join(f"{first}.0.0.0/8" for first in range(128, 192) if first != 169)
    refusal(check_networks, member(allowed_ips=pieces), LAN, None, False)


@pytest.mark.parametrize("address", ["10.9.0.2/32", "10.9.0.77", "10.9.0.255", "2001:db8::2", "2001:db8::99"])
@pytest.mark.parametrize("allow_default_route", [False, True])
def test_an_address_of_the_hosts_own_network_is_refused(address: str, allow_default_route: bool) -> None:
    """The mesh must not give this host an address that it, or its LAN, already has; whatever else is allowed."""
    refusal(check_networks, member(node_ip=address), LAN, None, allow_default_route)


def test_allow_default_route_allows_what_it_says() -> None:
    """It is meant for exactly this."""
    check_networks(member(allowed_ips="0.0.0.0/0"), LAN, "198.51.100.7", True)


@pytest.mark.parametrize("networks", ["127.0.0.0/8", "169.254.169.254/32", "224.0.0.0/4"])
def test_allow_default_route_does_not_allow_nonsense(networks: str) -> None:
    """Loopback, link-local and multicast networks never belong into a tunnel."""
    refusal(check_networks, member(allowed_ips=networks), LAN, None, True)


def test_an_override_is_checked_before_the_controller_is_asked() -> None:
    """The task's own allowed_ips are known in check mode; what the real run refuses must be refused there too."""
    refusal(check_networks, Membership.parse({**TASK, "allowed_ips": ["0.0.0.0/0"]}), LAN, None, False)


def test_the_override_counts_not_the_answer() -> None:
    """An override narrows a controller that asks for too much."""
    check_networks(member(["10.50.0.0/24"], allowed_ips="0.0.0.0/0"), LAN, None, False)


def test_edit_joins_changes_and_leaves_one_interface() -> None:
    """Other interfaces stay, and a known answer is carried along until the controller is asked again."""
    other = Membership.parse({**TASK, "interface": "wg1", "answer": ANSWER})
    current = {"wg0": member(), "wg1": other}
    joined = edit_of({**TASK, "persistent_keepalive": 5})(current)
    assert joined["wg0"].answer == answer() and joined["wg0"].persistent_keepalive == 5 and joined["wg1"] == other
    assert edit_of({**TASK, "controller_url": "http://10.0.0.2:9000"})(current)["wg0"].answer is None
    assert edit_of({**TASK, "node_id": "other"})(current)["wg0"].answer is None
    assert edit_of({**TASK, "state": "left"})(current) == {"wg1": other}
    assert edit_of({**TASK, "state": "left"})({}) == {}


def test_description_shows_everything_that_can_change_and_no_secret() -> None:
    """A diff must show a difference in every option."""
    base = str(member())
    for change in ({"persistent_keepalive": 5}, {"listen_port": 5}, {"mtu": 1400}, {"allowed_ips": ["10.1.0.0/16"]}, {"node_id": "x"},
                   {"answer": {**ANSWER, "endpoint": "203.0.113.8:1"}}, {"answer": {**ANSWER, "node_ip": "10.50.0.6"}}):
        assert str(Membership.parse({**TASK, "answer": ANSWER, **change})) != base, change


@pytest.mark.parametrize(("value", "addresses"), [
    ("10.50.0.5,fd50::5", ("10.50.0.5", "fd50::5")), ("fd50::5, 10.50.0.5", ("10.50.0.5", "fd50::5")),
    (["fd50::5", "10.50.0.5/32"], ("10.50.0.5", "fd50::5")), (["10.50.0.5"], ("10.50.0.5",)), ("FD50::5/128,10.50.0.5", ("10.50.0.5",
                                                                                                                         "fd50::5")),
])
def test_one_address_for_each_version(value: object, addresses: object) -> None:
    """The IPv4 one first, in any notation and order; it is kept as one string."""
    item = answer(node_ip=value)
    assert item.addresses == addresses and item.node_ip == item.addresses[0]
    assert item.as_dict()["node_ip"] == ",".join(item.addresses) and Answer.parse(item.as_dict()) == item


@pytest.mark.parametrize("value", [
    "10.50.0.5,10.50.0.6", "10.50.0.5,10.50.0.5", "fd50::5,fd50::6", "10.50.0.5,fd50::5,10.50.0.6", "10.50.0.5,", ",", "10.50.0.5;fd50::5",
    "10.50.0.5 fd50::5", "10.50.0.5,fd50::5/64", "10.50.0.0/24,fd50::5", "10.50.0.5,\nPostUp = x", "10.50.0.5\n,fd50::5",
    "10.50.0.5,\tfd50::5",
    "10.50.0.5,fe80::1%\nx/128", "10.50.0.5,::1", [], ["10.50.0.5", "10.50.0.6"], ["10.50.0.5", None], ["10.50.0.5", ["fd50::5"]],
    ["10.50.0.5,fd50::5"], {"10.50.0.5": 1}, ["10.50.0.5"] * 65, [5, "fd50::5"],
])
def test_addresses_refused(value: object) -> None:
    """Two of one version, a network, rubbish, and whatever hides behind a good one."""
    assert "answer.node_ip" in refusal(Answer.parse, {**ANSWER, "node_ip": value})


RUBBISH: List[object] = [5, True, {"a": 1}, [None], [5], [["10.0.0.1"]], [{}], "\n", ["\n"], ["10.0.0.1\nPostUp = x"], ["fe80::1%\nx"],
                         "10.0.0.1\nPostUp=x", ["x"], ["\ud800"]]


@pytest.mark.parametrize(("field", "value"), [
    *[(field, value) for field in ("client_networks", "reply_nodes") for value in RUBBISH],
    ("client_networks", ["198.51.100.0/24"] * 65), ("client_networks", "198.51.100.0/24,"), ("reply_nodes", "10.50.0.12"),
    ("reply_nodes", ["10.50.0.0/24"]), ("reply_nodes", ["127.0.0.1"]), ("reply_nodes", ["0.0.0.0"]), ("reply_nodes", ["10.50.0.012"]),
    ("reply_nodes", ["::ffff:10.50.0.12"]), ("reply_nodes", ["10.50.0.12"] * 300 + ["x"]),
])
def test_hostile_clients_and_nodes(field: str, value: object) -> None:
    """What only some controllers answer is as hostile as the rest."""
    assert f"answer.{field}" in refusal(Answer.parse, {**ANSWER, field: value})


def test_clients_and_nodes() -> None:
    """Canonical and sorted, be they hundreds; read back as the same; left out where they are empty."""
    nodes = [f"10.50.{number % 3}.{number % 250 + 2}" for number in range(900)]
    item = answer(client_networks="2001:DB8::/32, 198.51.100.9/24", reply_nodes=[*nodes, *nodes, "FD50::12"])
    assert item.client_networks == ("198.51.100.0/24", "2001:db8::/32") and set(item.reply_nodes) == {*nodes, "fd50::12"}
    assert len(item.reply_nodes) == len(set(item.reply_nodes)) and Answer.parse(item.as_dict()) == item
    nothings: List[object] = [None, [], ""]
    for nothing in nothings:
        plain = answer(client_networks=nothing, reply_nodes=nothing)
        assert plain == answer() and set(plain.as_dict()) == set(ANSWER)


def test_what_a_controller_answers_besides_is_ignored() -> None:
    """And is not kept: it would be read back as something of a newer version."""
    more = {"mtu": 9999, "preshared_key": OTHER_KEY, "dns": "x\n", "PostUp": "touch /tmp/pwned", "": None}
    assert answer(**more) == answer() and set(answer(**more).as_dict()) == set(ANSWER)


def network_of(way: str) -> Dict[str, Any]:
    """The fields of a controller's answer with these networks."""
    return {"allowed_ips": way}


INSIDE, THROUGH = ("10.50.0.77", "10.50.0.5"), ("198.51.100.7", "10.50.0.5")


@pytest.mark.parametrize(("came", "changes", "option"), [
    # from a node of the mesh
    (INSIDE, None, "state"), (INSIDE, {}, None), (INSIDE, network_of("10.50.0.64/26"), None), (INSIDE, network_of("10.50.0.0/16"), None),
    (INSIDE, network_of("10.50.0.0/26"), "answer.allowed_ips"), (INSIDE, {"override": ["10.60.0.0/16"]}, "allowed_ips"),
    (INSIDE, {"override": ["10.50.0.77/32"], **network_of("10.60.0.0/16")}, None), (INSIDE, {"node_ip": "10.50.0.6"}, "answer.node_ip"),
    (INSIDE, {"node_ip": "10.50.0.5,fd50::5"}, None), (INSIDE, {"controller_pubkey": OTHER_KEY, "endpoint": "203.0.113.9:1"}, None),
    # through the mesh, to another address of this host
    (("10.50.0.77", "192.0.2.9"), None, "state"), (("10.50.0.77", "192.0.2.9"), {"node_ip": "10.50.0.6"}, None),
    (("10.50.0.77", "192.0.2.9"), network_of("10.50.0.0/26"), "answer.allowed_ips"),
    # by the mesh address, from who knows where
    (THROUGH, None, "state"), (THROUGH, {"node_ip": "10.50.0.6"}, "answer.node_ip"), (THROUGH, network_of("10.60.0.0/16"), None),
    # from elsewhere, and without anything that is an address
    *[(elsewhere, changes, None) for elsewhere in (("198.51.100.7", "192.0.2.9"), ("fe80::1%eth0", "fe80::2%eth0"), ("UNKNOWN", ""), ("",
                                                                                                                                      ""))
      for changes in (None, {"node_ip": "10.50.0.6"}, network_of("10.60.0.0/16"))],
])
def test_the_way_in(came: Any, changes: Optional[Dict[str, Any]], option: Optional[str]) -> None:
    """Leave, narrow, move: a run must not saw off the branch it sits on, and must not be refused for nothing."""
    new = None if changes is None else member(changes.get("override"), **{name: value for name,
                                                                          value in changes.items() if name != "override"})
    if option is None:
        rules.check_way_in(member(), new, *came)
        return
    with pytest.raises(InvalidInput) as caught:
        rules.check_way_in(member(), new, *came)
    assert caught.value.option == option and "allow_lockout" in one_sentence(caught.value.message)


def with_clients(*networks: str, **changes: Any) -> Membership:
    """A membership to which clients come with their own address."""
    return Membership.parse({**TASK, "answer": ANSWER, "client_networks": list(networks), **changes})


def test_the_way_in_of_a_client_with_its_own_address() -> None:
    """Without its network, the tunnel drops what it sends; to another address of this host it never came through the tunnel."""
    known = with_clients("198.51.100.0/24", "203.0.113.0/24")
    for new in (member(), with_clients("203.0.113.0/24")):
        message = refusal(rules.check_way_in, known, new, *THROUGH)
        assert message.startswith("client_networks") and "198.51.100.7" in message
        rules.check_way_in(known, new, "198.51.100.7", "192.0.2.9")
    # what goes out by another address than the mesh's does not follow the clients' routes
    refusal(rules.check_way_in, known, with_clients("10.50.0.0/24", allowed_ips=["10.60.0.0/16"]), "10.50.0.77", "192.0.2.9")
    for new in (with_clients("0.0.0.0/0"), with_clients("198.51.100.7/32"), member(["198.51.0.0/16"])):
        rules.check_way_in(known, new, *THROUGH)


@pytest.mark.parametrize("came", [INSIDE, THROUGH, ("198.51.100.7", "192.0.2.9")])
def test_the_way_in_while_there_is_no_answer(came: Any) -> None:
    """A first join has no tunnel to come in by; of an answer that is still to come nothing is known, but of an override."""
    unanswered = Membership.parse(TASK)
    for known in (None, unanswered):
        for new in (None, unanswered, member(), member(["10.60.0.0/16"])):
            rules.check_way_in(known, new, *came)
    rules.check_way_in(member(), unanswered, *came)
    override = Membership.parse({**TASK, "allowed_ips": ["10.60.0.0/16"]})
    if came == INSIDE:
        assert "10.50.0.77" in refusal(rules.check_way_in, member(), override, *came)


def given(**changes: Any) -> Dict[str, Any]:
    """A task that brings the answer of a hub."""
    return {**TASK, "controller_url": None, "join_answer": ANSWER, **changes}


def test_an_empty_answer() -> None:
    """Is what check mode knows before there is a hub: nothing is answered, and nothing is refused; a known answer goes on."""
    assert edit_of(given(join_answer={}))({})["wg0"].answer is None
    known = edit_of(given())({})
    assert edit_of(given(join_answer={}))(known) == known
    assert edit_of(given(join_answer={}, node_id="other"))(known)["wg0"].answer is None
    assert edit_of(given(join_answer={}))({"wg0": member()})["wg0"].answer is None, "a controller's answer is not the hub's"
    assert "join_answer" in refusal(lambda: edit_of(given(join_answer={}))({})["wg0"].settled)
    assert "controller_url" in refusal(edit_of, given(join_answer=None))


def test_a_given_answer_counts_before_the_known_one() -> None:
    other = {**ANSWER, "endpoint": "203.0.113.8:1"}
    known = edit_of(given())({})
    assert str(edit_of(given(join_answer=other))(known)["wg0"].settled.endpoint) == "203.0.113.8:1"
    assert edit_of({**TASK, "join_answer": other})({"wg0": member()})["wg0"].settled.endpoint.port == 1


@pytest.mark.parametrize("value", [f"{OTHER_KEY}\n", OTHER_KEY[:-2], "A" * 43 + "=", "hunter2", 5, [OTHER_KEY], {"a": OTHER_KEY}, True])
def test_a_shared_key_never_stands_in_a_message(value: object) -> None:
    """Neither a broken one of a task, nor one that somebody wrote into join.json; both are refused."""
    for message in (refusal(edit_of, {**TASK, "preshared_key": value}), refusal(Membership.parse, {**TASK, "preshared": value})
                    if isinstance(value, str) else "preshared"):
        assert "preshared" in message and not any(part in message for part in (OTHER_KEY[:10], "hunter2", "AAAA"))


def test_a_shared_key_is_kept_as_a_digest() -> None:
    """Which changes with the key, and is shown."""
    one, other = (edit_of({**TASK, "preshared_key": key})({})["wg0"] for key in (KEY, OTHER_KEY))
    assert one.preshared != other.preshared and len(one.preshared) == 8 and str(one) != str(other)
    assert KEY not in str(one) + str(one.as_dict()) and Membership.parse(one.as_dict()) == one
    assert edit_of(TASK)({"wg0": one})["wg0"].preshared == ""
    refusal(Membership.parse, {**TASK, "preshared": "0123456g"})


@pytest.mark.parametrize("networks", ["0.0.0.0/0", "::/0", "10.50.0.0/24,0.0.0.0/0"])
def test_clients_cannot_go_with_a_default_route(networks: str) -> None:
    """Wherever it comes from: the task, the answer, and an answer that comes later or stands from last time."""
    default = {**ANSWER, "allowed_ips": networks}
    task = {**TASK, "client_networks": ["198.51.100.0/24"]}
    assert "client_networks" in refusal(Membership.parse, {**task, "allowed_ips": networks.split(",")})
    assert "client_networks" in refusal(Membership.parse, {**task, "answer": default})
    assert "client_networks" in refusal(Membership.parse(task).answered, Answer.parse(default))
    assert "client_networks" in refusal(edit_of(task), {"wg0": Membership.parse({**TASK, "answer": default})})
    # an override of the task counts instead
    narrow = Membership.parse({**task, "allowed_ips": ["10.50.0.0/24"], "answer": default})
    assert narrow.answered(Answer.parse(default)) == narrow


@pytest.mark.parametrize("value", [5, "x", ["x"], [5], ["198.51.100.0/24\n"], {"a": 1}, ["0.0.0.0/0"] * 65, ["fe80::1%\nx/64"]])
def test_client_networks_refused(value: object) -> None:
    assert "client_networks" in refusal(Membership.parse, {**TASK, "client_networks": value})


def test_clients_of_a_membership() -> None:
    """May come in, and are answered by the way they came; but the controller's word on clients opens nothing here."""
    item = with_clients("0.0.0.0/0", "10.50.0.0/24")
    config = item.config("203.0.113.7:51820", "")
    assert config.peers[0].allowed_ips == ("0.0.0.0/0", "10.50.0.0/24") and config.routing is not None and config.routing.rules
    assert Membership.parse(item.as_dict()) == item
    told = Membership.parse({**TASK, "answer": {**ANSWER, "client_networks": ["198.51.100.0/24"]}}).config("203.0.113.7:51820", "")
    assert told.routing is None and told.peers[0].allowed_ips == ("10.50.0.0/24",)


@pytest.mark.parametrize(("changes", "moved", "kept"), [
    ({}, {}, 1380), ({"persistent_keepalive": 5}, {}, 1380), ({"probe_mtu": False}, {}, 0), ({"mtu": 1300}, {}, 1380),
    ({}, {"allowed_ips": "10.60.0.0/16"}, 1380), ({}, {"endpoint": "203.0.113.7:51821"}, 0), ({"node_id": "other"},
                                                                                              {"endpoint": "a.example:1"}, 0),
])
def test_a_measured_mtu(changes: Dict[str, Any], moved: Dict[str, Any], kept: int) -> None:
    """Stays while the path stays, and while it is asked for; the option mtu goes before it."""
    known = Membership.parse({**TASK, "answer": ANSWER, "probe_mtu": True, "probed_mtu": 1380})
    assert known.config("203.0.113.7:51820", "").mtu == 1380 and Membership.parse(known.as_dict()) == known
    task = {**TASK, "probe_mtu": True, "join_answer": {**ANSWER, **moved}, **changes}
    item = edit_of(task)({"wg0": known})["wg0"]
    assert item.probed_mtu == kept and item.config("203.0.113.7:51820", "").mtu == (changes.get("mtu") or kept)
    assert known.answered(answer(**moved)).probed_mtu == (1380 if "endpoint" not in moved else 0)


@pytest.mark.parametrize("changes", [{"probed_mtu": 576}, {"probed_mtu": 9001}, {"probed_mtu": True}, {"probe_mtu": "maybe"},
                                     {"probe_mtu": 2}])
def test_a_measured_mtu_of_a_bent_file(changes: Dict[str, Any]) -> None:
    assert next(iter(changes)) in refusal(Membership.parse, {**TASK, **changes})


def test_two_addresses_are_one_identity() -> None:
    """One more, one less or another second one needs rejoin; another order is the same."""
    both = member(node_ip="10.50.0.5,fd50::5")
    rules.check_identity(member(node_ip="fd50::5,10.50.0.5"), both, OWN_KEY)
    for changed in (member(), member(node_ip="10.50.0.5,fd50::6"), member(node_ip="fd50::5")):
        assert "rejoin" in refusal(rules.check_identity, changed, both, OWN_KEY)
    # each is looked for in the host's networks
    for pair in ("10.9.0.77,fd50::5", "10.50.0.5,2001:db8::99"):
        refusal(check_networks, member(node_ip=pair), LAN, None, True)

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
from unit.samples import ANSWER, KEY, OTHER_KEY, refusal

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

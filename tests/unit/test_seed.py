# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the older system left: its state, and its rules among others."""

from __future__ import annotations

import json

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.formats import seed
from unit.samples import one_sentence

ENTRY = {"forward_id": "vm-123-ssh", "public_port": 22015, "target_ip": "10.50.0.12", "target_port": 32215, "proto": "tcp"}
DNAT = "-A PREROUTING -p tcp -m tcp --dport 22015 -j DNAT --to-destination 10.50.0.12:32215"
ACCEPT = "-A FORWARD -d 10.50.0.12/32 -p tcp -m tcp --dport 32215 -j ACCEPT"
MASQUERADE = "-A POSTROUTING -o wg0 -j MASQUERADE"


def listing(*, nat: str = "", filters: str = "") -> str:
    """What iptables-save prints."""
    return f"# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n{nat}\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\n{filters}\nCOMMIT\n"


def found(text: str, masquerade: bool = True) -> list[str]:
    """The rules that are recognised."""
    forwards = seed.parse_state(json.dumps({"tcp_forwards": [ENTRY]}).encode(), "state.json")
    return [rule.text for rule in seed.rules_of(text, forwards.values(), "wg0", masquerade)]


@pytest.mark.parametrize("value", [
    [ENTRY], {"vm-123-ssh": ENTRY}, {"vm-123-ssh": {name: value for name, value in ENTRY.items() if name != "forward_id"}},
    [{**ENTRY, "created_at": "yesterday"}],
])
def test_the_state_is_read_in_either_shape(value: object) -> None:
    """A list, or an object by id; what else the agent kept about a forward does not matter."""
    (item,) = seed.parse_state(json.dumps({"tcp_forwards": value, "http_routes": {}}).encode(), "state.json").values()
    assert (item.forward_id, item.public_port, item.target_ip, item.target_port) == ("vm-123-ssh", "22015", "10.50.0.12", 32215)


def test_a_state_without_forwards_has_none() -> None:
    """It may hold routes only."""
    assert seed.parse_state(b'{"http_routes": {}}', "state.json") == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"tcp_forwards": 5}', '{"tcp_forwards": ["x"]}', '{"tcp_forwards": {"a": 1}}',
                                  '{"tcp_forwards": [{}]}', '{"tcp_forwards": null}',
                                  json.dumps({"tcp_forwards": [{**ENTRY, "target_ip": "127.0.0.1"}]})])
def test_any_other_state_is_refused(text: str) -> None:
    """In one sentence."""
    with pytest.raises(GatewayError) as caught:
        seed.parse_state(text.encode(), "/data/state.json")
    one_sentence(caught.value.message)


def test_its_rules_are_found_as_often_as_they_stand_there() -> None:
    """The older system added them again at each start."""
    text = listing(nat=f"{DNAT}\n{DNAT}\n{MASQUERADE}", filters=ACCEPT)
    assert found(text) == [DNAT, DNAT, MASQUERADE, ACCEPT]
    assert found(text, masquerade=False) == [DNAT, DNAT, ACCEPT]


@pytest.mark.parametrize("rule", [
    DNAT.replace("22015", "22016"), DNAT.replace("10.50.0.12", "10.50.0.13"), DNAT.replace("32215", "1"), DNAT.replace("tcp", "udp"),
    DNAT.replace("-j", "-s 203.0.113.0/24 -j"), DNAT.replace("-p tcp", "! -p tcp"), DNAT.replace("PREROUTING", "DOCKER"),
    MASQUERADE.replace("wg0", "wg1"), MASQUERADE.replace("-o", "-s 10.0.0.0/8 -o"), '-A PREROUTING -m comment --comment "unclosed',
])
def test_somebody_elses_nat_rules_are_not(rule: str) -> None:
    """Another port, target, chain or condition."""
    assert found(listing(nat=rule)) == []


def test_a_rule_within_a_comment_is_none() -> None:
    """Nor is one found whose own comment has several lines, since it could not be deleted."""
    assert found(listing(nat=f'-A PREROUTING -m comment --comment "a\n{DNAT}\nb" -j RETURN')) == []
    assert found(listing(nat=DNAT.replace("-j", '-m comment --comment "a\nb" -j'))) == []


@pytest.mark.parametrize("rule", [
    ACCEPT.replace("32215", "1"), ACCEPT.replace("ACCEPT", "DROP"), ACCEPT.replace("FORWARD", "INPUT"),
    ACCEPT.replace("-p", "-s 10.0.0.1/32 -p"), ACCEPT.replace("/32", "/24"), "-A FORWARD -j ACCEPT",
    "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
])
def test_somebody_elses_filter_rules_are_not(rule: str) -> None:
    """Nor the one for established connections, on which others may live."""
    assert found(listing(filters=rule)) == []


@pytest.mark.parametrize("rule", [ACCEPT.replace("-j", "-m conntrack --ctstate NEW -j"), ACCEPT.replace("-p", "-o wg0 -p")])
def test_its_rules_in_other_words(rule: str) -> None:
    """A narrower rule for the same target and port is its rule too."""
    assert found(listing(filters=rule)) == [rule]


def test_removal_is_one_transaction_for_each_table() -> None:
    """And deletes exactly what was listed."""
    rules = [seed.Rule("nat", DNAT), seed.Rule("filter", ACCEPT), seed.Rule("nat", DNAT)]
    assert seed.removal(rules) == {"nat": f"*nat\n-D{DNAT[2:]}\n-D{DNAT[2:]}\nCOMMIT\n", "filter": f"*filter\n-D{ACCEPT[2:]}\nCOMMIT\n"}

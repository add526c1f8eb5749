# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings of other people's nftables tables, recorded and odd ones, as chains.

Recorded on 2026-11-23 with nft 1.0.6: firewalld 1.3.3 as it loads its own table (default; mesh interface in zone
trusted; panic mode), Docker's iptables chains as nft sees them, and one table with all the words that are understood.
"""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import nft_ruleset
from ansible_collections.edge.gateway.plugins.module_utils.models import filtering as f
from ansible_collections.edge.gateway.plugins.module_utils.models.filtering import ANYTHING, Chain, Condition, Rule
from ansible_collections.edge.gateway.plugins.module_utils.models.judging import Ruleset
from ansible_collections.edge.gateway.plugins.module_utils.models.passage import ANSWER, FIRST, LATER, Probe, packets
from unit.probes import probe_of

DATA = Path(__file__).parent / "data"
PROBE, PROBE6 = probe_of("tcp", "22015", "10.50.0.12", "8080"), probe_of("tcp", "22015", "fd50::12", "8080")
WORDS = "foreign_nft-1.0.6-words.json"
FIREWALLD = "foreign_firewalld-1.3.3-"


def recorded(name: str) -> List[Chain]:
    """The chains of a recorded listing."""
    return nft_ruleset.parse((DATA / name).read_text())


def found(chains: List[Chain], probe: Probe = PROBE, uplink: str = "eth0") -> Dict[Tuple[str, str], Optional[bool]]:
    """(Word, base chain) to what becomes of the packet, where it does not certainly pass."""
    ruleset = Ruleset(chains)
    return {(word, item.base.name): item.passes for word, packet in packets(probe, "wg0", uplink)
            for item in ruleset.judge(packet) if item.passes is not True}


@pytest.mark.parametrize("name", ["table", "zoned-table"])
def test_firewalld(name: str) -> None:
    """It accepts what is translated by anybody; for IPv6 its reverse path filter depends on the client's address."""
    assert found(recorded(f"{FIREWALLD}{name}.json")) == {}
    assert found(recorded(f"{FIREWALLD}{name}.json"), PROBE6) == {(word, "filter_PREROUTING"): None for word in (FIRST, LATER, ANSWER)}


def test_firewalld_without_its_rule_for_translated_packets() -> None:
    """As with StrictForwardPorts: the zone of the uplink rejects, and the rule is found again by its handle."""
    listing = json.loads((DATA / f"{FIREWALLD}table.json").read_text())
    listing["nftables"] = [entry for entry in listing["nftables"] if '"status"' not in json.dumps(entry)]
    chains = nft_ruleset.parse(json.dumps(listing))
    assert found(chains) == {(FIRST, "filter_FORWARD"): False}
    judgements = [item for _word, packet in packets(PROBE, "wg0", "eth0") for item in Ruleset(chains).judge(packet)]
    (judgement,) = [item for item in judgements if item.passes is False]
    assert judgement.place and judgement.place.name == "filter_FWD_public" and judgement.rule and judgement.rule.verdict == f.REJECT
    assert judgement.rule.handle == max(rule.handle for rule in judgement.place.rules)


def test_firewalld_in_panic() -> None:
    """Its second table drops everything before tracking."""
    assert found(recorded(f"{FIREWALLD}panic-table.json")) == {(FIRST, "raw_prerouting"): False, (ANSWER, "raw_prerouting"): False}


def test_tables_of_iptables_as_nft_sees_them() -> None:
    """Docker's rules ask for interfaces alone where it matters, which nft reads as well as iptables does."""
    chains = recorded("foreign_docker-28-nft-filter.json")
    assert found(chains) == {(word, "FORWARD"): False for word in (FIRST, LATER, ANSWER)}
    assert (FIRST, "FORWARD") not in found(chains, uplink="docker0")


@pytest.mark.parametrize(("name", "hooks"), [
    (f"{FIREWALLD}chains.json", {("inet", "firewalld", hook) for hook in ("prerouting", "forward", "postrouting")}),
    ("foreign_ufw-0.36.2-chains.json", {("ip", "filter", "forward"), ("ip6", "filter", "forward")}),
    ("foreign_docker-28-chains.json", {("ip", "filter", "forward"), ("ip", "nat", "prerouting"), ("ip", "nat", "postrouting"),
                                       ("ip", "raw", "prerouting")}),
])
def test_the_list_of_chains(name: str, hooks: Set[Tuple[str, str, str]]) -> None:
    """'nft -j list chains' tells what stands on which hook, without rules."""
    heads = recorded(name)
    assert {(chain.family, chain.table, chain.hook) for chain in heads if chain.hook in ("prerouting", "forward", "postrouting")} == hooks
    assert not any(chain.rules for chain in heads) and any(not chain.hook for chain in heads)


def of(name: str, *names: str, negated: bool = False) -> Condition:
    """A condition on a field with names."""
    return Condition(name, frozenset(names), negated=negated)


def at(name: str, *spans: f.Span, negated: bool = False) -> Condition:
    """A condition on a number."""
    return Condition(name, spans=spans, negated=negated)


TCP, UDP, V4, V6 = of(f.PROTO, "tcp"), of(f.PROTO, "udp"), of(f.FAMILY, "4"), of(f.FAMILY, "6")
TEN = 10 << 24
# the line of the recorded table, and the rules it becomes
MEANING: Dict[str, List[Tuple[str, List[Condition]]]] = {
    "ct state established,related accept": [("accept", [of(f.STATE, "established", "related")])],
    "ct state { new, untracked } counter": [("continue", [of(f.STATE, "new", "untracked")])],
    "ct state != new counter": [("continue", [of(f.STATE, "new", negated=True)])],
    "ct state vmap": [("drop", [of(f.STATE, "invalid")]), ("accept", [of(f.STATE, "established")]), ("accept", [of(f.STATE, "related")])],
    "ct status dnat accept": [("accept", [of(f.STATUS, "dnat")])],
    "ct status dnat,snat accept": [("accept", [of(f.STATUS, "dnat", "snat")])],
    "ct status != dnat drop": [("drop", [ANYTHING])],
    "ct direction reply accept": [("accept", [of(f.DIRECTION, "reply")])],
    "ct original proto-dst": [("accept", [TCP, at(f.PUBLIC_PORT, (22015, 22015))])],
    "iifname vmap {": [("goto sub", [of(f.IIF, "docker*")]), ("jump sub", [of(f.IIF, "eth0")]), ("accept", [of(f.IIF, "lo")])],
    "iifname . oifname vmap": [("accept", [of(f.IIF, "eth0"), of(f.OIF, "wg0")])],
    "iifname . oifname {": [("accept", [of(f.IIF, "eth0"), of(f.OIF, "wg0")]), ("accept", [of(f.IIF, "eth1"), of(f.OIF, "wg0")])],
    "iifname vmap @vm": [("unsure", [ANYTHING])],
    "iif \"lo\" accept": [("accept", [of(f.IIF, "lo")])],
    "ip saddr @big accept": [("accept", [V4, ANYTHING])],
    "ip saddr {": [("drop", [V4, at(f.SOURCE, (TEN, TEN + 2 ** 24 - 1), (3232235781, 3232235781))])],
    "ip daddr 10.0.0.1-10.0.0.9": [("drop", [V4, at(f.TARGET, (TEN + 1, TEN + 9))])],
    "ip6 daddr fd00::/8 drop": [("drop", [V6, at(f.TARGET, (0xfd << 120, (0xfe << 120) - 1))])],
    "tcp dport != 22 drop": [("drop", [TCP, at(f.DPORT, (22, 22), negated=True)])],
    "th dport >= 1024": [("accept", [at(f.DPORT, (1024, 65535))])],
    "tcp dport > 1024": [("accept", [TCP, at(f.DPORT, (1025, 65535))])],
    "th dport 53 accept": [("accept", [of(f.PROTO, "tcp", "udp"), at(f.DPORT, (53, 53))])],
    "meta l4proto icmp": [("accept", [of(f.PROTO, "icmp")])],
    "meta nfproto ipv6": [("drop", [V6])],
    "ip protocol tcp accept": [("accept", [V4, TCP])],
    "ip protocol vmap": [("jump sub", [V4, TCP]), ("accept", [V4, UDP])],
    "fib daddr type local": [("accept", [of(f.TARGET_TYPE, "local")])],
    "fib daddr . iif type": [("accept", [ANYTHING])],
    "fib saddr . iif oif missing": [("drop", [ANYTHING])],
    "limit rate": [("accept", [ANYTHING])],
    "meta mark 0x10": [("accept", [at(f.MARK, (16, 16))])],
    "meta mark & 0xff": [("accept", [ANYTHING])],
    "tcp flags & ": [("accept", [TCP, ANYTHING])],
    "tcp flags syn": [("accept", [TCP, ANYTHING])],
    "add @d": [("accept", [])],
    "meta mark set": [("continue mark", [])],
    "ct mark set": [("continue mark", [])],
    "log prefix": [("continue", [])],
    "tcp option maxseg": [("continue", [])],
    "oifname \"wg*\"": [("accept", [of(f.OIF, "wg*")])],
    "oifname != \"wg0\"": [("accept", [of(f.OIF, "wg0", negated=True)])],
    "oifname != {": [("accept", [of(f.OIF, "wg0", "eth1", negated=True)])],
    "tcp dport vmap": [("accept", [TCP, at(f.DPORT, (22, 22))]), ("drop", [TCP, at(f.DPORT, (80, 90))]), ("continue", [])],
    "ct count over": [("drop", [ANYTHING])],
    "reject with icmpx": [("reject", [of(f.IIF, "eth0"), of(f.OIF, "wg0")])],
    "reject with tcp reset": [("reject", [TCP])],
    "meta pkttype": [("accept", [ANYTHING])],
    "ip daddr != 10.0.0.0/8": [("accept", [V4, at(f.TARGET, (TEN, TEN + 2 ** 24 - 1), negated=True)])],
    "icmp type": [("accept", [of(f.PROTO, "icmp"), ANYTHING])],
    "udp dport . ip daddr": [("accept", [UDP, at(f.DPORT, (53, 53)), V4, at(f.TARGET, (16843009, 16843009))])],
}
LINES = [line.strip() for line in (DATA / "foreign_nft-1.0.6-words.nft").read_text().splitlines()]


def words_of(rule: Rule) -> str:
    """Verdict, target and whether a mark is set."""
    return f"{rule.verdict} {rule.target}".strip() + (" mark" if rule.sets_mark else "")


def test_every_word() -> None:
    """The recorded table holds one rule per line, in this order."""
    (base,) = [chain for chain in recorded(WORDS) if chain.name == "f"]
    rules = [(words_of(rule), list(rule.conditions)) for rule in base.rules]
    lines = LINES[LINES.index("chain f { type filter hook forward priority filter; policy drop;") + 1:][:len(MEANING)]
    assert all(start in line for start, line in zip(MEANING, lines))
    assert rules == [meaning for meanings in MEANING.values() for meaning in meanings]
    assert (base.hook, base.priority, base.kind, base.policy) == ("forward", 0, "filter", f.DROP)


def test_translations() -> None:
    """A nat chain that sends a packet elsewhere does so for its family, and only if what it looks up is there."""
    chains = {chain.name: chain for chain in recorded(WORDS)}
    assert [(words_of(rule), list(rule.conditions)) for rule in chains["pre"].rules] == [
        ("dnat", [TCP, at(f.DPORT, (80, 80)), V4]), ("dnat", [TCP, at(f.DPORT, (81, 81))]), ("dnat", [V4, ANYTHING])]
    assert [words_of(rule) for name in ("raw", "post") for rule in chains[name].rules] == ["notrack", "accept", "accept"]
    assert (chains["pre"].kind, chains["pre"].priority) == ("nat", -100)


def match(left: Any, right: Any, operator: str = "==") -> Dict[str, Any]:
    """A comparison, of a port of TCP when it is with one word."""
    return {"match": {"op": operator, "left": {"payload": {"protocol": "tcp", "field": left}} if isinstance(left, str) else left,
                      "right": right}}


STATE, STATUS, IIFNAME = {"ct": {"key": "state"}}, {"ct": {"key": "status"}}, {"meta": {"key": "iifname"}}


@pytest.mark.parametrize(("statement", "verdict", "conditions"), [
    ({"queue": {"num": 0}}, "unsure", []), ({"tproxy": {"port": 1}}, "unsure", []),
    ({"xt": {"type": "target", "name": "REJECT"}}, "reject", []), ({"xt": {"type": "target", "name": "LOG"}}, "continue", []),
    ({"xt": {"type": "target", "name": "X"}}, "unsure", []), ({"xt": {"type": "target", "name": "MARK"}}, "continue mark", []),
    ({"xt": {"type": "match", "name": "conntrack"}}, "continue", [ANYTHING]), ({"quota": {}}, "continue", [ANYTHING]),
    ({"set": {"op": "update", "elem": 1, "set": "@x", "stmt": [{"limit": {}}]}}, "continue", [ANYTHING]),
    (match(STATE, {"|": ["new", "related"]}, "in"), "continue", [of(f.STATE, "new", "related")]),
    (match(STATE, 8), "continue", [ANYTHING]), (match(STATUS, "dnat"), "continue", [ANYTHING]),
    (match({"meta": {"key": "l4proto"}}, 6), "continue", [TCP]), (match(IIFNAME, "@lan"), "continue", [ANYTHING]),
    (match({"fib": {"result": "type", "flags": "daddr"}}, "local"), "continue", [of(f.TARGET_TYPE, "local")]),
    (match("dport", {"set": [{"elem": {"val": 22}}, 80]}), "continue", [TCP, at(f.DPORT, (22, 22), (80, 80))]),
    (match("dport", 22, "<"), "continue", [TCP, at(f.DPORT, (0, 21))]),
    (match({"concat": [IIFNAME]}, "@pairs"), "continue", [ANYTHING]),
    (match({"concat": [IIFNAME]}, {"concat": ["a"]}, "!="), "continue", [ANYTHING]),
    ({"match": None}, "continue", [ANYTHING]), (match(5, 5), "continue", [ANYTHING]),
    ({"jump": {}}, "unsure", [ANYTHING]), ({"vmap": {"key": 1, "data": {"set": [[1, 2, 3]]}}}, "unsure", [ANYTHING]),
    (7, "unsure", [ANYTHING]), ({"vmap": {"key": IIFNAME, "data": {"set": [["*", {"drop": None}]]}}}, "drop", []),
])
def test_statements(statement: Any, verdict: str, conditions: List[Condition]) -> None:
    """Words of other versions, and of nobody."""
    (rule,) = nft_ruleset.parse_rule([statement], 3)
    assert (words_of(rule), list(rule.conditions), rule.handle) == (verdict, conditions, 3)


def test_a_mark_counts_wherever_in_the_rule_it_is_set() -> None:
    """Before other statements, and before the verdict."""
    mark, size = ({"mangle": {"key": key, "value": 5}} for key in ({"meta": {"key": "mark"}}, {"tcp option": {"name": "maxseg"}}))
    for statements, expected in (([mark, size], True), ([size, mark, {"accept": None}], True), ([size], False)):
        assert [rule.sets_mark for rule in nft_ruleset.parse_rule(statements, 1)] == [expected]


def test_the_entry_for_all_else_comes_last() -> None:
    """Wherever nft prints it."""
    entries = [["*", {"drop": None}], ["eth0", {"accept": None}]]
    rules = nft_ruleset.parse_rule([{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": {"set": entries}}}], 1)
    assert [rule.verdict for rule in rules] == ["accept", "drop"]


def test_a_huge_map_is_doubt() -> None:
    """Entries are not looked at without end."""
    entries = [[number, {"accept": None}] for number in range(nft_ruleset.ALTERNATIVES_LIMIT + 1)]
    (rule,) = nft_ruleset.parse_rule([{"vmap": {"key": IIFNAME, "data": {"set": entries}}}], 1)
    assert rule.verdict == f.UNSURE
    pairs = {"set": [{"concat": ["a", "b"]}] * 100}
    both = match({"concat": [IIFNAME, {"meta": {"key": "oifname"}}]}, pairs)
    assert [rule.verdict for rule in nft_ruleset.parse_rule([both, both, {"drop": None}], 1)] == [f.UNSURE]


def test_the_text_of_a_rule() -> None:
    """Found by its handle, which is no part of a longer one."""
    listing = "table inet x { # handle 4\n\tchain y {\n\t\ttcp dport 1 drop # handle 14\n\t\treject # handle 4\n\t}\n}\n"
    assert [nft_ruleset.rule_text(listing, handle) for handle in (14, 4, 5)] == ["tcp dport 1 drop", "table inet x {", ""]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"nftables": 5}', '{"nftables": [5]}', "[" * 100000, '{"nftables": [null]}'])
def test_what_is_no_listing_is_refused(text: str) -> None:
    """With an error of ours, which the caller makes a note of."""
    with pytest.raises(StateRefused):
        nft_ruleset.parse(text)


def scramble(value: Any, dice: random.Random) -> Any:
    """The same listing with odd values in odd places."""
    if dice.random() < 0.02:
        return dice.choice([None, 5, -1, "x", "@x", [], {}, True, [None], {"set": [1]}, {"concat": ["a"]}, 1.5, 2 ** 200])
    if isinstance(value, dict):
        return {key: scramble(item, dice) for key, item in value.items()}
    return [scramble(item, dice) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(40))
def test_odd_listings_are_never_another_exception(seed: int) -> None:
    """Read and judged, or refused."""
    dice = random.Random(seed)
    listing = json.loads((DATA / dice.choice([WORDS, f"{FIREWALLD}table.json"])).read_text())
    odd = copy.deepcopy(listing)
    odd["nftables"] = [scramble(entry, dice) for entry in odd["nftables"]]
    try:
        found(nft_ruleset.parse(json.dumps(odd)))
    except StateRefused:
        assert not all(isinstance(entry, dict) for entry in odd["nftables"])

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's rules and a packet of which not all is known: passes, is dropped, or nobody can tell."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Dict, List, Optional, Set, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models import filtering as f
from ansible_collections.edge.gateway.plugins.module_utils.models.filtering import ANYTHING, Chain, Condition, Fact, Known, Packet, Rule
from ansible_collections.edge.gateway.plugins.module_utils.models.judging import DEPTH_LIMIT, Judgement, Ruleset
from ansible_collections.edge.gateway.plugins.module_utils.models.passage import ANSWER, CLIENT_PORTS, FIRST, LATER, Probe, classes, packets
from unit.probes import probe_of

PROBE = probe_of("tcp", "22015", "10.50.0.12", "8080")
HIT, MISS = Condition(f.PROTO, frozenset({"tcp"})), Condition(f.PROTO, frozenset({"udp"}))
FACTS: Dict[str, Fact] = {f.PROTO: Known(frozenset({"tcp"})), f.IIF: Known(frozenset({"eth0"})), f.DPORT: (8080, 8080)}
PACKET = Packet(4, "forward", FACTS)
ETH0, DNAT = Known(frozenset({"eth0"})), Known(frozenset({"dnat"}), frozenset({"snat"}))
OUTSIDE = Known(maybe=None, never=frozenset({"wg0", "lo"}))


def rule(verdict: str, *conditions: Condition, target: str = "", sets_mark: bool = False) -> Rule:
    """A rule that is found again by its text."""
    return Rule(conditions, verdict, target, f"{verdict} {target}".strip(), sets_mark=sets_mark)


def base(*rules: Rule, policy: str = f.ACCEPT, **changes: object) -> Chain:
    """The base chain of the forward hook."""
    return replace(Chain("nft", "inet", "x", "base", "forward", policy=policy, rules=rules), **changes)  # type: ignore[arg-type]


def sub(name: str, *rules: Rule) -> Chain:
    """A chain that is jumped to."""
    return Chain("nft", "inet", "x", name, rules=rules)


def judged(*chains: Chain, packet: Packet = PACKET) -> Judgement:
    """What the base chain does."""
    (judgement,) = Ruleset(list(chains)).judge(packet)
    return judgement


@pytest.mark.parametrize(("fact", "patterns", "expected"), [
    (ETH0, {"eth0"}, True), (ETH0, {"eth1"}, False), (ETH0, {"eth*"}, True), (ETH0, {"wg*"}, False), (ETH0, {"et"}, False),
    (ETH0, set(), False),
    (OUTSIDE, {"wg0"}, False), (OUTSIDE, {"lo", "wg0"}, False), (OUTSIDE, {"wg0", "eth0"}, None), (OUTSIDE, {"wg*"}, None),
    (OUTSIDE, {"*"}, True),
    (DNAT, {"snat"}, None), (DNAT, {"snat", "dnat"}, True), (DNAT, {"assured"}, False),
])
def test_names(fact: Known, patterns: Set[str], expected: Optional[bool]) -> None:
    """Certain, excluded, possible; and a negation turns only certainty round."""
    facts: Dict[str, Fact] = {f.IIF: fact}
    assert Condition(f.IIF, frozenset(patterns)).matches(facts) is expected
    assert Condition(f.IIF, frozenset(patterns), negated=True).matches(facts) is (None if expected is None else not expected)


@pytest.mark.parametrize(("value", "spans", "expected"), [
    ((80, 80), [(80, 80)], True), ((80, 80), [(81, 90)], False), ((80, 80), [(1, 79), (81, 90)], False),
    ((80, 80), [(1, 2), (80, 90)], True),
    ((6000, 6010), [(6000, 6010)], True), ((6000, 6010), [(6000, 6009)], None), ((6000, 6010), [(6011, 7000)], False),
    ((6000, 6010), [(6010, 7000)], None), ((0, 65535), [(0, 65535)], True), ((0, 65535), [(22, 22)], None),
])
def test_spans(value: f.Span, spans: List[f.Span], expected: Optional[bool]) -> None:
    """A range of ports lies inside, outside, or half inside."""
    assert Condition(f.DPORT, spans=tuple(spans)).matches({f.DPORT: value}) is expected


def test_what_is_not_known_may_match() -> None:
    """A field without a fact, an unknown match; together with a miss it is a miss all the same."""
    assert ANYTHING.matches(FACTS) is None and Condition(f.SOURCE, spans=((1, 2),), negated=True).matches(FACTS) is None
    assert rule(f.DROP, ANYTHING, HIT).matches(FACTS) is None
    assert rule(f.DROP, ANYTHING, MISS).matches(FACTS) is False and rule(f.DROP).matches(FACTS) is True


@pytest.mark.parametrize(("rules", "policy", "passes"), [
    ([], f.ACCEPT, True), ([], f.DROP, False),
    ([rule(f.ACCEPT)], f.DROP, True), ([rule(f.DROP)], f.ACCEPT, False), ([rule(f.REJECT)], f.ACCEPT, False),
    ([rule(f.ACCEPT, MISS)], f.DROP, False), ([rule(f.DROP, MISS)], f.ACCEPT, True),
    ([rule(f.ACCEPT, ANYTHING)], f.DROP, None), ([rule(f.ACCEPT, ANYTHING)], f.ACCEPT, True),
    ([rule(f.DROP, ANYTHING)], f.DROP, False), ([rule(f.DROP, ANYTHING)], f.ACCEPT, None),
    ([rule(f.CONTINUE), rule(f.RETURN), rule(f.ACCEPT)], f.DROP, False), ([rule(f.RETURN, ANYTHING), rule(f.ACCEPT)], f.DROP, None),
    ([rule(f.UNSURE)], f.ACCEPT, None), ([rule(f.UNSURE), rule(f.DROP)], f.DROP, None), ([rule("no such verdict")], f.ACCEPT, None),
    ([rule(f.UNSURE, MISS), rule(f.DROP)], f.ACCEPT, False),
    ([rule(f.JUMP, target="gone"), rule(f.DROP)], f.DROP, None),
    ([rule(f.ACCEPT, ANYTHING), rule(f.DROP), rule(f.ACCEPT)], f.ACCEPT, None),
])
def test_one_chain(rules: List[Rule], policy: str, passes: Optional[bool]) -> None:
    """The first certain match decides; what comes before it and may match can only add doubt."""
    assert judged(base(*rules, policy=policy)).passes is passes


@pytest.mark.parametrize(("rules", "inner", "passes"), [
    ([rule(f.JUMP, target="a"), rule(f.ACCEPT)], [], True), ([rule(f.GOTO, target="a"), rule(f.ACCEPT)], [], False),
    ([rule(f.JUMP, target="a"), rule(f.ACCEPT)], [rule(f.RETURN), rule(f.DROP)], True),
    ([rule(f.JUMP, target="a"), rule(f.ACCEPT)], [rule(f.DROP)], False),
    ([rule(f.JUMP, MISS, target="a"), rule(f.ACCEPT)], [rule(f.DROP)], True),
    ([rule(f.GOTO, target="a")], [rule(f.ACCEPT)], True), ([rule(f.GOTO, MISS, target="a"), rule(f.ACCEPT)], [rule(f.DROP)], True),
    ([rule(f.JUMP, target="a"), rule(f.ACCEPT)], [rule(f.DROP, ANYTHING)], None),
    ([rule(f.JUMP, target="a"), rule(f.ACCEPT)], [rule(f.GOTO, target="b"), rule(f.DROP)], True),
    ([rule(f.JUMP, target="b"), rule(f.JUMP, target="a")], [rule(f.ACCEPT)], True),
    ([rule(f.JUMP, ANYTHING, target="a"), rule(f.DROP)], [rule(f.RETURN)], False),
])
def test_jumps(rules: List[Rule], inner: List[Rule], passes: Optional[bool]) -> None:
    """A jump comes back to its next rule, a goto to where its chain was jumped to from: here, the policy (drop)."""
    assert judged(base(*rules, policy=f.DROP), sub("a", *inner), sub("b")).passes is passes


def test_the_cause_is_the_certain_one() -> None:
    """A rule that only may drop is not blamed where a later one certainly does."""
    judgement = judged(base(rule(f.DROP, ANYTHING), rule(f.JUMP, target="a")), sub("a", rule(f.REJECT)))
    assert judgement.place and judgement.place.name == "a" and judgement.rule == rule(f.REJECT)
    policy = judged(base(rule(f.DROP, ANYTHING), policy=f.DROP))
    assert policy.place == policy.base and policy.rule is None


def test_loops_and_depth_are_doubt_not_failure() -> None:
    """What no kernel accepts, and what lies too deep, may end in any way."""
    assert judged(base(rule(f.JUMP, target="a")), sub("a", rule(f.JUMP, target="a"))).passes is None
    assert judged(base(rule(f.JUMP, target="base"), rule(f.DROP))).passes is None
    for depth, passes in ((DEPTH_LIMIT - 2, False), (5000, None)):
        deep = [sub(f"c{number}", rule(f.JUMP, target=f"c{number + 1}")) for number in range(depth)]
        assert judged(base(rule(f.JUMP, target="c0")), *deep, sub(f"c{depth}", rule(f.DROP))).passes is passes


def test_the_work_does_not_explode() -> None:
    """Chains that jump twice to the next one, with everything unknown: 2 to the 30th ways, walked in no time."""
    chains = [sub(f"c{number}", *[rule(f.JUMP, ANYTHING, target=f"c{number + 1}")] * 2) for number in range(30)]
    started = time.monotonic()
    assert judged(base(rule(f.JUMP, target="c0"), policy=f.DROP), *chains, sub("c30", rule(f.ACCEPT, ANYTHING))).passes is None
    assert time.monotonic() - started < 1


def test_every_base_chain_is_asked() -> None:
    """One that accepts does not help against one that drops; other hooks, families and kinds do not see the packet."""
    chains = [base(rule(f.ACCEPT)), base(policy=f.DROP, table="y"), base(policy=f.DROP, table="z", hook="input"),
              base(policy=f.DROP, table="6", family="ip6"), base(policy=f.DROP, table="n", kind="nat"),
              base(policy=f.DROP, table="l", family="bridge")]
    assert [(item.base.table, item.passes) for item in Ruleset(chains).judge(PACKET)] == [("x", True), ("y", False)]
    assert [item.base.table for item in Ruleset(chains).judge(replace(PACKET, family=6))] == ["x", "y", "6"]
    window = replace(PACKET, lowest=-10, highest=10)
    assert [item.base.priority for item in Ruleset([base(priority=number) for number in (-11, -10, 10, 11)]).judge(window)] == [-10, 10]


def test_a_jump_stays_in_its_table() -> None:
    """Chains of one name in several tables, families and variants are several chains."""
    other = [replace(sub("a", rule(f.DROP)), **{name: "other"}) for name in ("table", "family", "backend")]  # type: ignore[arg-type]
    assert judged(base(rule(f.JUMP, target="a")), sub("a", rule(f.ACCEPT)), *other).passes is True


@pytest.mark.parametrize(("marker", "passes"), [
    (None, False), (rule(f.CONTINUE, sets_mark=True), None), (rule(f.CONTINUE, MISS, sets_mark=True), False),
    (rule(f.CONTINUE, Condition(f.IIF, frozenset({"tailscale0"})), sets_mark=True), False),
    (rule(f.CONTINUE, Condition(f.DPORT, spans=((22015, 22015),)), sets_mark=True), None),
])
def test_marks(marker: Optional[Rule], passes: Optional[bool]) -> None:
    """A packet carries no mark unless a rule sets one that it may have met, anywhere, with the port it had there."""
    marked = Condition(f.MARK, spans=((16, 16),))
    assert judged(base(rule(f.ACCEPT, marked), policy=f.DROP), sub("m", *[marker] if marker else [])).passes is passes
    assert judged(base(rule(f.ACCEPT, Condition(f.MARK, spans=((0, 0),))), policy=f.DROP)).passes is True


def test_untracking_counts_before_tracking_only() -> None:
    """Behind priority -200 the packet is tracked whatever a rule says."""
    early = replace(PACKET, highest=f.TRACKING - 1)
    assert judged(base(rule(f.NOTRACK), priority=-300), packet=early).passes is False
    assert judged(base(rule(f.NOTRACK))).passes is True


def seen(word: str, hook: str, priority: int, kind: str = "filter", uplink: str = "eth0") -> List[Packet]:
    """The packets of one sort that a chain at this place sees."""
    chain = Chain("nft", "inet", "x", "x", hook, priority, kind)
    return [packet for found, packet in packets(PROBE, "wg0", uplink) if found == word and packet.sees(chain)]


@pytest.mark.parametrize("word", [FIRST, LATER, ANSWER])
@pytest.mark.parametrize(("hook", "priority"), [(hook, priority) for hook in ("prerouting", "forward", "postrouting") for priority in
                                                (-400, -300, -201, -200, -199, -150, -101, -100, -99, -50, 0, 99, 100, 101, 300)])
def test_every_priority_sees_each_packet_once(word: str, hook: str, priority: int) -> None:
    """No gap and no overlap; before tracking, an open connection looks like a new one."""
    late = not (word == LATER and hook == "prerouting" and priority < f.TRACKING)
    assert len(seen(word, hook, priority)) == (1 if late else 0)


def test_the_first_packet() -> None:
    """What is known of it before tracking, before translation and after."""
    raw, before, after = (seen(FIRST, "prerouting", priority)[0].facts for priority in (-300, -150, 0))
    assert raw[f.STATE] == Known(frozenset({"invalid"})) and f.STATUS not in raw
    assert before[f.STATE] == Known(frozenset({"new"})) and before[f.STATUS] == Known()
    assert [facts[f.DPORT] for facts in (raw, before, after)] == [(22015, 22015), (22015, 22015), (8080, 8080)]
    assert before[f.TARGET_TYPE] == Known(frozenset({"local"})) and after[f.TARGET] == (PROBE.address, PROBE.address)
    translated = Condition(f.STATE, frozenset({"dnat"}))
    assert (translated.matches(after), translated.matches(before)) == (True, False)
    forward = seen(FIRST, "forward", 0)[0].facts
    assert (forward[f.IIF], forward[f.OIF]) == (Known(frozenset({"eth0"})), Known(frozenset({"wg0"})))
    assert f.OIF not in after and f.IIF not in seen(FIRST, "postrouting", 0)[0].facts
    for ports, expected in (((443, 443), False), ((1024, 65535), True), ((50000, 50000), None)):
        assert Condition(f.SPORT, spans=(ports,)).matches(forward) is expected
    unknown = seen(FIRST, "forward", 0, uplink="")[0].facts[f.IIF]
    assert unknown == Known(maybe=None, never=frozenset({"wg0", "lo"}))


def test_the_answer() -> None:
    """It comes from the target by the mesh and leaves by the uplink, as part of a connection that was translated."""
    facts = seen(ANSWER, "forward", 0)[0].facts
    assert (facts[f.IIF], facts[f.OIF]) == (Known(frozenset({"wg0"})), Known(frozenset({"eth0"})))
    assert (facts[f.SOURCE], facts[f.SPORT], facts[f.DIRECTION]) == ((PROBE.address,) * 2, (8080, 8080), Known(frozenset({"reply"})))
    for names, expected in (({"established"}, True), ({"new"}, False), ({"dnat"}, True), ({"related", "established"}, True)):
        assert Condition(f.STATE, frozenset(names)).matches(facts) is expected
    assert f.SOURCE in seen(ANSWER, "postrouting", 99)[0].facts and f.SOURCE not in seen(ANSWER, "postrouting", 100)[0].facts


def test_nat_chains_see_the_first_packet_and_only_before_ours() -> None:
    """Among nat chains the first to decide wins."""
    found = {(word, hook, priority): len(seen(word, hook, priority, "nat")) for word in (FIRST, LATER, ANSWER)
             for hook in ("prerouting", "postrouting") for priority in (-101, -100, 99, 100)}
    assert {place for place, count in found.items() if count} == {
        (FIRST, "prerouting", -101), *((FIRST, "postrouting", priority) for priority in (-101, -100, 99))}


def test_probes_from_words() -> None:
    """Ports may be ranges; the target's address tells the family."""
    probe = probe_of("udp", "6000-6010", "fd50::12", "6000-6010", "game")
    assert (probe.public_ports, probe.target_ports, probe.family, PROBE.family) == ((6000, 6010), (6000, 6010), 6, 4)


def test_ten_thousand_forwards_are_few_classes() -> None:
    """As many as the rules can tell apart, found in little time."""
    probes = [Probe(proto, (port, port), f"10.50.{port // 250}.{port % 250}", (port, port))
              for port in range(10000, 15000) for proto in ("tcp", "udp")]
    started = time.monotonic()
    assert [len(group) for group in classes(probes, Ruleset([base(rule(f.ACCEPT, HIT))]))] == [5000, 5000]
    ports = base(rule(f.ACCEPT, Condition(f.DPORT, spans=((12000, 12000), (13000, 13999)))))
    assert sorted(len(group) for group in classes(probes, Ruleset([ports]))) == [1, 1, 999, 999, 1000, 1000, 1000, 1000, 2000, 2000]
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("seed", range(20))
def test_a_class_is_judged_as_each_of_its_members(seed: int) -> None:
    """Whatever the rules ask, members of a class never differ; and the classes hold each forward once."""
    dice = random.Random(seed)

    def span() -> f.Span:
        low = dice.randint(0, 12) + dice.choice([0, CLIENT_PORTS[0] - 5])
        return low, low + dice.choice([0, 0, 1, 3])

    def condition() -> Tuple[str, Condition]:
        name = dice.choice([f.DPORT, f.SPORT, f.PUBLIC_PORT, f.TARGET, f.SOURCE])
        return name, Condition(name, spans=(span(), span()), negated=dice.random() < 0.3)

    rules = [rule(dice.choice([f.ACCEPT, f.DROP]), condition()[1]) for _ in range(4)]
    ruleset = Ruleset([base(*rules, hook=hook, priority=priority, table=f"{hook}{priority}", policy=f.DROP)
                       for hook, priority in (("forward", 0), ("prerouting", -150), ("prerouting", 0), ("postrouting", 0))])
    probes = [Probe(proto, span(), f"0.0.0.{dice.randint(0, 15)}", span()) for _ in range(60) for proto in ("tcp", "udp")]

    def verdicts(probe: Probe) -> List[Tuple[str, Optional[bool]]]:
        return [(word, item.passes) for word, packet in packets(probe, "wg0", "eth0") for item in ruleset.judge(packet)]

    groups = classes(probes, ruleset)
    assert sorted(map(repr, probes)) == sorted(repr(probe) for group in groups for probe in group)
    assert len(groups) > 2 and all(verdicts(probe) == verdicts(group[0]) for group in groups for probe in group)

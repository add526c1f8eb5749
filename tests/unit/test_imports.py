# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nat rules of others as forwards: recorded ones, those that must be left out, and hostile ones.

Recorded on 2026-11-26 with iptables 1.8.9, both variants and IP versions, from rules made for this; the chains of Docker 28 as
``test_iptables_save`` has them.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import iptables_save, nft_ruleset, seed
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.imports import (
    MOST_NOTES,
    Draft,
    Imported,
    NatReader,
    combine,
    destination,
    ways,
)
from ansible_collections.edge.gateway.plugins.module_utils.models.nat import Table
from unit.samples import one_sentence

DATA = Path(__file__).parent / "data"
HEAD = "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
MASQUERADE = "-A POSTROUTING -o wg0 -j MASQUERADE"
TO = "-j DNAT --to-destination 10.50.0.12:80"
RULE = f"-A PREROUTING -p tcp -m tcp --dport 8080 {TO}"
OWN = ("198.51.100.1", "10.50.0.1", "2001:db8:1::1", "127.0.0.1")


def imported(*texts: str, family: int = 4, own: Sequence[str] = OWN) -> Imported:
    """What is taken from dumps, all of one IP version."""
    tables = [Table(iptables_save.parse(text, "ip" if family == 4 else "ip6", "iptables-nft"), family, "wg0", own) for text in texts]
    reader = NatReader(tables, family)
    drafts = reader.read()
    return combine(drafts, reader.notes)


def of(*lines: str, chains: Sequence[str] = (), masquerade: str = MASQUERADE) -> Imported:
    """What is taken from rules."""
    return imported("\n".join([HEAD + "".join(f":{name} - [0:0]\n" for name in chains), *lines, masquerade, "COMMIT\n"]))


def left_out(*lines: str, chains: Sequence[str] = ()) -> str:
    """Why the last of some rules is the only one that is left out."""
    found = of(*lines, chains=chains)
    assert len(found.notes) == 1, found
    return one_sentence(found.notes[0])


@pytest.mark.parametrize("variant", ["nft", "legacy"])
@pytest.mark.parametrize("family", [4, 6])
def test_recorded_rules(variant: str, family: int) -> None:
    """All that can be said, in order, and a sentence for each of the others."""
    found = imported((DATA / f"imports_iptables-1.8.9-{variant}-ipv{family}.txt").read_text(), family=family)
    six = "6" if family == 6 else ""
    rows = {name: (item.public_port, item.target_port, item.proto) for name, item in found.forwards.items()}
    assert rows == {
        f"tcp{six}-22015": ("22015", 32215, "tcp"), "dns": ("53", 53, "udp"), f"tcp{six}-6000-6010": ("6000-6010", 6000, "tcp"),
        f"tcp{six}-7000-7003": ("7000-7003", 27000, "tcp"), "web-80": ("80", 80, "udp"), "web-443": ("443", 443, "udp"),
        "web-8000-8010": ("8000-8010", 8000, "udp"), f"tcp{six}-99": ("99", 1, "tcp"), f"tcp{six}-5001": ("5001", 1, "tcp"),
        f"udp{six}-1034": ("1034", 1, "udp"), f"udp{six}-1035": ("1035", 1, "udp")}
    assert {item.source_nat for item in found.forwards.values()} == {"masquerade"}
    assert found.forwards[f"tcp{six}-99"].source_ranges == (("203.0.113.0/24", "203.0.113.0/29", "203.0.113.8/31") if family == 4 else (
        "2001:db8::/32", "2001:db9::/127"))
    assert found.forwards["web-80"].comment == "web" and found.forwards[f"tcp{six}-7000-7003"].comment == ""
    notes = [one_sentence(note) for note in found.notes]
    # a comment's second line is no rule; each rule that was left out is named, and Docker's and Kubernetes' are counted
    assert not any("10.50.0.66:22'" in note and "1034" not in note for note in notes)
    ports = [*range(1001, 1009), 1010, 1020, *range(1030, 1034), 5002, 5003]
    for port in ports:
        assert sum(f"dport {port}" in note for note in notes) == 1, port
    assert len(notes) == len(ports) + 2 + 2 + 1


def test_dockers_own_rules() -> None:
    """Never taken, and told in one note."""
    found = imported((DATA / "foreign_docker-28-iptables-nft.txt").read_text())
    assert not found.forwards and len(found.notes) == 1 and "DOCKER" in found.notes[0] and "Docker made" in found.notes[0]


@pytest.mark.parametrize(("rule", "word"), [
    (f"-A PREROUTING -i eth0 -p tcp -m tcp --dport 1 {TO}", "interface"),
    (f"-A PREROUTING -i eth+ -p tcp -m tcp --dport 1 {TO}", "interface"),
    (f"-A PREROUTING ! -i eth0 -p tcp -m tcp --dport 1 {TO}", "interface"),
    (f"-A PREROUTING -d 198.51.100.1/32 -p tcp -m tcp --dport 1 {TO}", "address that it is sent to"),
    (f"-A PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 1 {TO}", "to another host"),
    (f"-A PREROUTING -i wg0 -p tcp -m tcp --dport 1 {TO}", "from the mesh"),
    (f"-A PREROUTING -m addrtype ! --dst-type LOCAL -p tcp -m tcp --dport 1 {TO}", "to another host"),
    (f"-A PREROUTING -p tcp -m set --match-set friends src -m tcp --dport 1 {TO}", "cannot say"),
    (f"-A PREROUTING -p tcp -m statistic --mode nth --every 2 --packet 0 -m tcp --dport 1 {TO}", "cannot say"),
    (f"-A PREROUTING -p tcp -m mark --mark 0x1 -m tcp --dport 1 {TO}", "mark"),
    (f"-A PREROUTING -m conntrack --ctorigdst 192.0.2.1 -p tcp -m tcp --dport 1 {TO}", "cannot say"),
    (f"-A PREROUTING -p tcp -m tcp --sport 5 --dport 1 {TO}", "client's port"),
    (f"-A PREROUTING ! -s 192.0.2.0/24 -p tcp -m tcp --dport 1 {TO}", "cannot say"),
    (f"-A PREROUTING ! -p tcp {TO}", "cannot say"),
    (f"-A PREROUTING -p udplite -m udplite --dport 1 {TO}", "other protocols"),
    (f"-A PREROUTING -p tcp {TO}", "all ports"),
    ("-A PREROUTING -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.50.0.12-10.50.0.14", "not one address"),
    ("-A PREROUTING -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.50.0.12:80 --random", "at random"),
    ("-A PREROUTING -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.50.0.12:80-90", "spreads"),
    ("-A PREROUTING -p tcp -m tcp --dport 1:9 -j DNAT --to-destination 10.50.0.12:80", "spreads or joins"),
    ("-A PREROUTING -p tcp -m tcp --dport 1:9 -j DNAT --to-destination 10.50.0.12:80-85/1", "not a port for each"),
    ("-A PREROUTING -p tcp -m tcp --dport 1:9 -j DNAT --to-destination 10.50.0.12:80-90/2", "not a port for each"),
    ("-A PREROUTING -p tcp -m tcp --dport 1 -j DNAT --to-destination 127.0.0.1:80", "loopback"),
    ("-A PREROUTING -p tcp -m tcp --dport 1 -j DNAT --to-destination fd50::12", "other IP version"),
    ("-A PREROUTING -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.50.0.1:80", "this host itself"),
    ("-A PREROUTING -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.50.0.12:99999", "target_port"),
    ("-A PREROUTING -p tcp -m tcp --dport 0 -j DNAT --to-destination 10.50.0.12:80", "public_port"),
    (f"-A OUTPUT -p tcp -m tcp --dport 1 {TO}", "this host itself"),
])
def test_what_a_forward_cannot_say(rule: str, word: str) -> None:
    """Is left out, in one sentence that shows the rule and says why; the rule before it stays."""
    found = of(RULE, rule)
    assert list(found.forwards) == ["tcp-8080"] and len(found.notes) == 1
    assert word in one_sentence(found.notes[0]) and rule.split(" ", 2)[2][:40] in found.notes[0]


@pytest.mark.parametrize(("before", "chains"), [
    (["-A PREROUTING -p tcp -m tcp --dport 8080 -j ACCEPT"], []),
    (["-A PREROUTING -s 192.0.2.0/24 -j RETURN"], []),
    (["-A PREROUTING -p tcp -m tcp --dport 8000:9000 -j REDIRECT --to-ports 3128"], []),
    (["-A PREROUTING -p tcp -m multiport --dports 1,8080 -j SOMETHING"], []),
    (["-A PREROUTING -i eth1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.50.0.13"], []),
    (["-A PREROUTING -j DOCKER", "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80"], ["DOCKER"]),
    (["-A PREROUTING -p tcp -g AWAY"], ["AWAY"]),
    (["-A PREROUTING -j MINE", "-A MINE -p tcp -m tcp --dport 8080 -j ACCEPT"], ["MINE"]),
])
def test_what_an_earlier_rule_may_take(before: List[str], chains: List[str]) -> None:
    """Some of its packets may never reach a rule: then no forward would do the same."""
    found = of(*before, RULE, chains=chains)
    assert not found.forwards and any("comes before it" in one_sentence(note) and "--dport 8080 -j DNAT" in note for note in found.notes)


@pytest.mark.parametrize(("before", "chains"), [
    (["-A PREROUTING -p udp -m udp --dport 8080 -j ACCEPT"], []),
    (["-A PREROUTING -p tcp -m tcp --dport 8081 -j ACCEPT"], []),
    (["-A PREROUTING -i lo -j ACCEPT", "-A PREROUTING -i wg0 -j RETURN"], []),
    (["-A PREROUTING -d 192.0.2.0/24 -j ACCEPT"], []),
    (["-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER", "-A DOCKER -i docker0 -j RETURN"], ["DOCKER"]),
    (["-A PREROUTING -j MINE", "-A MINE -p tcp -j RETURN"], ["MINE"]),
    (["-A PREROUTING -p tcp -j LOG --log-prefix \"-j ACCEPT\"", "-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff"], []),
    (["-A PREROUTING ! -i wg0 -j EDGE-GATEWAY", f"-A EDGE-GATEWAY -p tcp -m tcp --dport 8080 {TO}"], ["EDGE-GATEWAY"]),
    ([RULE, RULE], []),
])
def test_what_takes_nothing_away(before: List[str], chains: List[str]) -> None:
    """Other ports, other packets, chains that are left again, the same once more, and our own chains, into which a forward goes."""
    assert list(of(*before, RULE, chains=chains).forwards) == ["tcp-8080"]


def test_rules_behind_jumps() -> None:
    """What a jump asks for counts for the rules behind it; what leaves a chain early counts for the rest of it."""
    found = of("-A PREROUTING -s 192.0.2.0/24 -p tcp -j A", f"-A A -m tcp -p tcp --dport 1 {TO}", "-A PREROUTING -i eth0 -j B",
               f"-A B -p tcp -m tcp --dport 2 {TO}", "-A PREROUTING -p udp -j C", f"-A C -p tcp -m tcp --dport 3 {TO}",
               "-A PREROUTING -j D", "-A D -s 192.0.2.1/32 -j RETURN", f"-A D -p tcp -m tcp --dport 4 {TO}", chains="ABCD")
    assert [str(item) for item in found.forwards.values()] == ["tcp  1           -> 10.50.0.12:80          from 192.0.2.0/24"]
    assert len(found.notes) == 2 and "interface" in found.notes[0] and "earlier rules of its chain" in found.notes[1]


def test_one_port_for_several_sources_is_one_forward() -> None:
    """Together they are for all of those; one that is for anyone makes it so; another target is somebody's decision."""
    rules = [f"-A PREROUTING -s {source} -p tcp -m tcp --dport 1 {TO}" for source in ("192.0.2.0/24", "203.0.113.7/32", "192.0.2.0/24")]
    item, = of(*rules).forwards.values()
    assert item.source_ranges == ("192.0.2.0/24", "203.0.113.7/32") and len(of(*rules).origins[item.forward_id]) == 2
    item, = of(*rules, f"-A PREROUTING -p tcp -m tcp --dport 1 {TO}").forwards.values()
    assert item.source_ranges == ()
    assert "comes before it" in left_out(rules[0], rules[1].replace(".12:", ".13:"))


@pytest.mark.parametrize(("rule", "nat"), [
    (MASQUERADE, "masquerade"), ("-A POSTROUTING -j MASQUERADE", "masquerade"), ("-A POSTROUTING -o wg+ -j MASQUERADE", "masquerade"),
    ("-A POSTROUTING -d 10.50.0.0/24 -o wg0 -j SNAT --to-source 10.50.0.1", "masquerade"),
    ("-A POSTROUTING -d 10.50.0.12/32 -p tcp -m tcp --dport 80 -j MASQUERADE", "masquerade"),
    ("-A POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE", "masquerade"),
    ("-A POSTROUTING ! -s 10.50.0.0/24 -j MASQUERADE", "masquerade"),
    ("-A POSTROUTING -o eth0 -j MASQUERADE", "none"), ("-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "none"),
    ("-A POSTROUTING -d 10.50.0.12/32 -p tcp -m tcp --dport 81 -j MASQUERADE", "none"),
    ("-A POSTROUTING -d 10.50.0.13/32 -j MASQUERADE", "none"),
    ("-A POSTROUTING -p udp -j MASQUERADE", "none"), ("-A POSTROUTING -d 10.50.0.0/24 -j ACCEPT\n-A POSTROUTING -j MASQUERADE", "none"),
    ("", "none"),
])
def test_whether_the_target_sees_its_clients(rule: str, nat: str) -> None:
    """As the rules on the way out have it."""
    item, = of(RULE, masquerade=rule).forwards.values()
    assert item.source_nat == nat


def test_a_doubt_about_that_is_told() -> None:
    """Hidden then, which always works."""
    found = of(RULE, masquerade="-A POSTROUTING -m set --match-set x dst -j MASQUERADE")
    assert [item.source_nat for item in found.forwards.values()] == ["masquerade"] and "set its source_nat" in one_sentence(found.notes[0])


def test_ids_are_unique_and_names_of_others_are_no_ids() -> None:
    """A comment that is an id becomes one; what it cannot be is neither id nor comment."""
    def rule(port: int, comment: str) -> str:
        return f"-A PREROUTING -p tcp -m tcp --dport {port} -m comment --comment {comment} {TO}"
    found = of(rule(1, "web"), rule(2, "web"), rule(3, '"Web; drop table"'), rule(4, '"a\\"b"'), rule(5, '"For ops"'), rule(6, "x" * 80))
    assert [(name, item.comment) for name, item in found.forwards.items()] == [
        ("web", "web"), ("web-2", "web"), ("tcp-3", ""), ("tcp-4", ""), ("tcp-5", "For ops"), ("tcp-6", "")]


def test_the_first_of_two_that_claim_a_port_is_taken() -> None:
    """The older agent's list comes before its rules; the same twice is one forward."""
    def draft(name: str, **params: object) -> Draft:
        item = Forward.parse({"forward_id": name, "public_port": "100-200", "target_ip": "10.50.0.12", "proto": "both", **params})
        return Draft(name, item, (f"from {name}",))
    found = combine([draft("a"), draft("b"), draft("c", public_port="200-300"), draft("d", public_port="201", proto="udp"),
                     draft("e", public_port="50-99"), draft("f", public_port="99"), draft("g", target_ip="fd50::1"),
                     draft("h", public_port="10-50")], [])
    assert list(found.forwards) == ["a", "d", "e", "g"] and found.origins["a"] == ["from a", "from b"]
    assert len(found.notes) == 3 and all("already; keep one of the two" in one_sentence(note) for note in found.notes)


def test_the_rules_that_the_older_system_made() -> None:
    """Property: they give the same forwards as its state, whatever it forwarded."""
    source = random.Random(20261126)
    for _ in range(20):
        ports = source.sample(range(1, 65536), 30)
        state = {f"vm-{port}": {"public_port": port, "target_ip": f"10.50.{source.randrange(4)}.{source.randrange(2, 255)}",
                                "target_port": source.randrange(1, 65536), "proto": "tcp"} for port in ports}
        wanted = seed.parse_state(json.dumps({"tcp_forwards": state}).encode(), "state.json")
        rules = ["-A PREROUTING -p tcp -m tcp --dport {public_port} -j DNAT --to-destination {target_ip}:{target_port}".format(**item)
                 for item in state.values()]
        found = of(*rules, *source.sample(rules, 5))
        assert [item._replace(forward_id="") for item in found.forwards.values()] == [
            item._replace(forward_id="") for item in wanted.values()]
        assert list(found.forwards) == [f"tcp-{port}" for port in ports] and not found.notes


def listing(*rules: Dict[str, object]) -> str:
    """A listing of nft with one nat chain."""
    chain = {"family": "inet", "table": "own", "name": "c", "type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"}
    place = {"family": "inet", "table": "own", "chain": "c"}
    return json.dumps({"nftables": [{"chain": chain}, *({"rule": {**place, "handle": number + 5, **rule}}
                                                       for number, rule in enumerate(rules))]})


def dport(port: object, proto: str = "tcp") -> Dict[str, object]:
    """A match of nft on ports."""
    return {"match": {"op": "==", "left": {"payload": {"protocol": proto, "field": "dport"}}, "right": port}}


def dnat(address: object, port: object = None, **more: object) -> Dict[str, object]:
    """A translation of nft."""
    return {"dnat": {"family": "ip", "addr": address, **({"port": port} if port is not None else {}), **more}}


@pytest.mark.parametrize(("rule", "row"), [
    ([dport(80), dnat("10.50.0.12", 8080)], "tcp  80          -> 10.50.0.12:8080"),
    ([dport({"range": [80, 89]}), dnat("10.50.0.12")], "tcp  80-89       -> 10.50.0.12:80-89"),
    ([dport({"range": [80, 89]}), dnat("10.50.0.12", {"range": [80, 89]})], "tcp  80-89       -> 10.50.0.12:80-89"),
    ([dport({"range": [80, 89]}), dnat("10.50.0.12", {"range": [90, 99]})], ""),
    ([dport(80), dnat("10.50.0.12", 8080, flags="random")], ""),
    ([dport(80), dnat({"map": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@m"}})], ""),
    ([dport("@ports"), dnat("10.50.0.12")], ""),
    ([dport(80), {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, dnat("10.50.0.12")], ""),
    ([dport(80), dnat(["10.50.0.12"], 5)], ""),
])
def test_rules_of_nftables(rule: List[object], row: str) -> None:
    """One that can be said, or a note that names it."""
    chains = nft_ruleset.with_words(nft_ruleset.parse(listing({"expr": rule, "comment": "b"})), "  tcp dport 80 dnat to x # handle 5\n")
    reader = NatReader([Table(chains, 4, "wg0", OWN)], 4)
    found = combine(reader.read(), reader.notes)
    assert [str(item._replace(comment="", source_nat="masquerade")) for item in found.forwards.values()] == ([row] if row else [])
    assert len(found.notes) == (0 if row else 1) and (row or "tcp dport 80 dnat to x" in one_sentence(found.notes[0]))


@pytest.mark.parametrize("translation", [
    dnat("10.50.0.12", {"range": 5}), {"dnat": None}, {"dnat": []}, dnat("\n"), dnat("10.50.0.12", -1)])
def test_what_nft_would_not_print(translation: Dict[str, object]) -> None:
    """Is no reason to fail, and no forward."""
    reader = NatReader([Table(nft_ruleset.parse(listing({"expr": [dport(80), translation], "comment": ["x"]})), 4, "wg0", OWN)], 4)
    assert reader.read() == []


@pytest.mark.parametrize(("text", "ports", "target"), [
    ("10.50.0.12", (5, 9), ("10.50.0.12", 5)), ("10.50.0.12:80", (5, 5), ("10.50.0.12", 80)), ("10.50.0.12:5-9", (5, 9), ("10.50.0.12", 5)),
    ("10.50.0.12:70-90/5", (5, 9), ("10.50.0.12", 70)), ("10.50.0.12:70-90/1", (5, 9), ("10.50.0.12", 74)),
    ("10.50.0.12:5-5", (5, 5), ("10.50.0.12", 5)),
])
def test_destinations(text: str, ports: Tuple[int, int], target: Tuple[str, int]) -> None:
    """Ports keep their order, or are all the same."""
    assert tuple(destination(text, ports, 4).values()) == target


def test_chains_that_call_each_other_without_end() -> None:
    """A loop, and thousands of ways through few chains, end, with a note."""
    names = [f"C{number}" for number in range(30)]
    doubling = [f"-A {one} -j {two}" for one, two in zip(names, names[1:]) for _ in range(2)]
    for rules in (["-A PREROUTING -j C0", "-A C0 -j C0"],
                  ["-A PREROUTING -j C0", *doubling, "-A POSTROUTING -j C0", "-A C29 -m set --match-set x dst -j ACCEPT"]):
        found = of(RULE, *rules, chains=names, masquerade="")
        assert list(found.forwards) == ["tcp-8080"] and any("so often" in one_sentence(note) for note in found.notes)
    assert found.forwards["tcp-8080"].source_nat == "masquerade" and "set its source_nat" in found.notes[-1]


def test_thousands_of_rules_and_notes() -> None:
    """Take no minute, and notes end somewhere."""
    rules = [f"-A PREROUTING -p tcp -m tcp --dport {port} -j DNAT --to-destination 10.50.0.12:{port}" for port in range(1, 5001)]
    assert len(of(*rules).forwards) == 5000
    notes = of(*(rule.replace("-p tcp -m", "-p tcp -i eth0 -m") for rule in rules)).notes
    assert len(notes) == MOST_NOTES + 1 and "4500 more" in one_sentence(notes[-1])


def test_random_words_are_no_reason_to_fail() -> None:
    """Property: whatever iptables-save printed, what is taken is valid and says where it goes, and all else is a sentence."""
    source = random.Random(20261126)
    words = ["-A", "PREROUTING", "POSTROUTING", "-p", "tcp", "udp", "--dport", "1:9", "80", "-j", "DNAT", "--to-destination", "!",
             "10.50.0.12:80", "-m", "multiport", "--dports", "1,2,3", "-s", "192.0.2.0/24", "0.0.0.0/0", "-i", "eth0", "--comment",
             '"a b"', '"', "\\", "MINE", "-g", "\u0663", "1-2", "10.50.0.12:1-0/5", "--random", "\x00", "{{ x }}",
             "x\u2028- y", "MASQUERADE", "-d", "::1"]
    for _ in range(2000):
        rule = RULE.split()
        for _ in range(source.randrange(1, 6)):
            rule[source.randrange(len(rule)):source.randrange(len(rule) + 1)] = source.sample(words, source.randrange(3))
            rule = rule or ["-A"]
        found = of(" ".join(rule), chains=["MINE"])
        for name, item in found.forwards.items():
            assert Forward.parse(item.as_dict()) == item and item.forward_id == name and item.target_ip == "10.50.0.12" and ways(item)
        for note in found.notes:
            one_sentence(note)

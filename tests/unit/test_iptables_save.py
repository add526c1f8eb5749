# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of iptables, recorded and odd ones, as chains.

Recorded on 2026-11-23 with iptables 1.8.9: ufw 0.36.2 as it writes them itself; the chains of Docker 28 as moby's
documentation of its tests has them, loaded and saved by both variants.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import iptables_save
from ansible_collections.edge.gateway.plugins.module_utils.models import filtering as f
from ansible_collections.edge.gateway.plugins.module_utils.models.filtering import ANYTHING, Chain, Condition
from ansible_collections.edge.gateway.plugins.module_utils.models.judging import Ruleset
from ansible_collections.edge.gateway.plugins.module_utils.models.passage import FIRST, Probe, packets
from unit.probes import probe_of

DATA = Path(__file__).parent / "data"
UFW, UFW_OPEN = "foreign_ufw-0.36.2-iptables.txt", "foreign_ufw-0.36.2-route-allow-iptables.txt"
UFW6 = "foreign_ufw-0.36.2-ip6tables.txt"
DOCKER = {"nft": "foreign_docker-28-iptables-nft.txt", "legacy": "foreign_docker-28-iptables-legacy.txt"}
PROBE = probe_of("tcp", "22015", "10.50.0.12", "8080")


def recorded(name: str, family: str = "ip") -> List[Chain]:
    """The chains of a recorded dump."""
    return iptables_save.parse((DATA / name).read_text(), family, "iptables-nft")


def stopped(chains: List[Chain], probe: Probe = PROBE, uplink: str = "eth0") -> List[Tuple[str, str, Optional[bool]]]:
    """What certainly or possibly stops the packets of a forward, but for the doubt whether a client's port is one in a rule."""
    ruleset = Ruleset(chains)
    return [(word, str(item.base), item.passes) for word, packet in packets(probe, "wg0", uplink)
            for item in ruleset.judge(packet) if item.passes is not True]


@pytest.mark.parametrize(("name", "family", "probe", "found"), [
    (UFW, "ip", PROBE, [(FIRST, "chain FORWARD of table ip filter (iptables-nft)", False)]),
    (UFW_OPEN, "ip", PROBE, []),
    (UFW_OPEN, "ip", probe_of("udp", "22015", "10.50.0.12", "8080"), [(FIRST, "chain FORWARD of table ip filter (iptables-nft)", False)]),
    (UFW_OPEN, "ip", probe_of("tcp", "22015", "10.50.0.12", "8081"), [(FIRST, "chain FORWARD of table ip filter (iptables-nft)", False)]),
    (UFW_OPEN, "ip", probe_of("tcp", "22015", "10.50.0.13", "8080"), [(FIRST, "chain FORWARD of table ip filter (iptables-nft)", False)]),
    (UFW6, "ip6", probe_of("tcp", "22015", "fd50::12", "8080"), [(FIRST, "chain FORWARD of table ip6 filter (iptables-nft)", False)]),
])
def test_ufw(name: str, family: str, probe: Probe, found: List[Tuple[str, str, bool]]) -> None:
    """ufw drops new connections alone (it accepts what is established), and accepts what 'ufw route allow' opened."""
    assert stopped(recorded(name, family), probe) == found


@pytest.mark.parametrize("variant", DOCKER)
def test_docker(variant: str) -> None:
    """Docker's policy drops both directions from the uplink, and nothing that comes from its own bridge."""
    chains = iptables_save.parse((DATA / DOCKER[variant]).read_text(), "ip", f"iptables-{variant}")
    base = f"chain FORWARD of table ip filter (iptables-{variant})"
    assert {item for item in stopped(chains) if item[1] == base} == {
        (word, base, False) for word in ("new connections", "open connections", "answers")}
    assert (FIRST, base, False) not in stopped(chains, uplink="docker0")
    assert {name for name in (chain.name for chain in chains) if name.startswith("DOCKER-ISO")} == {
        "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2"}


def test_base_chains() -> None:
    """Hook, priority, kind and policy come from the names; a chain of one's own has no hook, whatever its name."""
    text = "*{}\n:PREROUTING ACCEPT [1:2]\n:POSTROUTING DROP [0:0]\n:mine - [0:0]\n:FORWARD - [0:0]\nCOMMIT\n"
    found = {table: [(chain.hook, chain.priority, chain.kind, chain.policy) for chain in
                     iptables_save.parse(text.format(table), "ip", "iptables-nft")] for table in ("raw", "nat")}
    assert found["raw"] == [("prerouting", -300, "filter", f.ACCEPT), ("postrouting", -300, "filter", f.DROP),
                            ("", -300, "filter", f.ACCEPT), ("", -300, "filter", f.ACCEPT)]
    assert found["nat"][:2] == [("prerouting", -100, "nat", f.ACCEPT), ("postrouting", 100, "nat", f.DROP)]


def of(name: str, *names: str, negated: bool = False) -> Condition:
    """A condition on a field with names."""
    return Condition(name, frozenset(names), negated=negated)


def at(name: str, *spans: f.Span, negated: bool = False) -> Condition:
    """A condition on a number."""
    return Condition(name, spans=spans, negated=negated)


TEN = (10 << 24, (11 << 24) - 1)
CONDITIONS: Dict[str, List[Condition]] = {
    "-i eth0 ! -o wg+": [of(f.IIF, "eth0"), of(f.OIF, "wg*", negated=True)],
    "! -i wg0 -o wg0": [of(f.IIF, "wg0", negated=True), of(f.OIF, "wg0")],
    "-p tcp -m tcp --dport 80": [of(f.PROTO, "tcp"), at(f.DPORT, (80, 80))],
    "! -p 17": [of(f.PROTO, "udp", negated=True)],
    "-p tcp -m tcp ! --sport 1024:65535": [of(f.PROTO, "tcp"), at(f.SPORT, (1024, 65535), negated=True)],
    "-p tcp -m tcp --dport :1023": [of(f.PROTO, "tcp"), at(f.DPORT, (0, 1023))],
    "-p udp -m multiport --dports 53,6000:6010": [of(f.PROTO, "udp"), at(f.DPORT, (53, 53), (6000, 6010))],
    "-s 10.0.0.0/8 ! -d 10.0.0.1/32": [at(f.SOURCE, TEN), at(f.TARGET, (TEN[0] + 1, TEN[0] + 1), negated=True)],
    "-d fd00::/8": [at(f.TARGET, (0xfd << 120, (0xfe << 120) - 1))],
    "-m iprange --src-range 10.0.0.0-10.255.255.255": [at(f.SOURCE, TEN)],
    "-m conntrack --ctstate NEW,DNAT": [of(f.STATE, "new", "dnat")],
    "-m state ! --state RELATED,ESTABLISHED": [of(f.STATE, "related", "established", negated=True)],
    "-m conntrack --ctstatus SEEN_REPLY --ctdir REPLY": [of(f.STATUS, "seen-reply"), of(f.DIRECTION, "reply")],
    "-p tcp -m conntrack --ctorigdstport 22015": [of(f.PROTO, "tcp"), at(f.PUBLIC_PORT, (22015, 22015))],
    "-m addrtype ! --dst-type LOCAL,BROADCAST": [of(f.TARGET_TYPE, "local", "broadcast", negated=True)],
    "-m mark --mark 0x40000/0xff0000": [at(f.MARK, (0x40000, 0x40000))],
    '-m comment --comment "-j ACCEPT \\" ! -p udp"': [],
    "-m comment --comment ! -i eth0": [of(f.IIF, "eth0")],
    "-p all": [],
    "-m rt --rt-type 0": [of(f.PROTO, "ipv6-route"), ANYTHING],
    "-m limit --limit 3/min --limit-burst 10": [ANYTHING, ANYTHING, ANYTHING],
    "-m set --match-set bad src": [ANYTHING, ANYTHING],
    "-p tcp -m tcp --tcp-flags FIN,SYN SYN": [of(f.PROTO, "tcp"), ANYTHING],
    "-m conntrack --ctstatus NONE": [ANYTHING],
    "-s 10.0.0.1/255.0.255.0": [ANYTHING],
    "-p tcp -m tcp --dport http": [of(f.PROTO, "tcp"), ANYTHING],
    "-f": [ANYTHING],
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_conditions(text: str) -> None:
    """What is understood, and what becomes a condition of which nothing is known; the verdict is found behind all of them."""
    rule = iptables_save.parse_rule(f"-A FORWARD {text} -j DROP")
    assert list(rule.conditions) == CONDITIONS[text] and rule.verdict == f.DROP and rule.text == f"{text} -j DROP"


@pytest.mark.parametrize(("text", "verdict", "target"), [
    ("-j ACCEPT", f.ACCEPT, "ACCEPT"), ("-j REJECT --reject-with tcp-reset", f.REJECT, "REJECT"), ("-j RETURN", f.RETURN, "RETURN"),
    ('-j LOG --log-prefix "-j DROP "', f.CONTINUE, "LOG"), ("-j MARK --set-xmark 0x1/0x1", f.CONTINUE, "MARK"), ("", f.CONTINUE, ""),
    ("-j DOCKER-USER", f.JUMP, "DOCKER-USER"), ("-g zone", f.GOTO, "zone"), ("-j NFQUEUE --queue-num 0", f.JUMP, "NFQUEUE"),
    ("-j CT --notrack", f.NOTRACK, "CT"), ("-j CT --helper ftp", f.CONTINUE, "CT"),
    ("-j DNAT --to-destination 10.0.0.1:80", f.REDIRECT, "DNAT"),
    ("-j MASQUERADE", f.ACCEPT, "MASQUERADE"), ('-m comment --comment "half -j ACCEPT', f.UNSURE, ""),
])
def test_verdicts(text: str, verdict: str, target: str) -> None:
    """A target that is neither known nor a chain of the table is a jump into nothing, so anything may come of it."""
    rule = iptables_save.parse_rule(f"-A FORWARD {text}")
    assert (rule.verdict, rule.target, rule.sets_mark) == (verdict, target, target == "MARK")


def test_an_unknown_target_is_doubt() -> None:
    """A queue decides elsewhere."""
    chains = iptables_save.parse("*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j NFQUEUE --queue-num 0\nCOMMIT\n", "ip", "iptables-nft")
    assert {passes for _word, _base, passes in stopped(chains)} == {None}


@pytest.mark.parametrize(("text", "unreadable"), [
    ("", False), ("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j LOG\nCOMMIT\n", False),
    ("# Table `filter' is incompatible, use 'nft' tool.\n", True),
    ("# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n", False),
])
def test_what_iptables_could_not_read(text: str, unreadable: bool) -> None:
    """Whether iptables could read the table at all."""
    assert iptables_save.unreadable(text) == unreadable


@pytest.mark.parametrize("seed", range(60))
def test_odd_text_is_never_an_exception(seed: int) -> None:
    """Lines torn, doubled and strewn with what breaks parsers."""
    dice = random.Random(seed)
    words = (DATA / dice.choice([UFW, UFW6, *DOCKER.values()])).read_text().replace("\n", " \n ").split(" ")
    junk = ["!", '"', "\\", "-A", ":", "*", "--dport", "-s", "9" * 5000, "\x00", "\u0663", "--mark", "0x", "-j", "-g", "--", "-", "\n"]
    for _ in range(80):
        words[dice.randrange(len(words))] = dice.choice(junk)
        del words[dice.randrange(len(words))]
    stopped(iptables_save.parse(" ".join(words).replace("\n ", "\n"), "ip", "iptables-legacy"))

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules as iptables lists them, a change as a transaction, the boot script, and listings that nobody should trust."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import iptables, iptables_boot, iptables_parse
from ansible_collections.edge.gateway.plugins.module_utils.formats.iptables import NO_RULES, Entry, Rules
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from unit.samples import one_sentence

DATA = Path(__file__).parent / "data"
VARIANTS = ("nft", "legacy")
FORWARDS: Forwards = {item.forward_id: item for item in (
    Forward("plain", 22015, 22015, "10.50.0.12", 32215, "tcp", comment="opened by ops #1 @x/y:z.w_-"),
    Forward("range", 6000, 6010, "10.50.0.13", 6000, "both"),
    Forward("shifted", 7000, 7003, "10.50.0.13", 17000, "udp"),
    Forward("listed", 443, 443, "10.50.0.14", 8443, "both", ("192.0.2.0/25", "192.0.2.128/25", "203.0.113.7/32", "2001:db8::/32")),
    Forward("keeps", 25, 25, "10.50.0.15", 25, "tcp", source_nat="none"),
    Forward("hairpin", 8000, 8010, "10.50.0.16", 8000, "tcp", ("0.0.0.0/0",), hairpin=True),
    Forward("six", 22015, 22015, "fd50::12", 80, "both", ("2001:db8::/33", "::/0"), hairpin=True, comment="a" * 64),
    Forward("sixrange", 6000, 6010, "fd50::1:0:0:13", 6000, "udp", source_nat="none"),
)}
MASQUERADE = "-A POSTROUTING -o wg0 -j MASQUERADE"


def recorded(variant: str = "nft", family: int = 4) -> str:
    """What iptables-save -c 1.8.9 printed on 2026-11-23 with these forwards among rules of others."""
    return (DATA / f"iptables_1.8.9_{variant}_ipv{family}_2026-11-23.txt").read_text()


def wanted(forwards: Forwards = FORWARDS, interface: str = "wg0", families: Any = (4, 6)) -> Rules:
    """What these forwards need."""
    return iptables.wanted_rules(forwards, interface, families)


def of(family: int) -> Rules:
    """What the forwards of one IP version need."""
    return wanted({name: item for name, item in FORWARDS.items() if item.family == family}, families=(family,))


def read(text: str, family: int = 4, interface: str = "wg0") -> iptables_parse.Listing:
    """Parse a listing."""
    return iptables_parse.parse(text, family, interface, "iptables-nft")


def texts(rules: Rules, name: str, chain: str) -> List[str]:
    """The rules of one forward in one chain."""
    return [entry.text for entry in rules.elements[name] if entry.chain == chain]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", [4, 6])
def test_recorded_listings_are_what_was_wanted(variant: str, family: int) -> None:
    """Both variants and IP versions: what the real iptables lists is what we wrote, and others' tables are told."""
    listing = read(recorded(variant, family), family)
    assert listing.rules == of(family) and listing.rules.parts and listing.rules.elements
    assert listing.foreign == ("filter", "mangle", "nat")
    assert all(iptables.change(listing.rules, of(family), (family, table)) == "" for table in iptables.TABLES)


def test_another_version_may_list_it_otherwise() -> None:
    """Other order of matches, numbers for protocols, quotes, no length for a host: the same rules."""
    text = recorded()
    for old, new in ((r'(-p tcp -m tcp --dport 443) (-m comment --comment listed)', r"\2 \1"), (r"--comment (\w+) ", r'--comment "\1" '),
                     ("-p udp -m udp", "-p 17 -m udp"), ("-s 203.0.113.7/32", "-s 203.0.113.7"),
                     ("RELATED,ESTABLISHED,DNAT", "DNAT,ESTABLISHED,RELATED"),
                     (r"-m addrtype --dst-type LOCAL (-m comment --comment \S+ ?[^\"]*\")", r"\1 -m addrtype --dst-type LOCAL")):
        changed = re.sub(old, new, text)
        assert changed != text
        text = changed
    assert read(text).rules == of(4)
    six = recorded(family=6)
    assert "[fd50::12]:80" in six
    assert read(six.replace("fd50::12]", "FD50:0::0.0.0.18]"), 6).rules == of(6)


def test_rules_of_each_kind() -> None:
    """As they are written, which is as they are listed."""
    rules = wanted()
    assert texts(rules, "plain", iptables.TARGETS) == [
        '-p tcp -m tcp --dport 22015 -m comment --comment "plain opened by ops #1 @x/y:z.w_-" -j DNAT --to-destination 10.50.0.12:32215']
    assert texts(rules, "range", iptables.TARGETS) == [
        f"-p {proto} -m {proto} --dport 6000:6010 -m comment --comment range -j DNAT --to-destination 10.50.0.13"
        for proto in ("tcp", "udp")]
    assert [text.split(" ")[5] + text.rpartition(":")[2] for text in texts(rules, "shifted", iptables.TARGETS)] == [
        "700017000", "700117001", "700217002", "700317003"]
    assert texts(rules, "keeps", iptables.KEEP) == [
        "-p tcp -m conntrack --ctstate DNAT --ctorigdstport 25 -m comment --comment keeps -j ACCEPT"]
    assert texts(rules, "hairpin", iptables.HAIRPIN) == [
        "-p tcp -m tcp --dport 8000:8010 -m comment --comment hairpin -g EDGE-GATEWAY"]
    assert texts(rules, "six", iptables.TARGETS)[0].endswith(" -j DNAT --to-destination [fd50::12]:80")
    assert [entry.family for entry in rules.elements["sixrange"]] == [6, 6]


def test_allow_lists_are_merged_and_named_after_what_they_hold() -> None:
    """Networks of the other IP version do not count; the same networks in other words are the same chain."""
    name, networks = iptables.allow_list(4, FORWARDS["listed"].source_ranges)
    assert networks == ("192.0.2.0/24", "203.0.113.7/32") and len(name) == 28
    assert iptables.allow_list(4, ("203.0.113.7/32", "192.0.2.0/24")) == (name, networks)
    assert iptables.allow_list(4, ("203.0.113.7/32",))[0] != name
    assert iptables.allow_list(6, FORWARDS["listed"].source_ranges)[1] == ("2001:db8::/32",)
    assert not any("-s" in text for text in wanted().parts[4, "nat"].chains[iptables.allow_list(4, ("0.0.0.0/0",))[0]])


def test_what_no_forward_needs_is_not_there() -> None:
    """Without forwards the guard alone; a chain for hairpin, source_nat or lists only with a forward that has it."""
    assert sorted(wanted({}).parts) == [(4, "filter"), (4, "mangle"), (6, "filter"), (6, "mangle")]
    nat = wanted({"plain": FORWARDS["plain"]}, families=(4,)).parts[4, "nat"]
    assert sorted(nat.chains) == [iptables.ENTER, iptables.TARGETS]
    assert nat.hooks["POSTROUTING"] == (MASQUERADE[len("-A POSTROUTING "):],) and len(nat.hooks["PREROUTING"]) == 1
    assert (6, "nat") not in wanted({"plain": FORWARDS["plain"]}).parts


@pytest.mark.parametrize("note", ['x" -j DROP', "x\n-A INPUT -j DROP", "x'", "x\\", "$(id)", "`id`", "x" * 256, ""])
def test_a_comment_that_could_break_out_is_refused(note: str) -> None:
    """The model has refused it before; nothing else may bring it into a rule either."""
    with pytest.raises(InvalidInput):
        iptables.comment(note)
    if note:
        with pytest.raises(InvalidInput):
            iptables.entries_of(Forward("x", 1, 1, "10.50.0.12", 1, comment=note))


def test_the_first_transaction() -> None:
    """From nothing: chains, then rules, then jumps in front, then the masquerade behind; nothing is deleted."""
    text = iptables.change(NO_RULES, wanted({"keeps": FORWARDS["keeps"]}), (4, "nat"))
    kinds = [line.split(" ")[0][:2] if line[0] != "-" else " ".join(line.split(" ")[:2]) for line in text.splitlines()]
    assert kinds == ["*n", ":E", ":E", ":E", "-A EDGE-GATEWAY", "-A EDGE-GATEWAY-DNAT", "-A EDGE-GATEWAY-KEEP", "-I PREROUTING",
                     "-I POSTROUTING", "-A POSTROUTING", "CO"]
    assert text.splitlines()[-2] == MASQUERADE


def test_a_small_change_is_small() -> None:
    """One forward in, one out: two lines; a list that changes touches its chain and those of the forward."""
    live = read(recorded()).rules
    after = {name: item for name, item in FORWARDS.items() if item.family == 4 and name != "plain"}
    after["new"] = Forward("new", 1, 1, "10.50.0.12", 1)
    assert iptables.change(live, wanted(after, families=(4,)), (4, "nat")).splitlines() == [
        "*nat", f"-D {iptables.TARGETS} {texts(live, 'plain', iptables.TARGETS)[0]}",
        f"-A {iptables.TARGETS} -p tcp -m tcp --dport 1 -m comment --comment new -j DNAT --to-destination 10.50.0.12:1", "COMMIT"]
    assert iptables.change(live, wanted(after, families=(4,)), (4, "filter")) == ""


def test_a_change_of_very_many_fills_the_chain_anew() -> None:
    """Deleting rule by rule looks through all rules each time."""
    before = wanted({f"f-{port}": Forward(f"f-{port}", port, port, "10.50.0.12", 80) for port in range(1, 3000)})
    after = wanted({f"f-{port}": Forward(f"f-{port}", port, port, "10.50.0.13", 80) for port in range(1, 3000)})
    lines = iptables.change(before, after, (4, "nat")).splitlines()
    assert f":{iptables.TARGETS} - [0:0]" in lines and not any(line.startswith("-D") for line in lines) and len(lines) == 3002


def test_the_last_transaction() -> None:
    """To nothing: all jumps and the masquerade by their own text, all chains emptied before any is deleted."""
    live = read(recorded()).rules
    lines = iptables.change(live, NO_RULES, (4, "nat")).splitlines()
    assert [line for line in lines if line.startswith("-D")].count(MASQUERADE.replace("-A", "-D")) == 1
    chains = live.parts[4, "nat"].chains
    assert sum(line.startswith("-D") for line in lines) == 4
    assert [line.startswith("-X") for line in lines[-1 - len(chains):]] == [True] * len(chains) + [False]
    assert sum(line.startswith(":") for line in lines) == len(chains) and not any(line.startswith(("-A", "-I")) for line in lines)


def test_a_masquerade_of_others_is_left_and_remembered() -> None:
    """It stood before our chains: used, never deleted; once it is gone we make our own and forget."""
    text = f"*nat\n:POSTROUTING ACCEPT [0:0]\n[0:0] {MASQUERADE}\nCOMMIT\n"
    listing = read(text)
    assert listing.rules == NO_RULES and listing.rules.foreign == {4: ("-o wg0 -j MASQUERADE",)} and listing.foreign == ("nat",)
    first = iptables.change(listing.rules, of(4), (4, "nat"))
    assert MASQUERADE not in first and f":{iptables.FOUND} - [0:0]" in first
    with_mark = recorded().replace(":EDGE-GATEWAY -", f":{iptables.FOUND} - [0:0]\n:EDGE-GATEWAY -")
    live = read(with_mark).rules
    assert live == of(4) and live.marked == {4} and iptables.change(live, of(4), (4, "nat")) == ""
    last = iptables.change(live, NO_RULES, (4, "nat"))
    assert "MASQUERADE" not in last and f"-X {iptables.FOUND}" in last
    healed = iptables.change(read(with_mark.replace(f"[0:0] {MASQUERADE}\n", "")).rules, of(4), (4, "nat")).splitlines()
    assert MASQUERADE in healed and f"-X {iptables.FOUND}" in healed


def test_counts_add_up_over_the_rules_of_a_forward() -> None:
    """Only DNAT rules count, and only of our chain."""
    text = re.sub(r"\[0:0\] (-A EDGE-GATEWAY\S* .*--comment range)", r"[2:80] \1", recorded())
    counts = read(text).counts
    assert counts["range"] == (4, 160) and counts["plain"] == (0, 0) and set(counts) == {
        name for name, item in FORWARDS.items() if item.family == 4}


HOSTILE = {
    "rule without comment": ("-A EDGE-GATEWAY-GUARD", "-j ACCEPT"),
    "comment of theirs": ("-A EDGE-GATEWAY-GUARD", '-m comment --comment "ours, honest" -j ACCEPT'),
    "an id where forwards have no rules": ("-A EDGE-GATEWAY-GUARD", "-m comment --comment plain -j ACCEPT"),
    "a mark that only looks like ours": ("-A EDGE-GATEWAY-MESH", '-m comment --comment "edge-gateway:x" -j ACCEPT'),
    "an id in capitals": ("-A EDGE-GATEWAY-DNAT", "-p tcp -m comment --comment Plain -j ACCEPT"),
    "a line break": ("-A EDGE-GATEWAY-GUARD", '-m comment --comment "edge-gateway: x\n-P INPUT DROP" -j ACCEPT'),
    "an id and a line break": ("-A EDGE-GATEWAY-DNAT", '-m comment --comment "plain x\n-P INPUT DROP" -j ACCEPT'),
    "jump with a line break": ("-A INPUT", '-m comment --comment "edge-gateway: x\n-P INPUT DROP" -j EDGE-GATEWAY-GUARD'),
    "jump of theirs": ("-A INPUT", "-j EDGE-GATEWAY-GUARD"),
    "goto of theirs": ("-A INPUT", '-m comment --comment "for edge-gateway: x" -g EDGE-GATEWAY-GUARD'),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_not_ours_is_named(kind: str) -> None:
    """In one sentence, with chain and table."""
    where, rule = HOSTILE[kind]
    table = {"-A EDGE-GATEWAY-DNAT": "*nat", "-A EDGE-GATEWAY-MESH": "*mangle"}.get(where, "*filter")
    head, _, tail = recorded().partition(table)
    text = head + table + tail.replace("COMMIT", f"[0:0] {where} {rule}\nCOMMIT", 1)
    with pytest.raises(StateRefused) as caught:
        read(text)
    one_sentence(caught.value.message)
    assert where[3:] in caught.value.message and f"table {table[1:]}" in caught.value.message


@pytest.mark.parametrize(("table", "chain"), [
    ("nat", "EDGE-GATEWAY-MINE"), ("filter", "EDGE-GATEWAY"), ("mangle", "EDGE-GATEWAY-GUARD"), ("nat", "EDGE-GATEWAY-FROM-xyz"),
    ("nat", "EDGE-GATEWAY-FROM-0123456789a"), ("filter", "EDGE-GATEWAY-FROM-0123456789"), ("nat", "EDGE-GATEWAYS")])
def test_a_chain_that_is_not_ours_is_named(table: str, chain: str) -> None:
    """Whatever begins with our name in our tables must be a chain that we make there."""
    with pytest.raises(StateRefused) as caught:
        read(f"*{table}\n:{chain} - [0:0]\nCOMMIT\n")
    one_sentence(caught.value.message)
    assert f"chain {chain} " in caught.value.message


@pytest.mark.parametrize("text", [
    "", "# nothing\n", "*nat\nCOMMIT\n", "garbage", "-A EDGE-GATEWAY -j x", ":\n*\n::\n[]\n-A\n-A \n[0:0]\n",
    "*raw\n:EDGE-GATEWAY-X - [0:0]\nCOMMIT\n",
    '*filter\n[0:0] -A INPUT -m comment --comment "a\n-A EDGE-GATEWAY-GUARD -j ACCEPT\n*nat\n:EDGE-GATEWAY-X - [0:0]\n" -j x\nCOMMIT\n',
    '*filter\n-A INPUT -m comment --comment "\\" -j EDGE-GATEWAY-GUARD \\\\" -j ACCEPT\nCOMMIT\n',
    '*filter\n-A INPUT -m comment --comment "never ends\n-A EDGE-GATEWAY-GUARD -j ACCEPT\n',
    "*filter\n-A INPUT -m comment --comment edge-gateway -j ACCEPT\nCOMMIT\n",
    "*nat\n-A PREROUTING ! -i wg0 -j MASQUERADE\n-A POSTROUTING -o wg0 -j MASQUERADE --random\n-A POSTROUTING -o wg00 -j MASQUERADE\n",
])
def test_listings_of_others_hold_nothing_of_ours(text: str) -> None:
    """Empty, cut off, odd, or made to look like ours in a comment: nothing is ours, and nothing breaks."""
    rules = read(text).rules
    assert rules == NO_RULES and rules.foreign == {4: ()}


def test_an_altered_rule_is_drift_under_its_own_text() -> None:
    """A rule of ours with options that we never use is kept as listed, so that it can be deleted."""
    rule = "-p tcp -m comment --comment plain -m limit --limit 1/sec -j DNAT --to-destination 10.66.6.6"
    text = recorded().replace("-A EDGE-GATEWAY-DNAT -p udp -m udp --dport 7003", f"-A EDGE-GATEWAY-DNAT {rule}\n[0:0] -A EDGE-GATEWAY-DNAT "
                                                                              "-p udp -m udp --dport 7003")
    live = read(text).rules
    assert Entry(4, iptables.TARGETS, rule) in live.elements["plain"] and live.structure == of(4).structure
    assert iptables.change(live, of(4), (4, "nat")) == f"*nat\n-D {iptables.TARGETS} {rule}\nCOMMIT\n"


@pytest.mark.parametrize(("old", "new"), [
    ("-o wg0 -m comment --comment \"edge-gateway: nothing else enters the mesh\" -j DROP\n[0:0] -A EDGE-GATEWAY-GUARD -i", "-i"),
    ("[0:0] -A FORWARD -m comment --comment \"edge-gateway: keeps the mesh closed\" -j EDGE-GATEWAY-MESH\n", ""),
    ("! --ctstate RELATED,ESTABLISHED,DNAT", "--ctstate RELATED,ESTABLISHED,DNAT"),
    ("--ctstate DNAT -m comment --comment \"edge-gateway", "--ctstate SNAT -m comment --comment \"edge-gateway"),
    ("-s 192.0.2.0/24", "-s 192.0.0.0/16"), ("! -i wg0 -m addrtype", "-i wg0 -m addrtype"), (f"[0:0] {MASQUERADE}\n", ""),
    ("--dst-type LOCAL", "--dst-type UNICAST"), ("-g EDGE-GATEWAY-DNAT", "-j EDGE-GATEWAY-DNAT"),
])
def test_every_altered_shared_rule_is_drift(old: str, new: str) -> None:
    """One word of the structure changed: it is another structure, and the change puts it right."""
    text = recorded()
    assert old in text
    live = read(text.replace(old, new)).rules
    assert live.structure != of(4).structure and live.elements == of(4).elements
    assert any(iptables.change(live, of(4), (4, table)) for table in iptables.TABLES)


def test_the_boot_script_quotes_all_that_users_write() -> None:
    """Forwards stand in here-documents that the shell does not read, and the end of none of them can be forged."""
    script = iptables_boot.script(wanted(), "wg0")
    head, _, body = script.partition("\nfailed=0\n")
    assert "opened" not in head and "wg0" not in head
    inside, outside = False, []
    for line in body.splitlines():
        if inside and line == "END":
            inside = False
        elif inside:
            assert line[0] in ":-"
        else:
            outside.append(line)
            inside = "<<'END'" in line
    assert outside == [f"load {program} {table} 'wg0' <<'END' {'&&' if table != 'nat' else '|| failed=1'}"
                       for program in ("iptables", "ip6tables") for table in iptables.TABLES] + ["exit $failed"]
    assert "bash" not in script and script.startswith("#!/bin/sh\n")


def test_the_boot_script_does_not_depend_on_the_order_of_forwards() -> None:
    """The state file sorts them, a request does not: the file must not change for that."""
    assert iptables_boot.script(wanted(), "wg0") == iptables_boot.script(wanted(dict(reversed(list(FORWARDS.items())))), "wg0")
    assert iptables_boot.script(wanted(), "wg0") != iptables_boot.script(wanted({}), "wg0")


def test_the_boot_script_without_forwards_takes_the_way_in_away_first() -> None:
    """Then the guard; each on its own, whatever fails."""
    lines = [line for line in iptables_boot.script(wanted({}), "wg0").splitlines() if line.startswith("load ")]
    assert [line.split(" ")[2] for line in lines] == ["nat", "filter", "mangle"] * 2
    assert all(line.endswith("|| failed=1") for line in lines)

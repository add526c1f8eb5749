# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards in the real kernel by both variants of iptables: what is written is read back, and nothing of others is touched."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.iptables import IptablesBackend
from ansible_collections.edge.gateway.plugins.module_utils.errors import CommandFailed, MissingTool, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import iptables
from ansible_collections.edge.gateway.plugins.module_utils.host import Host, Result
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from contract import world
from contract.forwarding import entry
from contract.world import STATE_DIR, sh

VARIANTS = ("nft", "legacy")
OTHER = {"nft": "legacy", "legacy": "nft"}
MASQUERADE = "-A POSTROUTING -o wg0 -j MASQUERADE"
NAMES = [f"{family}tables" for family in ("ip", "ip6")]
# rules, chains, policies and a comment with a line break and our words in it, in all tables that are ours too
FOREIGN = """*mangle
:FORWARD ACCEPT [0:0]
:mine - [0:0]
-A FORWARD -j mine
-A mine -o wg0 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -m comment --comment "edge-gateway: not ours" -j ACCEPT
-A DOCKER-USER -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -o wg1 -j MASQUERADE
-A POSTROUTING -o wg0 -p tcp -j MASQUERADE
-A DOCKER -p tcp -m tcp --dport 20001 -m comment --comment "f-1 EDGE-GATEWAY" -j RETURN
COMMIT
"""


def choose(variant: str) -> None:
    """Make the plain names mean one variant, as update-alternatives does (/etc is private here)."""
    for name in NAMES:
        for suffix in ("", "-save", "-restore"):
            link = Path("/etc/alternatives") / (name + suffix)
            link.unlink()
            link.symlink_to(f"/usr/sbin/{name}-{variant}{suffix}")


@pytest.fixture(name="variant", params=VARIANTS)
def chosen_variant(request: pytest.FixtureRequest) -> Iterator[str]:
    """One variant of iptables, in a network namespace that never had a rule or a table."""
    world.add_namespace("fresh")
    choose(request.param)
    with world.inside("fresh"):
        yield request.param
    choose("nft")
    world.remove_namespaces("fresh")


class Watched(Host):
    """Notes what is loaded; can be killed in front of the n-th load, and can be without a program or a path."""

    def __init__(self, loads: Optional[int] = None, missing: Sequence[str] = ()) -> None:
        self.loads, self.missing = loads, missing
        self.loaded: List[str] = []
        self.ran: List[str] = []

    def mode(self, path: str) -> Optional[os.stat_result]:
        """The host's answer, but for what is missing."""
        return None if path in self.missing else super().mode(path)

    def find(self, tool: str) -> Optional[str]:
        """The host's answer, but for what is missing."""
        return None if tool in self.missing else super().find(tool)

    def run(self, argv: Sequence[str], stdin: str = "", timeout: float = 60.0, check: bool = True, holds_lock: bool = False) -> Result:
        """Run it, unless the time has come."""
        self.ran.append(argv[0])
        if argv[0].endswith("-restore"):
            if len(self.loaded) == self.loads:
                raise KeyboardInterrupt
            self.loaded.append(f"{argv[0].partition('tables')[0]} {stdin.splitlines()[0][1:]}")
        return super().run(argv, stdin, timeout, check, holds_lock)


def backend(host: Optional[Host] = None, interface: str = "wg0") -> IptablesBackend:
    """The backend as a new run has it."""
    return IptablesBackend(host or Host(), interface)


def apply(forwards: Forwards) -> None:
    """One run."""
    backend().apply(forwards)


def holds(forwards: Forwards) -> None:
    """What is there is what these forwards need, part by part and as a whole."""
    rules, wanted = backend().read(), backend().wanted(forwards)
    assert rules.parts == wanted.parts
    assert rules.elements == wanted.elements
    assert rules == wanted and rules.structure == wanted.structure


def boot(forwards: Forwards) -> None:
    """Run the boot script by a shell that is not bash."""
    done = subprocess.run(["dash", "-s"], input=backend().boot_text(forwards), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.replace("# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n", "")
            .replace("# Warning: ip6tables-legacy tables present, use ip6tables-legacy-save to see them\n", "")) == (0, "")


def listing(name: str = "iptables") -> List[str]:
    """All tables in a fixed order, without times and counters."""
    text = sh(f"{name}-save")
    tables = sorted(re.findall(r"^\*.*?^COMMIT$", text, re.MULTILINE | re.DOTALL))
    return [re.sub(r" \[\d+:\d+\]$", "", line) for table in tables for line in table.splitlines()]


def others() -> List[List[str]]:
    """What is not ours, line by line."""
    ours = re.compile(r":EDGE-GATEWAY|-A EDGE-GATEWAY|.* -[jg] EDGE-GATEWAY|" + re.escape(MASQUERADE) + "$")
    return [[line for line in listing(name) if not ours.match(line)] for name in NAMES]


def load(text: str, name: str = "iptables") -> None:
    """Load rules of somebody else."""
    sh(f"{name}-restore", "--noflush", stdin=text)


def kinds(*numbers: int) -> Forwards:
    """One forward of each kind, or those of some numbers."""
    every = [
        Forward("plain", 22015, 22015, "10.50.0.12", 32215, "tcp", comment="opened by ops #1 @x/y:z.w_-"),
        Forward("range", 6000, 6010, "10.50.0.13", 6000, "both"),
        Forward("shifted", 7000, 7003, "10.50.0.13", 17000, "udp"),
        Forward("listed", 443, 443, "10.50.0.14", 8443, "both", ("192.0.2.0/25", "192.0.2.128/25", "203.0.113.7/32", "2001:db8::/32")),
        Forward("keeps", 25, 25, "10.50.0.15", 25, "tcp", source_nat="none"),
        Forward("hairpin", 8000, 8010, "10.50.0.16", 8000, "tcp", ("0.0.0.0/0",), hairpin=True),
        Forward("six", 22015, 22015, "fd50::12", 80, "both", ("2001:db8::/33", "::/0"), hairpin=True, comment="a" * 64),
        Forward("sixrange", 6000, 6010, "fd50::1:0:0:13", 6000, "udp", source_nat="none"),
    ]
    return {item.forward_id: item for number, item in enumerate(every) if not numbers or number in numbers}


def chance(rng: random.Random, slot: int) -> Forward:
    """Any forward at all, whose ports no other slot has."""
    family, first = rng.choice((4, 4, 6)), 1000 + 20 * slot
    last = first + rng.choice((0, 0, rng.randint(1, 19)))
    networks = {4: ["0.0.0.0/0", "198.51.100.0/24", "198.51.100.7/32", "198.51.101.0/24", "10.0.0.0/8"],
                6: ["::/0", "2001:db8::/32", "2001:db8::7/128", "2001:db8:8000::/33", "::102:0/112"]}
    targets = {4: ["10.50.0.12", "10.50.3.4"], 6: ["fd50::12", "fd50:0:1::2", "2001:db8:0:0:1:0:0:1"]}
    sources = rng.sample(networks[family], rng.randint(1, 4)) + rng.sample(networks[10 - family], rng.randint(0, 2))
    nat = rng.choice(("masquerade", "masquerade", "none"))
    return Forward.parse({
        "forward_id": f"{rng.choice('a0')}{slot}" + "._-x" * rng.randint(0, 3), "target_ip": rng.choice(targets[family]),
        "public_port": str(first) if first == last else f"{first}-{last}",
        "target_port": rng.choice((first, first + rng.randint(1, 5000))), "proto": rng.choice(("tcp", "udp", "both")),
        "source_ranges": rng.choice(([], sources)), "source_nat": nat, "hairpin": nat != "none" and rng.random() < 0.4,
        "comment": "".join(rng.choice("abcXYZ019 ._:/#@-") for _ in range(rng.choice((0, 5, 64)))).strip(" ")})


def next_state(rng: random.Random, now: Forwards) -> Forwards:
    """Some forwards added, changed and deleted."""
    slots = {(item.first_port - 1000) // 20: item for item in now.values()}
    for slot in rng.sample(range(12), rng.randint(1, 5)):
        if slot in slots and rng.random() < 0.5:
            del slots[slot]
        else:
            slots[slot] = chance(rng, slot)
    if rng.random() < 0.15:
        slots = {}
    return {item.forward_id: item for item in slots.values()}


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_changes_is_read_back_exactly(variant: str, seed: int) -> None:
    """Apply and boot script alike, from any state to any other; others' rules stay byte for byte; the same again loads nothing."""
    rng = random.Random(seed)
    for name in NAMES:
        load(FOREIGN, name)
    before = others()
    now: Forwards = {}
    for step in range(7):
        now = next_state(rng, now)
        (boot if rng.random() < 0.3 else apply)(now)
        holds(now)
        assert others() == before, step
        again = Watched()
        backend(again).apply(now)
        assert again.loaded == []
        boot(now)
        holds(now)
        assert others() == before, step
    backend().clear()
    assert not any("EDGE" in line for name in NAMES for line in listing(name) if "not ours" not in line and "f-1" not in line)
    assert others() == before and MASQUERADE not in listing()


@pytest.mark.parametrize("seed", range(4))
def test_the_boot_script_alone_makes_the_same_rules(variant: str, seed: int) -> None:
    """In an empty kernel, once and twice, line by line what apply makes there."""
    now = next_state(random.Random(seed), {}) if seed else kinds()
    found = []
    for make in (apply, boot):
        world.add_namespace("second")
        with world.inside("second"):
            make(now)
            found.append([listing(name) for name in NAMES])
            make(now)
            assert [listing(name) for name in NAMES] == found[-1]
            holds(now)
        world.remove_namespaces("second")
    assert [[sorted(lines) for lines in state] for state in found[:1]] == [[sorted(lines) for lines in state] for state in found[1:]]


def test_every_kind_of_forward(variant: str) -> None:
    """All at once, each alone, and none."""
    apply(kinds())
    holds(kinds())
    for number in range(8):
        apply(kinds(number))
        holds(kinds(number))
    apply({})
    holds({})


def test_what_users_look_for(variant: str) -> None:
    """The seed's command prints the seed's line; with source_nat none the exemption stands before it."""
    apply(kinds(0))
    printed = [line for line in sh("iptables", "-t", "nat", "-S", "POSTROUTING").splitlines() if "wg0" in line]
    assert printed == [MASQUERADE]
    apply(kinds(0, 4))
    printed = [line for line in sh("iptables", "-t", "nat", "-S", "POSTROUTING").splitlines() if "wg0" in line]
    assert len(printed) == 2 and printed[0].endswith("-j EDGE-GATEWAY-KEEP") and printed[1] == MASQUERADE


def test_the_last_forward_takes_the_rest_away_and_leaves_the_guard(variant: str) -> None:
    """No masquerade, no chain and no jump in nat; the mesh stays closed, in both IP versions."""
    apply(kinds())
    apply({})
    for name in NAMES:
        assert [line for line in listing(name) if line.startswith("-A") and "EDGE-GATEWAY" not in line] == []
        assert sum(line.endswith("-j DROP") for line in listing(name)) == 4
        assert not any("EDGE-GATEWAY" in line for line in sh(f"{name}-save", "-t", "nat").splitlines())


def test_looking_brings_no_table_up(variant: str) -> None:
    """Neither reading, nor clearing, nor the boot script's look: tables of nobody stay away."""
    host = Watched()
    backend(host).read()
    backend(host).clear()
    assert host.ran and not any("legacy" in program for program in host.ran) and not host.loaded
    assert sh("nft", "list", "tables") == ""
    assert Path("/proc/net/ip_tables_names").read_text() == Path("/proc/net/ip6_tables_names").read_text() == ""
    if variant == "nft":
        apply(kinds())
        assert Path("/proc/net/ip_tables_names").read_text() == ""
    else:
        apply(kinds())
        assert sh("nft", "list", "tables") == ""


def test_a_change_of_one_forward_keeps_the_counters_of_others(variant: str) -> None:
    """Packets are counted by forward, over all rules of one; a change elsewhere does not start them anew."""
    apply(kinds())
    text = sh("iptables-save", "-c", "-t", "nat")
    seen = {"--dport 22015": "[3:180]", "-p tcp -m tcp --dport 6000:6010": "[4:200]", "-p udp -m udp --dport 6000:6010": "[1:40]"}
    for old, new in seen.items():
        text = re.sub(rf"\[0:0\] (-A EDGE-GATEWAY-DNAT .*{old} )", rf"{new} \1", text)
    sh("iptables-restore", "-c", stdin=text)
    apply({**kinds(), "listed": Forward("listed", 443, 443, "10.50.0.99", 8443)})
    live = backend()
    live.read()
    assert {name: live.counts()[name] for name in ("plain", "range", "listed")} == {
        "plain": (3, 180), "range": (5, 240), "listed": (0, 0)}


TO_HOST = '! -i wg0 -m addrtype --dst-type LOCAL -m comment --comment "edge-gateway: traffic to this host may be forwarded" -j EDGE-GATEWAY'
SOME_KEEP = '-o wg0 -m comment --comment "edge-gateway: some targets see their clients" -j EDGE-GATEWAY-KEEP'
NO_MORE = '-o wg0 -m comment --comment "edge-gateway: nothing else enters the mesh"'
TO_ALL = '-m comment --comment "edge-gateway: anyone may use the others" -g EDGE-GATEWAY-DNAT'
DAMAGES = {
    "nat flushed": ["-t nat -F"], "all flushed": ["-t nat -F", "-F", "-t mangle -F"], "own chain flushed": ["-t nat -F EDGE-GATEWAY-DNAT"],
    "guard flushed": ["-F EDGE-GATEWAY-GUARD"], "jumps doubled": [
        f"-t nat -I PREROUTING {TO_HOST}", f"-t nat -A POSTROUTING {SOME_KEEP}",
        '-I FORWARD -m comment --comment "edge-gateway: only forwards enter the mesh" -j EDGE-GATEWAY-GUARD'],
    "guard's jump gone": ["-D FORWARD 1"], "masquerade gone": ["-t nat -D POSTROUTING -o wg0 -j MASQUERADE"],
    "masquerade first": ["-t nat -D POSTROUTING -o wg0 -j MASQUERADE", "-t nat -I POSTROUTING -o wg0 -j MASQUERADE"],
    "a jump in a chain of others": ["-N mine", '-A mine -m comment --comment "edge-gateway: x" -j EDGE-GATEWAY-GUARD'],
    "forward doubled": ["-t nat -A EDGE-GATEWAY-DNAT -p tcp --dport 1 -m comment --comment plain -j DNAT --to-destination 10.6.6.6:1"],
    "forward altered": ["-t nat -R EDGE-GATEWAY-DNAT 1 -p tcp -m comment --comment plain -m limit --limit 1/sec -j ACCEPT"],
    "forward of nobody": ["-t nat -A EDGE-GATEWAY-KEEP -p tcp -m comment --comment stray -j ACCEPT"],
    "order changed": ["-t nat -D EDGE-GATEWAY 3", f"-t nat -I EDGE-GATEWAY {TO_ALL}"],
    "a rule of the guard altered": [f"-R EDGE-GATEWAY-GUARD 3 {NO_MORE} -j ACCEPT"],
    "a list widened": ['-t nat -A %LIST% -m comment --comment "edge-gateway: who may use forwards" -g EDGE-GATEWAY-DNAT'],
    "a list left over": ["-t nat -N EDGE-GATEWAY-FROM-0123456789"],
}


@pytest.mark.parametrize("healer", [apply, boot])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen_and_healed(variant: str, damage: str, healer: Any) -> None:
    """By the next run, and by the boot script."""
    load(FOREIGN.replace("-A POSTROUTING -o wg0 -p tcp -j MASQUERADE\n", ""))
    apply(kinds())
    wanted = backend().wanted(kinds())
    chain = next(name for name in wanted.parts[4, "nat"].chains if "FROM" in name)
    for words in DAMAGES[damage]:
        sh("sh", "-c", "iptables " + words.replace("%LIST%", chain))
    before = others()
    assert backend().read() != wanted
    healer(kinds())
    holds(kinds())
    assert others() == before


REFUSED = {
    "rule": "-A EDGE-GATEWAY-GUARD -j ACCEPT", "rule with a comment": '-A EDGE-GATEWAY-GUARD -m comment --comment "mine" -j ACCEPT',
    "rule in front": "-t nat -I EDGE-GATEWAY -p tcp --dport 22 -j ACCEPT", "chain": "-N EDGE-GATEWAY-MINE",
    "comment that is no id": '-t nat -A EDGE-GATEWAY-DNAT -m comment --comment "My rule" -j ACCEPT',
    "jump": "-t nat -A PREROUTING -p tcp -j EDGE-GATEWAY", "jump of theirs": "-A FORWARD -m comment --comment x -g EDGE-GATEWAY-GUARD",
}


@pytest.mark.parametrize("part", REFUSED)
def test_what_is_not_ours_in_our_chains_is_an_error_and_stays(variant: str, part: str) -> None:
    """Named, in one line; nothing is changed."""
    apply(kinds())
    sh("sh", "-c", f"iptables {REFUSED[part]}")
    before = listing()
    for act in (lambda: backend().read(), lambda: apply({}), lambda: backend().clear()):
        with pytest.raises(StateRefused) as caught:
            act()
        assert "EDGE-GATEWAY" in caught.value.message and "\n" not in caught.value.message and variant in caught.value.message
    assert listing() == before


def test_a_comment_with_a_line_break_fakes_nothing(variant: str) -> None:
    """iptables lists it as it is: what follows looks like a rule, a chain, a table of its own."""
    apply(kinds())
    text = 'x"\n-A EDGE-GATEWAY-GUARD -j ACCEPT\n*nat\n:EDGE-GATEWAY-MINE - [0:0]\n\\'
    sh("iptables", "-A", "INPUT", "-m", "comment", "--comment", text, "-j", "ACCEPT")
    holds(kinds())


CHANGES = {"first": ((), range(8)), "last": (range(8), ()), "change": ((0, 3, 6), (1, 4, 7))}


@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("change", CHANGES)
def test_a_kill_between_tables_opens_nothing_and_heals(variant: str, count: int, change: str) -> None:
    """Whatever was loaded, nothing leads into the mesh without its guard; the next run finishes."""
    before, after = ({name: item for number in numbers for name, item in kinds(number).items()} for numbers in CHANGES[change])
    if before:
        apply(before)
    host = Watched(loads=count)
    try:
        backend(host).apply(after)
    except KeyboardInterrupt:
        assert len(host.loaded) == count
    for name in NAMES:
        lines = listing(name)
        if any("PREROUTING" in line and "EDGE-GATEWAY" in line for line in lines):
            assert sum(line.startswith("-A FORWARD") and "EDGE-GATEWAY" in line for line in lines) == 2
            assert sum(line.endswith("-j DROP") for line in lines) == 4
    apply(after)
    holds(after)


def test_a_failure_stops_before_the_way_in(variant: str) -> None:
    """When the guard cannot be loaded, neither run nor boot script loads the forwards; both say that they failed."""
    apply({})
    for name in NAMES:
        sh(name, "-D", "FORWARD", "1")
    text = backend().boot_text(kinds()).replace(":EDGE-GATEWAY-GUARD - [0:0]", ":EDGE-GATEWAY-GUARD - [0:0]\n-A nowhere -j ACCEPT")
    done = subprocess.run(["dash", "-s"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not any("PREROUTING -" in line or "MASQUERADE" in line for name in NAMES for line in listing(name))
    apply(kinds())
    holds(kinds())


class Hindered(Watched):
    """Table filter cannot be written."""

    def run(self, argv: Sequence[str], stdin: str = "", timeout: float = 60.0, check: bool = True, holds_lock: bool = False) -> Result:
        """Run it with a line that no iptables takes."""
        return super().run(argv, stdin.replace("*filter\n", "*filter\n-A nowhere -j ACCEPT\n"), timeout, check, holds_lock)


def test_a_table_that_fails_is_told(variant: str) -> None:
    """The error is iptables' own; nothing was loaded behind it."""
    with pytest.raises(CommandFailed) as caught:
        backend(Hindered()).apply(kinds())
    assert "iptables-restore" in caught.value.message
    assert not any("DNAT" in line and "--dport" in line for line in listing())
    apply(kinds())
    holds(kinds())


def test_a_masquerade_that_was_there_stays(variant: str) -> None:
    """Somebody's own line, such as wg-quick's PostUp, is used, not doubled, and left behind; by run and by boot script."""
    for make in (apply, boot):
        sh("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wg0", "-j", "MASQUERADE")
        make(kinds())
        assert listing().count(MASQUERADE) == 1
        holds(kinds())
        make(kinds(1))
        make({})
        assert listing().count(MASQUERADE) == 1
        holds({})
        make(kinds(0))
        sh("iptables", "-t", "nat", "-D", "POSTROUTING", "-o", "wg0", "-j", "MASQUERADE")
        assert backend().read() != backend().wanted(kinds(0))
        make(kinds(0))
        assert listing().count(MASQUERADE) == 1
        holds(kinds(0))
        make({})
        assert MASQUERADE not in listing() and not any("EDGE-GATEWAY-FOUND" in line for line in listing())


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("make", [apply, boot])
def test_another_interface_moves_everything(variant: str, make: Any, damaged: bool) -> None:
    """A renamed mesh interface: nothing is left of the old one, in no table; also when its rules were not whole."""
    make(kinds())
    if damaged:
        sh("iptables", "-t", "nat", "-D", *MASQUERADE.split(" ")[1:])
        sh("sh", "-c", f"ip6tables -t nat -A PREROUTING {TO_HOST}")
    moved = backend(interface="mesh0")
    assert moved.read() != moved.wanted(kinds())
    if make is apply:
        moved.apply(kinds())
    else:
        sh("dash", "-s", stdin=moved.boot_text(kinds()))
    assert moved.read() == moved.wanted(kinds())
    assert not any("wg0" in line for name in NAMES for line in listing(name))
    moved.apply({})
    assert not any("MASQUERADE" in line for line in listing())


def test_ours_in_the_other_variant_are_drift_and_go(variant: str) -> None:
    """They would count twice: after update-alternatives, the next run moves them."""
    choose(OTHER[variant])
    apply(kinds())
    choose(variant)
    live = backend().read()
    assert live != backend().wanted(kinds()) and OTHER[variant] in live.elsewhere[0] and live.elements == {}
    apply(kinds())
    holds(kinds())
    for name in NAMES:
        assert "EDGE-GATEWAY" not in sh(f"{name}-{OTHER[variant]}-save") and "MASQUERADE" not in sh(f"{name}-{OTHER[variant]}-save")
    choose(OTHER[variant])
    backend().clear()
    assert "EDGE-GATEWAY" not in sh(f"iptables-{variant}-save")


def test_rules_of_others_in_the_other_variant_are_told(variant: str) -> None:
    """Not touched, not refused; a table without rules is no reason."""
    apply(kinds())
    other = OTHER[variant]
    sh(f"iptables-{other}", "-t", "nat", "-A", "OUTPUT", "-j", "RETURN")
    sh(f"iptables-{other}", "-t", "nat", "-D", "OUTPUT", "-j", "RETURN")
    found = backend()
    found.read()
    assert found.warnings == []
    sh(f"iptables-{other}", "-P", "FORWARD", "DROP")
    sh(f"iptables-{other}", "-t", "raw", "-A", "OUTPUT", "-j", "ACCEPT")
    found.read()
    assert len(found.warnings) == 1 and f"iptables-{other} (table filter, raw)" in found.warnings[0]
    assert f"iptables-{variant}" in found.warnings[0]
    holds(kinds())
    if variant == "nft":
        hidden = backend(Watched(missing=["iptables-legacy-save"]))
        hidden.read()
        assert len(hidden.warnings) == 1 and "no iptables-legacy-save" in hidden.warnings[0]


def test_missing_programs(variant: str) -> None:
    """Nothing to look with is nothing there; IPv6's are needed only for IPv6; without them the guard of IPv4 stands all the same."""
    for program in ("iptables", "iptables-save", "iptables-restore"):
        without = backend(Watched(missing=[program]))
        assert not without.read().elements and not any(family == 4 for family, _table in without.read().parts)
        with pytest.raises(MissingTool) as caught:
            without.ready({})
        assert caught.value.option == "iptables"
    without = backend(Watched(missing=["ip6tables-save"]))
    without.ready(kinds(0))
    with pytest.raises(MissingTool) as caught:
        without.ready(kinds(6))
    assert caught.value.option == "ip6tables"
    without.apply(kinds(0))
    assert without.read() == without.wanted(kinds(0)) and "ip6tables" not in without.boot_text(kinds(0)).partition("failed=0")[2]


def test_a_kernel_without_ipv6(variant: str) -> None:
    """Its programs are there and would fail: they are not run, and nothing of it is wanted."""
    without = backend(Watched(missing=["/proc/sys/net/ipv6"]))
    without.apply(kinds(0))
    assert without.read() == without.wanted(kinds(0))
    assert "-A" not in sh("ip6tables-save") and "load ip6tables" not in without.boot_text(kinds(0))


def run(dry: bool = False, **params: Any) -> Outcome[Forward]:
    """One run of the module's life."""
    engine = ForwardEngine(Host(), str(STATE_DIR), "wg0", "iptables", allow_outside_mesh=True)
    return converge(engine, edit_of(params, "forward_id", "forwards", Forward.parse), dry)


def test_through_the_engine(variant: str) -> None:
    """Check mode predicts, the run does it, the next one does nothing; the boot file is a script that heals."""
    def walk(**params: Any) -> Dict[str, Any]:
        before = [listing(name) for name in NAMES]
        predicted = run(True, **params)
        assert [listing(name) for name in NAMES] == before
        real = run(**params)
        assert world.report(predicted) == world.report(real)
        assert not run(**params).as_dict()["changed"]
        return world.report(real)

    walk(forwards=[entry(number, proto="both") for number in range(20)])
    assert walk(**entry(1, source_nat="none", target_ip="10.50.0.99"))["updated"] == ["f-1"]
    sh("iptables", "-t", "nat", "-F")
    assert walk(forwards=[])["repaired"] == sorted(world.ids(20))
    for table in ("nat", "filter", "mangle"):
        sh("iptables", "-t", table, "-F")
        sh("iptables", "-t", table, "-X")
    sh("sh", IptablesBackend.boot_file)
    assert not run(forwards=[]).as_dict()["changed"]
    assert oct(os.stat(IptablesBackend.boot_file).st_mode & 0o777) == "0o600"
    assert len(walk(forwards=[], purge=True)["removed"]) == 20
    holds({})


def test_many(variant: str) -> None:
    """A thousand, one more, one less, none."""
    many = {f"f-{number}": Forward(f"f-{number}", 20000 + number, 20000 + number, "10.50.0.12", 80) for number in range(1000)}
    apply(many)
    holds(many)
    more = {**many, "x": Forward("x", 1, 1, "10.50.0.12", 1)}
    host = Watched()
    backend(host).apply(more)
    assert host.loaded == ["ip nat"]
    holds(more)
    boot(many)
    holds(many)
    apply({})
    holds({})


def test_every_chain_name_fits() -> None:
    """The legacy variant takes 28 characters."""
    chains = [name for part in iptables.wanted_rules(kinds(), "wg0", {4, 6}).parts.values() for name in part.chains]
    assert max(map(len, [*chains, iptables.FOUND])) <= 28

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iptables that others have changed: what is ours is seen, healed or refused, and what is theirs stays."""

from __future__ import annotations

import os
import subprocess
from typing import Any, Dict, Sequence

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.iptables import IptablesBackend
from ansible_collections.edge.gateway.plugins.module_utils.errors import CommandFailed, MissingTool, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import iptables
from ansible_collections.edge.gateway.plugins.module_utils.host import Host, Result
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from contract import world
from contract.forwarding import entry
from contract.iptables_host import (
    FOREIGN,
    MASQUERADE,
    NAMES,
    OTHER,
    Watched,
    apply,
    backend,
    boot,
    choose,
    holds,
    kinds,
    listing,
    load,
    others,
)
from contract.world import STATE_DIR, sh

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

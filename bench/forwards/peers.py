# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane of others: the loop of ansible.builtin.iptables, pyinfra, the seed's process per rule, and bare nft."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import List, Sequence

from ..common import space
from ..common.space import BenchError, say, sh
from ..common.stats import Samples
from . import cases
from .control import make_edge
from .plays import Plays

VARIANTS = ("nft", "legacy")
SHARED = "peers"
PROBES = 5
DEPLOY = """
import json
from pathlib import Path
from pyinfra.operations import iptables
for item in json.loads(Path({listing!r}).read_text())["forwards"]:
    iptables.rule(name=item["forward_id"], table="nat", chain="PREROUTING", protocol="tcp", jump="DNAT",
                  destination_port=item["public_port"], to_destination=f"{{item['target_ip']}}:{{item['target_port']}}")
"""


def make_places() -> None:
    """Each variant of iptables has a namespace of its own: once both have rules in one, each slows the other."""
    for name in (SHARED, *(f"{SHARED}-{variant}" for variant in VARIANTS)):
        make_edge(name)


def loop(samples: Samples, plays: Plays, count: int, number: int) -> None:
    """Two tasks a forward, an item each; seconds of ONE forward, since the time is as long as the list."""
    _flush("iptables", plays.namespace)
    say(f"loop of ansible.builtin.iptables over {count}")
    variables = plays.listing(count)
    for name, changes in (("loop", True), ("loop-again", False)):
        floor = plays.run("ping", False)
        seconds = plays.run("loop", changes, variables, tasks=2)
        samples.add(f"peer/{name}", number, (seconds - floor) / count)
    _expect_rules("iptables", plays.namespace, count)


def pyinfra(samples: Samples, program: Path, plays: Plays, count: int, number: int) -> None:
    """One rule a forward, as pyinfra has no more to offer; from nothing, and again."""
    deploy = plays.folder / "deploy.py"
    deploy.write_text(DEPLOY.format(listing=str(plays.listing(count))))
    _flush("iptables", plays.namespace)
    for name in ("pyinfra", "pyinfra-again"):
        say(f"{name} with {count}")
        seconds, _out = space.timed([str(program), "-y", "@local", str(deploy)], plays.namespace)
        samples.add(f"peer/{name}/{count}", number, seconds)
        _expect_rules("iptables", plays.namespace, count, chains=("nat PREROUTING",))


def _rules(item: cases.Forward) -> List[List[str]]:
    target = f"{item['target_ip']}:{item['target_port']}"
    return [["-t", "nat", "{}", "PREROUTING", "-p", "tcp", "--dport", str(item["public_port"]), "-j", "DNAT", "--to-destination", target],
            ["-t", "filter", "{}", "FORWARD", "-p", "tcp", "-d", item["target_ip"], "--dport", str(item["target_port"]), "-j", "ACCEPT"]]


def ensure(program: str, namespace: str, items: Sequence[cases.Forward]) -> float:
    """``iptables -C || iptables -A`` for two rules a forward, as the seed does; its seconds."""
    with space.inside(namespace):
        begin = time.monotonic()
        for item in items:
            for rule in _rules(item):
                check, append = ([program, *(part.format(how) for part in rule)] for how in ("-C", "-A"))
                if subprocess.run(check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60).returncode:
                    subprocess.run(append, check=True, timeout=60)
        return time.monotonic() - begin


def per_rule(samples: Samples, sizes: List[int], number: int) -> None:
    """A process per rule, in both variants of iptables: from nothing, and again."""
    for variant in VARIANTS:
        program, namespace = f"iptables-{variant}", f"{SHARED}-{variant}"
        for size in sizes:
            say(f"a process per rule, {program}, {size} forwards")
            items = cases.forwards(size)
            _flush(program, namespace)
            samples.add(f"peer/{variant}/first/{size}", number, ensure(program, namespace, items))
            samples.add(f"peer/{variant}/again/{size}", number, ensure(program, namespace, items))
            _expect_rules(program, namespace, size)


def probe(samples: Samples, loads: List[int], number: int) -> None:
    """Seconds of one new and of one present forward with so many loaded; with these a long run is extrapolated."""
    for variant in VARIANTS:
        program, namespace = f"iptables-{variant}", f"{SHARED}-{variant}"
        for size in loads:
            _flush(program, namespace)
            if size:
                text = cases.per_rule(cases.forwards(size), "wg0").replace(":FORWARD DROP", ":FORWARD ACCEPT")
                sh(f"{program}-restore", namespace=namespace, stdin=text)
            more = cases.forwards(size + PROBES)[size:]
            samples.add(f"probe/{variant}/first/{size}", number, ensure(program, namespace, more) / PROBES)
            samples.add(f"probe/{variant}/again/{size}", number, ensure(program, namespace, more) / PROBES)
        _flush(program, namespace)


def extrapolate(samples: Samples, variant: str, kind: str, loads: List[int]) -> float:
    """The cost of one forward, integrated over the load. A present one is looked for, on average, in a full list."""
    cost = [samples.median(f"probe/{variant}/{kind}/{size}") for size in loads]
    if kind == "again":
        return cost[-1] * loads[-1]
    parts = zip(zip(loads, loads[1:]), zip(cost, cost[1:]))
    return sum((to - begin) * (left + right) / 2 for (begin, to), (left, right) in parts)


def bare(samples: Samples, namespace: str, sizes: List[int], number: int) -> None:
    """``nft -f`` of the same forwards as one map."""
    for size in sizes:
        sh("nft", "flush", "ruleset", namespace=namespace)
        seconds, _out = space.timed(["nft", "-f", "-"], namespace, stdin=cases.one_map(cases.forwards(size), "wg0"))
        samples.add(f"peer/bare/{size}", number, seconds)
    sh("nft", "flush", "ruleset", namespace=namespace)


def _flush(program: str, namespace: str) -> None:
    for table in ("nat", "filter"):
        sh(program, "-w", "-t", table, "-F", namespace=namespace)


def _expect_rules(program: str, namespace: str, count: int, chains: Sequence[str] = ("nat PREROUTING", "filter FORWARD")) -> None:
    for place in chains:
        table, chain = place.split()
        found = sh(program, "-t", table, "-S", chain, namespace=namespace).count(f"-A {chain} ")
        if found != count:
            raise BenchError(f"{program} has {found} rules in {chain}, not {count}")

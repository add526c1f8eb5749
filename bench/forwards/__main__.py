# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: prepare what is needed, go into throw-away namespaces, measure, write the tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

from . import cases, control, data, peers, prepare, process, report, space
from .plays import Plays
from .space import CACHE, LAB, REPO, BenchError, say
from .stats import Samples
from .targets import targets

PARTS = ("control", "peers", "process", "data")
PEER_MOST = 1000


@dataclass(frozen=True)
class Choices:
    """What the command line asks for."""

    sizes: List[int]
    rounds: int
    quick: bool
    parts: Tuple[str, ...]
    out: Path

    @property
    def middle(self) -> int:
        """The size at which slow peers are measured."""
        return max((size for size in self.sizes if size <= PEER_MOST), default=min(self.sizes))


def parse(arguments: List[str]) -> Choices:
    """Understand the command line."""
    parser = argparse.ArgumentParser(prog="bench.forwards", description="What forwarding costs, against limits and peers.")
    parser.add_argument("--sizes", help="numbers of forwards (10,1000,10000; quick: 10,100)")
    parser.add_argument("--rounds", type=int, help="rounds of the control plane (5; quick: 1); the data plane has three times as many")
    parser.add_argument("--quick", action="store_true", help="run everything once and check that it works; judge nothing")
    parser.add_argument("--parts", default=",".join(PARTS), help="only these of " + ", ".join(PARTS))
    parser.add_argument("--out", type=Path, default=CACHE, help="folder for results.md and results.json (.cache/bench)")
    given = parser.parse_args(arguments)
    sizes = sorted({int(word) for word in (given.sizes or ("10,100" if given.quick else "10,1000,10000")).split(",")})
    parts = tuple(given.parts.split(","))
    if not sizes or sizes[0] < 1 or sizes[-1] > cases.MOST or not set(parts) <= set(PARTS):
        parser.error(f"sizes are 1 to {cases.MOST}, parts are {', '.join(PARTS)}")
    return Choices(sizes, given.rounds or (1 if given.quick else 5), given.quick, parts, given.out.resolve())


def measure(choices: Choices, samples: Samples) -> None:
    """All parts. Slow peers run in the first and in the last round only."""
    tools = prepare.tools()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, space.removing():
        folder = Path(name)
        control.make_edge("control")
        peers.make_places()
        (folder / "others").mkdir()
        plays, others = Plays(folder, "control"), Plays(folder / "others", peers.SHARED)
        for number in range(choices.rounds):
            say(f"round {number + 1} of {choices.rounds}")
            samples.add("load average", number, os.getloadavg()[0])
            if "control" in choices.parts:
                control.measure(samples, plays, choices.sizes, number)
            if "process" in choices.parts:
                process.measure(samples, folder, "control", choices.sizes, number)
            if "peers" in choices.parts:
                peers.bare(samples, "control", choices.sizes, number)
                if number in (0, choices.rounds - 1):
                    _slow_peers(choices, samples, others, tools["pyinfra"], number)
    if "data" in choices.parts:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            data.measure(samples, Path(name), tools, choices.sizes,
                         rounds=choices.rounds * (1 if choices.quick else 3), quick=choices.quick)


def _slow_peers(choices: Choices, samples: Samples, others: Plays, pyinfra: Path, number: int) -> None:
    peers.loop(samples, others, 5 if choices.quick else 25, number)
    peers.pyinfra(samples, pyinfra, others, choices.middle, number)
    peers.per_rule(samples, [size for size in choices.sizes if size <= choices.middle], number)
    peers.probe(samples, [0, *choices.sizes], number)


def about(samples: Samples, load_before: str) -> Dict[str, str]:
    """What the figures depend on."""
    def version(*argv: str) -> str:
        return space.sh(*argv).splitlines()[0].strip()
    tools = prepare.tools()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
        "load average": f"{load_before} before, {samples.median('load average'):.2f} (median of the rounds, "
                        f"at most {samples.highest('load average'):.2f}), {_load()} after",
        "versions": "; ".join([version("nft", "--version"), version("iptables", "--version"),
                               version(str(Path(sys.executable).with_name("ansible-playbook")), "--version"),
                               version(str(tools["pyinfra"]), "--version"),
                               "Traefik " + version(str(tools["traefik"]), "version").split()[-1]]),
    }


def _load() -> str:
    return " ".join(f"{figure:.2f}" for figure in os.getloadavg())


def finish(choices: Choices, samples: Samples, load_before: str, began: float) -> int:
    """Write the results and say whether the targets are met."""
    found = targets(samples, choices.sizes, choices.middle)
    facts = {**about(samples, load_before), "took": f"{(time.monotonic() - began) / 60:.1f} minutes"}
    text = report.document(samples, choices.sizes, choices.middle, facts, report.verdicts(found, not choices.quick))
    choices.out.mkdir(parents=True, exist_ok=True)
    (choices.out / "results.md").write_text(text)
    (choices.out / "results.json").write_text(json.dumps({
        "about": facts, "sizes": choices.sizes, "quick": choices.quick, "samples": samples.taken,
        "targets": [{"what": item.what, "measured": item.measured, "bound": item.bound, "at_least": item.at_least, "met": item.met}
                    for item in found]}, indent=1) + "\n")
    print(text)
    say(f"written to {choices.out}")
    return 1 if not choices.quick and any(item.met is False for item in found) else 0


def main() -> int:
    """Be outside first, then inside."""
    choices = parse(sys.argv[1:])
    try:
        if not space.isolated():
            prepare.prepare()
            os.chdir(REPO)
            os.execv(sys.executable, [sys.executable, str(LAB), "isolate", sys.executable, "-m", "bench.forwards", *sys.argv[1:],
                                      "--out", str(choices.out)])
        samples, load_before, began = Samples(), _load(), time.monotonic()
        measure(choices, samples)
        return finish(choices, samples, load_before, began)
    except BenchError as error:
        say(f"failed: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a benchmark: prepare what is needed, go into throw-away namespaces, measure, write the tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Tuple

from . import report, space
from .space import CACHE, LAB, REPO, BenchError, say
from .stats import Samples
from .targets import Target


@dataclass(frozen=True)
class Choices:
    """What the command line asks for."""

    sizes: List[int]
    rounds: int
    quick: bool
    parts: Tuple[str, ...]
    out: Path


@dataclass(frozen=True)
class Bench:
    """A benchmark.

    Attributes:
        name: its package below ``bench``, and what it has so and so many of.
        purpose: one sentence.
        most: the largest size.
        versions: the programs that the figures depend on.
        sections: headings, tables and what is said of them.
        isolate: whether it is measured in throw-away namespaces; the lab's hosts are in its own.
    """

    name: str
    purpose: str
    parts: Tuple[str, ...]
    sizes: str
    quick_sizes: str
    most: int
    prepare: Callable[[], None]
    measure: Callable[[Choices, Samples], None]
    versions: Callable[[], List[str]]
    targets: Callable[[Samples, Choices], List[Target]]
    sections: Callable[[Samples, Choices], List[str]]
    isolate: bool = True


def parse(bench: Bench, arguments: List[str]) -> Choices:
    """Understand the command line."""
    parser = argparse.ArgumentParser(prog=f"bench.{bench.name}", description=bench.purpose)
    parser.add_argument("--sizes", help=f"numbers of {bench.name} ({bench.sizes}; quick: {bench.quick_sizes})")
    parser.add_argument("--rounds", type=int, help="rounds (5; quick: 1); some parts have more or fewer, see the README")
    parser.add_argument("--quick", action="store_true", help="run everything once and check that it works; judge nothing")
    parser.add_argument("--parts", default=",".join(bench.parts), help="only these of " + ", ".join(bench.parts))
    parser.add_argument("--out", type=Path, default=CACHE / bench.name, help=f"folder for the results (.cache/bench/{bench.name})")
    given = parser.parse_args(arguments)
    sizes = sorted({int(word) for word in (given.sizes or (bench.quick_sizes if given.quick else bench.sizes)).split(",")})
    parts = tuple(given.parts.split(","))
    if not sizes or sizes[0] < 1 or sizes[-1] > bench.most or not set(parts) <= set(bench.parts):
        parser.error(f"sizes are 1 to {bench.most}, parts are {', '.join(bench.parts)}")
    return Choices(sizes, given.rounds or (1 if given.quick else 5), given.quick, parts, given.out.resolve())


def first_line(*argv: str) -> str:
    """What a program says of its version."""
    return space.sh(*argv).splitlines()[0].strip()


def ansible_version() -> str:
    """The ansible-core beside this Python."""
    return first_line(str(Path(sys.executable).with_name("ansible-playbook")), "--version")


def _about(bench: Bench, samples: Samples, load_before: str, began: float) -> Dict[str, str]:
    """What the figures depend on."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
        "load average": f"{load_before} before, {samples.median('load average'):.2f} (median of the rounds, "
                        f"at most {samples.highest('load average'):.2f}), {_load()} after",
        "versions": "; ".join(bench.versions()),
        "took": f"{(time.monotonic() - began) / 60:.1f} minutes",
    }


def _load() -> str:
    return " ".join(f"{figure:.2f}" for figure in os.getloadavg())


def _finish(bench: Bench, choices: Choices, samples: Samples, about: Dict[str, str]) -> int:
    """Write the results and say whether the targets are met."""
    found = bench.targets(samples, choices)
    text = report.document(f"{bench.name.capitalize()}, measured", about, [
        "## Targets", report.verdicts(found, not choices.quick), *bench.sections(samples, choices)])
    choices.out.mkdir(parents=True, exist_ok=True)
    (choices.out / "results.md").write_text(text)
    (choices.out / "results.json").write_text(json.dumps({
        "about": about, "sizes": choices.sizes, "quick": choices.quick, "samples": samples.taken,
        "targets": [{"what": item.what, "measured": item.measured, "bound": item.bound, "at_least": item.at_least, "met": item.met}
                    for item in found]}, indent=1) + "\n")
    print(text)
    say(f"written to {choices.out}")
    return 1 if not choices.quick and any(item.met is False for item in found) else 0


def run(bench: Bench) -> int:
    """Be outside first, then inside."""
    choices = parse(bench, sys.argv[1:])
    try:
        if not bench.isolate:
            bench.prepare()
        elif not space.isolated():
            bench.prepare()
            os.chdir(REPO)
            os.execv(sys.executable, [sys.executable, str(LAB), "isolate", sys.executable, "-m", f"bench.{bench.name}", *sys.argv[1:],
                                      "--out", str(choices.out)])
        samples, load_before, began = Samples(), _load(), time.monotonic()
        bench.measure(choices, samples)
        return _finish(bench, choices, samples, _about(bench, samples, load_before, began))
    except BenchError as error:
        say(f"failed: {error}")
        return 2

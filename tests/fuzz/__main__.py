# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile input of every kind: it brings success or one sentence, never a traceback, a write elsewhere or a rule not asked for.

    tests/lab/lab isolate .venv/bin/python -m fuzz [TARGET ...]      (in tests)
    ... -m fuzz TARGET --only NUMBER                                 one input again, as a trouble is told
    ... -m fuzz --control                                            planted faults, which must be found

EDGE_CHAOS_PERCENT (2) is the share of 200,000 inputs, EDGE_SEED (1) gives others.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Dict, List

from chaos.figures import note, sized

from . import control
from .applied import Applied
from .formats import Formats
from .judge import Tally, Target, fuzz
from .objects import Objects
from .runs import HostileHost, Parameters

TARGETS: List[Target] = [Formats(), Objects(), Parameters(), HostileHost(), Applied()]


def report(tallies: Dict[str, Tally], seconds: float, whole: bool) -> int:
    """Tell what was found; the exit code."""
    for name, tally in tallies.items():
        print(f"{name}: {tally.tried} inputs, {tally.accepted} accepted, slowest {tally.slowest:.2f} s", flush=True)
        print(*tally.troubles, *(f"    {count} times: {kind}" for kind, count in tally.kinds.items() if count > 1), sep="\n", flush=True)
    wrong = sum(sum(tally.kinds.values()) for tally in tallies.values())
    if whole:
        note("fuzz", "make fuzz", sum(tally.tried for tally in tallies.values()), f"{wrong} troubles", seconds)
    return 1 if wrong else 0


def main() -> int:
    """Fuzz, and tell."""
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("targets", nargs="*", choices=[*(target.name for target in TARGETS), []], metavar="TARGET")
    parser.add_argument("--only", type=int)
    parser.add_argument("--control", action="store_true")
    arguments = parser.parse_args()
    if arguments.control:
        return 1 if control.missed() else 0
    begun = time.monotonic()
    chosen = [target for target in TARGETS if not arguments.targets or target.name in arguments.targets]
    tallies = {target.name: fuzz(target, sized(target.share), arguments.only) for target in chosen}
    return report(tallies, time.monotonic() - begun, whole=not arguments.targets)


if __name__ == "__main__":
    sys.exit(main())

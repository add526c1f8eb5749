# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: what routes cost."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import List

from ..common import command, space
from ..common.command import Bench, Choices, first_line
from ..common.prepare import TRAEFIK
from ..common.stats import Samples
from . import bulk, cases, plays, prepare, report, rps, served, targets, throttle

# of what grows with the square of the number, or is linear and slow
PLAY_MOST, BURST_MOST, LOOPED = 1000, 100, 25
FEW = 3


def middle(choices: Choices, most: int = PLAY_MOST) -> int:
    """The largest size up to that."""
    return max((size for size in choices.sizes if size <= most), default=min(choices.sizes))


def many_at_once(choices: Choices) -> int:
    """How many new routes come at once."""
    return min(20 if choices.quick else BURST_MOST, max(choices.sizes))


def in_a_row(choices: Choices) -> int:
    """How many changes follow one another."""
    return 10 if choices.quick else throttle.MANY


def measure(choices: Choices, samples: Samples) -> None:
    """All parts, each with processes and folders of its own; some have fewer rounds."""
    sizes, few = choices.sizes, min(choices.rounds, FEW)
    for part in choices.parts:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=space.MEMORY) as name:
            folder = Path(name)
            if part == "served":
                served.measure(samples, folder, sizes, rounds=choices.rounds)
            elif part == "requests":
                rps.measure(samples, folder, sizes, rounds=choices.rounds, quick=choices.quick)
            elif part == "plays":
                plays.measure(samples, folder, middle(choices), rounds=few, looped=3 if choices.quick else LOOPED)
            elif part == "burst":
                bulk.burst(samples, folder, many_at_once(choices), rounds=few)
            elif part == "throttle":
                throttled = [middle(choices)] if choices.quick else sorted({min(sizes), middle(choices)})
                throttle.measure(samples, folder, throttled, rounds=few, many=in_a_row(choices))
            else:
                bulk.alone(samples, folder, sizes, rounds=choices.rounds)


def versions() -> List[str]:
    """Of the programs that the figures depend on."""
    return [command.ansible_version(), "Traefik " + first_line(str(TRAEFIK), "version").split()[-1]]


BENCH = Bench(
    name="routes", purpose="What routes cost, against limits and peers.",
    parts=("served", "requests", "plays", "burst", "throttle", "process"),
    sizes="1,1000,5000", quick_sizes="1,100", most=cases.MOST, prepare=prepare.everything, measure=measure, versions=versions,
    targets=lambda samples, choices: targets.targets(samples, choices.sizes, middle(choices)),
    sections=lambda samples, choices: report.sections(
        samples, choices.parts, choices.sizes, count=middle(choices), at_once=many_at_once(choices), many=in_a_row(choices)))

if __name__ == "__main__":
    sys.exit(command.run(BENCH))

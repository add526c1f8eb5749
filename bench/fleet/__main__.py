# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: what many edges cost, and what one call costs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import List

from ..common import command
from ..common.command import Bench, Choices, first_line
from ..common.space import say
from ..common.stats import Samples
from . import calls, edges, report, site, targets

# a round of more takes a quarter of an hour: there is one
FEW, ROUNDS = 10, 3
CALLS = 5


def measure(choices: Choices, samples: Samples) -> None:
    """All rounds, each with hosts that never had a gateway."""
    few, top = min(choices.rounds, ROUNDS), max(choices.sizes)
    for number in range(few):
        sizes = [size for size in choices.sizes if size <= FEW or not number]
        # a first run is what takes longest
        count = min(1 if choices.quick else top, edges.room())
        say(f"round {number + 1} of {few}")
        with tempfile.TemporaryDirectory(prefix="fleet-") as name, edges.hosts_of(count, max(sizes)):
            samples.add("load average", number, os.getloadavg()[0])
            samples.add("hosts", number, count)
            _round(choices, samples, Path(name), sizes, number)


def _round(choices: Choices, samples: Samples, folder: Path, sizes: List[int], number: int) -> None:
    """First runs, of one edge and of all others, then runs with nothing to do, and calls."""
    count = int(samples.last("hosts"))
    for part in [range(1), *([range(1, count)] if count > 1 else [])]:
        site.first(samples, edges.Control(folder / f"first-{len(part)}", part, count), number)
    if "site" in choices.parts:
        for size in sizes:
            site.measure(samples, edges.Control(folder / str(size), range(size), count), number)
    if "calls" in choices.parts:
        calls.measure(samples, edges.Control(folder / "calls", range(1), count), number, times=1 if choices.quick else CALLS)


def versions() -> List[str]:
    """Of the programs that the figures depend on."""
    return [command.ansible_version(), first_line("podman", "--version")]


BENCH = Bench(
    name="fleet", purpose="What site.yml costs for many edges, and a call for one, beside Ansible's own share.", parts=("site", "calls"),
    sizes="1,10,50", quick_sizes="1,3", most=edges.MOST, prepare=edges.prepare, measure=measure, versions=versions,
    targets=lambda samples, choices: targets.targets(samples, choices.sizes),
    sections=lambda samples, choices: report.sections(samples, choices.sizes), isolate=False)

if __name__ == "__main__":
    sys.exit(command.run(BENCH))

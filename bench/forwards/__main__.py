# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: what forwards cost."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import List

from ..common import command, space
from ..common.command import Bench, Choices, first_line
from ..common.space import say
from ..common.stats import Samples
from . import cases, control, data, peers, prepare, process, report, targets
from .plays import Plays

PEER_MOST = 1000


def middle(choices: Choices) -> int:
    """The size at which slow peers are measured."""
    return max((size for size in choices.sizes if size <= PEER_MOST), default=min(choices.sizes))


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
    peers.pyinfra(samples, pyinfra, others, middle(choices), number)
    peers.per_rule(samples, [size for size in choices.sizes if size <= middle(choices)], number)
    peers.probe(samples, [0, *choices.sizes], number)


def versions() -> List[str]:
    """Of the programs that the figures depend on."""
    tools = prepare.tools()
    return [first_line("nft", "--version"), first_line("iptables", "--version"), command.ansible_version(),
            first_line(str(tools["pyinfra"]), "--version"), "Traefik " + first_line(str(tools["traefik"]), "version").split()[-1]]


BENCH = Bench(
    name="forwards", purpose="What forwarding costs, against limits and peers.", parts=("control", "peers", "process", "data"),
    sizes="10,1000,10000", quick_sizes="10,100", most=cases.MOST, prepare=prepare.everything, measure=measure, versions=versions,
    targets=lambda samples, choices: targets.targets(samples, choices.sizes, middle(choices)),
    sections=lambda samples, choices: report.sections(samples, choices.sizes, middle(choices)))

if __name__ == "__main__":
    sys.exit(command.run(BENCH))

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Traefik's providersThrottleDuration costs and saves: a quiet change, one right after another, and many in a row."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Dict, List, Tuple

from ..common import space
from ..common.space import say
from ..common.stats import Samples
from . import cases, layouts, prepare
from .traefik import Traefik

DURATIONS = ("0s", "100ms", "500ms", "2s")
MANY, PAUSE = 100, 0.02


def measure(samples: Samples, folder: Path, sizes: List[int], *, rounds: int, many: int) -> None:
    """All rounds over all values and sizes; the many in the first and in the last round only."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(prepare.target())
        edges: List[Tuple[Traefik, str, int]] = []
        for size in sizes:
            for duration in DURATIONS:
                traefik = Traefik(folder / f"throttle-{size}-{duration}", len(edges) + 1, duration, head=space.before_others())
                traefik.put(_files(0, size))
                stack.enter_context(traefik.running(cases.host(size - 1)))
                edges.append((traefik, f"{duration}/{size}", size))
        for number in range(rounds):
            say(f"throttle, round {number + 1} of {rounds}")
            samples.add("load average", number, os.getloadavg()[0])
            for traefik, key, size in edges if number % 2 == 0 else reversed(edges):
                _two(samples, traefik, key, size, number)
                if number in (0, rounds - 1):
                    _many(samples, traefik, key, size, number=number, many=many)


# each comes by one rename from beside the directory
def _files(first: int, count: int) -> Dict[str, str]:
    return {f"{cases.name(number)}.yml": layouts.one(cases.host(number), prepare.TARGET) for number in range(first, first + count)}


def _two(samples: Samples, traefik: Traefik, key: str, size: int, number: int) -> None:
    """A change in the quiet, and another as soon as the first is served."""
    for name, route in (("quiet", size), ("after", size + 1)):
        begin = time.monotonic()
        traefik.put(_files(route, 1))
        samples.add(f"throttle/{name}/{key}", number, traefik.client.until(cases.host(route), 200) - begin)
    traefik.restart(*(traefik.dynamic / name for name in _files(size, 2)))


def _many(samples: Samples, traefik: Traefik, key: str, size: int, *, number: int, many: int) -> None:
    """Many changes, one after the other; until the last is served, and what Traefik had of the cores for them."""
    before, begin = traefik.cpu(), time.monotonic()
    for turn in range(many):
        time.sleep(max(0.0, begin + turn * PAUSE - time.monotonic()))
        traefik.put(_files(size + turn, 1))
    end = time.monotonic()
    samples.add(f"throttle/last/{key}", number, traefik.client.until(cases.host(size + many - 1), 200) - end)
    traefik.settle()
    samples.add(f"throttle/cpu/{key}", number, traefik.cpu() - before)
    traefik.restart(*(traefik.dynamic / name for name in _files(size, many)))

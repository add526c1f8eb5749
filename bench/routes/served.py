# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long until one more route is served, and until one less is not: by the module, and by hand."""

from __future__ import annotations

import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Dict, List

from ..common import process, space
from ..common.space import BenchError, say
from ..common.stats import Samples
from . import cases, layouts, prepare
from .prepare import TRAEFIK_ROUTE
from .traefik import Client, Traefik

MODULE, INSIDE, OUTSIDE = "module", "inside", "outside"
CHANGES = {"add": 200, "remove": 404}
WAIT = 60
# a difference of seconds is judged here, not a ratio: what else the machine does should not be in it
FIRST = space.before_others()


class Edge:
    """A Traefik that serves so many routes of ours, and the ways to change one more."""

    def __init__(self, folder: Path, traefik: Traefik, count: int) -> None:
        self.folder, self.traefik, self.count = folder, traefik, count
        self.file, self.host = f"{cases.name(count)}.yml", cases.host(count)
        self.ways: Dict[str, Callable[[str], None]] = {MODULE: self._module, INSIDE: self._inside, OUTSIDE: self._outside}

    def fill(self) -> None:
        """Have the module write the routes that are there all the time."""
        process.run(self.folder, "", TRAEFIK_ROUTE, routes=cases.routes(self.count, prepare.TARGET), wait=False, **self.traefik.options)

    def _module(self, change: str) -> None:
        wanted = cases.route(self.count, prepare.TARGET) if change == "add" else {"route_id": cases.name(self.count), "state": "absent"}
        self.last = process.run(self.folder, "", TRAEFIK_ROUTE, head=FIRST, wait_timeout=WAIT, **wanted, **self.traefik.options)
        if not self.last.result["changed"]:
            raise BenchError(f"traefik_route does not report that it changed one of {self.count} routes")

    def _inside(self, change: str) -> None:
        """The file is written in the directory that Traefik watches, under a name that it does not load."""
        self._by_hand(change, self.traefik.dynamic / f"{self.file}.tmp")

    def _outside(self, change: str) -> None:
        """The file is written beside that directory, so that there is one event instead of several."""
        self._by_hand(change, self.traefik.staged / self.file)

    def _by_hand(self, change: str, staged: Path) -> None:
        if change == "add":
            staged.write_text(layouts.one(self.host, prepare.TARGET))
            os.rename(staged, self.traefik.dynamic / self.file)
        else:
            (self.traefik.dynamic / self.file).unlink()


def measure(samples: Samples, folder: Path, sizes: List[int], *, rounds: int) -> None:
    """All rounds over all sizes and ways; each change begins when Traefik has come to rest."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(prepare.target())
        edges = [Edge(folder, Traefik(folder / f"served-{size}", number, head=FIRST), size) for number, size in enumerate(sizes, 1)]
        for edge in edges:
            edge.fill()
            stack.enter_context(edge.traefik.running(cases.host(edge.count - 1)))
        for number in range(rounds):
            say(f"changes of one route, round {number + 1} of {rounds}")
            samples.add("load average", number, os.getloadavg()[0])
            for edge in edges:
                for way in edge.ways if number % 2 == 0 else reversed(edge.ways):
                    for change in CHANGES:
                        _change(samples, edge, way, change, number)


def _change(samples: Samples, edge: Edge, way: str, change: str, number: int) -> None:
    name = f"served/{{}}/{change}/{way}/{edge.count}"
    before, client = edge.traefik.cpu(), Client(edge.traefik.web)
    with ThreadPoolExecutor(1) as pool:
        begin = time.monotonic()
        seen = pool.submit(client.until, edge.host, CHANGES[change])
        edge.ways[way](change)
        end = time.monotonic()
        samples.add(name.format("served"), number, seen.result() - begin)
    samples.add(name.format("end"), number, end - begin)
    edge.traefik.settle()
    samples.add(name.format("cpu"), number, edge.traefik.cpu() - before)
    if way == MODULE:
        edge.last.keep(samples, f"served/process/{change}/{edge.count}", number)
    client.until(cases.host(edge.count - 1), 200, patience=0)
    client.until(edge.host, CHANGES[change], patience=0)

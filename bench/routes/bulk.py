# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a process of its own, its time and memory; and what many new files at once cost Traefik."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from ..common import space
from ..common.process import PING, run
from ..common.space import BenchError, say
from ..common.stats import Samples
from . import cases, layouts, prepare
from .prepare import TRAEFIK_ROUTE
from .traefik import Traefik


def alone(samples: Samples, folder: Path, sizes: List[int], *, rounds: int) -> None:
    """Nobody is waited for: the routes come from a file, from nothing and again."""
    for number in range(rounds):
        say(f"the module as a process, round {number + 1} of {rounds}")
        samples.add("load average", number, os.getloadavg()[0])
        run(folder, "", PING).keep(samples, "process/ping", number)
        for size in sizes:
            dynamic = folder / f"alone-{number}-{size}"
            dynamic.mkdir()
            listing = folder / "listing.json"
            listing.write_text(json.dumps({"routes": cases.routes(size, prepare.TARGET)}))
            options: Dict[str, Any] = {"src": str(listing), "remote_src": True, "purge": True, "summary": True, "wait": False,
                                       "allow_local_target": True, "dynamic_dir": str(dynamic)}
            for name, changes in (("first", True), ("again", False)):
                done = run(folder, "", TRAEFIK_ROUTE, **options)
                if done.result["changed"] != changes or len(list(dynamic.iterdir())) != size:
                    raise BenchError(f"traefik_route with {size} routes does not report changed, then unchanged")
                done.keep(samples, f"process/{name}/{size}", number)


def burst(samples: Samples, folder: Path, count: int, *, rounds: int) -> None:
    """So many new routes at once, into a directory without any."""
    traefik = Traefik(folder / "burst", 1, head=space.before_others())
    with contextlib.ExitStack() as stack:
        stack.enter_context(prepare.target())
        stack.enter_context(traefik.running())
        for number in range(rounds):
            say(f"{count} new routes at once, round {number + 1} of {rounds}")
            for way, put in WAYS.items():
                before, begin = traefik.cpu(), time.monotonic()
                put(folder, traefik, count)
                samples.add(f"burst/served/{way}/{count}", number, traefik.client.until(cases.host(count - 1), 200) - begin)
                traefik.settle()
                samples.add(f"burst/cpu/{way}/{count}", number, traefik.cpu() - before)
                for host in cases.hosts(count):
                    traefik.client.until(host, 200, patience=0)
                traefik.restart(*traefik.dynamic.rglob("*.*"))


def _by_module(folder: Path, traefik: Traefik, count: int) -> None:
    run(folder, "", TRAEFIK_ROUTE, routes=cases.routes(count, prepare.TARGET), wait_timeout=60, **traefik.options)


def _files(count: int) -> Dict[str, str]:
    return {f"{cases.name(number)}.yml": layouts.one(cases.host(number), prepare.TARGET) for number in range(count)}


def _outside(_folder: Path, traefik: Traefik, count: int) -> None:
    traefik.put(_files(count))


def _one_event(_folder: Path, traefik: Traefik, count: int) -> None:
    """Into a directory below, which Traefik reads but does not watch; then one event in the one that it watches."""
    below = traefik.dynamic / "below"
    below.mkdir(exist_ok=True)
    for name, text in _files(count).items():
        (below / name).write_text(text)
    (traefik.dynamic / "now.tmp").touch()


def _one_file(_folder: Path, traefik: Traefik, count: int) -> None:
    traefik.put(layouts.one_file(cases.hosts(count), prepare.TARGET))


WAYS: Dict[str, Callable[[Path, Traefik, int], None]] = {
    "module": _by_module, "outside": _outside, "one-event": _one_event, "one-file": _one_file}

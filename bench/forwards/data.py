# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane: new connections a second with many in flight, and the time of one alone, through every edge in turn."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from pathlib import Path
from typing import Any, Dict, List

from ..common import space
from ..common.space import BenchError, say, sh
from ..common.stats import Samples
from . import cases, edges
from .edges import CLIENT, NODE, OUTSIDER, SOURCES, Edge

IN_FLIGHT, WARM_UP = 64, 20
# client, node and all that the kernel does between them share one core: the scheduler has no choice then, and what they had of
# it can be counted. Rounds differ by 1 to 3 percent so, instead of 5 to 25 with other work on the machine; the ratios are the same
ONE_CORE = space.before_others(max(os.sched_getaffinity(0)))


def measure(samples: Samples, folder: Path, tools: Dict[str, Path], sizes: List[int], *, rounds: int, quick: bool) -> None:
    """All rounds over all edges; the order is another one in each round."""
    load = [*ONE_CORE, str(tools["load"])]
    everything = edges.plan(sizes)
    with contextlib.ExitStack() as stack:
        stack.enter_context(space.removing())
        edges.build(everything, folder)
        server = space.start([*load, "serve", str(cases.SERVICE)], NODE, log=folder / "server.log")
        stack.callback(space.stop, server)
        proxied = next(edge for edge in everything if edge.name == "traefik")
        stack.callback(space.stop, edges.start_traefik(proxied, [*space.before_others(), str(tools["traefik"])], folder))
        time.sleep(1)
        for edge in everything:
            _prove(load, edge)
        for number in range(rounds):
            say(f"data plane, round {number + 1} of {rounds}")
            samples.add("load average", number, os.getloadavg()[0])
            for edge in random.Random(number).sample(everything, len(everything)):
                _round(samples, load, edge, server=server.pid, number=number, quick=quick)


def _round(samples: Samples, load: List[str], edge: Edge, *, server: int, number: int, quick: bool) -> None:
    if edge.tracked:
        sh("conntrack", "-F", namespace=edge.namespace)
    window, alone = (250, 50) if quick else (600, 300)
    one = _connections(load, edge, "alone", "reset", alone)
    name = f"{edge.name}/{edge.count}"
    for end in ("reset", "close"):
        before = _cpu_seconds(server)
        many = _connections(load, edge, "rate", end, window, IN_FLIGHT)
        busy = many["cpu"] + _cpu_seconds(server) - before
        samples.add(f"data/{end}/{name}", number, many["done"] / many["seconds"])
        if edge.name != "traefik":  # works for itself, on other cores
            samples.add(f"data/{end}-core/{name}", number, many["done"] / busy)
    samples.add(f"data/connect/{name}", number, one["connect_us"])
    samples.add(f"data/answer/{name}", number, one["answer_us"])


def _cpu_seconds(process: int) -> float:
    """What a process has had of the cores, and with it what the kernel did in its place."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def _connections(load: List[str], edge: Edge, kind: str, end: str, *numbers: int) -> Dict[str, Any]:
    """Connect through an edge; every connection must have got its answer, and by this edge."""
    argv = [*load, kind, *edge.service, edge.seen, f"{edge.outside(10)},{SOURCES}", end, *map(str, numbers)]
    result: Dict[str, Any] = json.loads(space.timed(argv, CLIENT, timeout=120)[1])
    if result["failed"] or result["wrong"] or not result["done"]:
        raise BenchError(f"{edge.name} with {edge.count}: {result}")
    return result


def _prove(load: List[str], edge: Edge) -> None:
    """Warm up, which proves that it works; and a client that no allow-list names gets in exactly where there are no lists."""
    _connections(load, edge, "alone", "close", WARM_UP)
    if edge.name in ("ours", "lists"):
        argv = [*load, "rate", *edge.service, edge.seen, f"{edge.outside(OUTSIDER)},1", "reset", "200", "1"]
        outsider = json.loads(space.timed(argv, CLIENT, timeout=60)[1])
        if bool(outsider["done"]) == edge.restricted:
            raise BenchError(f"{edge.name} with {edge.count}: a client that is on no allow-list has {outsider['done']} connections")

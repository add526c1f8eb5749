# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests a second through Traefik, by number of routes and by how their files are written."""

from __future__ import annotations

import contextlib
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

from ..common import process, space
from ..common.space import BenchError, say
from ..common.stats import Samples
from . import cases, layouts, prepare
from .prepare import TRAEFIK_ROUTE
from .traefik import LOCAL, Client, Traefik

OURS, DIRECT = "ours", "direct"
SCHEMES = ("http", "https")
# at every size; the others from the second size on, since with one route there is nothing to be found
ALWAYS = (OURS, "hand", "hand-one-file")
JUDGED, TURNS = (OURS, "hand"), 3
CONNECTIONS = 32
# Traefik has one core, client and target the other: the rate is what a core of Traefik's can do
CORES = sorted(os.sched_getaffinity(0))
PROXY, AROUND = (space.before_others(core) for core in (CORES[0], CORES[-1]))
TRIES = 3


@dataclass
class Candidate:
    """One way to write so many routes, and the Traefik that has read them; the limit has none."""

    name: str
    count: int
    traefik: Optional[Traefik] = None
    load_seconds: float = 0.0

    @property
    def hosts(self) -> List[str]:
        """Whom to ask for: all in turn.

        Traefik ranks rules of one length in no order that could be known, another one each time it starts, so one host
        alone, or a few, may be found first or last.
        """
        return cases.hosts(self.count)


def plan(sizes: List[int]) -> List[Candidate]:
    """All candidates."""
    more = [name for name in layouts.LAYOUTS if name not in ALWAYS]
    return [Candidate(DIRECT, 1), *(Candidate(name, size) for size in sizes for name in ALWAYS),
            *(Candidate(name, size) for size in sizes[1:] for name in more)]


def measure(samples: Samples, folder: Path, sizes: List[int], *, rounds: int, quick: bool) -> None:
    """All rounds over all candidates; the order is another one in each round. Quick: one scheme for each, in turn."""
    everything = plan(sizes)
    with contextlib.ExitStack() as stack:
        stack.enter_context(prepare.target(AROUND))
        for number, candidate in enumerate(everything, 1):
            if candidate.name != DIRECT:
                say(f"routes {number} of {len(everything)}: {candidate.name}, {candidate.count}")
                _build(stack, candidate, folder / f"rps-{number}", number)
                samples.add(f"rps/mib/{candidate.name}/{candidate.count}", 0, _resident(candidate))
                samples.add(f"rps/load/{candidate.name}/{candidate.count}", 0, candidate.load_seconds)
        for number in range(rounds):
            say(f"requests, round {number + 1} of {rounds}")
            samples.add("load average", number, os.getloadavg()[0])
            if quick:
                for turn, candidate in enumerate(everything):
                    _ask(samples, candidate, SCHEMES[turn % 2 if candidate.traefik else 0], number)
            else:
                _round(samples, everything, sizes, number)


def _round(samples: Samples, everything: List[Candidate], sizes: List[int], number: int) -> None:
    """Each once, and what is judged more often. Each time Traefik has another order of rules and another heap, worth five percent."""
    again = [each for each in everything if each.name in JUDGED and each.count in (min(sizes), max(sizes))] * (TURNS - 1)
    for candidate in random.Random(number).sample(everything + again, len(everything + again)):
        if candidate.traefik:
            candidate.traefik.restart()
            candidate.traefik.client.until(cases.host(candidate.count - 1), 200)
        for scheme in SCHEMES if candidate.traefik else SCHEMES[:1]:
            _ask(samples, candidate, scheme, number)


def _build(stack: contextlib.ExitStack, candidate: Candidate, place: Path, number: int) -> None:
    """Write the files, start Traefik and see that it serves exactly these hosts."""
    traefik = candidate.traefik = Traefik(place, number, watch=False, head=PROXY)
    if candidate.name == OURS:
        process.run(place, "", TRAEFIK_ROUTE, routes=cases.routes(candidate.count, prepare.TARGET, cases.BOTH), wait=False,
                    **traefik.options)
    else:
        traefik.put(layouts.LAYOUTS[candidate.name](cases.hosts(candidate.count), prepare.TARGET))
    stack.enter_context(traefik.running(cases.host(candidate.count - 1)))
    candidate.load_seconds = traefik.cpu()
    for port, secure in ((traefik.web, False), (traefik.secure, True)):
        client = Client(port, secure)
        for host in cases.some(candidate.count):
            client.until(host, 200, patience=0)
        client.until(cases.host(candidate.count), 404, patience=0)


def _wrk(candidate: Candidate, url: str) -> Dict[str, Any]:
    """Ask with many connections for a second; every answer must be good and of one length.

    A second without any answer says something of the machine, not of the candidate.
    """
    argv = [*AROUND, "wrk", "-t1", f"-c{CONNECTIONS}", "-d1s", "-s", str(Path(__file__).with_name("turn.lua")), url, "--", *candidate.hosts]
    for _try in range(TRIES):
        before = candidate.traefik.cpu() if candidate.traefik else 0.0
        _seconds, out = space.timed(argv, timeout=60)
        found: Dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        found["cpu"] = candidate.traefik.cpu() - before if candidate.traefik else 0.0
        if found["requests"] or found["bad"]:
            break
    if found["bad"] or not found["requests"] or found["bytes"] % found["requests"]:
        raise BenchError(f"{candidate.name} with {candidate.count}, {url}: {out}")
    return found


def _ask(samples: Samples, candidate: Candidate, scheme: str, number: int) -> None:
    traefik = candidate.traefik
    port = prepare.TARGET_PORT if traefik is None else traefik.secure if scheme == "https" else traefik.web
    found = _wrk(candidate, f"{scheme}://{LOCAL}:{port}")
    key = f"{scheme}/{candidate.name}/{candidate.count}"
    samples.add(f"rps/{key}", number, found["requests"] / found["seconds"])
    samples.add(f"rps/p50/{key}", number, found["p50_us"])
    if traefik:
        samples.add(f"rps/core/{key}", number, found["requests"] / found["cpu"])


def _resident(candidate: Candidate) -> float:
    """MiB that Traefik has in memory."""
    assert candidate.traefik is not None
    lines = Path(f"/proc/{candidate.traefik.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))

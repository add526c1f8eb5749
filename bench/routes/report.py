# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables about routes."""

from __future__ import annotations

from typing import Callable, Dict, List, Sequence, Tuple

from ..common.report import NOTHING, figure, rate, table, time
from ..common.stats import Samples
from . import rps
from .served import CHANGES, INSIDE, MODULE, OUTSIDE
from .throttle import DURATIONS, PAUSE

WAYS = {MODULE: "traefik_route as a process, wait", INSIDE: "a file by hand, temporary name in the same directory (limit)",
        OUTSIDE: "a file by hand, renamed from beside the directory"}
RULES = {
    rps.DIRECT: "the target itself (limit)", rps.OURS: "edge.gateway", "hand": "by hand, a file per route, `Host`",
    "hand-one-file": "by hand, one file", "priority": "`Host`, all of one explicit priority", "regexp": "`HostRegexp`",
    "path": "`Host` and `PathPrefix`", "two-layers": "two layers: parents by prefix", "many-layers": "many layers: by each character",
}
BURSTS = {"module": "traefik_route", "outside": "files by hand, renamed from beside the directory",
          "one-event": "files by hand into a folder below, then one event", "one-file": "one file by hand (limit)"}
HOW_RATES_ARE = """Traefik has one core, client and target share the other, 32 connections are kept open. "Core" is requests per second
that Traefik had of its core: it hardly sees what else the machine does, and is what is judged. Requests go round all hosts, since
Traefik ranks rules of one length in no order that could be known: a request passes half of the rules on average."""
HOW_MANY_ARE = f"""Quiet: nothing had changed before. Right after: begun when the change before was served. Many, one every
{PAUSE * 1000:.0f} ms: until the last is served, counted from when it was made, and what Traefik had of the cores until it came to rest.
Files come by one rename from beside the directory."""


def served(samples: Samples, sizes: List[int]) -> str:
    """One route more or less."""
    rows = []
    for change, word in (("add", "served"), ("remove", "gone")):
        for size in sizes:
            for way, label in WAYS.items():
                names = [f"served/{what}/{change}/{way}/{size}" for what in ("served", "end", "cpu")]
                more = samples.difference(names[0], f"served/served/{change}/{INSIDE}/{size}")
                rows.append([f"one {'more' if change == 'add' else 'less'} of {size}, until {word}", label,
                             *(time(samples, name) for name in names), figure(more)])
    return table(["change", "way", "served or gone, s", "returned, s", "Traefik's CPU, s", "more than the limit, s"], rows)


def requests(samples: Samples, sizes: List[int]) -> str:
    """By rule and layout."""
    rows = []
    for name, label in RULES.items():
        for size in sizes:
            cells: List[str] = []
            for scheme in rps.SCHEMES:
                key = f"rps/core/{scheme}"
                cells += [rate(samples, f"rps/{scheme}/{name}/{size}"), rate(samples, f"{key}/{name}/{size}"),
                          *(figure(samples.ratio(f"{key}/{name}/{size}", to)) for to in (f"{key}/{rps.OURS}/{min(sizes)}",
                                                                                       f"{key}/hand/{size}"))]
            if samples.has(f"rps/mib/{name}/{size}") or name == rps.DIRECT and size == 1:
                start = [figure(samples.median(key), digits) if samples.has(key) else NOTHING
                         for key, digits in ((f"rps/load/{name}/{size}", 2), (f"rps/mib/{name}/{size}", 0))]
                rows.append([label, str(size), *cells, *start])
    columns = [f"{scheme}, {what}" for scheme in ("HTTP", "HTTPS")
               for what in ("per s", "per s of core", f"of ours, {min(sizes)}", "of by hand")]
    return table(["routes", "N", *columns, "start, CPU s", "memory, MiB"], rows)


def plays(samples: Samples, count: int) -> str:
    """Whole runs of ansible-playbook."""
    names = {"ping": "a ping (limit)", "first": f"{count} with src, purge, summary, wait, from nothing",
             "reload": "of that, Traefik's own reload (files renamed by hand)", "without-reload": "the difference",
             "again": "the same again"}
    rows = [[label, time(samples, f"play/{name}"), figure(samples.ratio(f"play/{name}", "play/ping"))] for name, label in names.items()]
    for name, label in (("loop", "loop of ansible.builtin.copy"), ("loop-again", "the same again")):
        if samples.has(f"play/{name}"):
            seconds = samples.median(f"play/{name}") * count
            other = "first" if name == "loop" else "again"
            rows.append([f"{label}, {count} (scaled), {seconds / samples.median(f'play/{other}'):.0f} times of ours",
                         f"{seconds:.0f}", f"{seconds / samples.median('play/ping'):.0f}"])
    return table(["play", "s", "of ping"], rows)


def burst(samples: Samples, count: int) -> str:
    """Many at once."""
    return table([f"{count} new routes at once", "last one served, s", "Traefik's CPU until at rest, s"], [
        [label, *(time(samples, f"burst/{what}/{way}/{count}") for what in ("served", "cpu"))] for way, label in BURSTS.items()])


def throttle(samples: Samples, sizes: List[int], many: int) -> str:
    """By duration."""
    return table(["providersThrottleDuration", "N", "quiet, s", "right after, s", f"last of {many}, s", f"CPU for {many}, s"], [
        [duration, str(size), *(time(samples, f"throttle/{what}/{duration}/{size}") for what in ("quiet", "after", "last", "cpu"))]
        for size in sizes for duration in DURATIONS if samples.has(f"throttle/quiet/{duration}/{size}")])


def process(samples: Samples, sizes: List[int]) -> str:
    """The module without Ansible."""
    names: Dict[str, Tuple[str, str]] = {"ping": ("process/ping", "ansible.builtin.ping")}
    for size in sizes:
        names.update({f"{what}/{size}": (f"process/{what}/{size}", f"{size} {label}")
                      for what, label in (("first", "from nothing"), ("again", "again"))})
    for size in sizes:
        names.update({f"{change}/{size}": (f"served/process/{change}/{size}", f"one {word} of {size}, Traefik waited for")
                      for change, word in zip(CHANGES, ("more", "less"))})
    return table(["module as a process", "inside, s", "with imports, s", "peak, MiB"], [
        [label, *(time(samples, f"{name}/{what}", digits) for what, digits in (("run", 3), ("all", 3), ("mib", 1)))]
        for name, label in names.values() if samples.has(f"{name}/run")])


def sections(samples: Samples, parts: Sequence[str], sizes: List[int], *, count: int, at_once: int, many: int) -> List[str]:
    """Headings and tables of the parts that were measured."""
    few = [size for size in sizes if size <= count]
    made: Dict[str, Callable[[], List[str]]] = {
        "served": lambda: ["## One route more or less, until Traefik does as it says", served(samples, sizes)],
        "requests": lambda: ["## Requests", HOW_RATES_ARE, requests(samples, sizes)],
        "plays": lambda: ["## Whole runs of ansible-playbook", plays(samples, count)],
        "burst": lambda: ["## Many at once", burst(samples, at_once)],
        "throttle": lambda: ["## Throttle", HOW_MANY_ARE, throttle(samples, few, many)],
        "process": lambda: ["## The module alone", process(samples, sizes)],
    }
    return [line for part in made if part in parts for line in made[part]()]

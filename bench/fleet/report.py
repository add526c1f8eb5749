# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables about many edges and about one call."""

from __future__ import annotations

from typing import List

from ..common.report import NOTHING, figure, table, time
from ..common.stats import Samples
from .site import OURS, forks

CALLS = {
    "program": "the module's program, started on the host by hand (limit)", "start": "`ansible-playbook --version`: Ansible's own start",
    "ping": "`ansible -m ping`", "adhoc": "`ansible -m edge.gateway.dnat_forward`", "ping-play": "a playbook with a ping",
    "play": "`playbooks/tcp_forward.yml`",
}
SHOWN_TASKS = 8
HOW_RUNS_ARE = """Hosts and control node share the machine's cores. "Control" is the processor time of `ansible-playbook`, its workers
and its ssh clients, "hosts" that of the hosts, both for each edge: real hosts have processors of their own, so of the two only the first
decides how a fleet fares. "Without work" is a playbook with a ping in the place of each module, one skipped task for each skipped one, and
an assertion for each task on the control node: what Ansible takes for so many tasks, whoever writes them. Hosts: {hosts}. Where
there are more edges, each is an address of one of them, and there is no first run."""


def runs(samples: Samples, sizes: List[int]) -> str:
    """Whole runs of site.yml."""
    begun = sorted({int(name.split("/")[1]) for name in samples.taken if name.startswith("first/")})
    rows = [[str(size), str(min(OURS, size)), "first run", *_figures(samples, f"first/{size}"), NOTHING, NOTHING] for size in begun]
    for size in sizes:
        for at_once in forks(size):
            again, nothing = f"again/{size}/{at_once}", f"nothing/{size}/{at_once}"
            rows.append([str(size), str(at_once), "nothing to do", *_figures(samples, again), _percent(samples, nothing, again, "seconds"),
                         _percent(samples, nothing, again, "control")])
            rows.append([str(size), str(at_once), "without work", *_figures(samples, nothing), NOTHING, NOTHING])
    return table(["edges", "forks", "run", "s", "s for each edge", "control, CPU s for each edge", "hosts, CPU s for each edge",
                  "Ansible's share of the time", "of the control node's CPU"], rows)


def _figures(samples: Samples, name: str) -> List[str]:
    size = int(name.split("/")[1])
    return [time(samples, f"{name}/seconds", 1), figure(samples.median(f"{name}/seconds") / size), time(samples, f"{name}/control"),
            time(samples, f"{name}/hosts")]


def _percent(samples: Samples, part: str, whole: str, what: str) -> str:
    share = samples.ratio(f"{part}/{what}", f"{whole}/{what}")
    return NOTHING if share is None else f"{share * 100:.0f} %"


def tasks(samples: Samples, size: int) -> str:
    """Where the time of a run with nothing to do goes, beside the same task without work."""
    begin = f"task/{size}/{forks(size)[-1]}/"
    found = sorted(((samples.median(name), name[len(begin):]) for name in samples.taken if name.startswith(begin)), reverse=True)
    return table([f"task, {size} edges", "longer than the same task without work, s"],
                 [[name.replace("edge.gateway.", ""), figure(seconds)] for seconds, name in found[:SHOWN_TASKS]])


def calls(samples: Samples) -> str:
    """One call on one edge."""
    return table(["way", "ms", "more than the module's program, ms"], [
        [label, f"{samples.median(f'call/{name}') * 1000:.0f} ({samples.lowest(f'call/{name}') * 1000:.0f})",
         figure((samples.difference(f"call/{name}", "call/program") or 0.0) * 1000, 0)] for name, label in CALLS.items()])


def sections(samples: Samples, sizes: List[int]) -> List[str]:
    """Headings, tables and what is said of them."""
    hosts, sizes = f"{samples.median('hosts'):.0f}", [size for size in sizes if samples.has(f"again/{size}/{forks(size)[-1]}/seconds")]
    found = ["## site.yml", HOW_RUNS_ARE.format(hosts=hosts), runs(samples, sizes), "## Where a run with nothing to do spends its time",
             *(tasks(samples, size) for size in sorted({*sizes[:1], *sizes[-1:]}))]
    return [*found, *(["## One call: a forward opened, or closed", calls(samples)] if samples.has("call/play") else [])]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables about forwards."""

from __future__ import annotations

from typing import Dict, List

from ..common.report import NOTHING, figure, rate, table, time
from ..common.stats import Samples
from .peers import VARIANTS, extrapolate

HOW_RATES_ARE = """Client, node and the kernel between them share one core. "Core time" counts what they had of it, so it hardly sees
other load; on a quiet machine it equals the plain figure. (A proxy works on other cores too, so for Traefik only the plain figure
says something.)
"Closed" connections end as programs end them, the others by a reset."""
PLAYS = {
    "ping": "a ping (limit)", "src": "src, from nothing", "src-again": "src, again",
    "add-one": "add one to N", "delete-one": "delete one of N", "add-to-none": "add one to none",
    "carry-json": "carry N, JSON variables (limit)", "inline-json": "N as JSON variables",
    "carry-yml": "carry N, YAML variables (limit)", "inline-yml": "N as YAML variables",
}
EDGES = {
    "plain": "plain routing, no conntrack (limit)", "tracking": "routing with conntrack", "hand-no-snat": "one rule by hand, no masquerade",
    "hand": "one rule by hand, masquerade (limit)", "ours": "edge.gateway", "lists": "edge.gateway, allow-list on every forward",
    "seed-nft": "seed's layout, iptables-nft", "seed-legacy": "seed's layout, iptables-legacy", "traefik": "Traefik as TCP proxy",
}


# what is judged, and what the machine at hand made of it
RATES = {"reset-core": "conn/s of core time", "reset": "conn/s", "close-core": "closed, conn/s of core time", "close": "closed, conn/s"}


def _compared(samples: Samples, kind: str, key: str) -> List[str]:
    ratios = [figure(samples.ratio(f"{kind}/{key}", f"{kind}/{limit}/1")) for limit in ("plain", "hand")]
    return [rate(samples, f"{kind}/{key}"), *ratios]


def data_plane(samples: Samples, sizes: List[int]) -> str:
    """Connections through each edge."""
    rows = []
    for name, label in EDGES.items():
        for size in [1, *sizes]:
            key = f"{name}/{size}"
            if samples.has(f"data/reset/{key}"):
                cells = [cell for kind in RATES for cell in _compared(samples, f"data/{kind}", key)]
                rows.append([label, str(size), *cells, time(samples, f"data/connect/{key}", 0), time(samples, f"data/answer/{key}", 0)])
    compared = [word for head in RATES.values() for word in (head, "of plain", "of one rule")]
    return table(["edge", "N", *compared, "connect alone, us", "answer alone, us"], rows)


def plays(samples: Samples, sizes: List[int]) -> str:
    """Whole runs of ansible-playbook."""
    rows = [[label, *(time(samples, f"play/{name}/{size}") for size in sizes),
             *(figure(samples.ratio(f"play/{name}/{size}", f"play/ping/{size}")) for size in sizes)] for name, label in PLAYS.items()]
    return table(["play", *(f"N={size}, s" for size in sizes), *(f"of ping, {size}" for size in sizes)], rows)


def process(samples: Samples, sizes: List[int]) -> str:
    """The module without Ansible."""
    names: Dict[str, str] = {"ping": "ansible.builtin.ping"}
    for size in sizes:
        names.update({f"first/{size}": f"{size} from nothing", f"again/{size}": f"{size} again"})
    return table(["module as a process", "inside, s", "with imports, s", "peak, MiB"], [
        [label, *(time(samples, f"process/{name}/{what}", digits) for what, digits in (("run", 3), ("all", 3), ("mib", 1)))]
        for name, label in names.items()])


def peers(samples: Samples, sizes: List[int], middle: int) -> str:
    """What others need for the same."""
    rows = [[f"bare nft -f, one map, {size} (limit)", time(samples, f"peer/bare/{size}", 3), NOTHING] for size in sizes]
    if samples.has("peer/loop"):
        first, again = (f"{samples.median(f'peer/{name}') * middle:.0f} (scaled)" for name in ("loop", "loop-again"))
        rows.append([f"loop of ansible.builtin.iptables, 2 tasks, {middle}", first, again])
    times = (time(samples, f"peer/{name}/{middle}") for name in ("pyinfra", "pyinfra-again"))
    rows.append([f"pyinfra, 1 rule a forward, {middle}", *times])
    for variant in VARIANTS:
        for size in sizes:
            cells = [time(samples, f"peer/{variant}/{kind}/{size}") for kind in ("first", "again")]
            if cells[0] == NOTHING and samples.has(f"probe/{variant}/first/{size}"):
                loads = [0, *(other for other in sizes if other <= size)]
                cells = [f"{extrapolate(samples, variant, kind, loads):.0f} (extrapolated)" for kind in ("first", "again")]
            rows.append([f"seed's process per rule, iptables-{variant}, {size}", *cells])
    return table(["way", "first, s", "again, s"], rows)


def sections(samples: Samples, sizes: List[int], middle: int) -> List[str]:
    """Headings and tables."""
    return ["## Data plane: new TCP connections to the last of N forwards, 64 in flight, and one alone",
            HOW_RATES_ARE, data_plane(samples, sizes),
            "## Control plane: whole runs of ansible-playbook", plays(samples, sizes),
            "## The module alone", process(samples, sizes),
            "## Other ways", peers(samples, sizes, middle)]

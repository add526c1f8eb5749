# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a process of its own: its time inside and its peak memory, next to those of a module that does nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from . import cases, space
from .space import REPO, BenchError, say
from .stats import Samples

DNAT_FORWARD = "ansible_collections.edge.gateway.plugins.modules.dnat_forward"
PING = "ansible.modules.ping"


@dataclass(frozen=True)
class Run:
    """What a run of a module returned and took."""

    result: Dict[str, Any]
    import_seconds: float
    seconds: float
    peak_mib: float


def run(folder: Path, namespace: str, module: str, **params: Any) -> Run:
    """Run a module; it must not fail."""
    order, report = folder / "order.json", folder / "report.json"
    paths = [str(REPO / "collections"), *(path for path in sys.path if path)]
    order.write_text(json.dumps({"paths": paths, "module": module, "params": params}))
    _seconds, out = space.timed([sys.executable, str(Path(__file__).with_name("act.py")), str(order), str(report)], namespace, timeout=120)
    told = json.loads(report.read_text())
    return Run(json.loads(out.strip().splitlines()[-1]), told["import"], told["run"], told["peak_kib"] / 1024)


def apply(folder: Path, namespace: str, items: List[cases.Forward], **params: Any) -> Run:
    """Make these the forwards of a namespace."""
    done = run(folder, namespace, DNAT_FORWARD, forwards=items, purge=True, allow_outside_mesh=True, interface="wg0", **params)
    if not done.result.get("changed"):
        raise BenchError("dnat_forward applied forwards where there were none and reports no change")
    return done


def measure(samples: Samples, folder: Path, namespace: str, sizes: List[int], number: int) -> None:
    """Time and memory at every size: applied from nothing, and again, with the list in a file of the host."""
    say("the module as a process")
    _keep(samples, "process/ping", number, run(folder, namespace, PING))
    for size in sizes:
        listing = folder / "listing.json"
        listing.write_text(json.dumps({"forwards": cases.forwards(size)}))
        options = {"src": str(listing), "remote_src": True, "purge": True, "summary": True,
                   "allow_outside_mesh": True, "interface": "wg0"}
        space.forget(namespace)
        first, again = (run(folder, namespace, DNAT_FORWARD, **options) for _ in range(2))
        if not first.result["changed"] or again.result["changed"]:
            raise BenchError(f"dnat_forward with {size} forwards does not report changed, then unchanged")
        _keep(samples, f"process/first/{size}", number, first)
        _keep(samples, f"process/again/{size}", number, again)
    space.forget(namespace)


def _keep(samples: Samples, name: str, number: int, done: Run) -> None:
    samples.add(f"{name}/run", number, done.seconds)
    samples.add(f"{name}/all", number, done.import_seconds + done.seconds)
    samples.add(f"{name}/mib", number, done.peak_mib)

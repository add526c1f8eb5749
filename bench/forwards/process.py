# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a process of its own: its time inside and its peak memory, next to those of a module that does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

from ..common.process import PING, Run, run
from ..common.space import BenchError, say
from ..common.stats import Samples
from . import cases
from .control import forget

DNAT_FORWARD = "ansible_collections.edge.gateway.plugins.modules.dnat_forward"


def apply(folder: Path, namespace: str, items: List[cases.Forward], **params: Any) -> Run:
    """Make these the forwards of a namespace."""
    done = run(folder, namespace, DNAT_FORWARD, forwards=items, purge=True, allow_outside_mesh=True, interface="wg0", **params)
    if not done.result.get("changed"):
        raise BenchError("dnat_forward applied forwards where there were none and reports no change")
    return done


def measure(samples: Samples, folder: Path, namespace: str, sizes: List[int], number: int) -> None:
    """Time and memory at every size: applied from nothing, and again, with the list in a file of the host."""
    say("the module as a process")
    run(folder, namespace, PING).keep(samples, "process/ping", number)
    for size in sizes:
        listing = folder / "listing.json"
        listing.write_text(json.dumps({"forwards": cases.forwards(size)}))
        options: Dict[str, Any] = {"src": str(listing), "remote_src": True, "purge": True, "summary": True,
                                   "allow_outside_mesh": True, "interface": "wg0"}
        forget(namespace)
        first, again = (run(folder, namespace, DNAT_FORWARD, **options) for _ in range(2))
        if not first.result["changed"] or again.result["changed"]:
            raise BenchError(f"dnat_forward with {size} forwards does not report changed, then unchanged")
        first.keep(samples, f"process/first/{size}", number)
        again.keep(samples, f"process/again/{size}", number)
    forget(namespace)

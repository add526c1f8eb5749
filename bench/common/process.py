# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module as a process of its own, without Ansible: what it returned, its time inside and its peak memory."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Sequence

from . import space
from .space import REPO
from .stats import Samples

PING = "ansible.modules.ping"


@dataclass(frozen=True)
class Run:
    """What a run of a module returned and took."""

    result: Dict[str, Any]
    import_seconds: float
    seconds: float
    peak_mib: float

    def keep(self, samples: Samples, name: str, number: int) -> None:
        """Its figures as samples."""
        samples.add(f"{name}/run", number, self.seconds)
        samples.add(f"{name}/all", number, self.import_seconds + self.seconds)
        samples.add(f"{name}/mib", number, self.peak_mib)


def run(folder: Path, namespace: str, module: str, *, head: Sequence[str] = (), **params: Any) -> Run:
    """Run a module; it must not fail.

    Args:
        head: what its command line begins with.
    """
    order, report = folder / "order.json", folder / "report.json"
    paths = [str(REPO / "collections"), *(path for path in sys.path if path)]
    order.write_text(json.dumps({"paths": paths, "module": module, "params": params}))
    argv = [*head, sys.executable, str(Path(__file__).with_name("act.py")), str(order), str(report)]
    _seconds, out = space.timed(argv, namespace, timeout=120)
    told = json.loads(report.read_text())
    return Run(json.loads(out.strip().splitlines()[-1]), told["import"], told["run"], told["peak_kib"] / 1024)

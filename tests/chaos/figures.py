# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has counted, kept for the table in docs/reliability.md.

    python -m chaos.figures          writes this machine's last runs at full size into the table; rows of other runs stay
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Dict

TOP = Path(__file__).resolve().parents[2]
LAST = TOP / ".cache/reliability.json"
PAGE = TOP / "docs/reliability.md"
# the table's rows by what was done; each name stands in its row's first column
NAMES = {
    "kills": "A module is killed at a random moment; inconsistent after the next run",
    "power": "The power is cut while state, boot file and route files are written (ext4, and noauto_da_alloc); corrupt or lost",
    "calls": "A system call of a module fails, each one once; the state is the old one or the new one, and the next run mends the rest",
    "many": "Fifty calls at the same time add, change and delete forwards and routes, while ten more look",
    "traffic of forwards": "A forward is changed, every fourth time the one that new connections take without a pause",
    "traffic of routes": "A route is changed, every fourth time the one that requests take without a pause",
    "long": "Converges one after the other; files, rules, flows, processes and Traefik's memory must not grow",
    "sick": "Sick hosts: disk, firewall, Traefik, mesh, clock, names; bad answers, and hosts that the next run does not make right",
    "boots": "An edge restarts, half of the time by a reset; boots without all 10,000 forwards before the network, or without 1,000 routes",
    "runs": "`site.yml` is killed at a random moment, half of the time with its modules; inconsistent, or not mended by the next run",
    "writers": "Fifty calls at the same time on a host on which `site.yml` runs too, while others look",
    "fuzz": "Hostile options, answers, files, firewalls of others and output of tools; tracebacks, escapes, rules not asked for",
    "secrets": "A statement of a module that handles a secret fails, with the secret in the exception; searched are answer, syslog, "
               "command lines, files",
    "guards": "A guard is broken in a copy of the project; its tests must turn red",
}
# 100 is full size, which takes hours; CI does a little of everything
PERCENT = int(os.environ.get("EDGE_CHAOS_PERCENT", "2"))


def sized(full: int, least: int = 1) -> int:
    """How often something is done: all of it by hand, a few times in CI."""
    return max(least, full * PERCENT // 100)


def note(name: str, command: str, count: int, result: str, seconds: float, *, percent: int = PERCENT) -> None:
    """Keep a figure, and print it."""
    found: Dict[str, Any] = json.loads(LAST.read_text()) if LAST.exists() else {}
    found[name] = {"command": command, "count": count, "result": result, "seconds": round(seconds), "percent": percent,
                   "day": time.strftime("%Y-%m-%d")}
    LAST.parent.mkdir(exist_ok=True)
    LAST.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"{name}: {count} times, {result}, {seconds:.0f} s", flush=True)


def row(name: str, found: Dict[str, Any]) -> str:
    """One line of the table."""
    return f"| {NAMES[name]} | `{found['command']}` | {found['count']:,} | {found['result']} | {found['seconds']} s | {found['day']} |"


def main() -> None:
    """Replace the rows of which there is a newer run at full size."""
    found = json.loads(LAST.read_text())
    lines = PAGE.read_text().splitlines()
    for name, words in NAMES.items():
        place = next((number for number, line in enumerate(lines) if line.startswith(f"| {words} |")), None)
        if place is None:
            raise SystemExit(f"{PAGE.name} has no row that begins with {words!r}")
        if name in found and found[name]["percent"] >= 100:
            lines[place] = row(name, found[name])
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: python -m install [few | all | CELL,CELL], with tests/ on the path.

The hosts of a suite are made once; each cell has an edge of its own, to which nothing was done before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

from .environments import TOP, Missing, programs
from .installation import LAB, Wrong, build, install
from .matrix import Cell, chosen, text
from .story import walk


def lab(*command: str) -> None:
    """A command of the lab, which tells of its own failures."""
    subprocess.run([str(LAB), *command], check=True, stdout=subprocess.DEVNULL)


def make_hosts(suite: str) -> None:
    """All hosts of a suite, with the services of hub and nodes."""
    os.environ["EDGE_LAB_SUITE"] = suite
    lab("up")
    subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), "tests/lab/provision.yml"], cwd=TOP, check=True,
                   stdout=subprocess.DEVNULL)


def bare_edge() -> None:
    """Another edge in the place of the one that there was."""
    lab("exec", "podman", "rm", "--force", "--time", "0", "edge1")
    lab("up")


def attempt(cell: Cell) -> str:
    """One cell, in words."""
    try:
        found = programs(cell.core)
    except Missing as missing:
        return f"skipped: {missing}"
    bare_edge()
    with tempfile.TemporaryDirectory(prefix="edge-install-") as name:
        try:
            taken = walk(install(found, build(Path(name), found), Path(name)))
        except Wrong as wrong:
            print(wrong, file=sys.stderr)
            return "failed" if cell.supported else "failed, and ansible-core does not support this Python"
    print(", ".join(f"{step} {seconds:.0f} s" for step, seconds in taken.items()), flush=True)
    return "passed" if cell.supported else "passed, though ansible-core does not support this Python"


def main(wish: str) -> int:
    """All cells of a wish, then the table; 1 when one that is supported has failed."""
    try:
        cells = chosen(wish)
    except ValueError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    rows: List[str] = []
    failed, made = False, ""
    for cell in cells:
        if made != cell.suite.name:
            make_hosts(made := cell.suite.name)
        begun = time.monotonic()
        print(f"ansible-core {cell.core.release}, Debian {cell.suite.number}", flush=True)
        result = attempt(cell)
        failed |= result == "failed"
        rows.append(f"| {cell.core.release} | {text(cell.core.controller)} | {cell.suite.number} | {text(cell.suite.python)} | {result} "
                    f"| {time.monotonic() - begun:.0f} |")
    print("\n".join(["| ansible-core | its Python | Debian | its Python | result | seconds |", "|---|---|---|---|---|---|", *rows]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "few"))

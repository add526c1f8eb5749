# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module is killed at a random moment: each file and the kernel's table is the old one or the new one, and the next run mends the rest.

    tests/lab/lab isolate .venv/bin/python -m chaos.kills          (in tests; 200 kills of each module at full size)

The modules of the mesh (wg_key, wg_peer, wg_join), which several hosts run together, are killed by tests/contract/test_killed_runs.py;
those that need systemd together with site.yml, see runs.py.
"""

from __future__ import annotations

import collections
import os
import random
import re
import signal
import subprocess
import sys
import time
from typing import Dict, List, Tuple

from contract import world

from .calls import CASES, Case, prepare, standing, start
from .figures import TOP, note, sized

FULL = 200
# with which the file that names certificates tells the next run what this one was at
AT_WORK = re.compile(b"^# comes or goes: .*\n", re.MULTILINE)
MESH = "tests/contract/test_killed_runs.py"


def timed(case: Case) -> float:
    """Seconds that the change takes when nobody disturbs it."""
    prepare(case)
    module = start(case)
    begun = time.monotonic()
    module.communicate("\n", timeout=60)
    return time.monotonic() - begun


def kill(case: Case, moment: float) -> None:
    """Begin the change, and kill it with all that it has started."""
    module = start(case)
    assert module.stdin
    module.stdin.write("\n")
    module.stdin.flush()
    time.sleep(moment)
    os.killpg(module.pid, signal.SIGKILL)
    module.communicate()


def wrong(case: Case, sides: Tuple[Tuple[Dict[str, bytes], str], ...]) -> List[str]:
    """What is not right after a kill, and after the next run."""
    kept, table = standing()
    allowed = [side[0] for side in sides]
    found = [f"{name} is neither the old file nor the new one" for name, data in kept.items()
             if not any(side.get(name) == AT_WORK.sub(b"", data) for side in allowed) and not name.endswith(".tmp")]
    found += [f"{name} is lost" for name in set.intersection(*map(set, allowed)) - set(kept)]
    if table not in {side[1] for side in sides}:
        found.append("the table is neither the old one nor the new one")
    result = world.module(case.module, **case.after)
    if result.get("failed") or standing() != sides[1]:
        found.append(f"the next run does not mend it: {result.get('msg')}")
    return found


def mesh_kills(count: int) -> bool:
    """Whether the modules of the mesh stand it; half of the kills while joining, half while keys are rotated."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", MESH], cwd=TOP, check=False,
                          env={**os.environ, "EDGE_KILLS": str(max(1, count // 2))})
    return done.returncode == 0


def main() -> int:
    """Kill, and tell."""
    begun, count = time.monotonic(), sized(FULL, 6)
    dice = random.Random(os.environ.get("EDGE_SEED", "1"))
    troubles: List[str] = []
    changed = done = 0
    cases_of = collections.Counter(case.module for case in CASES)
    for case in CASES:
        whole = timed(case)
        new = standing()
        prepare(case)
        old = standing()
        for number in range(max(1, count // cases_of[case.module])):
            done += 1
            prepare(case)
            moment = dice.uniform(0, whole)
            kill(case, moment)
            changed += standing() != old
            where = f"{case.module} {number}, killed after {moment:.3f} of {whole:.3f} s"
            troubles += [f"{where}: {words}" for words in wrong(case, (old, new))]
    print(*troubles, sep="\n")
    mesh = mesh_kills(count)
    note("kills", "make chaos-kills", done + count, f"{len(troubles)} inconsistent{'' if mesh else ', the mesh too'} "
         f"({changed} of {done} had begun to change something)", time.monotonic() - begun)
    return 0 if mesh and not troubles and changed else 1


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many modules at once on the host where this runs: [[name, module, parameters], ...] on stdin, [[name, seconds, result], ...] on stdout.

Brought to a host by chaos.writers, with the collection and Ansible's module_utils beside it; "unlocked" as an argument takes the lock away.
All have their code loaded before the first one begins, as if they had been started long enough before.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
import time
from typing import Any, Dict, List, Tuple

from ansible.module_utils.testing import patch_module_args

COLLECTION = "ansible_collections.edge.gateway.plugins"


def call(module: Any, parameters: Dict[str, Any], answer: int, begin: int) -> None:
    """Be a process that waits for the start and runs one module; never returns."""
    os.dup2(answer, 1)
    os.read(begin, 1)
    try:
        with patch_module_args(parameters):
            module.main()
    finally:
        sys.stdout.flush()
        os._exit(0)


def together(calls: List[Tuple[str, str, Dict[str, Any]]]) -> List[Tuple[str, float, Dict[str, Any]]]:
    """Run all of them at the same time."""
    modules = {module: importlib.import_module(f"{COLLECTION}.modules.{module}") for _name, module, _parameters in calls}
    begin, start = os.pipe()
    running = {}
    for name, module, parameters in calls:
        answer = tempfile.TemporaryFile("w+")  # noqa: SIM115 (read when its process has ended)
        pid = os.fork()
        if not pid:
            os.close(start)
            call(modules[module], parameters, answer.fileno(), begin)
        running[pid] = (name, answer)
    begun = time.monotonic()
    os.close(start)
    done = []
    while running:
        pid, _status = os.wait()
        name, answer = running.pop(pid)
        took = time.monotonic() - begun
        answer.seek(0)
        try:
            result = json.loads(answer.read().strip().splitlines()[-1])
        except (IndexError, ValueError):
            result = {"failed": True, "msg": "no answer"}
        done.append((name, took, result))
    return done


if __name__ == "__main__":
    if sys.argv[1:] == ["unlocked"]:
        host: Any = importlib.import_module(f"{COLLECTION}.module_utils.host")
        host.locked = lambda path, wait, flags=0: contextlib.nullcontext(-1)
    json.dump(together(json.load(sys.stdin)), sys.stdout)

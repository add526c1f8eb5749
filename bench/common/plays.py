# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of ansible-playbook, as a user waits for them: a local connection, pipelining on, everything of ours private."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Dict, Sequence

from . import space
from .space import REPO, BenchError

INVENTORY = f"edge ansible_connection=local ansible_python_interpreter={sys.executable}\n"
RECAP = re.compile(r"ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)")


def task(module: str, **options: Any) -> Dict[str, Any]:
    """A task of a play."""
    return {"name": f"Bench {module}", module: options}


class Playbooks:
    """The playbooks in a folder, and the way to run them in a namespace.

    Args:
        library: a folder with more modules.
    """

    def __init__(self, folder: Path, namespace: str = "", library: str = "") -> None:
        self.folder, self.namespace = folder, namespace
        (folder / "inventory").write_text(INVENTORY)
        (folder / "ansible.cfg").write_text("[defaults]\n")
        home = str(folder / "home")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": home, "ANSIBLE_LOCAL_TEMP": f"{home}/local",
            "ANSIBLE_REMOTE_TEMP": f"{home}/remote", "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(REPO / "collections"), "ANSIBLE_LIBRARY": library,
        }
        self.program = str(Path(sys.executable).with_name("ansible-playbook"))
        self.write("ping", [task("ansible.builtin.ping")])

    def write(self, name: str, tasks: Sequence[Dict[str, Any]]) -> None:
        """Make a playbook of one play."""
        play = {"name": "Bench", "hosts": "edge", "gather_facts": False, "tasks": list(tasks)}
        (self.folder / f"{name}.yml").write_text(json.dumps([play]))

    def run(self, name: str, changes: bool, variables: Path | None = None, tasks: int = 1) -> float:
        """The seconds of a run, which must report what is expected."""
        argv = [self.program, "-i", str(self.folder / "inventory"), str(self.folder / f"{name}.yml")]
        argv += ["-e", f"@{variables}"] if variables else []
        seconds, out = space.timed(argv, self.namespace, self.env)
        found = RECAP.search(out)
        if not found or [int(word) for word in found.groups()] != [tasks, tasks if changes else 0, 0, 0]:
            raise BenchError(f"play {name} does not report ok={tasks} changed={tasks if changes else 0}: {out[-3000:]}")
        return seconds

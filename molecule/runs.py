# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's commands as a user types them: from the top of the repository, with its ansible.cfg."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LIMIT_SECONDS = 180


@dataclass(frozen=True)
class Run:
    """What a command printed, and how long it took."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def output(self) -> str:
        """Everything it printed."""
        return self.stdout + self.stderr

    @property
    def tasks(self) -> str:
        """What was printed task by task: everything before the recap. Warnings go to the other stream."""
        return self.stdout.partition("\nPLAY RECAP")[0]

    def count(self, word: str) -> int:
        """A counter of the recap, for the one host that the lab's edges are."""
        found = re.search(rf"\b{word}=(\d+)", self.stdout.partition("\nPLAY RECAP")[2])
        assert found, self.output
        return int(found.group(1))


def run(program: str, *arguments: str) -> Run:
    """Run a program of the virtual environment. Molecule's own settings of Ansible are left out."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment["ANSIBLE_NOCOLOR"] = "1"
    command = [str(Path(sys.executable).parent / program), *arguments]
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - start)


def playbook(*arguments: str) -> Run:
    """Run ansible-playbook."""
    return run("ansible-playbook", *arguments)

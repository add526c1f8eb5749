# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Ansible's commands as a user types them: from the top of the repository, with its ansible.cfg."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest
from testinfra.host import Host

TOP = Path(__file__).resolve().parents[1]
SSH_CONFIG = Path(os.environ.get("EDGE_LAB_DIR") or TOP / ".lab") / "ssh" / "config"
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
        """A counter of the recap, of all hosts together."""
        found = re.findall(rf"\b{word}=(\d+)", self.stdout.partition("\nPLAY RECAP")[2])
        assert found, self.output
        return sum(map(int, found))


def run(program: str, *arguments: str, more: Mapping[str, str] = MappingProxyType({})) -> Run:
    """Run a program of the virtual environment."""
    begun = time.monotonic()
    done = subprocess.run(
        _command(program, arguments), cwd=TOP, env={**environment(), **more}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=LIMIT_SECONDS, check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)


def run_and_kill(seconds: float, program: str, *arguments: str) -> None:
    """Start a program, and kill it with all that it has started after so many seconds."""
    running = subprocess.Popen(
        _command(program, arguments), cwd=TOP, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )
    time.sleep(seconds)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _command(program: str, arguments: tuple[str, ...]) -> list[str]:
    return [str(Path(sys.executable).parent / program), *arguments]


def environment() -> dict[str, str]:
    """Without Molecule's own settings of Ansible."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    return {**kept, "ANSIBLE_NOCOLOR": "1"}


def playbook(*arguments: str) -> Run:
    """Run ansible-playbook."""
    return run("ansible-playbook", *arguments)


def eventually(host: Host, command: str, expected: str, seconds: float = 30) -> str:
    """Repeat a command until its output contains the text: after a reboot a tunnel takes a moment."""
    deadline = time.monotonic() + seconds
    while True:
        shown = attempt(host, command)
        if expected in shown:
            return shown
        if time.monotonic() > deadline:
            pytest.fail(f"{expected!r} did not appear within {seconds} s: {shown}")
        time.sleep(0.5)


def attempt(host: Host, command: str) -> str:
    """What a command prints; nothing while the host cannot be reached."""
    try:
        return str(host.run(command).stdout)
    except RuntimeError:      # which is how testinfra tells that ssh has failed
        return ""

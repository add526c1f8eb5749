# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One installation of the built collection: an empty home, an empty directory, and the programs of one version of ansible-core."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, Mapping

from .environments import TOP

COLLECTION = TOP / "collections/ansible_collections/edge/gateway"
INVENTORY = TOP / "inventory/lab.yml"
LAB = TOP / "tests/lab/lab"
LIMIT_SECONDS = 240
# the machine's own, without the tools of this repository
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Wrong(Exception):
    """What did not go as it should."""


def expect(fact: object, told: str) -> None:
    """Go on only when it is so."""
    if not fact:
        raise Wrong(told)


@dataclass(frozen=True)
class Installation:
    """The programs of ansible-core, and an empty folder of the run's own, outside the repository."""

    programs: Path
    folder: Path

    @property
    def work(self) -> Path:
        """Where commands are typed."""
        return self.folder / "work"

    @property
    def tree(self) -> Path:
        """Where ansible-galaxy puts it by itself."""
        return self.folder / "home/.ansible/collections/ansible_collections/edge/gateway"

    def environment(self) -> Dict[str, str]:
        """Nothing of the caller's: no ANSIBLE_*, no virtual environment, another home."""
        return {"PATH": f"{self.programs}:{PATH}", "HOME": str(self.folder / "home"), "LANG": "C.UTF-8", "PWD": str(self.work)}

    def run(self, *command: str, code: int = 0, more: Mapping[str, str] = MappingProxyType({})) -> str:
        """Run a command of ansible-core; return what it printed. It must not warn of what is to go."""
        done = subprocess.run(command, cwd=self.work, env={**self.environment(), **more}, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=LIMIT_SECONDS, check=False)
        told = f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        expect(done.returncode == code, f"exit code {done.returncode}: {told}")
        for word in ("DEPRECATION", "Traceback", "[ERROR]" if not code else "Traceback"):
            expect(word not in done.stdout + done.stderr, f"{word} in the output: {told}")
        return done.stdout

    def playbook(self, name: str, *arguments: str, more: Mapping[str, str] = MappingProxyType({})) -> str:
        """Run a playbook of the collection against the lab."""
        return self.run("ansible-playbook", "-i", str(INVENTORY), f"edge.gateway.{name}", *arguments, more=more)

    def adhoc(self, module: str, *arguments: str) -> str:
        """One call of a module on the edge."""
        return self.run("ansible", "-i", str(INVENTORY), "edge", "-m", f"edge.gateway.{module}", *arguments)

    def answer(self, name: str, *arguments: str) -> Dict[str, Any]:
        """A playbook as programs call it: exactly one JSON document on standard output."""
        printed = self.playbook(name, *arguments, more={"ANSIBLE_STDOUT_CALLBACK": "edge.gateway.api"})
        expect(printed.count("\n") == 1, f"more than one line: {printed}")
        document: Dict[str, Any] = json.loads(printed)
        expect(document["ok"], printed)
        return document


def install(programs: Path, archive: Path, folder: Path) -> Installation:
    """Install the archive with nothing beside it."""
    made = Installation(programs, folder)
    for path in (made.work, folder / "home"):
        path.mkdir()
    made.run("ansible-galaxy", "collection", "install", "--offline", str(archive))
    return made


def build(folder: Path, programs: Path) -> Path:
    """The archive as it is published."""
    subprocess.run([str(programs / "ansible-galaxy"), "collection", "build", "--output-path", str(folder)], cwd=COLLECTION, check=True,
                   stdout=subprocess.DEVNULL)
    archive, = folder.glob("edge-gateway-*.tar.gz")
    return archive


def outside(command: str) -> str:
    """What a command prints on the lab's client."""
    done = subprocess.run([str(LAB), "run", "client", "sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr

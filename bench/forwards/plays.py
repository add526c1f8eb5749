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
from typing import Any, Dict, List, Sequence

from . import cases, space
from .space import REPO, BenchError

COMMON: Dict[str, Any] = {"interface": "wg0", "allow_outside_mesh": True, "summary": True}
INVENTORY = f"edge ansible_connection=local ansible_python_interpreter={sys.executable}\n"
RECAP = re.compile(r"ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)")


def _task(module: str, **options: Any) -> Dict[str, Any]:
    return {"name": f"Bench {module}", module: options}


def _forwards(**options: Any) -> Dict[str, Any]:
    return _task("edge.gateway.dnat_forward", **options, **COMMON)


def _loop() -> List[Dict[str, Any]]:
    """What the older generation of playbooks does: two tasks a forward, an item each."""
    dnat = _task("ansible.builtin.iptables", table="nat", chain="PREROUTING", protocol="tcp", destination_port="{{ item.public_port }}",
                 jump="DNAT", to_destination="{{ item.target_ip }}:{{ item.target_port }}")
    accept = _task("ansible.builtin.iptables", chain="FORWARD", protocol="tcp", destination="{{ item.target_ip }}",
                   destination_port="{{ item.target_port }}", jump="ACCEPT")
    return [{**task, "loop": "{{ forwards }}"} for task in (dnat, accept)]


class Plays:
    """The playbooks in a folder, and the way to run them in a namespace."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.folder, self.namespace = folder, namespace
        (folder / "inventory").write_text(INVENTORY)
        (folder / "ansible.cfg").write_text("[defaults]\n")
        home = str(folder / "home")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": home, "ANSIBLE_LOCAL_TEMP": f"{home}/local",
            "ANSIBLE_REMOTE_TEMP": f"{home}/remote", "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(REPO / "collections"), "ANSIBLE_LIBRARY": str(Path(__file__).with_name("library")),
        }
        self.program = str(Path(sys.executable).with_name("ansible-playbook"))
        self._write("ping", [_task("ansible.builtin.ping")])
        self._write("add-one", [_forwards(**{**cases.one_more(cases.MOST), "forward_id": "one-more"})])
        self._write("delete-one", [_forwards(forward_id="one-more", state="absent")])
        self._write("inline", [_forwards(forwards="{{ forwards }}", purge=True)])
        self._write("carry", [_task("carry", forwards="{{ forwards }}")])
        self._write("loop", _loop())

    def listing(self, count: int, kind: str = "json") -> Path:
        """A file with so many forwards: the source of a task, or variables of a play."""
        path = self.folder / f"forwards-{count}.{kind}"
        if not path.exists():
            items = cases.forwards(count)
            if kind == "yml":
                path.write_text("forwards:\n" + "".join(f"  - {json.dumps(item)}\n" for item in items))
            else:
                path.write_text(json.dumps({"forwards": items}))
                self._write(f"src-{count}", [_forwards(src=str(path), purge=True)])
        return path

    def _write(self, name: str, tasks: Sequence[Dict[str, Any]]) -> None:
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

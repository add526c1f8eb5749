# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays about forwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

from ..common.plays import Playbooks, task
from . import cases

COMMON: Dict[str, Any] = {"interface": "wg0", "allow_outside_mesh": True, "summary": True}


def _forwards(**options: Any) -> Dict[str, Any]:
    return task("edge.gateway.dnat_forward", **options, **COMMON)


def _loop() -> List[Dict[str, Any]]:
    """What the older generation of playbooks does: two tasks a forward, an item each."""
    dnat = task("ansible.builtin.iptables", table="nat", chain="PREROUTING", protocol="tcp", destination_port="{{ item.public_port }}",
                 jump="DNAT", to_destination="{{ item.target_ip }}:{{ item.target_port }}")
    accept = task("ansible.builtin.iptables", chain="FORWARD", protocol="tcp", destination="{{ item.target_ip }}",
                   destination_port="{{ item.target_port }}", jump="ACCEPT")
    return [{**each, "loop": "{{ forwards }}"} for each in (dnat, accept)]


class Plays(Playbooks):
    """The playbooks in a folder, and the way to run them in a namespace."""

    def __init__(self, folder: Path, namespace: str) -> None:
        super().__init__(folder, namespace, str(Path(__file__).with_name("library")))
        self.write("add-one", [_forwards(**{**cases.one_more(cases.MOST), "forward_id": "one-more"})])
        self.write("delete-one", [_forwards(forward_id="one-more", state="absent")])
        self.write("inline", [_forwards(forwards="{{ forwards }}", purge=True)])
        self.write("carry", [task("carry", forwards="{{ forwards }}")])
        self.write("loop", _loop())

    def listing(self, count: int, kind: str = "json") -> Path:
        """A file with so many forwards: the source of a task, or variables of a play."""
        path = self.folder / f"forwards-{count}.{kind}"
        if not path.exists():
            items = cases.forwards(count)
            if kind == "yml":
                path.write_text("forwards:\n" + "".join(f"  - {json.dumps(item)}\n" for item in items))
            else:
                path.write_text(json.dumps({"forwards": items}))
                self.write(f"src-{count}", [_forwards(src=str(path), purge=True)])
        return path

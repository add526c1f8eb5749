# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that Ansible carries from the control node, by ansible-playbook itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from contract import world
from contract.forwarding import snapshot
from contract.refusals import (
    EVERYTHING,
    refused,
)
from contract.world import ruleset, sh

# some forwards stand already: none of them may be lost over a refusal
pytestmark = pytest.mark.usefixtures("standing")

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Forward
      edge.gateway.dnat_forward:
        src: {src}
        purge: true
        summary: true
      register: result
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{{{ result | to_json }}}}"
        dest: {out}
        mode: "0600"
"""


def play(folder: Path, src: str, *words: str, text: str = PLAY) -> Dict[str, Any]:
    """The task in a playbook in that folder, run by ansible-playbook itself; what the task returned."""
    playbook, out = folder / "play.yml", folder / "out.json"
    playbook.write_text(text.format(src=src, out=out))
    command = Path(sys.executable).parent / "ansible-playbook"
    sh("env", f"ANSIBLE_COLLECTIONS_PATH={world.REPO}/collections", str(command), "-i", "localhost,", "-c", "local", "-e",
       f"ansible_python_interpreter={sys.executable}", *words, str(playbook))
    result: Dict[str, Any] = json.loads(out.read_text())
    return result


def test_a_file_of_the_control_node(tmp_path: Path) -> None:
    """Found where copy finds it (files beside the playbook), encrypted with Vault; a missing file is told in one sentence."""
    secret = tmp_path / "secret"
    secret.write_text("open sesame")
    files = tmp_path / "files"
    files.mkdir()
    (files / "mine.json").write_text(json.dumps(EVERYTHING[:5]))
    vault = Path(sys.executable).parent / "ansible-vault"
    sh(str(vault), "encrypt", "--vault-password-file", str(secret), str(files / "mine.json"))
    result = play(tmp_path, "mine.json", "--vault-password-file", str(secret))
    assert result["added"] == ["a", "b", "c", "d", "e"] and result["removed"] == ["range", "six", "voice"] and "forwards" not in result
    before = snapshot()
    message = refused(play(tmp_path, "other.json"), "other.json")
    assert "src" in message and snapshot() == before
    assert "10.50.0.12" in ruleset()


LONG = """
- hosts: localhost
  gather_facts: false
  tasks:
    - edge.gateway.dnat_forward: {{forwards: "{{{{ rows }}}}", purge: true, summary: true, allow_outside_mesh: true}}
      register: result
    - ansible.builtin.copy: {{content: "{{{{ result | to_json }}}}", dest: {out}}}
"""


@pytest.mark.parametrize("comment", ["2026-01-01", "'plain'"])
def test_a_long_list_in_a_playbook(tmp_path: Path, comment: str) -> None:
    """It travels as one text, or, with a value that JSON does not know (YAML's date), as Ansible carries it."""
    rows = "".join(f"  - {{forward_id: f-{number}, public_port: {23000 + number}, target_ip: 10.50.0.12, comment: {comment}}}\n"
                   for number in range(120))
    (tmp_path / "rows.yml").write_text(f"rows:\n{rows}")
    result = play(tmp_path, "", "-e", f"@{tmp_path / 'rows.yml'}", text=LONG)
    assert len(result["added"]) == 120 and "forwards" not in result and ruleset().count(comment.strip("'")) == 120

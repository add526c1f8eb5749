# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by Ansible itself, as a user types it: encrypted with the vault secrets of the run, and nowhere to be seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.archive import ArchiveEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Places
from contract import world
from unit.backup_samples import SECRETS, edge_files

# "far" cannot be reached: what is told of it was told before it was asked
INVENTORY = f"""[edge]
near ansible_connection=local ansible_python_interpreter={sys.executable}
far ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-F none -o ConnectTimeout=2'
"""
RESTORE = """
- hosts: edge
  gather_facts: false
  tasks:
    - edge.gateway.gateway_backup_info: &backup
        node: "{{ edge_gateway_restore_from | default(omit) }}"
    - edge.gateway.gateway_restore: *backup
"""
# without what Traefik has got itself, whose directory is the machine's own
FILES = {path: item for path, item in edge_files().items() if not path.startswith("/var/lib/traefik/")}
LIMIT_SECONDS = 60


@dataclass
class Desk:
    """Where somebody works: a directory with an inventory and vault passwords."""

    folder: Path

    @property
    def backup(self) -> Path:
        """The backup of the host that can be reached."""
        return self.folder / "backups" / "near.backup"

    def play(self, playbook: str, *arguments: str, host: str = "near", password: str = "right") -> str:
        """Run a playbook; all that it prints."""
        vault = ["--vault-password-file", password] if password else []
        environment = {**os.environ, "HOME": str(self.folder), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false",
                       "ANSIBLE_COLLECTIONS_PATH": str(world.REPO / "collections"), "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg")}
        program = str(Path(sys.executable).parent / "ansible-playbook")
        done = subprocess.run([program, "-i", "hosts", "-l", host, playbook, *vault, *arguments],
                              cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=LIMIT_SECONDS, check=False)
        return done.stdout

    def refused(self, playbook: str, *arguments: str, host: str = "far", password: str = "right") -> str:
        """The message of a run that fails before a host is asked."""
        printed = self.play(playbook, *arguments, host=host, password=password)
        assert "FAILED! => " in printed and "unreachable=0" in printed and "ok=0 " in printed, printed
        message: str = json.loads(printed.partition("FAILED! => ")[2].partition("\n")[0])["msg"]
        return message


@pytest.fixture(name="desk")
def working_place(tmp_path: Path) -> Desk:
    """A directory with two vault passwords."""
    for name, text in (("hosts", INVENTORY), ("right", "one password\n"), ("wrong", "another password\n"), ("restore.yml", RESTORE),
                       ("ansible.cfg", "")):
        (tmp_path / name).write_text(text)
    return Desk(tmp_path)


@pytest.fixture(autouse=True)
def edge_host(traefik_user: None) -> Iterator[None]:
    """This host is an edge."""
    put_in_place()
    yield
    shutil.rmtree("/etc/traefik/dynamic", ignore_errors=True)
    shutil.rmtree("/etc/traefik/certs", ignore_errors=True)


def put_in_place() -> None:
    """Every file of an edge."""
    converge(ArchiveEngine(Host(), Places(), "wg0", force=True), lambda current: dict(FILES), dry_run=False)


def lose() -> None:
    """As a new host has it."""
    converge(ArchiveEngine(Host(), Places(), "wg0", force=True), lambda current: {}, dry_run=False)


def shown(text: str) -> List[str]:
    """Secrets that a text shows."""
    return [secret for secret in SECRETS if secret in text]


def test_a_backup_and_back_without_showing_anything(desk: Desk) -> None:
    """With everything that Ansible can print, and a diff; no temporary file is left either."""
    predicted = desk.play("edge.gateway.backup", "--check", "--diff")
    assert "+/etc/wireguard/wg0.key: 0600 root:root, 45 bytes, sha256 " in predicted and not desk.backup.parent.exists()
    printed = desk.play("edge.gateway.backup", "--diff", "-vvvvv")
    assert "changed=1" in printed and not shown(printed)
    assert predicted.partition("--- before")[2].partition("changed:")[0] in printed
    status = desk.backup.stat()
    assert status.st_mode & 0o777 == 0o600 and desk.backup.parent.stat().st_mode & 0o777 == 0o700
    assert desk.backup.read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert "changed=0" in desk.play("edge.gateway.backup") and desk.backup.stat().st_mtime_ns == status.st_mtime_ns
    lose()
    assert not Path("/etc/wireguard/wg0.key").exists()
    predicted = desk.play("restore.yml", "--check", "--diff")
    assert not Path("/etc/wireguard/wg0.key").exists() and not shown(predicted)
    printed = desk.play("restore.yml", "--diff", "-vvvvv")
    assert "changed=1" in printed and not shown(printed)
    assert predicted.partition("--- before")[2].partition("changed:")[0] in printed
    assert {path: Path(path).read_text() for path in FILES} == {path: item.content for path, item in FILES.items()}
    assert "changed=0" in desk.play("restore.yml")
    left = [path for path in desk.folder.rglob("*") if path.is_file() and shown(path.read_text(errors="replace"))]
    assert not left and not list(desk.backup.parent.glob(".*"))


def test_without_a_vault_secret_nothing_is_backed_up(desk: Desk) -> None:
    """The host is not even asked."""
    message = desk.refused("edge.gateway.backup", password="")
    assert message.startswith("encrypt True needs a vault secret") and "edge_gateway_backup_encrypt: false" in message


def test_plain_text_is_written_with_a_warning(desk: Desk) -> None:
    """For those who encrypt it otherwise; encrypted again, it is written anew."""
    variables = "{edge_gateway_backup_encrypt: false, edge_gateway_backup_dir: here/there}"
    printed = desk.play("edge.gateway.backup", "-e", variables, password="")
    found = desk.folder / "here/there/near.backup"
    assert "[WARNING]" in printed and "is not encrypted" in printed and "changed=1" in printed
    assert found.stat().st_mode & 0o777 == 0o600 and len(shown(found.read_text())) >= 3
    printed = desk.play("edge.gateway.backup", "-e", "edge_gateway_backup_dir=here/there", "--diff")
    assert "changed=1" in printed and "(encrypted file of mode 0600) in place" in printed and not shown(found.read_text())


def test_the_vault_secret_may_have_a_name(desk: Desk) -> None:
    """As ansible-vault takes it: the named one where the user says which, and its name stands in the file."""
    names = ["--vault-id", "ops@wrong", "--vault-id", "edges@right"]
    environment = "ANSIBLE_VAULT_ENCRYPT_IDENTITY"
    os.environ[environment] = "edges"
    try:
        assert "changed=1" in desk.play("edge.gateway.backup", *names, password="")
    finally:
        del os.environ[environment]
    assert desk.backup.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;edges\n")
    assert "changed=0" in desk.play("restore.yml")


def test_what_cannot_be_restored_is_told_before_the_host_is_asked(desk: Desk) -> None:
    """A wrong password, a file cut short, another host's, none at all: one sentence each."""
    desk.play("edge.gateway.backup")
    far = desk.backup.with_name("far.backup")
    assert "far.backup does not exist" in desk.refused("restore.yml")
    shutil.copy(desk.backup, far)
    assert "is the backup of near" in desk.refused("restore.yml")
    for playbook in ("edge.gateway.backup", "restore.yml"):
        assert "no vault secret of this run fits" in desk.refused(playbook, password="wrong", host="near")
    assert "this run has no vault secret" in desk.refused("restore.yml", password="", host="near")
    far.write_bytes(far.read_bytes()[:2000])
    assert "or it is damaged" in desk.refused("restore.yml")


def test_a_host_of_another_name(desk: Desk) -> None:
    """It is restored from the backup that it is told."""
    desk.play("edge.gateway.backup")
    lose()
    (desk.folder / "hosts").write_text(INVENTORY.replace("near", "new"))
    assert "changed=1" in desk.play("restore.yml", "-e", "edge_gateway_restore_from=near", host="new")
    assert Path("/etc/wireguard/wg0.key").read_text() == FILES["/etc/wireguard/wg0.key"].content


def test_no_space_on_the_control_node(desk: Desk) -> None:
    """The backup that was there stays."""
    desk.backup.parent.mkdir()
    world.sh("mount", "-t", "tmpfs", "-o", "size=128k", "none", str(desk.backup.parent))
    try:
        assert "changed=1" in desk.play("edge.gateway.backup")
        before = desk.backup.read_bytes()
        with pytest.raises(OSError), (desk.backup.parent / "ballast").open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))
        Path("/var/lib/edge-gateway/forwards.json").write_text('{"forwards": [], "schema": 1}\n')
        printed = desk.play("edge.gateway.backup")
        assert "No space left on device" in printed and "failed=1" in printed
        assert desk.backup.read_bytes() == before and sorted(os.listdir(desk.backup.parent)) == ["ballast", desk.backup.name]
    finally:
        world.sh("umount", str(desk.backup.parent))

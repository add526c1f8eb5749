# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a backup on the control node: what may be written over, and what is put back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.edge.gateway.plugins.module_utils import host
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.backup_file import BackupFile, Cipher
from ansible_collections.edge.gateway.plugins.module_utils.errors import Busy, GatewayError, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Archive, KeptFile
from unit.backup_samples import PLACES, backup
from unit.samples import one_sentence

PLAIN = Cipher(None, lambda data: False, lambda data: data)
# as a disk does that loses what it has taken
LOSING = Cipher(lambda data: b"locked" + data[:100], lambda data: data.startswith(b"locked"), lambda data: data[6:])


def keep(folder: Path, found: Archive, cipher: Cipher = PLAIN) -> Outcome[KeptFile]:
    """Write a backup as the action does."""
    kept = BackupFile(Host(), str(folder), "edge1", PLACES, cipher)
    kept.fresh = found
    return converge(kept, lambda current: dict(found.files), dry_run=False)


def test_it_is_written_once(tmp_path: Path) -> None:
    """A new time alone is no reason to write it anew; a mode that others may read by is."""
    assert keep(tmp_path / "new", backup()).plan.changed
    file = tmp_path / "new" / "edge1.backup"
    later = Archive("edge1", "2027-01-01T00:00:00Z", backup().files)
    assert not keep(tmp_path / "new", later).plan.changed and archive.parse(file.read_bytes(), PLACES, "x") == backup()
    file.chmod(0o644)
    assert keep(tmp_path / "new", later).plan.changed and file.stat().st_mode & 0o777 == 0o600


def test_a_damaged_one_gives_way(tmp_path: Path) -> None:
    """It is of no use to anybody."""
    (tmp_path / "edge1.backup").write_text('{"half": ')
    assert keep(tmp_path, backup()).plan.added == sorted(backup().files)


def test_what_cannot_be_read_back_is_taken_back(tmp_path: Path) -> None:
    """The backup that was there returns, or none."""
    for stood in (archive.render(Archive("edge1", "2026-01-01T00:00:00Z", {})), None):
        file = tmp_path / "edge1.backup"
        file.unlink(missing_ok=True)
        if stood:
            file.write_text(stood)
        with pytest.raises(GatewayError):
            keep(tmp_path, backup(), LOSING)
        assert file.read_text() == stood if stood else os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../edge1", "a/b", "edge 1", ".edge", "e\n", "x" * 201])
def test_a_host_whose_name_is_no_file_name(tmp_path: Path, name: str) -> None:
    """Is told so, in one sentence."""
    with pytest.raises(StateRefused, match="cannot name a backup") as caught:
        BackupFile(Host(), str(tmp_path), name, PLACES, PLAIN)
    one_sentence(caught.value.message)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write to the directory cannot lead a backup elsewhere."""
    (tmp_path / "edge1.backup").symlink_to(tmp_path / "other")
    with pytest.raises(StateRefused):
        keep(tmp_path, backup())
    assert not (tmp_path / "other").exists()


def test_two_runs_do_not_sweep_each_others_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible works on several hosts at a time, all in one directory."""
    monkeypatch.setattr(host, "LOCK_WAIT", 0.0)
    with Host().own_directory(str(tmp_path)), pytest.raises(Busy):
        keep(tmp_path, backup())


def test_a_directory_that_cannot_be_made() -> None:
    """In one sentence."""
    with pytest.raises(GatewayError, match="correct the path") as caught:
        keep(Path("/proc/backups"), backup())
    one_sentence(caught.value.message)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A state file: never half-written, never read as "nothing" when it is damaged."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines.store import Store
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from unit.samples import one_sentence

ENTRY = Forward("vm-1", 22015, 22015, "10.50.0.12", 80).as_dict()
GOOD = {"schema": 1, "forwards": [ENTRY]}


@pytest.fixture(name="folder")
def state_folder(tmp_path: Path) -> Path:
    """A place for the state directory."""
    return tmp_path / "state"


def store(folder: Path) -> Store:
    """The store of the forwards."""
    return Store(Host(), str(folder), "forwards.json", "forwards")


def load(folder: Path) -> Dict[str, Forward]:
    """The forwards in it."""
    return store(folder).load(Forward.parse, lambda item: item.forward_id)


def save(folder: Path, *ids: str) -> None:
    """Keep forwards of these ids."""
    entries: List[Dict[str, Any]] = [{**ENTRY, "forward_id": name, "public_port": str(1000 + number)} for number, name in enumerate(ids)]
    store(folder).save(entries)


def plant(folder: Path, data: bytes) -> Path:
    """Put a state file there by hand."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "forwards.json"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def refused(folder: Path) -> str:
    """Load a state that must be refused with file, previous version and remedy in one line; nothing is touched."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(StateRefused) as caught:
        load(folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    message = one_sentence(caught.value.message.replace(str(folder), "/var/lib/edge-gateway"))
    assert "forwards.json" in message
    return message


def test_a_host_that_never_had_any(folder: Path) -> None:
    """No file and no previous version is the beginning."""
    assert load(folder) == {} and not store(folder).exists()


def test_round_trip_and_modes(folder: Path) -> None:
    """What is saved is loaded; directory 0700, both versions 0600, nothing else left."""
    save(folder, "a")
    save(folder, "a", "b")
    assert sorted(load(folder)) == ["a", "b"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["forwards.json", "forwards.json.prev"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert json.loads((folder / "forwards.json.prev").read_text())["forwards"][0]["forward_id"] == "a"


def test_equal_states_are_equal_files(folder: Path) -> None:
    """Whatever the order of keys was."""
    store(folder).save([ENTRY])
    first = (folder / "forwards.json").read_bytes()
    store(folder).save([dict(reversed(list(ENTRY.items())))])
    assert (folder / "forwards.json").read_bytes() == first


WHOLE = json.dumps(GOOD).encode()


@pytest.mark.parametrize("data", [
    b"", b"\n", b"\0" * 200, b"{}", b"[]", b"null", WHOLE[:1], WHOLE[:20], WHOLE[:-1], WHOLE + WHOLE, b"\xff\xfe", b"[" * 100_000,
    json.dumps({**GOOD, "schema": 2}).encode(), json.dumps({**GOOD, "schema": 0}).encode(), json.dumps({**GOOD, "schema": "1"}).encode(),
    json.dumps({**GOOD, "schema": True}).encode(), json.dumps({**GOOD, "schema": "x" * 10_000}).encode(),
    json.dumps({"forwards": [ENTRY]}).encode(),
    json.dumps({**GOOD, "schema": "a\nb"}).encode(), json.dumps({"schema": 1}).encode(), json.dumps({"schema": 1,
    "forwards": None}).encode(),
    json.dumps({"schema": 1, "forwards": {"22": ENTRY}}).encode(), json.dumps({"schema": 1, "forwards": ["x"]}).encode(),
    json.dumps({"schema": 1, "forwards": [ENTRY, ENTRY]}).encode(), json.dumps({"schema": 1, "forwards": [{}]}).encode(),
    json.dumps({"schema": 1, "forwards": [{**ENTRY, "target_ip": "010.100.0.2"}]}).encode(),
    json.dumps({"schema": 1, "forwards": [{**ENTRY, "comment": 'x"; flush ruleset'}]}).encode(),
    json.dumps({"schema": 1, "forwards": [{**ENTRY, "forward_id": "../x"}]}).encode(),
    json.dumps({"schema": 1, "forwards": [{**ENTRY, "public_port": True}]}).encode(),
    json.dumps({"schema": 1, "forwards": [{**ENTRY, "comment": "\ud800"}]}).encode(),
    b'{"schema": 1, "forwards": [], "forwards": []}',
])
def test_damaged_state_is_refused(folder: Path, data: bytes) -> None:
    """Truncated, empty, tampered, newer: refused with the way back, never read as no forwards."""
    plant(folder, data)
    assert ".prev" in refused(folder)


@pytest.mark.parametrize("change", [{"rate_limit": "10/second"}, {"x": 1}])
def test_an_entry_with_more_than_we_know_is_refused(folder: Path, change: Dict[str, Any]) -> None:
    """A field of a newer version (an allow-list!) must not be dropped in silence."""
    plant(folder, json.dumps({"schema": 1, "forwards": [{**ENTRY, **change}]}).encode())
    refused(folder)


def test_a_document_with_more_than_we_know_is_refused(folder: Path) -> None:
    """The same for the file as a whole."""
    plant(folder, json.dumps({**GOOD, "defaults": {}}).encode())
    refused(folder)


def test_a_missing_file_with_a_previous_version_is_refused(folder: Path) -> None:
    """Someone deleted it: that is not 'no forwards'."""
    save(folder, "a")
    save(folder, "a", "b")
    (folder / "forwards.json").unlink()
    assert "is missing" in refused(folder) and "forwards.json.prev" in refused(folder)


def test_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    """A state file that is a link to another file is not read, and not written through."""
    target = tmp_path / "target.json"
    target.write_bytes(WHOLE)
    folder.mkdir(mode=0o700)
    (folder / "forwards.json").symlink_to(target)
    refused(folder)
    with pytest.raises(GatewayError):
        save(folder, "a")
    assert target.read_bytes() == WHOLE


@pytest.mark.parametrize("kind", ["directory", "pipe", "gigabyte"])
def test_what_is_no_plain_file_of_reasonable_size_is_refused(folder: Path, kind: str) -> None:
    """In one line, and a pipe does not hang the run."""
    path = plant(folder, b"")
    if kind == "gigabyte":
        os.truncate(path, 1 << 30)
    else:
        path.unlink()
        os.mkfifo(path) if kind == "pipe" else path.mkdir()
    with pytest.raises(StateRefused) as caught:
        load(folder)
    one_sentence(caught.value.message)


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    """Anyone could have asked for these forwards."""
    plant(folder, WHOLE).chmod(mode)
    refused(folder)


def test_a_file_of_another_user_is_refused(folder: Path) -> None:
    """State is root's alone."""
    if os.geteuid() != 0:
        pytest.fail("the unit suite runs as root")
    os.chown(plant(folder, WHOLE), 65534, 65534)
    refused(folder)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_directory_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    """Nothing is kept where others can swap it."""
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(StateRefused) as caught:
        save(folder, "a")
    one_sentence(caught.value.message)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_that_is_a_link_is_refused(folder: Path, tmp_path: Path, slash: str) -> None:
    """However its name is typed: a slash at the end makes the kernel follow the link."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(StateRefused):
        Store(Host(), f"{folder}{slash}", "forwards.json", "forwards").save([ENTRY])
    assert list(elsewhere.iterdir()) == []


def test_a_slash_at_the_end_of_the_directory_changes_nothing(folder: Path) -> None:
    """A new directory is 0700 however its name is typed."""
    Store(Host(), f"{folder}/", "forwards.json", "forwards").save([ENTRY])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_killed_runs_leftover_is_removed_by_the_next_save(folder: Path) -> None:
    """A staged file of a run that was killed does not stay for ever (beside wg0.key it would hold the key)."""
    folder.mkdir(mode=0o700)
    (folder / ".edge-gateway-0123456789ab.tmp").write_text("half")
    save(folder, "a")
    assert [path.name for path in folder.iterdir()] == ["forwards.json"]


def test_clear_forgets_everything(folder: Path) -> None:
    """After it, this host never had any."""
    save(folder, "a")
    save(folder, "b")
    store(folder).clear()
    assert load(folder) == {} and list(folder.iterdir()) == []
    store(folder).clear()

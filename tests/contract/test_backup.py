# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and restore on a real file system: a fresh host gets the same files, and no other host is touched."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.archive import ArchiveEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Archive, KeptFile, Places
from contract import world
from unit.backup_samples import edge_files, kept
from unit.samples import KEY, one_sentence

STORES = Path("/run/traefik")
PLACES = Places(acme_dir=str(STORES))
FILES = edge_files(PLACES)
FOLDERS = [Path(folder) for folder in ("/etc/wireguard", "/etc/edge-gateway", "/var/lib/edge-gateway", "/etc/traefik", "/run/traefik")]
KEY_FILE, FORWARDS = Path("/etc/wireguard/wg0.key"), Path("/var/lib/edge-gateway/forwards.json")
Seen = Dict[str, Tuple[bytes, int, int, int]]


@pytest.fixture(autouse=True)
def fresh_host(traefik_user: None) -> Iterator[None]:
    """A host on which nothing has been yet, but for Traefik's user."""
    wipe()
    yield
    wipe()


def wipe() -> None:
    """Nothing is left of an edge."""
    for folder in FOLDERS:
        for path in folder.iterdir() if folder.is_dir() else ():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(STORES, ignore_errors=True)


def engine(force: bool = False) -> ArchiveEngine:
    """The files of this host."""
    return ArchiveEngine(Host(), PLACES, "wg0", force)


def restore(found: Archive, force: bool = False, dry_run: bool = False) -> Outcome[KeptFile]:
    """What the module does with a backup that has come by Ansible."""
    checked = archive.parse(archive.render(found).encode(), PLACES, "the backup of edge1")
    return converge(engine(force), lambda current: dict(checked.files), dry_run)


def seen() -> Seen:
    """Content, mode and owner of every file."""
    paths = [path for folder in FOLDERS if folder.is_dir() for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mode & 0o7777, path.stat().st_uid, path.stat().st_gid) for path in paths}


def edge() -> Archive:
    """A backup of an edge that has everything; the host is that edge afterwards."""
    restore(Archive("edge1", "2026-11-26T03:05:04Z", FILES))
    return engine().take("edge1")


def refusal(found: Archive, force: bool = False) -> str:
    """The sentence with which a restore is refused; nothing is touched."""
    before = seen()
    with pytest.raises(GatewayError) as caught:
        restore(found, force)
    assert seen() == before
    return one_sentence(caught.value.message)


def test_a_fresh_host_gets_the_same_files() -> None:
    """Contents, modes and owners; the prediction is what happens, and a second time nothing does."""
    found, before = edge(), seen()
    assert found.files == FILES and found.node == "edge1"
    wipe()
    predicted = restore(found, dry_run=True)
    assert seen() == {} and predicted.plan.changed
    done = restore(found)
    assert seen() == before and done.diff == predicted.diff and done.plan.added == sorted(FILES)
    again = restore(found)
    assert not again.plan.changed and seen() == before


def test_directories_that_are_missing_are_closed(traefik_user: Tuple[int, int]) -> None:
    """As the roles make them, so that Traefik can use what is in them and others cannot."""
    edge()
    status = {path: os.stat(path) for path in ("/etc/traefik/dynamic", "/etc/traefik/certs", "/run/traefik")}
    assert {(oct(found.st_mode & 0o7777), found.st_uid, found.st_gid) for path, found in status.items() if path != "/run/traefik"} == {
        ("0o750", 0, traefik_user[1])}
    stores = status["/run/traefik"]
    assert (stores.st_mode & 0o7777, stores.st_uid, stores.st_gid) == (0o700, *traefik_user)


def test_what_is_not_ours_stays_out() -> None:
    """Keys of other interfaces, files of other people in Traefik's directories, former versions, and all that runs can make again."""
    edge()
    Path("/etc/wireguard/office.key").write_text(KEY)
    Path("/etc/wireguard/office.conf").write_text("[Interface]\n")
    Path("/etc/wireguard/wg0.conf").write_text("# anything\n")
    Path("/etc/traefik/dynamic/mine.yml").write_text("http: {}\n")
    Path("/etc/traefik/certs/mine.key").write_text("mine")
    Path("/etc/traefik/traefik.yml").write_text("{}")
    (STORES / "plugins.json").write_text('{"a": 1}')
    (STORES / "new.json").write_text("")
    Path(f"{FORWARDS}.prev").write_text("{}")
    looking = engine()
    assert looking.take("edge1").files == FILES
    assert [one_sentence(words) for words in looking.warnings] and "plugins.json" in looking.warnings[0]


def test_a_key_of_a_second_interface_of_ours_is_kept() -> None:
    """It is known by the file beside it."""
    edge()
    Path("/etc/wireguard/wg1.key").write_text(KEY + "\n")
    Path("/etc/wireguard/wg1.conf").write_text("# Written by edge.gateway.wg_join; a change made here is undone by its next run.\n")
    assert "/etc/wireguard/wg1.key" in engine().take("edge1").files


def test_what_somebody_has_opened_is_closed_in_the_backup() -> None:
    """A mode is no reason to do without a backup."""
    edge()
    KEY_FILE.chmod(0o640)
    (STORES / "acme.json").chmod(0o644)
    assert engine().take("edge1").files == FILES


@pytest.mark.parametrize("path", ["/etc/wireguard/wg0.key", "/var/lib/edge-gateway/join.json", "/etc/traefik/certs/spare.key"])
def test_a_damaged_file_is_no_backup(path: str) -> None:
    """It is named: a backup that cannot be restored would be found out too late."""
    edge()
    Path(path).write_text("damaged")
    with pytest.raises(StateRefused, match="nothing was backed up") as caught:
        engine().take("edge1")
    assert one_sentence(caught.value.message).startswith("edge1 holds ")


def test_links_are_not_followed() -> None:
    """Neither by a backup, nor by a restore that would write through one."""
    found = edge()
    target = Path("/run/elsewhere")
    target.write_bytes(FORWARDS.read_bytes())
    FORWARDS.unlink()
    FORWARDS.symlink_to(target)
    with pytest.raises(StateRefused):
        engine().take("edge1")
    wipe()
    Path("/etc/traefik/dynamic").symlink_to("/etc/edge-gateway")
    with pytest.raises(GatewayError):
        restore(found)
    assert set(seen()) == set() and target.read_bytes()
    target.unlink()


def test_a_host_without_anything_is_no_edge() -> None:
    """Rather than an empty backup over a good one."""
    with pytest.raises(StateRefused, match="has no file of edge.gateway"):
        engine().take("edge1")


@pytest.mark.parametrize(("path", "content"), [
    ("/etc/wireguard/wg0.key", KEY + "\n"), ("/var/lib/edge-gateway/forwards.json", '{"forwards": [], "schema": 1}\n'),
    ("/var/lib/edge-gateway/join.json", "damaged"), ("/etc/traefik/dynamic/shop.yml", "# Written by edge.gateway.traefik_route\n"),
])
def test_another_edge_is_left_alone(path: str, content: str) -> None:
    """Unless it is meant; then what the backup does not hold goes, earlier versions too."""
    found = edge()
    before = seen()
    Path(path).write_text(content)
    words = refusal(found)
    assert words.startswith(path) and "edge_gateway_restore_force" in words
    more = Path("/etc/traefik/dynamic/more.yml")
    more.write_text(FILES["/etc/traefik/dynamic/shop.yml"].content)
    mine = Path("/etc/traefik/dynamic/mine.yml")
    mine.write_text("http: {}\n")
    assert "(and 1 more)" in refusal(found)
    done = restore(found, force=True)
    assert done.plan.updated == [path] and done.plan.removed == [str(more)]
    assert mine.exists() and {name: file for name, file in seen().items() if name != str(mine)} == before


def test_a_state_that_goes_leaves_no_earlier_version() -> None:
    """Which would be taken for the rest of a lost one."""
    found = edge()
    less = Archive(found.node, found.taken, {path: item for path, item in found.files.items() if path != str(FORWARDS)})
    Path(f"{FORWARDS}.prev").write_text("{}")
    restore(less, force=True)
    assert not FORWARDS.exists() and not Path(f"{FORWARDS}.prev").exists()


def test_modes_and_owners_are_put_right() -> None:
    """Of files that are as they should be otherwise; nobody has to force that."""
    found = edge()
    before = seen()
    KEY_FILE.chmod(0o644)
    os.chown(STORES / "acme.json", 0, 0)
    assert restore(found).plan.updated == [str(KEY_FILE), str(STORES / "acme.json")] and seen() == before


def test_a_full_disk_takes_everything_back() -> None:
    """The files that were in place already, too."""
    found = edge()
    large = kept("/etc/traefik/dynamic/shop.yml", FILES["/etc/traefik/dynamic/shop.yml"].content, 0o640, "root", "traefik")
    wipe()
    os.makedirs("/etc/traefik/dynamic")
    world.sh("mount", "-t", "tmpfs", "-o", "size=4k,mode=750", "none", "/etc/traefik/dynamic")
    try:
        Path("/etc/traefik/dynamic/.ballast").write_bytes(bytes(4096))
        words = refusal(Archive(found.node, found.taken, {**found.files, large.path: large}))
    finally:
        world.sh("umount", "/etc/traefik/dynamic")
    assert "No space left on device" in words and "free space" in words


def test_an_unknown_owner_is_told_before_anything_is_written() -> None:
    """Who restores with the module alone has to make Traefik's user; a prediction may come before."""
    found = edge()
    wipe()
    without_user = engine()
    without_user.host.user_id = lambda name: None if name == "traefik" else 0      # type: ignore[method-assign]
    assert converge(without_user, lambda current: dict(found.files), dry_run=True).plan.changed
    with pytest.raises(GatewayError, match="restore.yml"):
        converge(without_user, lambda current: dict(found.files), dry_run=False)
    assert seen() == {}


def test_it_waits_for_the_lock() -> None:
    """Files of two moments are no state."""
    edge()
    held = threading.Event()

    def hold() -> None:
        with Host().lock():
            held.set()
            time.sleep(0.5)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    begun = time.monotonic()
    engine().take("edge1")
    waited = time.monotonic() - begun
    holder.join()
    assert waited > 0.3

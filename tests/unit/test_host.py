# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the machine: atomic files, the lock, programs."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils import files
from ansible_collections.edge.gateway.plugins.module_utils import host as module
from ansible_collections.edge.gateway.plugins.module_utils.errors import Busy, CommandFailed, GatewayError, MissingTool, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from unit.samples import one_sentence

COLLECTIONS = str(Path(__file__).resolve().parents[2] / "collections")
HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.edge.gateway.plugins.module_utils import host
host.LOCK_FILE = sys.argv[2]
with host.Host().lock(5):
    print("held", flush=True)
    time.sleep(30)
"""


def names(folder: Path) -> List[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_write_replaces_the_file_whole_and_private(tmp_path: Path) -> None:
    """A new inode of mode 0600 under any umask; readers of the old file keep the old text."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o666)
    old = path.open()
    mask = os.umask(0)
    try:
        Host().write(str(path), "new")
    finally:
        os.umask(mask)
    assert path.read_text() == "new" and old.read() == "old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and names(tmp_path) == ["file"]


def test_mode_owner_and_disk_come_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment of the rename the file is complete, private and flushed; the directory is flushed after it."""
    events: List[Any] = []
    real_rename, real_fsync = os.rename, os.fsync

    def rename(source: str, target: str, **where: Any) -> None:
        status = os.stat(source, dir_fd=where["src_dir_fd"])
        events.append(("rename", target, stat.S_IMODE(status.st_mode), status.st_size))
        assert not source.endswith((".yml", ".yaml", ".toml")) and source.startswith(".")
        real_rename(source, target, **where)

    def fsync(fd: int) -> None:
        events.append("fsync directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "fsync file")
        real_fsync(fd)

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "fsync", fsync)
    Host().write_all(str(tmp_path), {"a.yml": "12345"}, 0o640)
    assert events == ["fsync file", ("rename", "a.yml", 0o640, 5), "fsync directory"]


def test_content_is_never_in_a_file_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even the empty staged file is created private: someone who opened it early could read what comes."""
    created: List[int] = []
    real_fchmod = os.fchmod

    def fchmod(fd: int, mode: int) -> None:
        created.append(stat.S_IMODE(os.fstat(fd).st_mode))
        assert os.fstat(fd).st_size == 0
        real_fchmod(fd, mode)

    monkeypatch.setattr(os, "fchmod", fchmod)
    mask = os.umask(0)
    try:
        Host().write(str(tmp_path / "key"), "secret")
    finally:
        os.umask(mask)
    assert created == [0o600]


def test_write_does_not_follow_a_link(tmp_path: Path) -> None:
    """The link's target is left alone; the name becomes a file of our own, or the write is refused."""
    target = tmp_path / "shadow"
    target.write_text("root:*")
    (tmp_path / "link").symlink_to(target)
    try:
        Host().write(str(tmp_path / "link"), "new")
        assert (tmp_path / "link").read_text() == "new" and not (tmp_path / "link").is_symlink()
    except GatewayError as problem:
        one_sentence(problem.message)
    assert target.read_text() == "root:*"


def test_write_all_is_all_or_nothing_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second file fails: the first is not renamed, nothing is left behind, and the message tells what to do."""
    (tmp_path / "a").write_text("old")
    flushed: List[int] = []

    def fsync(fd: int) -> None:
        flushed.append(fd)
        if len(flushed) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(GatewayError) as caught:
        Host().write_all(str(tmp_path), {"a": "new", "b": "new"}, 0o600)
    assert "No space left" in one_sentence(caught.value.message)
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_write_all_writes_and_removes_together(tmp_path: Path) -> None:
    """None removes; removing what is not there is fine."""
    (tmp_path / "old").write_text("x")
    Host().write_all(str(tmp_path), {"new": "y", "old": None, "never": None}, 0o640)
    assert names(tmp_path) == ["new"] and stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("kind", ["missing", "file", "link", "link/"])
def test_write_needs_a_real_directory(tmp_path: Path, kind: str) -> None:
    """A link to a directory is refused, with or without a slash."""
    (tmp_path / "real").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(GatewayError) as caught:
        Host().write_all(f"{tmp_path}/{kind}", {"a": "x"}, 0o600)
    one_sentence(caught.value.message)
    assert names(tmp_path / "real") == []


def test_read(tmp_path: Path) -> None:
    """A regular file or None; files of the kernel, whose size is 0, too."""
    (tmp_path / "file").write_bytes(b"x" * 200_000)
    assert Host().read(str(tmp_path / "file")) == b"x" * 200_000
    assert Host().read(str(tmp_path / "none")) is None
    assert (Host().read("/proc/net/tcp") or b"").startswith(b"  sl")


def awkward(path: Path, kind: str) -> None:
    """Make something that is no regular file of reasonable size."""
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "dangling":
        path.symlink_to("/nowhere/at/all")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "directory", "huge"])
def test_read_refuses_what_is_no_regular_file(tmp_path: Path, kind: str) -> None:
    """At once, in one line: a pipe does not hang the run."""
    awkward(tmp_path / "x", kind)
    with pytest.raises(StateRefused) as caught:
        Host().read(str(tmp_path / "x"))
    one_sentence(caught.value.message)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o720])
def test_make_directory_refuses_one_that_others_can_write(tmp_path: Path, mode: int) -> None:
    """State directories are root's alone."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(mode)
    with pytest.raises(StateRefused) as caught:
        Host().make_directory(str(tmp_path / "d"))
    assert str(tmp_path) in one_sentence(caught.value.message)


@pytest.mark.parametrize("slash", ["", "/", "/."])
def test_make_directory_refuses_a_link(tmp_path: Path, slash: str) -> None:
    """However it is typed."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StateRefused):
        Host().make_directory(f"{tmp_path}/link{slash}")


def test_make_directory_refuses_a_file_and_another_owner(tmp_path: Path) -> None:
    """A file is no directory, and a directory of nobody's is not root's."""
    (tmp_path / "f").touch()
    (tmp_path / "d").mkdir(mode=0o700)
    os.chown(tmp_path / "d", 65534, -1)
    for name in ("f", "d"):
        with pytest.raises(StateRefused):
            Host().make_directory(str(tmp_path / name))


@pytest.mark.parametrize("slash", ["", "/"])
def test_make_directory_makes_it_private(tmp_path: Path, slash: str) -> None:
    """Parents as usual, the directory itself 0700."""
    Host().make_directory(f"{tmp_path}/a/b{slash}")
    Host().make_directory(f"{tmp_path}/a/b{slash}")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def holder(lock: Path) -> subprocess.Popen[bytes]:
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, COLLECTIONS, str(lock)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    return process


def test_lock_is_exclusive_and_freed_by_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes: the second is told 'busy', and gets the lock the moment the first is killed."""
    lock = tmp_path / "run" / "lock"
    monkeypatch.setattr(module, "LOCK_FILE", str(lock))
    process = holder(lock)
    try:
        with pytest.raises(Busy) as caught, Host().lock(0.2):
            pass
        assert str(lock) in one_sentence(caught.value.message)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    start = time.monotonic()
    with Host().lock(5):
        assert time.monotonic() - start < 1
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600 and stat.S_IMODE(lock.parent.stat().st_mode) == 0o700


def test_lock_is_freed_by_an_error_and_does_not_follow_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run is not kept out; a lock file that is a link is refused in a readable way."""
    lock = tmp_path / "run" / "lock"
    monkeypatch.setattr(module, "LOCK_FILE", str(lock))
    for _ in range(2):
        with pytest.raises(KeyError), Host().lock(0.2):
            raise KeyError
    lock.unlink()
    (tmp_path / "target").touch()
    lock.symlink_to(tmp_path / "target")
    with pytest.raises(GatewayError), Host().lock(0.2):
        pass


def test_a_resolver_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks may hold the lock."""
    assert Host().resolve("127.0.0.1") == ["127.0.0.1"] and Host().resolve("a..b") == []

    def silent(*_arguments: object, **_options: object) -> List[Any]:
        time.sleep(1)
        return []

    monkeypatch.setattr(module, "RESOLVE_SECONDS", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    begun = time.monotonic()
    assert Host().resolve("hub.example.com") == [] and time.monotonic() - begun < 0.9


def test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell, C locale, nothing of the caller's environment, input by a pipe."""
    monkeypatch.setenv("SECRET_OF_THE_JOB", "x")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    out = Host().run(["env"]).out
    assert "SECRET_OF_THE_JOB" not in out and "LC_ALL=C\n" in out
    assert Host().run(["cat"], stdin="a;b $(id)\n").out == "a;b $(id)\n"
    assert Host().run(["printf", "%s", "$(id); x"]).out == "$(id); x"
    assert Host().run(["false"], check=False).rc == 1


def test_run_failures_are_one_line() -> None:
    """A missing program, a failure with much to say, and one that never ends."""
    with pytest.raises(MissingTool) as missing:
        Host().run(["no-such-program"])
    with pytest.raises(CommandFailed) as failed:
        Host().run(["ls", "/nonexistent/one", "/nonexistent/two"])
    with pytest.raises(CommandFailed) as slow:
        Host().run(["sleep", "5"], timeout=0.2)
    for caught in (missing, failed, slow):
        one_sentence(caught.value.message)
    assert "/nonexistent/one" in failed.value.message


@pytest.mark.parametrize(("mode", "aside"), [(0o755, True), (0o777, False)])
def test_a_watched_directory_sees_nothing_but_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, aside: bool) -> None:
    """Staged in the directory above, unless others can write there; what a killed run has staged goes from both."""
    watched = tmp_path / "watched"
    watched.mkdir(mode=0o755)
    tmp_path.chmod(mode)
    for folder in (tmp_path, watched) if aside else (watched,):
        (folder / ".edge-gateway-0123456789ab.tmp").write_text("half")
    staged: List[str] = []
    rename = os.rename

    def noting(source: str, target: str, **places: int) -> None:
        staged.append(os.readlink(f"/proc/self/fd/{places['src_dir_fd']}"))
        rename(source, target, **places)
    monkeypatch.setattr(os, "rename", noting)
    Host().write_all(str(watched), {"a.yml": "1", "b.yml": "2"}, 0o640, watched=True)
    assert staged == [str(tmp_path if aside else watched)] * 2
    assert sorted(os.listdir(watched)) == ["a.yml", "b.yml"] and os.listdir(tmp_path) == ["watched"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
def test_a_host_that_fails_is_no_file_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A file of ours would count as gone, and a run that has to remove it would say that there is nothing to do."""
    (tmp_path / "one.yml").write_text("one")

    def fails(path: str, *_flags: Any, **_options: Any) -> int:
        if str(path).endswith("one.yml"):
            raise OSError(number, "failed")
        return real(path, *_flags, **_options)

    real = os.open
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fails)
        with pytest.raises(OSError, match="failed"):
            list(files.read_many(str(tmp_path), ["one.yml"], 9))
        with pytest.raises(OSError, match="failed"):
            files.read_through(str(tmp_path / "one.yml"), 9)
    assert list(files.read_many(str(tmp_path), ["one.yml", "none.yml"], 9)) == [("one.yml", b"one"), ("none.yml", None)]


@pytest.mark.parametrize(("mount", "said"), [
    ("29 1 8:1 / / ro,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro", False),
    ("29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 ro,errors=remount-ro", True),
    ("29 1 8:1 / / ro,relatime - ext4 /dev/sda1 ro", True),
    ("29 1 8:11 / / ro,relatime - ext4 /dev/sdb ro", False),
], ids=["a sandbox", "a disk with errors", "both", "another disk"])
def test_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mount: str, said: bool) -> None:
    """systemd shows our own units a file system that is read-only for them alone."""
    (tmp_path / "mountinfo").write_text(f"{mount}\n")
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", lambda *_arguments, **_options: (tmp_path / "mountinfo").open(encoding="utf-8"))
        assert files.read_only(os.makedev(8, 1)) == said

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How files are read by thousands, how they get into place (under a name that nobody reads, made durable, then renamed), and locked.

For :class:`..host.Host` alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from typing import Dict, Iterable, Iterator, Mapping, Optional, Tuple

from .errors import Busy, StateRefused

READ_SIZE = 64 * 1024
# more files than this at once are flushed together
MANY = 16
PREFIX = ".edge-gateway-"
# Traefik loads every *.yml, hidden ones too: a staged file must never end so
SUFFIX = ".tmp"


@contextlib.contextmanager
def private(text: str) -> Iterator[str]:
    """Path of a file in memory that this process alone can open, for a while."""
    fd = os.memfd_create("edge-gateway", os.MFD_CLOEXEC)
    try:
        with open(fd, "w", encoding="utf-8", closefd=False) as stream:
            stream.write(text)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


# what a failure to open says about the host, and not about the file
_HOST_FAILS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def read_through(path: str, most: int) -> Optional[bytes]:
    """Content of a regular file, through links, at the most so much; None when there is nothing that can be read."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)) as stream:
            status = os.fstat(stream.fileno())
            if status.st_rdev and os.path.samestat(status, os.stat(os.devnull)):
                return b""      # a file that was linked away
            return stream.read(most) if stat.S_ISREG(status.st_mode) else None
    except OSError as problem:
        if problem.errno in _HOST_FAILS:
            raise
        return None


def read_only(device: int) -> bool:
    """Whether a file system itself is, and not only as a sandbox shows it; see proc_pid_mountinfo(5)."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        fields = [line.split() for line in mounts]
    return any(number == mount[2] and "ro" in mount[-1].split(",") for mount in fields)


def read_many(directory: str, names: Iterable[str], most: int) -> Iterator[Tuple[str, Optional[bytes]]]:
    """Names and contents of regular files, of each at the most so much; None for one that is gone or cannot be read.

    Raises:
        OSError: the disk or the process fails, and not that one file.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            try:
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=handle)
            except OSError as problem:
                if problem.errno in _HOST_FAILS:
                    raise   # our own file would count as one that nobody has asked for
                yield name, None
                continue
            try:
                data = more = os.read(fd, READ_SIZE)
                while len(more) == READ_SIZE and len(data) < most:
                    more = os.read(fd, READ_SIZE)
                    data += more
            finally:
                os.close(fd)
            yield name, data
    finally:
        os.close(handle)


def replace(directory: int, files: Mapping[str, Optional[str]], mode: int, gid: int, watched: bool, *, uid: int = -1) -> None:
    """Replace files of a directory, or remove those without content, as :meth:`..host.Host.write_all` says."""
    staged: Dict[str, str] = {}
    place = beside(directory) if watched else os.dup(directory)
    try:
        sweep(directory)
        sweep(place)
        for name, text in files.items():
            if text is not None:
                staged[name] = stage(place, text.encode(), mode, gid, durable=len(files) <= MANY, uid=uid)
        if len(files) > MANY:
            flush(directory)
        for name in files:
            if name in staged:
                os.rename(staged[name], name, src_dir_fd=place, dst_dir_fd=directory)
                del staged[name]
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)
        os.fsync(directory)
    finally:
        for name in staged.values():
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=place)
        os.close(place)


def beside(directory: int) -> int:
    """The directory above, opened, if files can be renamed from there; else the directory itself. The caller closes it."""
    above = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    status = os.fstat(above)
    if status.st_dev == os.fstat(directory).st_dev and status.st_uid == os.geteuid() and not status.st_mode & 0o022:
        return above
    os.close(above)
    return os.dup(directory)


def sweep(directory: int) -> None:
    """Remove what a killed run has staged; the lock keeps every living one away."""
    for name in os.listdir(directory):
        if name.startswith(PREFIX) and name.endswith(SUFFIX):
            os.unlink(name, dir_fd=directory)


def flush(directory: int) -> None:
    """Write all that is pending in a file system to its disk, at once: file by file takes a disk write each."""
    import ctypes  # noqa: PLC0415  rarely needed, and slow to load

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(directory):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def stage(directory: int, data: bytes, mode: int, gid: int, durable: bool, *, uid: int = -1) -> str:
    """Write a file under a name no one else reads; owner and mode are right before it is ever renamed."""
    name = f"{PREFIX}{os.urandom(6).hex()}{SUFFIX}"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        with os.fdopen(fd, "wb") as stream:
            os.fchown(fd, uid, gid)
            os.fchmod(fd, mode)
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(fd)
    except OSError:
        os.unlink(name, dir_fd=directory)
        raise
    return name


@contextlib.contextmanager
def locked(path: str, wait: float, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
    """Hold a lock file, whose descriptor it is; the kernel frees it when the process dies, however it dies.

    Args:
        wait: seconds until it counts as busy.
        flags: how it is opened; ``os.O_DIRECTORY`` for a directory that is its own lock.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise StateRefused(f"{path} cannot be opened ({problem.strerror}); remove it and run again", path) from None
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(f"another run has held {path} for {wait:.0f} seconds; wait for it to end and run again", path) from None
                time.sleep(0.05)
        yield fd
    finally:
        os.close(fd)

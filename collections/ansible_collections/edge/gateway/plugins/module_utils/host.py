# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to the machine: run a program, read a file, write files atomically, take the lock.

Only engines call it. ``AnsibleModule.atomic_move`` is not used: it widens modes and follows links.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from typing import ContextManager, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import processes
from .errors import CommandFailed, GatewayError, MissingTool, StateRefused, first_line
from .files import READ_SIZE, locked, private, read_many, read_only, read_through, replace
from .models.fields import moment_of
from .names import resolved

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOCK_FILE = "/run/edge-gateway/lock"
LOCK_WAIT = 30.0
RESOLVE_SECONDS = 10.0
Status = os.stat_result
MAX_FILE = 32 * 1024 * 1024


@dataclass(frozen=True)
class Result:
    """What a finished program left: exit status and decoded output."""

    rc: int
    out: str
    err: str


class Host:
    """The machine this runs on."""

    def find(self, tool: str) -> Optional[str]:
        """Path of a program, or None."""
        return shutil.which(tool, path=SEARCH_PATH)

    def need(self, tool: str, package: str) -> None:
        """Raise MissingTool unless the program is installed."""
        if self.find(tool) is None:
            raise MissingTool(tool, package)

    _lock_fd: Optional[int] = None

    def run(self, argv: Sequence[str], stdin: str = "", timeout: float = 60.0, check: bool = True, holds_lock: bool = False) -> Result:
        """Run a program without a shell, in the C locale.

        Args:
            argv: program and arguments; never a secret, since every user can read process lists.
            timeout: seconds until the program is killed.
            check: raise CommandFailed on a non-zero exit status.
            holds_lock: the program keeps the lock until it ends, even if this process is killed meanwhile; for short
                programs that write, and none that leaves a daemon behind.
        """
        keep = [self._lock_fd] if holds_lock and self._lock_fd is not None else []
        path = self.find(argv[0])
        if path is None:
            raise MissingTool(argv[0], argv[0])
        try:
            done = subprocess.run([path, *argv[1:]], input=stdin.encode(), capture_output=True, timeout=timeout,
                                  env={"PATH": SEARCH_PATH, "LC_ALL": "C"}, check=False, pass_fds=keep)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"{argv[0]} did not finish within {timeout:.0f} seconds; "
                                "see what it waits for and run again", argv[0]) from None
        result = Result(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
        if check and result.rc != 0:
            raise CommandFailed(f"'{' '.join(argv)}' failed: {first_line(result.err or result.out)}", argv[0])
        return result

    def read(self, path: str, own: bool = False, most: int = MAX_FILE) -> Optional[bytes]:
        """Content of a regular file, None when there is none; a link, a huge or an unreadable file is an error.

        Args:
            own: refuse a file that someone else owns or can write.
            most: bytes; a larger file is refused.
        """
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise StateRefused(f"{path} cannot be read ({problem.strerror}); make it a regular file "
                               "that root can read", path) from None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > most:
                raise StateRefused(f"{path} is not a regular file of at most {most >> 20} MiB; move it away", path)
            if own and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
                raise StateRefused(f"{path} can be written by others than root; look at what it holds, "
                                   "then correct its owner and mode", path)
            # in pieces: files below /proc refuse a read with a large buffer
            return b"".join(iter(lambda: os.read(fd, READ_SIZE), b""))
        finally:
            os.close(fd)

    def read_many(self, directory: str, names: Iterable[str]) -> Iterator[Tuple[str, Optional[bytes]]]:
        """Names and contents of regular files in one directory, thousands of them; None for one that is gone or cannot be read."""
        return read_many(directory, names, MAX_FILE)

    def private_file(self, text: str) -> ContextManager[str]:
        """A file for a library that takes nothing but a path; it is never on a disk, and no one else can open it."""
        return private(text)

    def resolve(self, name: str) -> List[str]:
        """Addresses of a host name in the resolver's order; none when it cannot tell in time."""
        return resolved(name, RESOLVE_SECONDS)

    def mode(self, path: str) -> Optional[os.stat_result]:
        """Status of a path without following links, None when there is none."""
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def scan(self, directory: str) -> Dict[str, os.stat_result]:
        """Status of everything in a directory by name, links not followed; empty when there is no such directory."""
        try:
            with os.scandir(directory) as found:
                return {entry.name: entry.stat(follow_symlinks=False) for entry in found}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def read_through(self, path: str) -> Optional[bytes]:
        """Content of a regular file that somebody else keeps, through links; None when there is nothing that can be read."""
        return read_through(path, MAX_FILE)

    def processes(self, name: str) -> List[int]:
        """Processes of that program in this network namespace: those whose ports are this host's."""
        return processes.named(name)

    def runs(self, pid: int, program: str) -> bool:
        """Whether a process runs this program, and not one that stood in its place before."""
        return processes.runs(pid, program)

    def program(self, pid: int) -> str:
        """Path of the program that a process runs, empty when there is no such process."""
        return processes.program(pid)

    def hang_up(self, pid: int) -> None:
        """Send SIGHUP, by which daemons are asked to read their configuration again."""
        processes.hang_up(pid)

    def names(self, directory: str) -> List[str]:
        """Sorted names in a directory; empty when there is no such directory."""
        try:
            return sorted(os.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def make_directory(self, path: str, mode: int = 0o700) -> None:
        """Create a directory of root's own, or check that the existing one is."""
        path = os.path.normpath(path)      # with a slash at the end, a link would be followed
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise StateRefused(f"{path} must be a directory that only root can write to (not a link); "
                               "correct its owner and mode", path)

    def set_directory(self, path: str, mode: int, gid: int, uid: int = 0) -> None:
        """Create a directory with this mode, group and owner, or correct the existing one; never through a link."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as problem:
            raise StateRefused(f"{path} cannot be opened as a directory ({problem.strerror}); move it away", path) from None
        try:
            os.fchown(handle, uid, gid)
            os.fchmod(handle, mode)
        finally:
            os.close(handle)

    def group_id(self, name: str) -> Optional[int]:
        """Numeric id of a group, None when there is no such group."""
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None

    def group_name(self, gid: int) -> str:
        """Name of a group; its number when it has none."""
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return str(gid)

    def user_id(self, name: str) -> Optional[int]:
        """Numeric id of a user, None when there is no such user."""
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            return None

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Replace one file atomically and durably."""
        directory, name = os.path.split(path)
        self.write_all(directory, {name: text}, mode)

    def write_all(self, directory: str, files: Mapping[str, Optional[str]], mode: int, gid: int = -1, watched: bool = False, *,
                  uid: int = -1) -> None:
        """Replace several files of one directory, renaming them into place together.

        Args:
            files: new content by name; None removes the file.
            gid, uid: numeric group and owner of the files; -1 leaves root's.
            watched: somebody notices each event in the directory: stage beside it, so that a file is one event instead of five.
        """
        directory = os.path.normpath(directory)
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as problem:
            raise StateRefused(f"{directory} cannot be opened as a directory ({problem.strerror}); create it, "
                               "not as a link", directory) from None
        try:
            replace(handle, files, mode, gid, watched, uid=uid)
        except OSError as problem:
            raise GatewayError(f"{directory} cannot be written ({problem.strerror}); "
                               "free space or make it writable, and run again", directory) from None
        finally:
            os.close(handle)

    def set_kernel(self, path: str, value: str) -> None:
        """Write a setting below /proc/sys."""
        try:
            with open(path, "w", encoding="ascii") as stream:
                stream.write(value + "\n")
        except OSError as problem:
            raise GatewayError(f"{path} cannot be set to {value} ({problem.strerror}); run as root on a host whose "
                               "kernel settings are writable", path) from None

    def space(self, path: str) -> Tuple[int, int, bool]:
        """Bytes that are free for root on the file system of a path (or of the nearest directory above it that exists), its size, and
        whether it is read-only.
        """
        path = os.path.abspath(path)      # else there is no end above it
        while not os.path.exists(path):
            path = os.path.dirname(path)
        found = os.statvfs(path)
        return found.f_bfree * found.f_frsize, found.f_blocks * found.f_frsize, read_only(os.stat(path).st_dev)

    def now(self) -> str:
        """The time as :func:`.models.fields.moment` has it."""
        return moment_of(int(time.time()))

    def environment(self, name: str) -> str:
        """A variable of the environment this run was started in, empty when unset."""
        return os.environ.get(name, "")

    def remove(self, path: str) -> None:
        """Remove a file; a missing one is fine."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def remove_directory(self, path: str) -> None:
        """Remove a directory if it is empty; one that is in use stays."""
        with contextlib.suppress(OSError):
            os.rmdir(path)

    @contextlib.contextmanager
    def own_directory(self, path: str) -> Iterator[None]:
        """Create a directory for the user's own files, if it is not there, and hold every other run off from it."""
        try:
            os.makedirs(path, 0o700, exist_ok=True)
        except OSError as problem:
            raise GatewayError(f"{path} cannot be made a directory ({problem.strerror}); correct the path", path) from None
        with locked(path, LOCK_WAIT, os.O_DIRECTORY):
            yield

    @contextlib.contextmanager
    def lock(self, wait: float = LOCK_WAIT) -> Iterator[None]:
        """Hold the host-wide lock; the kernel frees it when the process dies, however it dies."""
        self.make_directory(os.path.dirname(LOCK_FILE))
        with locked(LOCK_FILE, wait) as fd:
            self._lock_fd = fd
            try:
                yield
            finally:
                self._lock_fd = None

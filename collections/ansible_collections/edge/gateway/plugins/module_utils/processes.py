# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this host, as /proc shows them. For :class:`..host.Host` alone."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import List


def named(name: str) -> List[int]:
    """Processes of that program in this network namespace."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # one that has ended meanwhile is not missed
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as stream:
            if stream.read().rstrip("\n") == name and os.path.samefile(f"/proc/{pid}/ns/net", "/proc/self/ns/net"):
                found.append(int(pid))
    return found


def program(pid: int) -> str:
    """Path of the program that a process runs, empty when there is no such process."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe")
    # without the right to trace (in a container) only the command line can be read
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as stream:
        return stream.read().partition(b"\0")[0].decode("utf-8", "replace")
    return ""


def runs(pid: int, path: str) -> bool:
    """Whether a process runs this program, and not one that stood in its place before."""
    # of a program that was replaced the kernel says "(deleted)", and there is no such file
    with contextlib.suppress(OSError):
        return os.path.samefile(program(pid), path)
    return False


def hang_up(pid: int) -> None:
    """Send SIGHUP."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)

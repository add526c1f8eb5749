# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this process does to the machine while an input is tried: files that it writes, programs that it starts (PEP 578)."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Iterator, List, Sequence, Tuple

from .judge import Wrong

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# event to the places of its paths, and of the directories that they are relative to
PATHS = {
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
}
PROGRAMS = {
    "nft",
    "ip",
    "wg",
    "wg-quick",
    "iptables-save",
    "ip6tables-save",
    "iptables-restore",
    "ip6tables-restore",
    "iptables-nft-save",
    "iptables-legacy-save",
    "ip6tables-nft-save",
    "ip6tables-legacy-save",
    "iptables",
    "ip6tables",
    "systemctl",
    "systemd-run",
    "journalctl",
    "sysctl",
    "modprobe",
    "sh",
    "iptables-legacy",
    "ip6tables-legacy",
    "iptables-nft-restore",
    "ip6tables-nft-restore",
}


class Watch:
    """Collects while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.written: List[str] = []
        self.started: List[Sequence[str]] = []
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[0], (str, bytes)) and isinstance(arguments[2], int) and arguments[2] & WRITING:
            path = os.fsdecode(arguments[0])
            # one in a directory that is open already gets its name by a rename, which is seen
            if path.startswith("/") or "/" in path:
                self.written.append(path)
        elif event == "subprocess.Popen":
            self.started.append([os.fsdecode(word) for word in arguments[1]])
        elif event in PATHS:
            for place, folder in PATHS[event]:
                # a directory that is there already is not made
                if not isinstance(arguments[place], int) and not (event == "os.mkdir" and os.path.isdir(arguments[place])):
                    self.written.append(_whole(os.fsdecode(arguments[place]), arguments[folder] if folder is not None else -1))

    @contextlib.contextmanager
    def watching(self, *folders: str, programs: Sequence[str] = ()) -> Iterator[None]:
        """Raise Wrong afterwards when something was written elsewhere than below these folders, or an unknown program was started."""
        self.written, self.started, self.on = [], [], True
        try:
            yield
        finally:
            self.on = False
            elsewhere = [path for path in self.written if not any(is_below(path, folder) for folder in (*folders, "/dev/null"))]
            unknown = [argv for argv in self.started if argv[0].rpartition("/")[2] not in PROGRAMS and argv[0] not in programs]
            if elsewhere or unknown:
                raise Wrong(f"writes elsewhere: {elsewhere[:3]}" if elsewhere else f"starts {unknown[:2]}")


def _whole(path: str, directory: int) -> str:
    if path.startswith("/") or directory < 0:
        return os.path.normpath(path)
    with contextlib.suppress(OSError):
        return os.path.normpath(f"{os.readlink(f'/proc/self/fd/{directory}')}/{path}")
    return path


def is_below(path: str, folder: str) -> bool:
    """Whether a path is that of a folder, or of something in it; with "-" at its end, of files that begin so."""
    whole = os.path.normpath(path)
    return whole == folder or whole.startswith(folder if folder.endswith("-") else folder + "/")


WATCH = Watch()

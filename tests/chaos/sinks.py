# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run in a closed namespace may leave a secret: its answer, syslog, command lines, files."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Sequence
from urllib.parse import quote

from contract.world import sh

# /run holds what is written elsewhere below /etc and /var/lib too, see the lab's namespace
FOLDERS = ("/etc/wireguard", "/etc/edge-gateway", "/etc/traefik", "/var/lib/edge-gateway", "/run", "/tmp", "/var/tmp")
OURS = FOLDERS[:4]
# a part of a secret that is found by itself: a message may be shortened
PIECE = 16


def forms(secret: str) -> List[bytes]:
    """A secret as it may be seen: its pieces, and the whole encoded in the usual ways."""
    raw = secret.encode()
    found = [raw[place:place + PIECE] for place in range(0, max(1, len(raw) - PIECE + 1), 4)]
    found += [json.dumps(secret)[1:-1].encode(), quote(secret, safe="").encode(), raw.hex().encode(), raw.hex().upper().encode()]
    # as base64 it depends on where it stands in what is encoded; the first and last characters hold bits of others
    found += [base64.b64encode(b" " * shift + raw)[4 if shift else 0:-4] for shift in range(3)]
    try:
        key = base64.b64decode(secret, validate=True)
        found += [key.hex().encode()] if len(key) >= PIECE else []
    except binascii.Error:
        pass
    return [form for form in dict.fromkeys(found) if len(form) >= 8]


class Sinks:
    """Syslog, and folders of which none is the machine's own; what is made for it is in this namespace alone."""

    def __enter__(self) -> Sinks:
        for name in ("upper", "work"):
            Path("/run/dev", name).mkdir(parents=True)
        sh("mount", "-t", "overlay", "-o", "lowerdir=/dev,upperdir=/run/dev/upper,workdir=/run/dev/work", "overlay", "/dev")
        for folder in ("/tmp", "/var/tmp"):
            sh("mount", "-t", "tmpfs", "none", folder)
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log.bind("/dev/log")
        self.log.setblocking(False)
        return self

    def __exit__(self, *_problem: object) -> None:
        self.log.close()
        sh("umount", "/tmp", "/var/tmp")
        sh("umount", "--lazy", "/dev")

    def syslog(self) -> bytes:
        """What was logged since the last time."""
        found = []
        while True:
            try:
                found.append(self.log.recv(1 << 20))
            except BlockingIOError:
                return b"\n".join(found)

    def state(self) -> List[Any]:
        """What is equal when nothing was touched."""
        return [(path, os.lstat(path).st_mtime_ns, os.lstat(path).st_ino, os.lstat(path).st_mode) for path in _files(OURS)
                if not path.endswith("/history.json")]

    def shown(self, seen: Mapping[str, bytes], places: Mapping[str, int], secret: Sequence[bytes]) -> Iterator[str]:
        """Names of what shows a secret.

        Args:
            seen: contents by name.
            places: the files that may hold it, as patterns, with the widest mode that they may have.
        """
        for name, content in seen.items():
            if any(form in content for form in secret):
                yield name
        for path in _files(FOLDERS):
            allowed = next((mode for pattern, mode in places.items() if fnmatch.fnmatch(path, pattern)), None)
            mode = stat.S_IMODE(os.lstat(path).st_mode)
            if allowed is not None and not mode & ~allowed:
                continue
            content = Path(path).read_bytes()
            if any(form in content for form in secret):
                yield f"{path} of mode {mode:04o}"


def _files(folders: Sequence[str]) -> Iterator[str]:
    for top in folders:
        for folder, within, names in os.walk(top):
            # names of namespaces look like files
            within[:] = [name for name in within if f"{folder}/{name}" != "/run/netns"]
            yield from (path for path in (f"{folder}/{name}" for name in names) if stat.S_ISREG(os.lstat(path).st_mode))

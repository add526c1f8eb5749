# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory that Traefik loads: files of ours, one to a route, and files of others. Nothing is read twice that has not changed."""

from __future__ import annotations

import stat
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..errors import words_of
from ..formats import dynamic_file, route_file
from ..formats.dynamic_file import Foreign
from ..host import Host, Status
from ..models.route import Route

SUFFIX = ".yml"
# in letters of any case; hidden files too
LOADED = (".yml", ".yaml", ".toml")
DEEPEST = 8
Signature = Tuple[int, ...]


class Own(NamedTuple):
    """A file of ours.

    Attributes:
        route: what it was written for; None when its header says nothing that can be understood.
        kept: the header as it stands.
        intact: whether it is as it was written.
        problem: why there is no route.
    """

    route: Optional[Route]
    kept: str
    intact: bool
    mode: int
    gid: int
    problem: str = ""


class DynamicDir:
    """Attributes: ``ours`` by route id, ``foreign`` by name below the directory; both as of the last :meth:`look`."""

    def __init__(self, host: Host, path: str) -> None:
        self.host, self.path = host, path
        self.ours: Dict[str, Own] = {}
        self.foreign: Dict[str, Foreign] = {}
        self._seen: Dict[str, Signature] = {}

    @property
    def gid(self) -> int:
        """Group of the directory: the role gives it to Traefik's user."""
        status = self.host.mode(self.path)
        return status.st_gid if status else 0

    def look(self) -> None:
        """See what is there now."""
        seen: Dict[str, Signature] = {}
        ours: Dict[str, Own] = {}
        foreign: Dict[str, Foreign] = {}
        fresh: Dict[str, Status] = {}
        for name, status in self._loaded("", DEEPEST):
            signature = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_mode, status.st_gid)
            seen[name] = signature
            if self._seen.get(name) != signature or stat.S_ISLNK(status.st_mode):
                fresh[name] = status
            elif name in self.foreign:
                foreign[name] = self.foreign[name]
            else:
                ours[name[:-len(SUFFIX)]] = self.ours[name[:-len(SUFFIX)]]
        likely = [name for name, status in fresh.items() if name.endswith(SUFFIX) and "/" not in name and stat.S_ISREG(status.st_mode)]
        ours.update(self._read(likely, fresh) if likely else ())
        foreign.update((name, self._foreign(name, status)) for name, status in fresh.items())
        self.ours, self.foreign, self._seen = ours, foreign, seen

    def _read(self, names: List[str], fresh: Dict[str, Status]) -> Iterator[Tuple[str, Own]]:
        """Those files that are ours, by route id; they are taken out of ``fresh``."""
        headers: Dict[str, bytes] = {}
        for name, data in self.host.read_many(self.path, names):
            kept = route_file.intact(data or b"")
            if kept is not None:
                headers[name] = kept
                continue
            text = (data or b"").decode("utf-8", "replace")
            if route_file.is_ours(text):
                yield name[:-len(SUFFIX)], _damaged(name[:-len(SUFFIX)], text, fresh.pop(name))
        for (name, kept), route in zip(headers.items(), route_file.restored(list(headers.values()))):
            status, route_id = fresh.pop(name), name[:-len(SUFFIX)]
            problem = "" if route.route_id == route_id else f"was written for route {route.route_id}"
            yield route_id, Own(None if problem else route, kept.decode(), True, stat.S_IMODE(status.st_mode), status.st_gid, problem)

    def _loaded(self, below: str, depth: int) -> Iterator[Tuple[str, Status]]:
        """Name and status of all that Traefik would load, in folders within too."""
        for name, status in self.host.scan(f"{self.path}/{below}").items():
            if stat.S_ISDIR(status.st_mode):
                if depth:
                    yield from self._loaded(f"{below}{name}/", depth - 1)
            elif name.endswith(SUFFIX) or name.lower().endswith(LOADED):
                yield below + name, status

    def _foreign(self, name: str, status: Status) -> Foreign:
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            return Foreign(broken="is no regular file, and Traefik hangs on it")
        data = self.host.read_through(f"{self.path}/{name}")
        if data is None:
            return Foreign(broken="is a link to nothing" if stat.S_ISLNK(status.st_mode) else "cannot be read")
        # root's own file, in a directory that belongs to the group of Traefik's user
        hidden = stat.S_ISREG(status.st_mode) and status.st_uid == 0 and self.gid != 0 and not (
            status.st_mode & 0o004 or status.st_mode & 0o040 and status.st_gid == self.gid)
        if hidden:
            return Foreign(broken="cannot be read by Traefik's user (see its mode and group)")
        return dynamic_file.examine(name, data)

    def broken(self) -> List[str]:
        """Files of others that stop all loading, each with why."""
        return [f"{self.path}/{name} {file.broken}" for name, file in sorted(self.foreign.items()) if file.broken]

    def doubtful(self) -> List[str]:
        """Files of others that some version of Traefik will not load, each with why."""
        return [f"{self.path}/{name} {file.doubtful}" for name, file in sorted(self.foreign.items()) if file.doubtful]


def _damaged(route_id: str, text: str, status: Status) -> Own:
    mode, gid = stat.S_IMODE(status.st_mode), status.st_gid
    try:
        route, kept = route_file.parse(text)
    except ValueError as problem:
        return Own(None, "", False, mode, gid, words_of(problem))
    if route.route_id != route_id:
        return Own(None, kept, False, mode, gid, f"was written for route {route.route_id}")
    return Own(route, kept, False, mode, gid)

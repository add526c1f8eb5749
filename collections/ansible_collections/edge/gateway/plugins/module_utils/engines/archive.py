# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that make this host the edge it is, for a backup, and put in place again."""

from __future__ import annotations

import stat
import time
from typing import Dict, Iterator, List, Mapping, Set, Tuple

from ..errors import InvalidInput, StateRefused
from ..formats import certificates, route_file, wireguard
from ..formats.archive_contents import checked, is_acme_store
from ..host import Host
from ..models import archive as kinds
from ..models import fields
from ..models.archive import DIRECTORIES, KINDS, Archive, KeptFile, KeptFiles, Kind, Places
from .base import BaseEngine
from .unit import TRAEFIK as TRAEFIK_UNIT
from .unit import Unit

# Traefik writes its stores in place
TRIES, PAUSE_SECONDS = 5, 0.2


class ArchiveEngine(BaseEngine[KeptFile]):
    """The files of one host.

    Args:
        interface: the mesh interface, whose key is ours.
        force: whether files that hold something else than the backup may be replaced.
    """

    def __init__(self, host: Host, places: Places, interface: str, force: bool = False) -> None:
        super().__init__(host)
        self.places, self.interface, self.force = places, interface, force
        self._kinds = {kind.name: kind for kind in KINDS}
        self._stopped = False

    def load(self) -> KeptFiles:
        """The files of ours that are there, as they are."""
        return {path: self._kept(path, data) for path, data in self._found()}

    def _found(self) -> Iterator[Tuple[str, bytes]]:
        for kind in (kinds.CHOICES, kinds.HUB, kinds.JOIN, kinds.PEERS, kinds.FORWARDS):
            for name in self._names(kind):
                yield from self._read(f"{self._folder(kind)}/{name}")
        yield from self._keys()
        yield from self._stores()
        yield from self._certificates()
        yield from self._routes()

    def _folder(self, kind: str) -> str:
        return self.places.folder(self._kinds[kind])

    def _read(self, path: str) -> Iterator[Tuple[str, bytes]]:
        data = self.host.read(path, own=True)
        if data is not None:
            yield path, data

    def _keys(self) -> Iterator[Tuple[str, bytes]]:
        """Keys of the mesh interface, and of others that we have set up; another one may be somebody else's."""
        folder = self._folder(kinds.KEY)
        for name in self._names(kinds.KEY):
            interface = name[:-len(".key")]
            text = (self.host.read_through(f"{folder}/{interface}.conf") or b"").decode("utf-8", "replace")
            if interface == self.interface or any(wireguard.is_by(author, text) for author in (wireguard.JOIN, wireguard.HUB)):
                yield from self._read(f"{folder}/{name}")

    def _stores(self) -> Iterator[Tuple[str, bytes]]:
        """Where Traefik keeps accounts and certificates; a new one is empty, and holds nothing that could be lost."""
        for name in self._names(kinds.ACME):
            path = f"{self._folder(kinds.ACME)}/{name}"
            data = b""
            for _try in range(TRIES):
                data = self.host.read(path) or b""
                if not data.strip() or is_acme_store(data.decode("utf-8", "replace")):
                    break
                time.sleep(PAUSE_SECONDS)
            else:
                self.warnings.append(f"{path} does not hold what Traefik keeps its certificates in, so it is not in the backup; "
                                     "look at what it is")
                continue
            if data.strip():
                yield path, data

    def _certificates(self) -> Iterator[Tuple[str, bytes]]:
        folder, path = self._folder(kinds.PAIR), f"{self._folder(kinds.NAMES)}/{certificates.NAME}"
        for _path, data in self._read(path):
            text = data.decode("utf-8", "replace")
            named = sorted(file for file in certificates.named_in(text) if file.rpartition("/")[0] == folder)
            if text.startswith(certificates.MARKER):
                yield path, data
            for file in named:
                yield from self._read(file)

    def _routes(self) -> Iterator[Tuple[str, bytes]]:
        folder, names = self._folder(kinds.ROUTE), self._names(kinds.ROUTE)
        for name, data in self.host.read_many(folder, names) if names else ():
            if data is not None and route_file.is_ours(data.decode("utf-8", "replace")):
                yield f"{folder}/{name}", data

    def _names(self, kind: str) -> List[str]:
        """Names that files of a kind may have; what is no regular file is refused when it is read."""
        return [name for name in self.host.names(self._folder(kind)) if fields.matches(self._kinds[kind].pattern, name)]

    def _kept(self, path: str, data: bytes) -> KeptFile:
        status = self.host.mode(path)
        if status is None:
            raise StateRefused(f"{path} is gone while it was looked at; run again", path)
        owner = next((name for name in (kinds.ROOT, kinds.TRAEFIK) if self.host.user_id(name) == status.st_uid), str(status.st_uid))
        return KeptFile(path, stat.S_IMODE(status.st_mode), owner, self.host.group_name(status.st_gid), data.decode("utf-8", "replace"))

    def take(self, node: str) -> Archive:
        """A backup, under the lock, so that its files are of one moment.

        Raises:
            StateRefused: there is nothing, or a file is damaged and could not be restored.
        """
        def refuse(problem: str) -> StateRefused:
            return StateRefused(f"{node} {problem}; nothing was backed up, repair it (or move it away) and run again", node)

        with self.lock():
            found = self.load()
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if not found:
            raise StateRefused(f"{node} has no file of edge.gateway; set it up with site.yml, or correct the host", node)
        return Archive(node, moment, checked({path: self._closed(item) for path, item in found.items()}, self.places, refuse))

    def _closed(self, item: KeptFile) -> KeptFile:
        """The file as it is to be: a mode that somebody has opened is not what a backup is for."""
        kind = self.places.kind_of(item.path) or KINDS[0]
        return KeptFile(item.path, item.mode & kind.mode, kind.owner, item.group if item.group == kinds.ROOT else kind.group, item.content)

    def read(self) -> Mapping[str, object]:
        """The same as :meth:`load`: a file is in effect as it stands."""
        return dict(self.load())

    def render(self, items: KeptFiles) -> Mapping[str, object]:
        """A file is wanted as it is."""
        return dict(items)

    def check(self, before: KeptFiles, after: KeptFiles) -> None:
        """Refuse to make another edge of one that is there."""
        self.warnings.clear()      # they are about backups
        others = sorted((path for path, item in before.items() if path not in after or after[path].content != item.content),
                        key=lambda path: KINDS.index(self.places.kind_of(path) or KINDS[-1]))
        if others and not self.force:
            more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
            raise StateRefused(f"{others[0]}{more} on this host is not what the backup holds; nothing was changed, restore to another "
                               "host, or set force (edge_gateway_restore_force: true) to give this one the state of the backup", others[0])

    def ready(self, after: KeptFiles) -> None:
        """Raise when an owner does not exist."""
        for item in after.values():
            self._ids(item.owner, item.group)

    def _ids(self, owner: str, group: str) -> Tuple[int, int]:
        uid, gid = self.host.user_id(owner), self.host.group_id(group)
        if uid is None or gid is None:
            raise InvalidInput("owner", f"{owner}:{group}", "does not exist on this host; restore with the playbook restore.yml, which "
                                                            "creates Traefik's user, or create it")
        return uid, gid

    def write(self, before: KeptFiles, after: KeptFiles) -> None:
        """Put the files that differ in place, the keys first; those that are not in the backup go, with their earlier versions."""
        live, taken_back = self.load(), self._stopped
        changed = {path: item for path, item in after.items() if live.get(path) != item}
        # what a failed run has put in place need not be found: certificates are known by the file that names them
        gone = {path: item for path, item in {**before, **live}.items() if path not in after}
        if kinds.of_kind({**changed, **gone}, self.places, kinds.ACME):
            self._stop_traefik()
        for (kind, mode, owner, group), files in self._batches(changed).items():
            uid, gid = self._ids(owner, group)
            self._make_directory(kind)
            self.host.write_all(self.places.folder(kind), files, mode, gid, watched=kind.folder == "dynamic_dir", uid=uid)
        for path in gone:
            self.host.remove(path)
            self.host.remove(f"{path}.prev")
        if taken_back:
            self._start_traefik()

    def _batches(self, files: KeptFiles) -> Dict[Tuple[Kind, int, str, str], Dict[str, str]]:
        """What can be put in place at once: thousands of routes, say."""
        found: Dict[Tuple[Kind, int, str, str], Dict[str, str]] = {}
        for kind, item in kinds.in_order(files, self.places):
            found.setdefault((kind, item.mode, item.owner, item.group), {})[item.name] = item.content
        return found

    def _make_directory(self, kind: Kind) -> None:
        folder = self.places.folder(kind)
        if self.host.mode(folder) is None:
            mode, owner, group = DIRECTORIES[kind.folder]
            uid, gid = self._ids(owner, group)
            self.host.set_directory(folder, mode, gid, uid)

    def finish(self, before: KeptFiles, after: KeptFiles, touched: Set[str]) -> None:
        """Let Traefik go on, with the certificates of the backup."""
        self._start_traefik()

    def _stop_traefik(self) -> None:
        """It keeps its stores in memory, and would write them over those of the backup."""
        unit = Unit(self.host, TRAEFIK_UNIT)
        if unit.status().active:
            unit.stop()
            self._stopped = True

    def _start_traefik(self) -> None:
        if self._stopped and not Unit(self.host, TRAEFIK_UNIT).restart():
            self.warnings.append(f"{TRAEFIK_UNIT} does not start again; apply the role edge.gateway.traefik, which tells why")
        self._stopped = False

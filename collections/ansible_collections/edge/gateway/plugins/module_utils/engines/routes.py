# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS and TCP routes: one file per route in the directory that Traefik watches. The files are also the state."""

from __future__ import annotations

import contextlib
import stat
from typing import Collection, Dict, Iterator, List, Mapping, Optional, Set

from ..errors import InvalidInput, StateRefused, Unreachable
from ..formats import route_file, traefik, yaml_text
from ..formats.dynamic_file import ANY
from ..host import Host
from ..models import changes
from ..models import route_rules as rules
from ..models.route import Route, Routes
from ..models.route_rules import Claim, Static
from . import held_certificates, lookup, system
from .base import BaseEngine
from .dynamic_dir import SUFFIX, DynamicDir
from .traefik_api import TraefikApi
from .unit import TRAEFIK, Unit

MODE = 0o640
# of routes that a run touches; waiting lasts a second longer for each
ROUTES_PER_SECOND = 200
# of names that are looked up before a certificate is ordered
MOST_NAMES, LOOKUP_SECONDS = 50, 3.0


class RouteEngine(BaseEngine[Route]):
    """Routes of one host.

    Args:
        api: where to ask Traefik whether a route is live; None to trust the file.
        wait_timeout: seconds until a route that is not live counts as failed.
        static: what Traefik's static configuration offers; None when that is not known.
        wait_certificate: seconds until a certificate that a route's resolver has not brought counts as failed; 0 not to look.
        watched: ids that must be live at the end; other routes' troubles are not this run's.
        allow_local_target: accept the edge itself as a target.
    """

    def __init__(self, host: Host, dynamic_dir: str, api: Optional[TraefikApi], wait_timeout: float, *,
                 static: Optional[Static] = None, wait_certificate: float = 0, watched: Collection[str] = (),
                 allow_local_target: bool = False) -> None:
        super().__init__(host)
        self.directory = DynamicDir(host, dynamic_dir)
        self.api, self.wait_timeout, self.static = api, wait_timeout, static
        self.wait_certificate, self.watched = wait_certificate, watched
        self._fresh = False
        self.allow_local_target = allow_local_target

    @property
    def path(self) -> str:
        """The directory."""
        return self.directory.path

    def load(self) -> Routes:
        """The routes that our files were written for."""
        self._look()
        routes = {}
        for name, file in self.directory.ours.items():
            if file.route is None:
                raise StateRefused(f"{self.path}/{name}{SUFFIX} {file.problem}; nothing was changed, "
                                   "remove the file if the route is not needed", name)
            routes[name] = file.route
        return routes

    def read(self) -> Mapping[str, object]:
        """Header, mode and group of our files, and whether each is as it was written."""
        if not self._fresh:
            self._look()
        return {name: (file.kept, file.intact, file.mode, file.gid) for name, file in self.directory.ours.items()}

    def _look(self) -> None:
        self.directory.look()
        self._fresh = True

    def render(self, items: Routes) -> Mapping[str, object]:
        """The same as Traefik needs them: a file it cannot read stops the loading of all others."""
        gid, ours = self.directory.gid, self.directory.ours
        wanted: Dict[str, object] = {}
        for name, item in items.items():
            file = ours.get(name)
            kept = file.kept if file is not None and file.route is item and file.intact else route_file.header(item)
            wanted[name] = (kept, True, MODE, gid)
        return wanted

    def check(self, before: Routes, after: Routes) -> None:
        """Refuse what Traefik would take without a word and serve otherwise, or not at all."""
        changed = {name: item for name, item in after.items() if before.get(name) is not item and before.get(name) != item}
        self._check_directory(bool(changed) or before.keys() != after.keys())
        rules.check_clashes(after, before, self._claims(after))
        own = system.own_addresses(self.host) if changed and not self.allow_local_target else set()
        for name, item in sorted(changed.items()):
            self._check_names(name, item)
            if not self.allow_local_target:
                rules.check_targets(item, own)
            if self.static:
                rules.check_static(item, self.static)
            self._check_references(item)
        self._check_version(changed)
        self._preflight(changed, before)

    def _check_directory(self, changes: bool) -> None:
        for sentence in self.directory.broken():
            trouble = f"{sentence}: while it is there Traefik loads no file of the directory, and would have no route after a restart"
            if self.api and (changes or not all(file.intact for file in self.directory.ours.values())):
                raise StateRefused(f"{trouble}; nothing was changed and what is served stays so, correct that file or move it away",
                                   "dynamic_dir")
            self.warnings.append(f"{trouble}; correct that file or move it away")
        self.warnings += self._doubts()
        if self.directory.foreign and not yaml_text.available():
            self.warnings.append(f"files in {self.path} that edge.gateway did not write were not checked, since this host has no PyYAML; "
                                 "install python3-yaml")

    def _doubts(self) -> List[str]:
        return [f"{sentence}: it may keep Traefik from loading any file of the directory; look at it"
                for sentence in self.directory.doubtful()]

    def _claims(self, after: Routes) -> Iterator[Claim]:
        """What files of others serve, on the entrypoints that matter here."""
        points = {point for item in after.values() for point in item.entrypoint} if self.directory.foreign else set()
        for file in self.directory.foreign.values():
            for claim in file.claims:
                for point in sorted(points) if claim.entrypoint == ANY else (claim.entrypoint,):
                    yield claim._replace(entrypoint=point)

    def _check_names(self, name: str, item: Route) -> None:
        if name not in self.directory.ours and self.host.mode(f"{self.path}/{name}{SUFFIX}") is not None:
            raise InvalidInput("route_id", name, f"has a file in {self.path} that edge.gateway did not write; "
                                                 "choose another id or move that file away")
        if not self.directory.foreign:
            return
        wanted = list(traefik.names(item))
        for file_name, file in sorted(self.directory.foreign.items()):
            taken = next((f"{kind[:-1]} {part}" for kind, part in wanted if part in file.names.get(kind, ())), None)
            if taken:
                raise InvalidInput("route_id", name, f"cannot be used: the {taken} stands in {self.path}/{file_name} too, and Traefik "
                                                     "skips one of the two; choose another id")

    def _check_references(self, item: Route) -> None:
        for option, kind, name, provider in rules.references(item):
            lent = any(name in file.names.get(kind, ()) for file in self.directory.foreign.values())
            unclear = provider != "file" or any(file.opaque for file in self.directory.foreign.values())
            if not lent and not unclear:
                raise rules.missing_reference(item, option, kind, name)

    def _check_version(self, changed: Routes) -> None:
        """Refuse wildcards where Traefik would take them for names that nobody asks for, and report them enabled."""
        wild = next(((name, item.route_id) for item in changed.values() for name in item.hostname if name.startswith("*.")), None)
        if wild and self.api:
            with contextlib.suppress(Unreachable):      # told later, when it has to answer
                version = self.api.version()
                if rules.knows_no_wildcards(version):
                    raise InvalidInput("hostname", wild[0], f"of {wild[1]} is a wildcard, which Traefik {version} does not know; "
                                                            "upgrade it to 3.7 (edge_gateway_traefik_version), or give exact names")

    def _preflight(self, changed: Routes, before: Routes) -> None:
        """Warn of names that do not point here: the authority would not reach the edge by them."""
        ordering = [item for item in changed.values() if rules.ordered_from_outside(item, self.static)]
        known = {name for item in before.values() if item.certresolver for name in item.hostname} if ordering else set()
        names = sorted({name for item in ordering for name in item.hostname if not name.startswith("*.")} - known)[:MOST_NAMES]
        if not names:
            return
        own = rules.public(system.own_addresses(self.host)) | frozenset(system.choices(self.host).public_addresses)
        found = lookup.addresses(names, LOOKUP_SECONDS)
        self.warnings += [words for name in names if name in found for words in [rules.check_pointed(name, found[name], own)] if words]

    def explain(self, before: Routes, after: Routes, named: List[str], parts: List[str]) -> List[str]:
        """In the users' words."""
        return changes.of_routes(before, after, named) + changes.of_parts(parts)

    def ready(self, after: Routes) -> None:
        """Raise without the directory or a file that a route needs, or when Traefik would have to confirm and does not answer."""
        status = self.host.mode(self.path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            raise StateRefused(f"dynamic_dir {self.path} is not a directory; apply the role edge.gateway.traefik, "
                               "which creates it before Traefik starts", "dynamic_dir")
        # not foreseen by check mode: an earlier task may be about to put them there
        for option, file in (found for name, item in after.items() if name in self.watched for found in rules.transport_files(item)):
            if self.host.mode(file) is None:
                raise InvalidInput(option, file, "is not there on this host; put the file there first")
        if self.api:
            self.api.version()

    def write(self, before: Routes, after: Routes) -> None:
        """Rename the files that differ into place together; unchanged ones are left alone, each event costs a reload."""
        live, wanted = self.read(), self.render(after)
        files: Dict[str, Optional[str]] = {
            name + SUFFIX: route_file.render(item) for name, item in after.items() if live.get(name) != wanted[name]}
        files.update({name + SUFFIX: None for name in live if name not in after})
        self._fresh = False
        if files:
            self.host.write_all(self.path, files, MODE, self.directory.gid, watched=True)

    def confirm(self, before: Routes, after: Routes, touched: Set[str]) -> None:
        """Raise unless Traefik reports the watched routes enabled as they were written, and the removed ones gone."""
        if not self.api:
            return
        watched = [item for name, item in after.items() if name in touched or name in self.watched]
        self.api.wait(watched, set(before) - set(after), self.wait_timeout + len(touched) / ROUTES_PER_SECOND,
                      hints=self._hints(), nudge=self._nudge)
        if not touched:
            self._await_certificates(watched)
        else:
            # it has loaded the directory with that file in it
            self.warnings = [words for words in self.warnings if words not in self._doubts()]

    def finish(self, before: Routes, after: Routes, touched: Set[str]) -> None:
        """Wait for certificates, if asked to. What is served stays: without its route no certificate would come."""
        self._await_certificates([item for name, item in after.items() if name in touched or name in self.watched])

    def _await_certificates(self, routes: Collection[Route]) -> None:
        if self.api and self.wait_certificate:
            held_certificates.await_all(self.host, self.api, routes, self.wait_certificate)

    def _hints(self) -> List[str]:
        """What may keep Traefik from loading what has been written."""
        hints = [*self.directory.broken(), *self.directory.doubtful()]
        if self.static and self.static.directory.rstrip("/") != self.path.rstrip("/"):
            hints.append(f"Traefik loads {self.static.directory or 'no directory'}, and dynamic_dir is {self.path}")
        if self.static and not self.static.watched:
            hints.append("watch is off for Traefik's file provider, it has to be restarted to see a change")
        return hints or [f"{self.path}/{name} cannot be understood here"
                         for name, file in sorted(self.directory.foreign.items()) if file.opaque]

    def _nudge(self) -> None:
        """Make Traefik load the directory although no event told it to: a directory that was replaced is no longer watched."""
        main = Unit(self.host, TRAEFIK).status().main_pid
        for pid in [main] if main else self.host.processes("traefik"):
            self.host.hang_up(pid)

    def live(self, routes: Routes) -> Dict[str, str]:
        """What Traefik reports per route: its status, ``missing``, or ``unknown`` when it does not answer."""
        if self.api is None:
            return dict.fromkeys(routes, "unknown")
        try:
            return self.api.statuses(routes.values())
        except Unreachable:
            return dict.fromkeys(routes, "unknown")

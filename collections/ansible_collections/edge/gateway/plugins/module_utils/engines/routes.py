# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS routes: one file per route in the directory that Traefik watches. The files are also the state."""

from __future__ import annotations

import stat
from typing import Collection, Dict, Iterable, List, Mapping, Optional, Set

from ..errors import InvalidInput, StateRefused, Unreachable
from ..formats import traefik
from ..host import Host
from ..models import route as rules
from ..models.route import Route, Routes
from . import system
from .base import BaseEngine
from .traefik_api import TraefikApi

MODE = 0o640
SUFFIX = ".yml"
LOADED = (".yml", ".yaml", ".toml")


class RouteEngine(BaseEngine[Route]):
    """Routes of one host.

    Args:
        api: where to ask Traefik whether a route is live; None to trust the file.
        wait_timeout: seconds until a route that is not live counts as failed.
        watched: ids that must be live at the end; other routes' troubles are not this run's.
        allow_local_target: accept the edge itself as a target.
    """

    def __init__(self, host: Host, dynamic_dir: str, api: Optional[TraefikApi], wait_timeout: float, *,
                 watched: Collection[str] = (), allow_local_target: bool = False) -> None:
        super().__init__(host)
        self.directory, self.api, self.wait_timeout = dynamic_dir, api, wait_timeout
        self.watched = watched
        self.allow_local_target = allow_local_target

    def load(self) -> Routes:
        """The routes that our files were written for."""
        routes = {}
        for name, text in self._ours().items():
            try:
                route = traefik.parse(text)
                if route.route_id != name:
                    raise ValueError(f"was written for route {route.route_id}")
            except ValueError as problem:
                raise StateRefused(f"{self.directory}/{name}{SUFFIX} {problem}; nothing was changed, "
                                   "remove the file if the route is not needed", name) from None
            routes[name] = route
        return routes

    def read(self) -> Mapping[str, object]:
        """Text, mode and group of our files."""
        live: Dict[str, object] = {}
        for name, text in self._ours().items():
            status = self.host.mode(f"{self.directory}/{name}{SUFFIX}")
            if status is not None:
                live[name] = (text, stat.S_IMODE(status.st_mode), status.st_gid)
        return live

    def render(self, items: Routes) -> Mapping[str, object]:
        """Text, mode and group as Traefik needs them: a file it cannot read stops the loading of all others."""
        return {name: (traefik.render(item), MODE, self._group()) for name, item in items.items()}

    def check(self, before: Routes, after: Routes) -> None:
        """Refuse clashes, targets on the edge itself, and names that someone else's file has."""
        rules.check_clashes(after, before)
        ours = self._ours()
        own = None
        for name, item in sorted(after.items()):
            if name not in ours and self.host.mode(f"{self.directory}/{name}{SUFFIX}") is not None:
                raise InvalidInput("route_id", name, f"has a file in {self.directory} that edge.gateway did not write; "
                                                     "choose another id or move that file away")
            if before.get(name) != item and not self.allow_local_target:
                own = system.own_addresses(self.host) if own is None else own
                rules.check_targets(item, own)

    def ready(self, after: Routes) -> None:
        """Raise without the directory, or when Traefik would have to confirm and does not answer."""
        status = self.host.mode(self.directory)
        if status is None or not stat.S_ISDIR(status.st_mode):
            raise StateRefused(f"dynamic_dir {self.directory} is not a directory; apply the role edge.gateway.traefik, "
                               "which creates it before Traefik starts", "dynamic_dir")
        if self.api:
            self.api.version()

    def write(self, before: Routes, after: Routes) -> None:
        """Rename the files that differ into place together; unchanged ones are left alone, each event costs a reload."""
        live, wanted = self.read(), self.render(after)
        files: Dict[str, Optional[str]] = {
            name + SUFFIX: traefik.render(item) for name, item in after.items() if live.get(name) != wanted[name]}
        files.update({name + SUFFIX: None for name in live if name not in after})
        if files:
            self.host.write_all(self.directory, files, MODE, self._group())

    def confirm(self, before: Routes, after: Routes, touched: Set[str]) -> None:
        """Raise unless Traefik reports the watched routes enabled with their rules, and the removed ones gone."""
        if self.api:
            watched = [item for name, item in sorted(after.items()) if name in touched or name in self.watched]
            self.api.wait(watched, set(before) - set(after), self.wait_timeout, self._foreign())

    def live(self, routes: Routes) -> Dict[str, str]:
        """What Traefik reports per route: its status, ``missing``, or ``unknown`` when it does not answer."""
        if self.api is None:
            return dict.fromkeys(routes, "unknown")
        try:
            routers = self.api.routers()
        except Unreachable:
            return dict.fromkeys(routes, "unknown")
        return {name: _worst(routers[part].status if part in routers else "missing" for part in traefik.routers(item))
                for name, item in routes.items()}

    def _ours(self) -> Dict[str, str]:
        """Text of the files that carry our marker, by route id."""
        found = {}
        for name in self.host.names(self.directory):
            path = f"{self.directory}/{name}"
            status = self.host.mode(path)
            if not name.endswith(SUFFIX) or status is None or not stat.S_ISREG(status.st_mode):
                continue
            text = (self.host.read(path) or b"").decode("utf-8", "replace")
            if traefik.is_ours(text):
                found[name[:-len(SUFFIX)]] = text
        return found

    def _foreign(self) -> List[str]:
        """Names of the files that Traefik loads too, and that are not ours."""
        ours = {name + SUFFIX for name in self._ours()}
        return [name for name in self.host.names(self.directory) if name.lower().endswith(LOADED) and name not in ours]

    def _group(self) -> int:
        """Group of the directory: the role gives it to Traefik's user."""
        status = self.host.mode(self.directory)
        return status.st_gid if status else 0


def _worst(statuses: Iterable[str]) -> str:
    """The status of a route with several routers."""
    return next((status for status in statuses if status != "enabled"), "enabled")

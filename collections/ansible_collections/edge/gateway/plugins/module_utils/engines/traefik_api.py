# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's own word on its routers (GET /api/http/routers, Traefik v3)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Collection, Dict, Iterator, Tuple

from ..errors import Unreachable, VerifyFailed
from ..formats import traefik
from ..formats.traefik import Router
from ..models.route import Route
from ..models.target import Url
from .http import ExchangeFailed, exchange

ANSWER_SECONDS = 5.0
SIZE_LIMIT = 64 * 1024 * 1024
POLL_SECONDS = 0.05
REASON_LENGTH = 300


@dataclass(frozen=True)
class Reported:
    """One router as Traefik reports it; ``status`` is enabled, disabled or warning."""

    router: Router
    status: str
    errors: Tuple[str, ...]


class TraefikApi:
    """The API of the Traefik that runs on this host."""

    def __init__(self, url: Url) -> None:
        self.url = url

    def get(self, path: str) -> object:
        """One document of the API.

        Raises:
            Unreachable: nothing answers, or something that is not Traefik.
        """
        try:
            response = exchange("GET", self.url, path, ANSWER_SECONDS, size=SIZE_LIMIT)
            if response.status != 200:
                raise self._unreachable(f"HTTP {response.status}")
            document: object = json.loads(response.body)
        except ExchangeFailed as problem:
            raise self._unreachable(problem.detail) from None
        except (ValueError, RecursionError):
            raise self._unreachable("the answer is not JSON") from None
        return document

    def _unreachable(self, detail: str) -> Unreachable:
        return Unreachable(f"Traefik's API at {self.url} does not answer ({detail}); start Traefik "
                           "(role edge.gateway.traefik), correct api_url, or set wait to false", "api_url")

    def version(self) -> str:
        """Traefik's version."""
        document = self.get("/api/version")
        version = document.get("Version") if isinstance(document, dict) else None
        if not isinstance(version, str):
            raise self._unreachable("the answer is not Traefik's")
        return version

    def routers(self) -> Dict[str, Reported]:
        """HTTP routers of the file provider by name."""
        found = {}
        for name, entry in self._of_the_file_provider("routers"):
            errors, tls = entry.get("error"), entry.get("tls")
            router = Router(str(entry.get("rule", "")), _strings(entry.get("entryPoints")), str(entry.get("service", "")),
                            str(tls.get("certResolver", "")) if isinstance(tls, dict) else "")
            found[name] = Reported(router, str(entry.get("status", "")), _strings(errors))
        return found

    def services(self) -> Dict[str, Tuple[str, ...]]:
        """URLs of the servers of each HTTP service of the file provider."""
        found = {}
        for name, entry in self._of_the_file_provider("services"):
            balancer = entry.get("loadBalancer")
            listed = balancer.get("servers") if isinstance(balancer, dict) else None
            found[name] = tuple(str(server.get("url", "")) for server in listed or [] if isinstance(server, dict))
        return found

    def _of_the_file_provider(self, kind: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
        document = self.get(f"/api/http/{kind}?per_page=100000")
        if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
            raise self._unreachable("the answer is not Traefik's")
        for entry in document:
            name, _at, provider = str(entry.get("name", "")).partition("@")
            if provider == "file":
                yield name, entry

    def wait(self, routes: Collection[Route], gone: Collection[str], timeout: float, suspects: Collection[str] = ()) -> None:
        """Return when every route is enabled as it was written, and the others are gone.

        Args:
            gone: ids of removed routes.
            timeout: seconds.
            suspects: files of others, one of which may keep Traefik from loading any.

        Raises:
            VerifyFailed: Traefik has read a route and refuses it, or time is up; it carries Traefik's own reason.
        """
        end = time.monotonic() + timeout
        while True:
            routers, services = self.routers(), self.services()
            waiting = next((route.route_id for route in routes if not _is_served(route, routers, services)), None)
            waiting = waiting or next((name for name in sorted(gone) if not routers.keys().isdisjoint(traefik.router_names(name))), None)
            if waiting is None:
                return
            if time.monotonic() >= end:
                raise VerifyFailed(f"Traefik does not report route {waiting} {'gone' if waiting in gone else 'live'} after "
                                   f"{timeout:.0f} seconds ({_doubt(suspects)}see journalctl -u traefik); the files are as "
                                   "they were before, correct the cause and run again", waiting)
            time.sleep(POLL_SECONDS)


def _is_served(route: Route, routers: Dict[str, Reported], services: Dict[str, Tuple[str, ...]]) -> bool:
    """Whether Traefik serves a route as it was written; raises when it has read it and refuses."""
    for name, wanted in traefik.routers(route).items():
        reported = routers.get(name)
        if reported is None or reported.router != wanted:
            return False
        if reported.status != "enabled":
            reason = " ".join("; ".join(reported.errors).split())[:REASON_LENGTH]
            raise VerifyFailed(f"Traefik refuses route {route.route_id} ({reason or reported.status}); the files are as they "
                               "were before, correct the route and run again", route.route_id)
    return services.get(route.route_id) == traefik.servers(route)


def _doubt(suspects: Collection[str]) -> str:
    return f"a broken file stops all loading, look at {', '.join(suspects)}; " if suspects else ""


def _strings(value: object) -> Tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()

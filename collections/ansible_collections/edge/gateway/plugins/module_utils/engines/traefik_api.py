# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's own word on what it has loaded (GET /api/..., Traefik v3)."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Collection, Dict, List, Optional, Sequence, Tuple

from ..errors import Unreachable, VerifyFailed
from ..formats import traefik
from ..models.route import Route
from ..models.target import Url
from .http import ExchangeFailed, exchange

ANSWER_SECONDS = 5.0
SIZE_LIMIT = 64 * 1024 * 1024
POLL_SECONDS, SLOWEST_POLL = 0.03, 0.5
REASON_LENGTH = 300
# without an event, Traefik is asked to look; more than its default throttle of 2 s
NUDGE_SECONDS = 2.5
# so many are asked for one by one; for more, whole lists are fetched
FEW = 20
PROTOCOLS = ("http", "tcp")
KINDS = ("routers", "services", "middlewares")
Key = Tuple[str, str, str]
Reports = Callable[[Key], Optional[Dict[str, Any]]]


class TraefikApi:
    """The API of the Traefik that runs on this host."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self._silent = ""

    def get(self, path: str) -> object:
        """One document of the API, None when there is none (HTTP 404).

        Raises:
            Unreachable: nothing answers, or something that is not Traefik.
        """
        if self._silent:
            raise self._unreachable(self._silent)
        try:
            response = exchange("GET", self.url, path, ANSWER_SECONDS, size=SIZE_LIMIT)
            if response.status not in (200, 404):
                raise self._unreachable(f"HTTP {response.status}")
            document: object = json.loads(response.body) if response.status == 200 else None
        except ExchangeFailed as problem:
            # one that hangs is waited for once
            self._silent = problem.detail if problem.kind == "timeout" else ""
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

    def entry(self, key: Key) -> Optional[Dict[str, Any]]:
        """What it reports of one router, service or middleware of the file provider."""
        document = self.get("/api/{}/{}/{}@file".format(*key))
        return document if isinstance(document, dict) else None

    def entries(self, path: str) -> List[Dict[str, Any]]:
        """All of a list, whoever provided them."""
        document = self.get(f"{path}?per_page=1000000")
        if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
            raise self._unreachable("the answer is not Traefik's")
        return document

    def reports(self, protocols: Collection[str], kinds: Sequence[str] = KINDS) -> Reports:
        """A way to look things up in whole lists, which are fetched now."""
        known = {(word, kind, name): entry for word in protocols for kind in kinds
                 for entry in self.entries(f"/api/{word}/{kind}")
                 for name, _at, provider in [str(entry.get("name", "")).partition("@")] if provider == "file"}
        return known.get

    def statuses(self, routes: Collection[Route]) -> Dict[str, str]:
        """Status of each route's worst router: ``enabled``, ``disabled``, ``warning`` or ``missing``."""
        look = self.entry if len(routes) <= FEW else self.reports({protocol(route) for route in routes}, ["routers"])
        found = {}
        for route in routes:
            reports = [look((protocol(route), "routers", name)) or {} for name in traefik.router_names(route)]
            words = [str(report.get("status", "missing")) for report in reports]
            found[route.route_id] = next((word for word in words if word != "enabled"), "enabled")
        return found

    def wait(self, routes: Sequence[Route], gone: Collection[str], timeout: float, *, hints: Sequence[str] = (),
             nudge: Callable[[], None] = lambda: None) -> None:
        """Return when every route is enabled as it was written, and the others are gone.

        Args:
            gone: ids of removed routes.
            timeout: seconds.
            hints: what may keep Traefik from loading any file.
            nudge: makes Traefik look at the directory; called when it seems not to have noticed.

        Raises:
            VerifyFailed: Traefik has read a route and refuses it, or time is up; it carries Traefik's own reason.
        """
        start, pause, nudged = time.monotonic(), POLL_SECONDS, False
        waiting: List[Tuple[Route, bool]] = [(route, False) for route in routes] + [(route, True) for route in map(_stub, sorted(gone))]
        while True:
            waiting = self._still_waiting(waiting)
            passed = time.monotonic() - start
            if not waiting:
                return
            if passed >= timeout:
                raise _too_late(waiting[0], timeout, hints)
            if not nudged and passed >= min(NUDGE_SECONDS, timeout / 2):
                nudge()
                nudged = True
            time.sleep(min(pause, max(timeout - passed, 0)))
            pause = min(pause * 1.2, SLOWEST_POLL)

    def _still_waiting(self, waiting: List[Tuple[Route, bool]]) -> List[Tuple[Route, bool]]:
        if not waiting:
            return []
        # the last one first: files are renamed in that order, and a list of thousands is not worth asking for before
        if len(waiting) > FEW and not _arrived(*waiting[-1], self.entry):
            return waiting
        # what a route that is gone was, cannot be told from its id
        protocols = {word for route, gone in waiting for word in (PROTOCOLS if gone else (protocol(route),))}
        look = self.entry if len(waiting) <= FEW else self.reports(protocols)
        return [(route, gone) for route, gone in waiting if not _arrived(route, gone, look)]


def _arrived(route: Route, gone: bool, look: Reports) -> bool:
    if gone:
        return not any(look((word, "routers", name)) for word in PROTOCOLS for name in traefik.possible_names(route.route_id))
    return _is_served(route, look)


def _stub(route_id: str) -> Route:
    """Something with the id of a route that is no more."""
    return Route(route_id, ("gone.invalid",), ("http://gone.invalid",))


def protocol(route: Route) -> str:
    """Under which protocol the API lists a route."""
    return "tcp" if route.tcp else "http"


def _is_served(route: Route, look: Reports) -> bool:
    """Whether Traefik serves a route as it was written; raises when it has read it and refuses."""
    refused = []
    for key, wanted in traefik.reported(route).items():
        entry = look(key)
        if wanted is None and entry is None:
            continue
        if wanted is None or entry is None:
            return False
        enabled = entry.get("status", "enabled") == "enabled"
        if not traefik.holds(entry, wanted if enabled else traefik.reported(route, refused=True)[key]):
            return False
        if not enabled:
            refused.append(entry)
    if refused:
        reasons = {str(reason) for entry in refused for reason in entry.get("error") or []}
        words = " ".join("; ".join(sorted(reasons)).split())[:REASON_LENGTH] or str(refused[0].get("status"))
        raise VerifyFailed(f"Traefik refuses route {route.route_id} ({words}); the files are as they were before, "
                           "correct the route and run again", route.route_id)
    return True


def _too_late(first: Tuple[Route, bool], timeout: float, hints: Sequence[str]) -> VerifyFailed:
    route, gone = first
    doubt = f"{'; '.join(hints[:3])}; " if hints else ""
    return VerifyFailed(f"Traefik does not report route {route.route_id} {'gone' if gone else 'live'} after {timeout:.0f} seconds "
                        f"({doubt}see journalctl -u traefik); the files are as they were before, correct the cause and run again",
                        route.route_id)

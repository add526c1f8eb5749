# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's own word on its routers (GET /api/http/routers, Traefik v3)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Dict, Iterable, Mapping, Tuple

from ..errors import Unreachable, VerifyFailed
from ..models.target import Url
from .http import ExchangeFailed, exchange

ANSWER_SECONDS = 5.0
SIZE_LIMIT = 64 * 1024 * 1024
POLL_SECONDS = 0.05
REASON_LENGTH = 300


@dataclass(frozen=True)
class Router:
    """One router as Traefik reports it; ``status`` is enabled, disabled or warning."""

    rule: str
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

    def routers(self) -> Dict[str, Router]:
        """HTTP routers of the file provider by name."""
        document = self.get("/api/http/routers?per_page=100000")
        if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
            raise self._unreachable("the answer is not Traefik's")
        routers = {}
        for entry in document:
            name, _at, provider = str(entry.get("name", "")).partition("@")
            errors = entry.get("error")
            if provider == "file":
                routers[name] = Router(str(entry.get("rule", "")), str(entry.get("status", "")),
                                       tuple(map(str, errors)) if isinstance(errors, list) else ())
        return routers

    def wait(self, rules: Mapping[str, str], gone: Iterable[str], timeout: float) -> None:
        """Return when every router is enabled with its rule, and the others are gone.

        Args:
            rules: rule by router name.
            timeout: seconds.

        Raises:
            VerifyFailed: time is up; it carries Traefik's own reason.
        """
        end = time.monotonic() + timeout
        gone = set(gone)
        while True:
            routers = self.routers()
            waiting = [name for name, rule in sorted(rules.items())
                       if name not in routers or routers[name].rule != rule or routers[name].status != "enabled"]
            waiting += sorted(gone & set(routers))
            if not waiting:
                return
            if time.monotonic() >= end:
                name = waiting[0]
                errors = routers[name].errors if name in routers and name in rules else ()
                reason = " ".join("; ".join(errors).split())[:REASON_LENGTH]
                raise VerifyFailed(f"Traefik does not report route {name} {'live' if name in rules else 'gone'} after "
                                   f"{timeout:.0f} seconds ({reason or 'see journalctl -u traefik'}); the files are as "
                                   "they were before, correct the cause and run again", name)
            time.sleep(POLL_SECONDS)

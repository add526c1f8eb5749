# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that Traefik holds for routes, and why one is missing."""

from __future__ import annotations

import time
from typing import Collection, Dict, List, Optional

from ..errors import Unreachable, VerifyFailed
from ..formats.traefik_log import order_failures
from ..host import Host
from ..models.held_certificate import Certificate, covering
from ..models.route import PLAIN_ENTRYPOINT, Route
from . import system
from .traefik_api import TraefikApi
from .unit import TRAEFIK as UNIT

LINES = 2000
POLL_SECONDS = 0.5


def log(host: Host, lines: int = LINES) -> str:
    """The end of Traefik's log; empty where systemd does not keep it."""
    if not system.has_systemd(host) or host.find("journalctl") is None:
        return ""
    return host.run(["journalctl", f"--unit={UNIT}", f"--lines={lines}", "--output=cat", "--no-pager"], check=False).out


def held(api: TraefikApi) -> Optional[List[Certificate]]:
    """All certificates that Traefik holds, but for the one it makes up; None when it does not tell (before 3.7)."""
    document = api.get("/api/certificates?per_page=1000000")
    if not isinstance(document, list):
        return None
    found = [Certificate.parse(entry) for entry in document if isinstance(entry, dict)]
    return [item for item in found if item]


def missing(routes: Collection[Route], certificates: Collection[Certificate]) -> Dict[str, str]:
    """Names of routes whose resolver has brought no certificate, with the id of the route."""
    return {name: route.route_id for route in routes if route.certresolver and set(route.entrypoint) != {PLAIN_ENTRYPOINT}
            for name in route.hostname if covering(certificates, name) is None}


def reasons(host: Host, names: Collection[str]) -> Dict[str, str]:
    """Why there is no certificate for these names, where Traefik's log tells."""
    failures = order_failures(log(host)) if names else {}
    return {name: failures[name] for name in names if name in failures}


def await_all(host: Host, api: TraefikApi, routes: Collection[Route], seconds: float) -> None:
    """Return when every route with a resolver has its certificates.

    Raises:
        VerifyFailed: time is up; it carries the reason of Traefik's log. The routes stay, since without one no certificate comes.
    """
    end = time.monotonic() + seconds
    while True:
        certificates = held(api)
        if certificates is None:
            raise Unreachable("wait_certificate cannot be done, since this Traefik does not tell its certificates; upgrade to 3.7, "
                              "or leave it out", "wait_certificate")
        lacking = missing(routes, certificates)
        if not lacking:
            return
        if time.monotonic() >= end:
            name, route_id = sorted(lacking.items())[0]
            reason = reasons(host, [name]).get(name, "no reason is logged yet; the resolver may still be at it")
            raise VerifyFailed(f"route {route_id} is served, but {name} has no certificate after {seconds:.0f} seconds ({reason}); "
                               "correct the cause, Traefik tries again when the route changes or it is restarted", route_id)
        time.sleep(POLL_SECONDS)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of each route: its file, Traefik's words on it, its targets and its certificates. Read only."""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional, Tuple

from ..errors import Unreachable
from ..formats import traefik
from ..models.held_certificate import Certificate, covering
from ..models.route import PLAIN_ENTRYPOINT, Route, Routes
from . import held_certificates
from .dynamic_dir import SUFFIX
from .routes import RouteEngine
from .traefik_api import Reports, protocol

NO_CERTIFICATE = {"issuer": "", "serial": "", "names": [], "not_after": "", "days_left": 0}


def details(engine: RouteEngine, routes: Routes) -> Dict[str, Dict[str, Any]]:
    """Everything about each route that this host can tell, by id."""
    look, held = _asked(engine, routes)
    names = {name for item in routes.values() if item.certresolver for name in item.hostname}
    reasons = held_certificates.reasons(engine.host, names) if held is not None else {}
    found = {}
    for name, item in sorted(routes.items()):
        found[name] = {
            "file": f"{engine.path}/{name}{SUFFIX}", "intact": engine.directory.ours[name].intact,
            **_reported(item, look), "certificates": _certificates(item, held, reasons)}
    return found


def _asked(engine: RouteEngine, routes: Routes) -> Tuple[Optional[Reports], Optional[List[Certificate]]]:
    """What Traefik tells, as far as it answers."""
    if engine.api is None:
        return None, None
    try:
        return engine.api.reports({protocol(item) for item in routes.values()}), held_certificates.held(engine.api)
    except Unreachable:
        return None, None


def _reported(item: Route, look: Optional[Reports]) -> Dict[str, Any]:
    if look is None:
        return {"status": "unknown", "errors": [], "servers": {}}
    entries = {key: look(key) for key in traefik.reported(item)}
    routers = [(entry or {}).get("status", "missing") for (_protocol, kind, _name), entry in entries.items() if kind == "routers"]
    errors = sorted({str(error) for entry in entries.values() if entry for error in entry.get("error") or []})
    service = entries.get((protocol(item), "services", item.route_id)) or {}
    servers = service.get("serverStatus")
    return {"status": next((str(word) for word in routers if word != "enabled"), "enabled"), "errors": errors,
            "servers": dict(sorted(servers.items())) if isinstance(servers, dict) else {}}


def _certificates(item: Route, held: Optional[List[Certificate]], reasons: Dict[str, str]) -> Dict[str, Dict[str, Any]]:
    if held is None or item.pass_through or set(item.entrypoint) == {PLAIN_ENTRYPOINT}:
        return {}
    found = {}
    for name in item.hostname:
        one = covering(held, name)
        found[name] = {**(one.as_dict(int(time.time())) if one else NO_CERTIFICATE), "reason": reasons.get(name, "")}
    return found

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every part of an edge, without changing anything."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping

from ..errors import GatewayError
from ..host import Host
from ..models import health
from ..models.health import Part
from ..models.held_certificate import troubles
from . import held_certificates, mesh_state, system
from .forwards import BOOT_UNIT, ForwardEngine
from .reply_probe import one_way_nodes
from .routes import RouteEngine
from .traefik_api import TraefikApi


@dataclass(frozen=True)
class Places:
    """Where an edge keeps its things; the options of ``gateway_health``."""

    interface: str
    config_dir: str
    state_dir: str
    dynamic_dir: str
    api: TraefikApi


def examine(host: Host, places: Places) -> Dict[str, Part]:
    """The state of each part. A part that cannot even be looked at has failed, and says why."""
    parts: Dict[str, Callable[[Host, Places], Part]] = {"mesh": _mesh, "forwards": _forwards, "routes": _routes,
                                                        "certificates": _certificates}
    found = {}
    for name, look in parts.items():
        try:
            found[name] = look(host, places)
        except GatewayError as problem:
            found[name] = Part(health.FAILED, problem.message)
    return found


def _mesh(host: Host, places: Places) -> Part:
    return health.mesh(places.interface, mesh_state.look(host, places.interface, places.config_dir, places.state_dir))


def _forwards(host: Host, places: Places) -> Part:
    engine = ForwardEngine(host, places.state_dir, places.interface)
    with engine.lock():      # not between the state and the kernel of a run that is under way
        wanted = engine.load()
        missing = not_in_effect(engine.read(), engine.render(wanted)) if wanted else []
        blocked = [str(finding) for finding in engine.neighbours.report(wanted).findings]
    one_way = [] if missing or blocked else one_way_nodes(host, places.state_dir, places.interface, wanted.values())
    return health.forwards(len(wanted), missing, blocked, one_way, system.unit_state(host, BOOT_UNIT)[0])


def _routes(host: Host, places: Places) -> Part:
    if host.mode(places.dynamic_dir) is None:
        return Part(health.OK, "Traefik is not set up on this host")
    engine = RouteEngine(host, places.dynamic_dir, places.api, 0)
    live = engine.live(engine.load())
    return health.routes(live, "unknown" not in live.values() and bool(places.api.version()), engine.directory.broken())


def _certificates(host: Host, places: Places) -> Part:
    if host.mode(places.dynamic_dir) is None:
        return Part(health.OK, "Traefik is not set up on this host")
    held = held_certificates.held(places.api)
    if held is None:
        return health.certificates(None, {}, [], [])
    missing = held_certificates.missing(RouteEngine(host, places.dynamic_dir, places.api, 0).load().values(), held)
    reasons = held_certificates.reasons(host, missing)
    ended, soon = troubles(held, int(time.time()))
    return health.certificates(len(held), {name: reasons.get(name, "") for name in missing}, ended, soon)


def not_in_effect(live: Mapping[str, object], wanted: Mapping[str, object]) -> List[str]:
    """Names of what is wanted and not live that way."""
    return sorted(name for name, value in wanted.items() if live.get(name) != value)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every part of an edge, without changing anything."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping

from ..errors import GatewayError, MissingTool, Unreachable, help_for
from ..host import Host
from ..models import fields, health
from ..models.edits import is_over
from ..models.forward import Forwards
from ..models.health import Part
from ..models.held_certificate import troubles
from . import conntrack, held_certificates, mesh_state, rollback, system
from .forwards import BOOT_UNIT, FORWARDING_PARTS, ForwardEngine
from .history import Chronicle
from .reply_probe import one_way_nodes
from .routes import RouteEngine
from .traefik_api import TraefikApi
from .unit import TRAEFIK, Unit

ABSENT = "Traefik is not set up on this host"
EXPIRY_TIMER = "edge-gateway-expire.timer"
# the timer looks once a minute
EXPIRY_SECONDS = 120


@dataclass(frozen=True)
class Places:
    """Where an edge keeps its things, and after how many seconds without a run it is degraded; the options of ``gateway_health``."""

    interface: str
    config_dir: str
    state_dir: str
    dynamic_dir: str
    api: TraefikApi
    max_age: int = 0


def examine(host: Host, places: Places) -> Dict[str, Part]:
    """The state of each part. A part that cannot even be looked at has failed, and says why."""
    parts: Dict[str, Callable[[Host, Places], Part]] = {
        "mesh": _mesh, "forwarding": _forwarding, "forwards": _forwards, "traefik": _traefik, "routes": _routes,
        "certificates": _certificates, "expiry": _expiry, "disk": _disk, "converge": _converge}
    found = {}
    for name, look in parts.items():
        try:
            found[name] = look(host, places)
        except GatewayError as problem:
            found[name] = Part(health.FAILED, problem.message, problem.remedy, help=help_for(problem.code, problem.option))
    return found


def _mesh(host: Host, places: Places) -> Part:
    return health.mesh(places.interface, mesh_state.look(host, places.interface, places.config_dir, places.state_dir))


def _forwards(host: Host, places: Places) -> Part:
    engine = ForwardEngine(host, places.state_dir, places.interface)
    with engine.lock():      # not between the state and the kernel of a run that is under way
        wanted = engine.load()
        missing = not_in_effect(engine.read(), engine.render(wanted)) if wanted else []
        missing = [part for part in missing if part not in FORWARDING_PARTS.values()]      # a part of its own
        blocked = [str(finding) for finding in engine.neighbours.report(wanted).findings]
    one_way = [] if missing or blocked else one_way_nodes(host, places.state_dir, places.interface, wanted.values())
    return health.forwards(len(wanted), missing, blocked, one_way, system.unit_state(host, BOOT_UNIT)[0],
                           gone=_gone(engine, wanted))


def _gone(engine: ForwardEngine, wanted: Forwards) -> str:
    """What is said of the firewall's program when it is not there, though the kernel goes on without it."""
    try:
        engine.ready(wanted)
    except MissingTool as problem:
        return problem.message
    return ""


def _forwarding(host: Host, places: Places) -> Part:
    engine = ForwardEngine(host, places.state_dir, places.interface)
    needed = sorted({item.family for item in engine.load().values()})
    off = [family for family in needed if engine.forwarding.live(family) != engine.forwarding.settings({family})]
    return health.forwarding(needed, off, conntrack.fullness(host))


def _traefik(host: Host, places: Places) -> Part:
    if host.mode(places.dynamic_dir) is None:
        return Part(health.OK, ABSENT)
    active = Unit(host, TRAEFIK).status().active if system.has_systemd(host) else None
    try:
        return health.traefik(places.api.version(), active)
    except Unreachable:
        return health.traefik("", active)


def _expiry(host: Host, places: Places) -> Part:
    items = [*ForwardEngine(host, places.state_dir, places.interface).load().items(),
             *(RouteEngine(host, places.dynamic_dir, None, 0).load().items() if host.mode(places.dynamic_dir) else ())]
    now = host.now()
    late = sorted(name for name, item in items if is_over(item, fields.moment_of(fields.seconds(now) - EXPIRY_SECONDS)))
    waiting = sum(bool(item.expires) and not is_over(item, now) for _name, item in items)
    return health.expiry(late, waiting, system.unit_state(host, EXPIRY_TIMER)[1])


def _disk(host: Host, places: Places) -> Part:
    free, total, _read_only = host.space(places.state_dir)
    closed = [path for path in (places.state_dir, places.dynamic_dir, system.CHOICES_FILE.rpartition("/")[0]) if host.space(path)[2]]
    return health.disk(free, total, places.state_dir, closed)


def _converge(host: Host, places: Places) -> Part:
    runs = Chronicle(host, places.state_dir).load().runs
    last = max(runs.values(), default="")
    age = int(time.time()) - fields.seconds(last) if last else None
    return health.converged(runs, age, places.max_age, rollback.unfinished(host, last))


def _routes(host: Host, places: Places) -> Part:
    if host.mode(places.dynamic_dir) is None:
        return Part(health.OK, ABSENT)
    engine = RouteEngine(host, places.dynamic_dir, places.api, 0)
    wanted = engine.load()
    live = engine.live(wanted)
    return health.routes(live, "unknown" not in live.values() and bool(places.api.version()), engine.directory.broken(),
                         not_in_effect(engine.read(), engine.render(wanted)))


def _certificates(host: Host, places: Places) -> Part:
    if host.mode(places.dynamic_dir) is None:
        return Part(health.OK, ABSENT)
    held = held_certificates.held(places.api)
    if held is None:
        return health.certificates(None, {}, [], [])
    missing = held_certificates.missing(RouteEngine(host, places.dynamic_dir, places.api, 0).load().values(), held)
    reasons = held_certificates.reasons(host, missing)
    ended, soon = troubles(held, int(time.time()))
    return health.certificates(len(held), {name: reasons.get(name, "") for name in missing}, ended, soon,
                               min((item.not_after for item in held), default=None))


def not_in_effect(live: Mapping[str, object], wanted: Mapping[str, object]) -> List[str]:
    """Names of what is wanted and not live that way."""
    return sorted(name for name, value in wanted.items() if live.get(name) != value)

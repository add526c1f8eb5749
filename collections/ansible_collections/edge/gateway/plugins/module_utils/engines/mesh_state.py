# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers how this host stands in its mesh, without changing anything."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from typing import Any, Dict, Iterable, List, Optional, Tuple, cast

from ..errors import GatewayError
from ..formats import wireguard
from ..formats.drift import closed, drift
from ..formats.wireguard import Link, Peer
from ..host import Host
from ..models.hub import Hub, Registration
from ..models.join import Membership, digest_of
from ..models.mesh_state import HUB, MEMBER, NONE, Clock, MeshState, Node, age_of, clock, is_connected
from . import hub, system
from .hub import FORWARDING_FILE_PART, FORWARDING_PART, INTERFACE_PART, HubEngine
from .interface import Interface, Standing
from .wireguard import JoinOptions, MeshEngine

Found = Tuple[List[str], Optional[Standing]]
TIMEDATECTL_SECONDS = 5.0


def look(host: Host, name: str, config_dir: str, data_dir: str) -> MeshState:
    """How this host stands in the mesh on one interface.

    Raises:
        StateRefused: a state file, or a key, is damaged.
    """
    engine = MeshEngine(host, name, config_dir, data_dir, JoinOptions())
    with engine.lock():         # not between the state and the interface of a run that is under way
        member = engine.load().get(name)
        settings = hub.settings(host) if member is None else None
        if settings is not None and settings.interface == name:
            return _as_hub(host, settings, config_dir, data_dir, engine.report(None))
        found = _member_drift(engine, member, config_dir)
        link = engine.tunnel.dump()
        state = _state(engine.interface, MEMBER if member else NONE, link, found, engine.store.path)
    peer = next((peer for peer in link.peers if member and member.answer and peer.public_key == member.answer.controller_pubkey),
                None) if link else None
    return replace(state, identity=engine.report(member), peer_endpoint=peer.endpoint if peer else "")


def _member_drift(engine: MeshEngine, member: Optional[Membership], config_dir: str) -> Found:
    """What a run would repair; what it would refuse is told as it would say it."""
    try:
        if member is None:
            standing = engine.read().get(engine.name) if wireguard.is_by(wireguard.JOIN, engine.interface.text() or "") else None
            return ["files of a mesh are left that this host has not joined"] if standing else [], None
        if member.answer is None:
            return ["it has not joined yet"], None
        # what a task gives, and nobody keeps but the interface's file
        shared = _shared_key(engine, member.preshared)
        engine = MeshEngine(engine.host, engine.name, config_dir, engine.data_dir, JoinOptions(preshared_key=shared))
        live = cast(Optional[Standing], engine.read().get(engine.name))
        return drift(live, cast(Standing, engine.render(engine.load())[engine.name]), "clients", {}), live
    except GatewayError as problem:
        return [problem.message], None


def _shared_key(engine: MeshEngine, digest: str) -> str:
    """The key shared with the peer: the one of this digest, in the file or, if that was edited, in the running interface."""
    link = engine.tunnel.dump()
    keys = [*wireguard.preshared_keys(engine.interface.text() or ""), *(peer.preshared_key for peer in (link.peers if link else ()))]
    return next((key for key in keys if digest and _has_digest(key, digest)), "")


def _has_digest(key: str, digest: str) -> bool:
    try:
        return digest_of(key) == digest
    except GatewayError:        # no key at all, by somebody's hand
        return False


def _as_hub(host: Host, settings: Hub, config_dir: str, data_dir: str, identity: Dict[str, Any]) -> MeshState:
    engine = HubEngine(host, settings, config_dir, data_dir)
    link, items = engine.interface.tunnel.dump(), engine.load()
    state = _state(engine.interface, HUB, link, _hub_drift(engine), engine.store.path)
    now = time.time()
    peers = {peer.public_key: peer for peer in link.peers} if link else {}
    identity = {**identity, "node_ip": settings.own[0] if settings.own else "", "node_ips": list(settings.own),
                "allowed_ips": list(settings.pools)}
    return replace(state, identity=identity, peers=tuple(_node(item, peers, now) for _name, item in sorted(items.items())))


def _node(item: Registration, peers: Dict[str, Peer], now: float) -> Node:
    """A node, by whichever of its keys it calls."""
    known = [peers[key] for key in (item.public_key, item.next_public_key) if key in peers]
    latest = max(known, key=lambda peer: peer.latest_handshake, default=None)
    age = age_of(latest.latest_handshake if latest else 0, now)
    return Node(item.node_id, item.addresses[0] if item.addresses else "", latest.endpoint if latest else "", age,
                sum(peer.received for peer in known), sum(peer.sent for peer in known), is_connected(age), bool(item.next_public_key))


def _hub_drift(engine: HubEngine) -> Found:
    try:
        items = engine.load()
        live, wanted = engine.read(), engine.render(items)
    except GatewayError as problem:
        return [problem.message], None
    standing, asked = cast(Optional[Standing], live.get(INTERFACE_PART)), cast(Standing, wanted[INTERFACE_PART])
    names = {key: f"{name}{suffix}" for name, item in items.items()
             for key, suffix in ((item.public_key, ""), (item.next_public_key, " (next key)")) if key}
    found = drift(_with_peers(standing, live), _with_peers(asked, wanted) or asked, "the mesh", names)
    for part, words in ((FORWARDING_PART, "IPv6 forwarding is not as it should be"),
                        (FORWARDING_FILE_PART, "the setting of IPv6 forwarding at boot is not as it should be")):
        found += [words] if live.get(part) != wanted.get(part) else []
    return found, standing


def _with_peers(standing: Optional[Standing], parts: Any) -> Optional[Standing]:
    """The interface with its peers, which the hub's engine keeps one by one."""
    if standing is None or standing.running is None:
        return standing
    peers = frozenset(peer for value in parts.values() if isinstance(value, frozenset) for peer in value)
    return replace(standing, running=replace(standing.running, peers=peers))


def _state(interface: Interface, role: str, link: Optional[Link], found: Found, state_file: str) -> MeshState:
    """What member and hub have in common."""
    host, now, peers = interface.host, time.time(), link.peers if link else ()
    details = system.ip_json(host, "link", "show", "dev", interface.name)
    latest = max((peer.latest_handshake for peer in peers), default=0)
    sentences, standing = found
    running = standing.running if standing else None
    return MeshState(
        role, bool(link) and any("UP" in entry.get("flags", []) for entry in details),
        latest_handshake=latest, handshake_age=age_of(latest, now),
        received=sum(peer.received for peer in peers), sent=sum(peer.sent for peer in peers),
        listen_port=link.listen_port if link else 0, mtu=int(details[0].get("mtu", 0)) if details and link else 0,
        drift=tuple(sentences), keys_closed=closed(_modes(host, interface)),
        starts_at_boot=running.starts_at_boot if running else None,
        clock=_clock(host, now, (state_file, interface.config_file), latest))


def _modes(host: Host, interface: Interface) -> Tuple[Optional[int], ...]:
    found = (host.mode(path) for path in (interface.config_file, interface.key_file, interface.next_key_file))
    return tuple(stat.S_IMODE(status.st_mode) if status else None for status in found)


def _clock(host: Host, now: float, paths: Iterable[str], latest: int) -> Clock:
    changed = {path: status.st_mtime for path, status in ((path, host.mode(path)) for path in paths) if status}
    return clock(now, changed, latest, _synchronized(host))


def _synchronized(host: Host) -> Optional[bool]:
    if not system.has_systemd(host) or host.find("timedatectl") is None:
        return None
    try:
        done = host.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"], timeout=TIMEDATECTL_SECONDS, check=False)
    except GatewayError:        # it hangs where there is no D-Bus
        return None
    return {"yes": True, "no": False}.get(done.out.strip()) if done.rc == 0 else None

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub of a mesh: ``peers.json`` says which nodes it knows, its interface is where that takes effect."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Dict, Mapping, Optional

from ..errors import MISSING, CommandFailed, GatewayError, InvalidInput, StateRefused, words_of
from ..formats import wireguard
from ..formats.strict_json import parse_object
from ..host import Host
from ..models import hub_edits
from ..models.hub import Hub, Registration, Registrations
from ..models.target import Endpoint
from ..models.tunnel import family_of
from . import system
from .base import BaseEngine
from .forwarding import HUB_FILE, HUB_HEADER, Forwarding
from .interface import Interface, Standing
from .store import Store

SETTINGS_FILE = "/etc/edge-gateway/hub.json"
INTERFACE_PART, FORWARDING_PART, FORWARDING_FILE_PART = "(interface)", "(IPv6 forwarding)", "(forwarding at boot)"


def settings(host: Host) -> Optional[Hub]:
    """What the role hub decided for this host, None where it never ran."""
    data = host.read(SETTINGS_FILE, own=True)
    if data is None:
        return None
    try:
        return Hub.parse(parse_object(data))
    except (ValueError, GatewayError) as problem:
        raise StateRefused(f"{SETTINGS_FILE} {words_of(problem)}; run the role hub again", SETTINGS_FILE) from None


def hub_of(host: Host, given: Optional[Mapping[str, Any]]) -> Hub:
    """The settings that a task brings, or those of this host."""
    found = Hub.parse(given) if given is not None else settings(host)
    if found is None:
        raise StateRefused(f"this host is no hub: {SETTINGS_FILE} is missing; apply the role hub, or give the option hub", "hub")
    return found


def store(host: Host, directory: str) -> Store:
    """The state file."""
    return Store(host, directory, "peers.json", "peers")


def load(host: Host, directory: str) -> Registrations:
    """All nodes that are registered on this host; none on one that is no hub."""
    return store(host, directory).load(Registration.parse, lambda item: item.node_id)


class HubEngine(BaseEngine[Registration]):
    """The nodes of one hub.

    Args:
        awaited: public key of a node that must have called, before anything is done.
        patience: seconds to wait for that.
    """

    def __init__(self, host: Host, hub: Hub, config_dir: str, data_dir: str, *, awaited: str = "",
                 patience: float = 0.0) -> None:
        super().__init__(host)
        self.hub, self.awaited, self.patience = hub, awaited, patience
        self.interface = Interface(host, hub.interface, config_dir, wireguard.HUB)
        self.store = store(host, data_dir)
        self.data_dir = data_dir
        self.forwarding = Forwarding(host, HUB_FILE, HUB_HEADER)
        self._families = {family_of(pool) for pool in hub.pools} & {6}

    def wait(self) -> None:
        """Wait for the handshake of a node that is about to change its key."""
        end = time.monotonic() + self.patience
        while self.awaited and not self._has_called(self.awaited):
            if time.monotonic() > end:
                raise CommandFailed(f"the node with the key {self.awaited} has not called within {self.patience:.0f} seconds; nothing was "
                                    "changed, see whether it reaches this hub and run again", "handshake_timeout")
            time.sleep(0.05)

    def _has_called(self, public_key: str) -> bool:
        link = self.interface.tunnel.dump()
        return link is not None and any(peer.public_key == public_key and peer.latest_handshake for peer in link.peers)

    def load(self) -> Registrations:
        """The nodes that are registered."""
        return load(self.host, self.data_dir)

    def read(self) -> Mapping[str, object]:
        """The interface as it stands; each node that it has as a peer, and each peer that no node is."""
        standing = self.interface.read(known=self.store.exists())
        live: Dict[str, object] = {FORWARDING_FILE_PART: self.forwarding.file() or None}
        if self._families:
            live[FORWARDING_PART] = self.forwarding.live(6)
        if standing is not None:
            live[INTERFACE_PART] = _without_peers(standing)
            owners = {key: name for name, item in self.load().items() for key in (item.public_key, item.next_public_key) if key}
            for peer in standing.running.peers if standing.running else ():
                name = owners.get(peer[0], f"peer {peer[0]}")
                live[name] = frozenset({*live.get(name, frozenset()), peer})  # type: ignore[misc]
        return live

    def render(self, items: Registrations) -> Mapping[str, object]:
        """The interface with these nodes."""
        wanted: Dict[str, object] = {FORWARDING_FILE_PART: self.forwarding.text(self._families) if self._families else None}
        if self._families:
            wanted[FORWARDING_PART] = self.forwarding.settings({6})
        config = self.hub.config(items)
        wanted[INTERFACE_PART] = _without_peers(self.interface.wanted(config))
        owners = {key: name for name, item in items.items() for key in (item.public_key, item.next_public_key) if key}
        peers = self.interface.tunnel.wanted(config, "").peers
        for name in items:
            wanted[name] = frozenset(peer for peer in peers if owners[peer[0]] == name)
        return wanted

    def check(self, before: Registrations, after: Registrations) -> None:
        """Refuse nodes that cannot stand together, and pools that would take over the host's own traffic."""
        name = self.hub.interface
        way_in = system.way_in(self.host)
        self.hub.check_place(system.addresses(self.host, leave_out=name), system.routes(self.host, leave_out=name),
                             way_in.client if way_in and way_in.address not in self.hub.own else None)
        for node in sorted(set(before) - set(after)):
            if way_in and way_in.client in before[node].addresses:
                raise InvalidInput("node_id", node, f"is where this SSH connection comes from ({way_in.client}), and would be cut off; "
                                                    "remove it from another host")
        self.hub.check(after, self.public_key())

    def ready(self, after: Registrations) -> None:
        """Raise without the tools, or when a node has no key."""
        self.host.need("wg", "wireguard-tools")
        self.host.need("wg-quick", "wireguard-tools")
        self.host.need("ip", "iproute2")
        for name, item in after.items():
            if not item.public_key:
                raise InvalidInput("node_pubkey", MISSING, f"of {name} is missing; give the public key of its interface")

    def settle(self, before: Registrations, after: Registrations) -> Registrations:
        """Make the hub's key, once."""
        self.interface.make_key()
        return after

    def write(self, before: Registrations, after: Registrations) -> None:
        """Keep the nodes, then change the interface no more than needed."""
        self.store.save(hub_edits.state_of(after))
        if self._families:
            self.forwarding.apply(self._families)
        else:
            self.host.remove(HUB_FILE)
        self.interface.write(self.hub.config(after))

    def public_key(self) -> str:
        """The hub's public key, empty before it has one."""
        return self.interface.public_key(self.interface.private_key())

    def answer(self, item: Registration, items: Registrations, where: Optional[Endpoint]) -> Dict[str, Any]:
        """What a node is told; see :meth:`.Hub.answer`."""
        return self.hub.answer(item, items, self.public_key(), where)


def _without_peers(standing: Standing) -> Standing:
    """The interface itself: its peers are compared one by one, but for their order and what else the file holds."""
    if standing.running is None:
        return standing
    return replace(standing, running=replace(standing.running, peers=frozenset()))

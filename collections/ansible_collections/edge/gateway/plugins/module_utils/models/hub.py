# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub of a mesh without a controller: its settings, the nodes that are registered there, and what each of them is told."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from ..errors import MISSING, InvalidInput
from . import fields
from .answer import networks, node_addresses, with_length
from .join import digest_of, preshared
from .target import Endpoint, endpoint
from .tunnel import TunnelConfig, TunnelPeer, family_of, hub_routing, is_within

DEFAULT_PORT = 51820


@dataclass(frozen=True)
class Registration:
    """One node as the hub knows it.

    Attributes:
        public_key: empty while check mode foresees a node that has no key yet.
        addresses: in the mesh, one for each IP version of it.
        next_public_key: the key that the node is about to change to, empty when there is none.
        preshared_key: secret that both ends share, empty for none.
        client_networks: networks of clients that enter the mesh through this node with their own address.
        replies: whether this node sends its answers to such clients back through the mesh.
    """

    node_id: str
    public_key: str
    addresses: Tuple[str, ...] = ()
    next_public_key: str = ""
    preshared_key: str = ""
    client_networks: Tuple[str, ...] = ()
    replies: bool = False

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> Registration:
        """Build a registration from an entry of a task or of ``peers.json``; addresses may be left to the pool."""
        key, upcoming, clients = (params.get(name) or "" for name in ("node_pubkey", "next_pubkey", "client_networks"))
        try:
            item = cls(
                node_id=fields.node_id("node_id", params.get("node_id") or ""),
                public_key=fields.key("node_pubkey", key) if key else "",
                addresses=node_addresses("node_ip", params["node_ip"]) if params.get("node_ip") else (),
                next_public_key=fields.key("next_pubkey", upcoming) if upcoming else "",
                preshared_key=preshared(params.get("preshared_key")),
                client_networks=networks("client_networks", clients) if clients else (),
                replies=fields.boolean("replies", params.get("replies") or False),
            )
        except InvalidInput as problem:
            raise problem.within(where) from None
        if upcoming and item.next_public_key == item.public_key:
            raise InvalidInput(f"{where}next_pubkey", upcoming, "is the present key; make another one")
        return item

    def as_dict(self) -> Dict[str, Any]:
        """The registration as it is kept."""
        return {"node_id": self.node_id, "node_pubkey": self.public_key, "next_pubkey": self.next_public_key,
                "node_ip": ",".join(self.addresses), "preshared_key": self.preshared_key,
                "client_networks": list(self.client_networks), "replies": self.replies}

    def shown(self) -> Dict[str, Any]:
        """The registration as a module returns it: without the secret."""
        return {**{name: value for name, value in self.as_dict().items() if name != "preshared_key"}, "preshared": bool(self.preshared_key)}

    def __str__(self) -> str:
        words = [", ".join(self.addresses), f"key {self.public_key or 'made by the run'}"]
        words += [f"next key {self.next_public_key}"] if self.next_public_key else []
        words += [f"preshared key {digest_of(self.preshared_key)}..."] if self.preshared_key else []
        words += [f"brings clients of {', '.join(self.client_networks)}"] if self.client_networks else []
        words += ["answers clients through the mesh"] if self.replies else []
        return "  ".join(words)


Registrations = Dict[str, Registration]


@dataclass(frozen=True)
class Hub:
    """The settings of a hub.

    Attributes:
        pools: networks of the mesh, one for each IP version; the hub has the first address of each.
        endpoint: where nodes reach the hub, None when each is told by itself.
        closed: nothing passes between the mesh and the host's other networks.
    """

    interface: str
    pools: Tuple[str, ...]
    endpoint: Optional[Endpoint] = None
    listen_port: int = DEFAULT_PORT
    mtu: int = 0
    closed: bool = True

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> Hub:
        """Build the settings from a task's ``hub`` or from ``hub.json``."""
        unknown = sorted(set(params) - {"schema", "interface", "pools", "endpoint", "listen_port", "mtu", "closed"})
        if unknown:
            raise InvalidInput("hub", ", ".join(unknown), "is of another version of this collection; run the role hub again")
        where = params.get("endpoint")
        pools = networks("hub.pools", params.get("pools") or "")
        for pool in pools:
            if ipaddress.ip_network(pool).num_addresses < 4:
                raise InvalidInput("hub.pools", pool, "has no room for nodes; write a network like 10.50.0.0/24")
            fields.unicast("hub.pools", _first(pool))
        if len({family_of(pool) for pool in pools}) != len(pools):
            raise InvalidInput("hub.pools", ", ".join(pools), "holds two networks of one IP version; give one for each")
        mtu = params.get("mtu") or 0
        return cls(
            interface=fields.interface("hub.interface", params.get("interface") or "wg0"), pools=pools,
            endpoint=endpoint("hub.endpoint", where) if where else None,
            listen_port=fields.port("hub.listen_port", params.get("listen_port") or DEFAULT_PORT),
            mtu=fields.integer("hub.mtu", mtu, 1280, 9000) if mtu else 0,
            closed=fields.boolean("hub.closed", params.get("closed", True)),
        )

    @property
    def networks(self) -> List[fields.Network]:
        """The mesh."""
        return [ipaddress.ip_network(pool) for pool in self.pools]

    @property
    def own(self) -> Tuple[str, ...]:
        """The hub's addresses: the first of each pool."""
        return tuple(map(_first, self.pools))

    def check(self, items: Registrations, own_key: str) -> None:
        """Raise InvalidInput where two registrations cannot stand together."""
        keys: Dict[str, str] = {own_key: "the hub itself"} if own_key else {}
        holders: Dict[str, str] = {}
        clients: List[Tuple[fields.Network, str]] = []
        for name, item in sorted(items.items()):
            for address in item.addresses:
                if holders.setdefault(address, name) != name:
                    raise InvalidInput("node_ip", address, f"of {name} is the address of {holders[address]} already; give another one")
            for option, key in (("node_pubkey", item.public_key), ("next_pubkey", item.next_public_key)):
                if key and key in keys:
                    raise InvalidInput(option, key, f"of {name} is the key of {keys[key]} already; every node needs its own")
                keys.update({key: name} if key else {})
            for words in item.client_networks:
                network = ipaddress.ip_network(words)
                if not self.closed:
                    raise InvalidInput("client_networks", words, f"of {name} needs a closed hub, which routes by the mesh alone; "
                                                                 "clients of an edge that is the hub itself need no client_networks")
                if any(network.version == pool.version and network.subnet_of(pool) for pool in self.networks):  # type: ignore[arg-type]
                    raise InvalidInput("client_networks", words, f"of {name} lies in the mesh itself; give networks of clients")
                for other, owner in clients:
                    if owner != name and other.version == network.version and other.overlaps(network):
                        raise InvalidInput("client_networks", words, f"of {name} overlaps {other} of {owner}: the hub can send an answer "
                                                                     "to one edge only; give each edge networks of its own")
                clients.append((network, name))

    def config(self, items: Registrations) -> TunnelConfig:
        """The hub's interface."""
        peers: List[TunnelPeer] = []
        for _name, item in sorted(items.items()):
            allowed = tuple(sorted([*map(with_length, item.addresses), *item.client_networks]))
            if item.public_key:
                peers.append(TunnelPeer(item.public_key, allowed, preshared_key=item.preshared_key))
            if item.next_public_key:
                # no traffic yet: a network belongs to one peer alone
                peers.append(TunnelPeer(item.next_public_key, (), preshared_key=item.preshared_key))
        lengths = [pool.partition("/")[2] for pool in self.pools]
        clients = [network for item in items.values() for network in item.client_networks]
        return TunnelConfig(tuple(f"{address}/{length}" for address, length in zip(self.own, lengths)), tuple(peers), self.listen_port,
                            self.mtu, hub_routing(self.interface, self.pools, sorted(clients), self.closed))

    def answer(self, item: Registration, items: Registrations, own_key: str, where: Optional[Endpoint]) -> Dict[str, Any]:
        """What a node is told, in the form of a controller's answer; empty while the hub has no key, which check mode foresees."""
        if not own_key or not item.addresses:
            return {}
        place = where or self.endpoint
        if place is None:
            raise InvalidInput("endpoint", MISSING, "is missing, and the hub has none of its own; say where this node reaches the hub")
        told: Dict[str, Any] = {"node_ip": ",".join(item.addresses), "controller_pubkey": own_key, "endpoint": str(place),
                                "allowed_ips": list(self.pools)}
        if item.client_networks:
            told["client_networks"] = list(item.client_networks)
            told["reply_nodes"] = reply_nodes(items)
        return told


def reply_nodes(items: Registrations) -> List[str]:
    """Addresses of all nodes that answer clients through the mesh."""
    return sorted(address for item in items.values() if item.replies for address in item.addresses)


def _first(pool: str) -> str:
    return str(next(iter(islice(ipaddress.ip_network(pool).hosts(), 1))))


class Allotment:
    """Who has which address of the mesh, while one edit gives more of them away.

    Args:
        items: the registrations so far.
        wishes: those that are to come; an address that one of them leaves for another is free.
    """

    def __init__(self, hub: Hub, items: Registrations, wishes: Iterable[Registration]) -> None:
        self.hub, self.items = hub, items
        leaving = {wish.node_id: set(map(family_of, wish.addresses)) for wish in wishes}
        # the hub comes first: it has moved to a node's address when its pools have changed
        self.holders = dict.fromkeys(hub.own, "")
        for name, item in sorted(items.items()):
            for address in item.addresses:
                if family_of(address) not in leaving.get(name, ()):
                    self.holders.setdefault(address, name)
        # what is taken stays so, so that thousands of nodes do not begin at the first address each
        self.rest: Dict[str, Iterator[fields.Address]] = {pool: iter(ipaddress.ip_network(pool).hosts()) for pool in hub.pools}

    def register(self, wish: Registration) -> Registration:
        """The registration of a node: with the addresses that it wishes or has, else the lowest free ones."""
        addresses = tuple(self._address(pool, wish) for pool in self.hub.pools)
        for address in wish.addresses:
            if address not in addresses:
                raise InvalidInput("node_ip", address, f"lies in no pool of the hub ({', '.join(self.hub.pools)}); give another one")
        self.holders.update(dict.fromkeys(addresses, wish.node_id))
        return replace(wish, addresses=tuple(sorted(addresses, key=family_of)))

    def _address(self, pool: str, wish: Registration) -> str:
        network, before = ipaddress.ip_network(pool), self.items.get(wish.node_id)
        for address in wish.addresses:
            if is_within(address, [network]):
                if address in self.holders:
                    raise InvalidInput("node_ip", address, "is the hub's own address, or another node has it; give another one")
                if not _is_host(address, network):
                    raise InvalidInput("node_ip", address, f"means the whole network {pool}; give another one")
                return address
        for address in before.addresses if before else ():
            if is_within(address, [network]) and _is_host(address, network) and self.holders.get(address) == wish.node_id:
                return address
        free = next((str(candidate) for candidate in self.rest[pool] if str(candidate) not in self.holders), None)
        if free is None:
            raise InvalidInput("node_ip", MISSING, f"cannot be given: no address of {pool} is left; remove nodes or use a larger pool")
        return free


def _is_host(address: str, network: fields.Network) -> bool:
    """Whether an address is none that the hub's kernel takes for itself, or for everyone (RFC 919, RFC 4291 2.6.1)."""
    parsed = ipaddress.ip_address(address)
    return parsed != network.network_address and (parsed.version == 6 or parsed != network.broadcast_address)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WireGuard interface as it should be: what its file says, and the routing that goes with it."""

from __future__ import annotations

import ipaddress
import zlib
from dataclasses import dataclass
from typing import FrozenSet, Iterable, List, Optional, Sequence, Tuple

from .fields import Network

DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
# the main table is asked first, but for its default route
MAIN, MAIN_BUT_DEFAULT, PROHIBIT = "lookup main", "lookup main suppress_prefixlength 0", "prohibit"


@dataclass(frozen=True)
class TunnelPeer:
    """One peer.

    Attributes:
        endpoint: address and port; empty for a peer that calls us.
        endpoint_name: host name and port that the endpoint was looked up by, empty when there is none.
        keepalive: seconds, 0 for none.
        preshared_key: empty for none.
    """

    public_key: str
    allowed_ips: Tuple[str, ...]
    endpoint: str = ""
    endpoint_name: str = ""
    keepalive: int = 0
    preshared_key: str = ""


@dataclass(frozen=True, order=True)
class Rule:
    """One rule of policy routing, in the words of ip-rule(8)."""

    family: int
    priority: int
    selector: str
    action: str


@dataclass(frozen=True, order=True)
class Route:
    """One route of the interface; ``table`` 0 is the main one, and a network that is not ``reachable`` leads nowhere."""

    family: int
    table: int
    network: str
    reachable: bool = True


@dataclass(frozen=True)
class Routing:
    """Routing that wg-quick cannot set up.

    Attributes:
        switches: settings below /proc/sys and their values.
    """

    routes: FrozenSet[Route]
    rules: FrozenSet[Rule] = frozenset()
    switches: FrozenSet[Tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class TunnelConfig:
    """One interface; ``addresses`` carry their prefix length, ``listen_port`` and ``mtu`` are 0 where they are left to chance.

    Attributes:
        routing: None where wg-quick routes what the peers may send.
    """

    addresses: Tuple[str, ...]
    peers: Tuple[TunnelPeer, ...]
    listen_port: int = 0
    mtu: int = 0
    routing: Optional[Routing] = None

    @property
    def main_routes(self) -> FrozenSet[str]:
        """Networks that the main table leads into the interface, beside those that its own addresses bring."""
        if self.routing is not None:
            return frozenset(route.network for route in self.routing.routes if not route.table)
        own = [ipaddress.ip_interface(address).network for address in self.addresses]
        # a default route is made by wg-quick with rules and a table of its own
        return frozenset(network for peer in self.peers for network in peer.allowed_ips
                         if not network.endswith("/0") and not is_within(network, own))


def family_of(network: str) -> int:
    """IP version of an address or network."""
    return 6 if ":" in network else 4


def is_within(network: str, others: Iterable[Network]) -> bool:
    """Whether one of the networks covers the whole of this one."""
    parsed = ipaddress.ip_network(network)
    return any(parsed.version == other.version and parsed.subnet_of(other) for other in others)  # type: ignore[arg-type]


def slot(interface: str) -> int:
    """First of ten priorities for the rules of an interface, and the number of its table: the same on every host and after every boot."""
    return 10_000 + 10 * (zlib.crc32(interface.encode()) % 2000)


def node_routing(interface: str, addresses: Sequence[str], mesh: Sequence[str], clients: Sequence[str]) -> Routing:
    """Routing of a node to which clients come with their own address.

    What the node sends from its mesh address goes back through the tunnel when it would otherwise leave by a default route. Nothing else
    of its routing differs: other addresses, and networks that the node has routes for, are not touched.

    Args:
        addresses: of the node in the mesh.
        mesh: networks behind the tunnel.
        clients: networks of the clients.
    """
    table = slot(interface)
    routes: List[Route] = [Route(family_of(network), 0, network) for network in mesh]
    rules: List[Rule] = []
    for address in addresses:
        family = family_of(address)
        there = [network for network in clients if family_of(network) == family]
        routes += [Route(family, table, network) for network in there]
        rules += [Rule(family, table + 1, f"from {address}", MAIN_BUT_DEFAULT),
                  Rule(family, table + 2, f"from {address}", f"lookup {table}")] if there else []
    return Routing(frozenset(routes), frozenset(rules))


def hub_routing(interface: str, mesh: Sequence[str], clients: Sequence[str], closed: bool) -> Routing:
    """Routing of a hub, which passes packets from one peer to another.

    Args:
        mesh: networks of the mesh.
        clients: networks of clients that peers bring in with their own address.
        closed: nothing passes between the mesh and the host's other networks.
    """
    table = slot(interface)
    routes: List[Route] = []
    rules: List[Rule] = []
    for network in mesh if closed else ():
        family = family_of(network)
        there = [words for words in clients if family_of(words) == family]
        routes += [Route(family, table, words) for words in (network, *there)]
        # whoever comes out of the mesh finds nothing but the mesh, and the clients that came through it
        routes += [Route(family, table, DEFAULT[family], reachable=False)] if DEFAULT[family] not in there else []
        rules += [Rule(family, table, f"from all iif {interface}", f"lookup {table}"),
                  Rule(family, table + 3, f"from all to {network} iif lo", MAIN),
                  Rule(family, table + 4, f"from all to {network}", PROHIBIT)]
        if there:
            # the hub's own answers; and the kernel's look at where a client's packet comes from (rp_filter), which asks for the way back
            rules += [Rule(family, table + 1, f"from {network}", MAIN_BUT_DEFAULT),
                      Rule(family, table + 2, f"from {network}", f"lookup {table}")]
    return Routing(frozenset(routes), frozenset(rules),
                   frozenset({(f"net/ipv4/conf/{interface}/forwarding", "1")}))

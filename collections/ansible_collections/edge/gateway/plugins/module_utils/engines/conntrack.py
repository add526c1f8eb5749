# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's flow table: who is connected; and a UDP flow stays on the way it has begun with until it is deleted."""

from __future__ import annotations

from typing import AbstractSet, Dict, Iterable, List, Optional, Tuple

from ..errors import GatewayError
from ..formats import conntrack as flows
from ..host import Host
from ..models.forward import Forward
from . import system
from .netlink import Netfilter

Ports = Tuple[int, int]


def cut(host: Host, ports: Dict[int, List[Ports]]) -> List[str]:
    """Delete the UDP flows to public ports of this host, in one pass for each IP version.

    Args:
        ports: first and last public port of what has changed, by IP version; those of the original direction, since
            the reply carries the target's.

    Returns:
        Warnings for the user.
    """
    if not any(ports.values()):
        return []
    try:
        own = system.own_addresses(host)
        with Netfilter() as kernel:
            for family, spans in ports.items():
                if spans:
                    kernel.send_all([flows.deletion(found) for found in _stale(kernel, family, _numbers(spans), own)])
    except GatewayError as problem:
        return [f"UDP flows that are already open keep their old way until they end: {problem.message}"]
    return []


def open_connections(host: Host, forwards: Iterable[Forward]) -> Dict[str, int]:
    """By forward id, how many of its connections are open."""
    ways = {(proto, item.family, port): item.forward_id for item in forwards for proto in item.protocols
            for port in range(item.first_port, item.last_port + 1)}
    counts = dict.fromkeys(ways.values(), 0)
    own = system.own_addresses(host)
    with Netfilter() as kernel:
        for family in {way[1] for way in ways}:
            for found in (flows.flow(body) for body in kernel.dump(flows.SUBSYSTEM, flows.GET, flows.AF[family])):
                if found is not None and found.translated and found.address in own and (found.proto, family, found.port) in ways:
                    counts[ways[found.proto, family, found.port]] += 1
    return counts


def fullness(host: Host) -> Optional[Tuple[int, int]]:
    """How many flows the kernel keeps, and how many it can; None where it keeps none or has no limit."""
    count, most = (int(host.read(f"/proc/sys/net/netfilter/nf_conntrack_{name}") or b"0") for name in ("count", "max"))
    return (count, most) if most else None


def _numbers(spans: Iterable[Ports]) -> AbstractSet[int]:
    return {port for first, last in spans for port in range(first, last + 1)}


def _stale(kernel: Netfilter, family: int, ports: AbstractSet[int], own: AbstractSet[str]) -> List[flows.Flow]:
    found = (flows.flow(body) for body in kernel.dump(flows.SUBSYSTEM, flows.GET, flows.AF[family], flows.only_udp()))
    # by address as well: what merely passes through with the same port is none of our business
    return [item for item in found if item is not None and item.proto == "udp" and item.port in ports and item.address in own]

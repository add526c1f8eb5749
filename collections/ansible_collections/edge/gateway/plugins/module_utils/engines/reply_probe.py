# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks nodes with a client's address whether their answers come back through the mesh; the one engine with raw sockets."""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import struct
import time
from typing import Dict, Iterable, Iterator, List, Sequence, Set, Tuple

from ..errors import GatewayError
from ..formats import icmp
from ..host import Host
from ..models.forward import Forward
from ..models.reply import OwnAddress, Probe, client_sources, one_way, probes
from . import system
from .memberships import membership_of

MOST_TARGETS = 20
SECONDS = 2.0
# once more, since the first packet may be lost on the way
AGAIN_AFTER = 0.7
# IP_PKTINFO, which the socket module does not name before Python 3.14
PKTINFO = 8
ANCILLARY_BYTES, PACKET_BYTES = 256, 2048
# at a time, so that a flood does not keep us longer than we have
MOST_PACKETS = 200


def one_way_nodes(host: Host, state_dir: str, interface: str, forwards: Iterable[Forward]) -> List[str]:
    """Nodes that get clients with their own address and do not answer them through the mesh; raises nothing of the network's."""
    targets = sorted({item.target_ip for item in forwards if item.source_nat == "none"})[:MOST_TARGETS]
    if not targets:
        return []
    try:
        member = membership_of(host, state_dir, interface)
        own, preferred = _own(host), _default_interfaces(host)
    except GatewayError:        # the part "mesh" tells of it
        return []
    mesh = [entry.address for entry in own if entry.interface == interface]
    clients = client_sources(own, interface, preferred, member.answer.client_networks if member and member.answer else ())
    asked = probes(targets, mesh, clients)
    return one_way(asked, _answered(interface, asked), mesh)


def _own(host: Host) -> List[OwnAddress]:
    """Addresses that can be used right now."""
    return [OwnAddress(str(entry["local"]), str(link["ifname"])) for link in system.ip_json(host, "address", "show")
            for entry in link.get("addr_info", []) if entry.get("scope") == "global" and "local" in entry
            and not any(entry.get(flag) for flag in ("tentative", "dadfailed", "deprecated"))]


def _default_interfaces(host: Host) -> List[str]:
    return [str(route["dev"]) for family in ("-4", "-6") for route in system.ip_json(host, family, "route", "show", "default")
            if "dev" in route]


def _answered(interface: str, asked: Sequence[Probe]) -> Set[Probe]:
    """Which requests were answered through the interface, all of them sent together."""
    found: Set[Probe] = set()
    identifier, payload = secrets.randbelow(1 << 16), secrets.token_bytes(16)
    with contextlib.ExitStack() as stack:
        try:
            index = socket.if_nametoindex(interface)
            sockets = {source: stack.enter_context(_opened(interface, source)) for source in dict.fromkeys(probe.source for probe in asked)}
        except OSError:         # the interface or an address has just gone, or this is a container without raw sockets
            return found
        sources = {opened: source for source, opened in sockets.items()}
        start, sent = time.monotonic(), 0
        while len(found) < len(asked) and time.monotonic() < start + SECONDS:
            if time.monotonic() >= start + sent * AGAIN_AFTER:
                sent += 1
                _send(sockets, [(number, probe) for number, probe in enumerate(asked) if probe not in found], identifier, payload)
            wait = min(start + SECONDS, start + sent * AGAIN_AFTER) - time.monotonic()
            for opened in select.select(list(sources), [], [], max(wait, 0))[0]:
                for number, sender in _received(opened, index, identifier, payload):
                    if number < len(asked) and asked[number] == Probe(sender, sources[opened]):
                        found.add(asked[number])
    return found


def _opened(interface: str, source: str) -> socket.socket:
    """A socket that sends from an address by an interface, and tells by which one an answer came."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if ":" in source else socket.IPPROTO_ICMP)
    try:
        opened.setblocking(False)
        opened.bind((source, 0))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
    except OSError:
        opened.close()
        raise
    return opened


def _send(sockets: Dict[str, socket.socket], waiting: Iterable[Tuple[int, Probe]], identifier: int, payload: bytes) -> None:
    for number, probe in waiting:
        message = icmp.request(6 if ":" in probe.target else 4, identifier, number, payload)
        # no peer has that address, or a firewall says no: then there is no answer either
        with contextlib.suppress(OSError):
            sockets[probe.source].sendto(message, (probe.target, 0))


def _received(opened: socket.socket, index: int, identifier: int, payload: bytes) -> Iterator[Tuple[int, str]]:
    """Number and sender of each answer that lies there and came by the interface of this index."""
    family = 6 if opened.family == socket.AF_INET6 else 4
    for _packet in range(MOST_PACKETS):
        try:
            packet, ancillary, _flags, sender = opened.recvmsg(PACKET_BYTES, ANCILLARY_BYTES)
        except OSError:         # no more for now, or an error that an earlier packet has met
            return
        number = icmp.reply_number(family, packet, identifier, payload)
        if number is not None and index in _indexes(ancillary):
            yield number, str(sender[0]).partition("%")[0]


def _indexes(ancillary: Iterable[Tuple[int, int, bytes]]) -> Iterator[int]:
    """Numbers of the interfaces that a packet came by."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, PKTINFO) and len(data) >= 4:
            yield struct.unpack_from("@i", data)[0]
        elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(data) >= 20:
            yield struct.unpack_from("@i", data, 16)[0]

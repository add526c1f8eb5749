# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows in the kernel's connection tracking (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple, Optional

from .netlink import ACK, attributes, nested, number, request
from .netlink import attribute as plain

SUBSYSTEM = 1                                     # NFNL_SUBSYS_CTNETLINK
GET, DELETE = 1, 2                                # IPCTNL_MSG_CT_*
PROTOCOLS = {6: "tcp", 17: "udp"}
UDP = 17
TUPLE_ORIG, TUPLE_IP, TUPLE_PROTO, STATUS, FILTER = 1, 1, 2, 3, 25
DESTINATION_TRANSLATED = 1 << 5                   # IPS_DST_NAT
PROTO_NUM = 1
FILTER_ORIG_PROTO = struct.pack("=I", 1 << 3)      # CTA_FILTER_F_CTA_PROTO_NUM
AF = {4: 2, 6: 10}


class Flow(NamedTuple):
    """A flow by where it was first sent to.

    Attributes:
        translated: whether it goes to another destination than it was sent to.
        original: the kernel's own bytes of the original direction, by which it is deleted.
    """

    proto: str
    address: str
    port: int
    translated: bool
    original: bytes


def only_udp() -> bytes:
    """The filter by which the kernel sends UDP flows only; kernels before 5.8 do not know it and send all."""
    return nested(TUPLE_ORIG, nested(TUPLE_PROTO, plain(PROTO_NUM, bytes([UDP])))) + \
        nested(FILTER, plain(1, FILTER_ORIG_PROTO))


def flow(body: bytes) -> Optional[Flow]:
    """A flow of a dump; None for what is neither TCP nor UDP."""
    values = attributes(body)
    original = values.get(TUPLE_ORIG)
    if original is None:
        return None
    parts = attributes(original)
    proto, address = attributes(parts.get(TUPLE_PROTO, b"")), attributes(parts.get(TUPLE_IP, b""))
    target = address.get(2) or address.get(4)      # CTA_IP_V4_DST, CTA_IP_V6_DST
    name = PROTOCOLS.get(number(proto.get(PROTO_NUM, b"")))
    if target is None or name is None or 3 not in proto:
        return None
    translated = bool(number(values.get(STATUS, b"")) & DESTINATION_TRANSLATED)
    return Flow(name, str(ipaddress.ip_address(target)), number(proto[3]), translated, original)


def deletion(found: Flow) -> bytes:
    """The request that deletes a flow."""
    family = 6 if ":" in found.address else 4
    return request(SUBSYSTEM, DELETE, AF[family], nested(TUPLE_ORIG, found.original), ACK)

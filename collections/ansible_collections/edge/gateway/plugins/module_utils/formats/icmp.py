# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests of a wanted size, and what a raw socket gives back (RFC 792, RFC 4443)."""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional

REQUEST = {4: 8, 6: 128}
REPLY = {4: 0, 6: 129}
IP_HEADER = {4: 20, 6: 40}
HEADER = struct.Struct("!BBHHH")        # type, code, checksum, identifier, sequence number


class Reply(NamedTuple):
    """An answered echo.

    Attributes:
        size: of the whole IP packet, as its sender counts it.
    """

    identifier: int
    number: int
    size: int
    data: bytes


def filling(family: int, size: int) -> bytes:
    """Data with which an echo request makes an IP packet of this size."""
    return bytes(size - IP_HEADER[family] - HEADER.size)


def request(family: int, identifier: int, number: int, data: bytes) -> bytes:
    """An echo request; the checksum of IPv6 is the kernel's work, since it covers addresses that only the kernel knows."""
    check = checksum(HEADER.pack(REQUEST[family], 0, 0, identifier, number) + data) if family == 4 else 0
    return HEADER.pack(REQUEST[family], 0, check, identifier, number) + data


def reply(family: int, packet: bytes) -> Optional[Reply]:
    """The echo reply in what a raw socket received, None for anything else; with IPv4 the IP header stands in front."""
    start = (packet[0] & 0x0F) * 4 if family == 4 and packet else 0
    if family == 4 and start < IP_HEADER[4] or len(packet) < start + HEADER.size:
        return None
    kind, code, _check, identifier, number = HEADER.unpack_from(packet, start)
    if (kind, code) != (REPLY[family], 0):
        return None
    return Reply(identifier, number, IP_HEADER[family] + len(packet) - start, packet[start + HEADER.size:])


def reply_number(family: int, packet: bytes, identifier: int, data: bytes) -> Optional[int]:
    """The number of the request of ours that a packet answers, None when it answers none."""
    heard = reply(family, packet)
    return heard.number if heard and (heard.identifier, heard.data) == (identifier, data) else None


def checksum(data: bytes) -> int:
    """The Internet checksum."""
    even = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

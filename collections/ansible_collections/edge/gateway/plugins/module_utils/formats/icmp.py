# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP and ICMPv6 echo: the message that is sent, and the answer as a raw socket delivers it."""

from __future__ import annotations

import struct
from typing import Optional

HEADER = struct.Struct("!BBHHH")
REQUEST, REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}


def request(family: int, identifier: int, number: int, payload: bytes) -> bytes:
    """An echo request. The kernel adds the checksum of ICMPv6, which covers addresses that only it knows."""
    message = HEADER.pack(REQUEST[family], 0, 0, identifier, number) + payload
    return message if family == 6 else HEADER.pack(REQUEST[4], 0, checksum(message), identifier, number) + payload


def reply_number(family: int, packet: bytes, identifier: int, payload: bytes) -> Optional[int]:
    """The number of the request that a packet answers, None when it is no answer to one of ours.

    Args:
        packet: as received; for IPv4 it begins with the IP header.
    """
    start = 4 * (packet[0] & 0x0F) if family == 4 and packet else 0
    message = packet[start:]
    if len(message) < HEADER.size:
        return None
    kind, code, _checksum, found, number = HEADER.unpack_from(message)
    ours = (kind, code, found, message[HEADER.size:]) == (REPLY[family], 0, identifier, payload)
    return int(number) if ours else None


def checksum(message: bytes) -> int:
    """The checksum of the internet protocols."""
    even = message + b"\0" * (len(message) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF

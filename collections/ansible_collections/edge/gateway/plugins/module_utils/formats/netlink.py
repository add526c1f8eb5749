# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink messages to and from the kernel's netfilter (netlink(7), linux/netfilter/nfnetlink.h).

The kernel's own binary interface, because the tools pay for their text: ten thousand elements take ``nft -j`` five times
as long to list as the kernel to send, and ``conntrack -D`` walks the whole table once for each port.
"""

from __future__ import annotations

import struct
from typing import Dict, Iterator, List, Tuple

HEADER = struct.Struct("=IHHII")
FAMILY_HEADER = struct.Struct(">BBH")
ATTRIBUTE = struct.Struct("=HH")
ERROR, DONE = 2, 3
REQUEST, ACK, DUMP, INTERRUPTED = 0x1, 0x4, 0x300, 0x10
# one conversation has one question at a time
SEQUENCE = 1
TYPE_MASK = 0x3FFF
NESTED = 0x8000
BODY = HEADER.size + FAMILY_HEADER.size

Attributes = Dict[int, bytes]
Message = Tuple[int, int, int, bytes]


def request(subsystem: int, kind: int, family: int, payload: bytes, flags: int) -> bytes:
    """One request.

    Args:
        subsystem, kind: NFNL_SUBSYS_* and its message type.
        family: AF_* or NFPROTO_* number.
        flags: NLM_F_* beside NLM_F_REQUEST.
    """
    return HEADER.pack(BODY + len(payload), subsystem << 8 | kind, REQUEST | flags, SEQUENCE, 0) + \
        FAMILY_HEADER.pack(family, 0, 0) + payload


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *values: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NESTED, b"".join(values))


def messages(data: bytes) -> Iterator[Message]:
    """Type, flags, sequence number and body of each message of a datagram; the body of an error is its code."""
    offset = 0
    while offset + HEADER.size <= len(data):
        length, kind, flags, number, _port = HEADER.unpack_from(data, offset)
        start = HEADER.size if kind in (ERROR, DONE) else BODY
        yield kind, flags, number, data[offset + start:offset + length]
        offset += max(length, HEADER.size) + 3 & ~3


def errno_of(body: bytes) -> int:
    """The error number of an error message, 0 for an acknowledgement."""
    return -int(struct.unpack_from("=i", body)[0]) if len(body) >= 4 else 0


def attributes(data: bytes) -> Attributes:
    """Attributes by type; of a repeated one the last."""
    return dict(each(data))


def each(data: bytes) -> List[Tuple[int, bytes]]:
    """All attributes in order."""
    offset, end, found = 0, len(data), []
    unpack = ATTRIBUTE.unpack_from
    while offset + 4 <= end:
        length, kind = unpack(data, offset)
        found.append((kind & TYPE_MASK, data[offset + 4:offset + length]))
        offset += length + 3 & ~3 or 4
    return found


def text(value: bytes) -> str:
    """A string attribute."""
    return value.rstrip(b"\0").decode("utf-8", "replace")


def number(value: bytes) -> int:
    """An unsigned integer in network byte order, of any width."""
    return int.from_bytes(value, "big")

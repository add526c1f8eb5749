# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a packet may be on the way to another host: echo requests that nobody may cut into pieces, of many sizes at once.

Routers that drop what is too large without a word are common; so an answer counts, and a router's complaint only where nobody answers.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from typing import Dict, Iterable, Optional, Set

from ..models.path import candidates

# <linux/in.h>, <linux/in6.h>; Python has no names for them
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU = 10, 14, 23, 24
# set "do not fragment"; with PROBE the kernel does not hold its own knowledge of the path against us
DO, PROBE = 2, 3
ECHO_REQUEST, ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
IP_HEADER, ICMP_HEADER = {4: 20, 6: 40}, 8
SMALLEST, BURST = 1280, 24
# seconds after the last answer of a burst in which another one may come
QUIET = 0.3
DISCARD_PORT = 9


def probe(address: str, seconds: float = 2.0) -> Optional[int]:
    """The largest IP packet, in bytes, that is known to reach an address; None when nobody tells.

    Args:
        seconds: for everything.
    """
    end = time.monotonic() + seconds
    try:
        highest = _known(address)
        with Echo(address) as echo:
            low = SMALLEST if echo.ask([SMALLEST], end) or echo.ask([SMALLEST], end) else 0
            echo.smallest_lost = highest + 1
            # finer each time, until not a byte is left between what comes through and what does not
            while low and echo.smallest_lost - low > 1 and time.monotonic() < end:
                low = _largest(echo, low, echo.smallest_lost - 1, end) or low
        return low or _complaint(address, highest, end)
    except OSError:
        return None


def _largest(echo: Echo, low: int, high: int, end: float) -> int:
    """The largest of some sizes between two bounds that is answered, 0 when none is."""
    wanted = candidates(low, high, BURST)
    found: Set[int] = set()
    for _try in range(2):       # an echo may be lost for other reasons
        missing = [size for size in wanted if size > max(found, default=0)]
        found |= echo.ask(missing, end) if missing else set()
    best = max(found, default=0)
    echo.smallest_lost = min((size for size in wanted if size > best), default=high + 1)
    return best


def _known(address: str) -> int:
    """What the kernel takes for the MTU of the way: the interface's, or less when a router has complained lately."""
    with _datagrams(address) as talk:
        return int(talk.getsockopt(*((socket.IPPROTO_IPV6, IPV6_MTU) if ":" in address else (socket.IPPROTO_IP, IP_MTU))))


def _complaint(address: str, highest: int, end: float) -> Optional[int]:
    """What a router says about packets that are too large, where nobody answers to an echo; None when no router says anything."""
    with _datagrams(address) as talk:
        level, name = (socket.IPPROTO_IPV6, IPV6_MTU) if ":" in address else (socket.IPPROTO_IP, IP_MTU)
        size = highest
        while time.monotonic() < end:
            # the complaint itself, or that nobody listens on that port
            with contextlib.suppress(OSError):
                talk.send(bytes(size - IP_HEADER[6 if ":" in address else 4] - 8))
            time.sleep(QUIET / 2)
            told = int(talk.getsockopt(level, name))
            if told == size:
                break
            size = told     # another router may want even less
    return size if size < highest else None


def _datagrams(address: str) -> socket.socket:
    talk = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    _forbid_pieces(talk, ":" in address, DO)
    talk.connect((address, DISCARD_PORT))
    return talk


def _forbid_pieces(talk: socket.socket, is_v6: bool, how: int) -> None:
    talk.setsockopt(*((socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) if is_v6 else (socket.IPPROTO_IP, IP_MTU_DISCOVER)), how)


class Echo:
    """Echo requests to one address (RFC 792, RFC 4443)."""

    def __init__(self, address: str) -> None:
        self.address, self.family = address, 6 if ":" in address else 4
        kind = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if self.family == 6 else (socket.AF_INET, socket.IPPROTO_ICMP)
        self.socket = socket.socket(kind[0], socket.SOCK_RAW, kind[1])
        _forbid_pieces(self.socket, self.family == 6, PROBE)
        self.identifier, self.sequence = os.getpid() & 0xFFFF, 0
        self.smallest_lost = 0

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.socket.close()

    def ask(self, sizes: Iterable[int], end: float) -> Set[int]:
        """Send a packet of each size at once; the sizes that came back."""
        waiting: Dict[int, int] = {}
        for size in sizes:
            self.sequence = (self.sequence + 1) & 0xFFFF
            try:
                self.socket.sendto(self._request(size), (self.address, 0))
                waiting[self.sequence] = size
            except OSError:
                continue        # larger than the interface takes
        found: Set[int] = set()
        until = min(end, time.monotonic() + 2 * QUIET)
        while waiting and time.monotonic() < until:
            ready, _write, _other = select.select([self.socket], [], [], max(0.0, until - time.monotonic()))
            size = waiting.pop(self._answered(), 0) if ready else 0
            if size:
                found.add(size)
                until = min(end, time.monotonic() + QUIET)
        return found

    def _request(self, size: int) -> bytes:
        body = struct.pack("!BBHHH", ECHO_REQUEST[self.family], 0, 0, self.identifier, self.sequence)
        body += bytes(size - IP_HEADER[self.family] - ICMP_HEADER)
        # of ICMPv6 the kernel makes the checksum itself
        return body if self.family == 6 else body[:2] + struct.pack("!H", checksum(body)) + body[4:]

    def _answered(self) -> int:
        """The sequence number of an answer to us; -1 for anything else that comes by."""
        data, sender = self.socket.recvfrom(65535)
        data = data[(data[0] & 15) * 4:] if self.family == 4 and data else data
        if str(sender[0]).partition("%")[0] != self.address or len(data) < ICMP_HEADER:
            return -1
        kind, _code, _sum, identifier, sequence = struct.unpack("!BBHHH", data[:ICMP_HEADER])
        return int(sequence) if (kind, identifier) == (ECHO_REPLY[self.family], self.identifier) else -1


def checksum(data: bytes) -> int:
    """The internet checksum of a message (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

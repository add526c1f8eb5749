# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a packet may be on the way to an address: measured by echoes, since 'fragmentation needed' is filtered in many places."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from ..formats import icmp
from ..models import path

DISCARD_PORT = 9
# the mark by which wg-quick leads the outer packets past a tunnel that takes everything else: ours take the same way
MARK = 51820
DO, PROBE = 2, 3              # IP_PMTUDISC_*: forbid fragments and heed what the kernel has learned, or forbid them and do not
UDP_HEADER = 8
ATTEMPTS = 2                  # of each echo, since any may be lost
TELLING = 3                   # datagrams that change nothing, until the kernel is taken to know all
TELLING_SECONDS = 0.1
EXTENDED_ERROR = struct.Struct("=IBBBBII")


class Version(NamedTuple):
    """Numbers of one IP version, most of which the socket module does not name."""

    number: int
    level: int
    discover: int
    mtu: int
    errors: int
    icmp: int


VERSIONS = {
    socket.AF_INET: Version(4, socket.IPPROTO_IP, 10, 14, 11, socket.IPPROTO_ICMP),
    socket.AF_INET6: Version(6, socket.IPPROTO_IPV6, 23, 24, 25, socket.IPPROTO_ICMPV6),
}
DONT_FRAGMENT = 62            # IPV6_DONTFRAG


def probe(address: str, seconds: float = 2.0) -> Optional[int]:
    """The largest IP packet in bytes that reaches an address and is answered, None when it cannot be told.

    Packets that no tunnel could use are not tried.

    Args:
        address: of IPv4 or IPv6, no name.
        seconds: after which there is an answer whatever the network does.
    """
    end = time.monotonic() + seconds
    try:
        found = socket.getaddrinfo(address, DISCARD_PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
        version, target = VERSIONS[found[0]], found[4]
        with _socket(found[0], socket.SOCK_DGRAM, 0) as datagrams:
            datagrams.connect(target)
            link = _link_mtu(datagrams, version)
            return _echoed(found[0], target, link, end - seconds * 0.3) or _told(datagrams, version, link, end)
    except (OSError, ValueError):
        return None


def _socket(family: int, kind: int, protocol: int) -> socket.socket:
    """A socket whose packets are never cut, and go as large as the outgoing interface takes them."""
    opened = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
    version = VERSIONS[opened.family]
    opened.setsockopt(version.level, version.discover, PROBE)
    with contextlib.suppress(OSError):
        if version.number == 6:
            opened.setsockopt(version.level, DONT_FRAGMENT, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    return opened


def _link_mtu(datagrams: socket.socket, version: Version) -> int:
    """The MTU of the outgoing interface; not the option IP_MTU, which is less when the kernel has learned less for this address.

    The kernel refuses a larger datagram before it is sent, and says in the socket's error queue what would have been accepted.
    """
    datagrams.setsockopt(version.level, version.errors, 1)
    link = path.LARGEST_PATH
    try:
        datagrams.send(bytes(path.LARGEST_PATH + 1))
    except OSError:
        link = datagrams.getsockopt(version.level, version.mtu)
        with contextlib.suppress(OSError):
            _data, told, _flags, _peer = datagrams.recvmsg(1, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            link = next((EXTENDED_ERROR.unpack_from(data)[5] for level, kind, data in told
                         if (level, kind) == (version.level, version.errors) and len(data) >= EXTENDED_ERROR.size), link)
    datagrams.setsockopt(version.level, version.errors, 0)
    return min(link, path.LARGEST_PATH)


def _echoed(family: int, target: Tuple[Any, ...], link: int, end: float) -> Optional[int]:
    """The largest size whose echo comes back, by bursts that close in on it; None without any, or without the right to ask."""
    with contextlib.suppress(OSError), _socket(family, socket.SOCK_RAW, VERSIONS[socket.AddressFamily(family)].icmp) as raw:
        echoes = _Echoes(raw, target, end)
        sizes = path.first_sizes(link)
        while sizes:
            for _attempt in range(ATTEMPTS):
                echoes.burst([size for size in sizes if size > echoes.best])
            # the smallest that was not answered is asked for again: it may have been lost more than once
            bound = min((size for size, _since in echoes.sent.values() if size > echoes.best), default=0)
            go_on = echoes.best and bound > echoes.best + 1 and time.monotonic() < end
            sizes = path.between(echoes.best, bound) if go_on else []
        return echoes.best or None
    return None


class _Echoes:
    """Echoes of many sizes to one address, and what comes back of them."""

    def __init__(self, raw: socket.socket, target: Tuple[Any, ...], end: float) -> None:
        self.raw, self.end = raw, end
        self.target: Tuple[Any, ...] = (target[0], 0, *target[2:])
        self.family = VERSIONS[raw.family].number
        self.identifier = random.getrandbits(16)
        self.sent: Dict[int, Tuple[int, float]] = {}
        self.best, self.round_trip = 0, 0.0
        # before the first answer nobody knows how long one takes: both attempts get half of the time
        self.patience = (end - time.monotonic()) / ATTEMPTS

    def burst(self, sizes: Sequence[int]) -> None:
        """Send them all, and listen until the largest is answered or no answer is to be expected any more."""
        start = time.monotonic()
        # the large ones first: somebody who answers only so many a second shall answer those that tell most
        for size in sorted(sizes, reverse=True):
            self._send(size)
        while sizes and self.best < max(sizes):
            wait = self.round_trip * 1.25 + 0.05 if self.round_trip else self.patience
            left = min(start + wait, self.end) - time.monotonic()
            if left <= 0:
                return
            self.raw.settimeout(left)
            with contextlib.suppress(OSError):
                self._hear(*self.raw.recvfrom(65535))

    def _send(self, size: int) -> None:
        left = self.end - time.monotonic()
        if left <= 0:
            return
        number = len(self.sent) & 0xFFFF
        self.sent[number] = (size, time.monotonic())
        self.raw.settimeout(left)
        # an interface that takes less, a full buffer, no route: all that is an echo which does not come back
        with contextlib.suppress(OSError):
            self.raw.sendto(icmp.request(self.family, self.identifier, number, icmp.filling(self.family, size)), self.target)

    def _hear(self, packet: bytes, sender: Tuple[Any, ...]) -> None:
        """Count an answer, if this is one to us: a raw socket hears everybody's."""
        heard = icmp.reply(self.family, packet)
        if heard is None or heard.identifier != self.identifier or heard.number not in self.sent:
            return
        size, since = self.sent[heard.number]
        if heard.size == size and _plain(sender) == _plain(self.target):
            self.best = max(self.best, size)
            self.round_trip = max(self.round_trip, time.monotonic() - since)


def _plain(address: Tuple[Any, ...]) -> str:
    return str(address[0]).partition("%")[0]


def _told(datagrams: socket.socket, version: Version, link: int, end: float) -> Optional[int]:
    """What routers tell the kernel about datagrams that are too large; None when they tell nothing, be it that all fits or is lost."""
    datagrams.setsockopt(version.level, version.discover, DO)
    known, unchanged = datagrams.getsockopt(version.level, version.mtu), 0
    while unchanged < TELLING and time.monotonic() < end:
        # what is refused here tells as much as what is sent
        with contextlib.suppress(OSError):
            datagrams.send(bytes(min(known, link) - icmp.IP_HEADER[version.number] - UDP_HEADER))
        time.sleep(max(min(TELLING_SECONDS, end - time.monotonic()), 0))
        before, known = known, datagrams.getsockopt(version.level, version.mtu)
        unchanged = 0 if known < before else unchanged + 1
    return known if known < link else None

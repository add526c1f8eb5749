# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket to the kernel's netfilter, for what its tools are too slow at; beside http.py the only engine that opens one."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Iterator, List

from ..errors import StateRefused
from ..formats import netlink

NETFILTER = 12                # NETLINK_NETFILTER, which the socket module does not name before Python 3.12
RECEIVE_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
ATTEMPTS = 20


class Interrupted(Exception):
    """Someone changed the list while it was being read."""


class Netfilter:
    """A conversation with the kernel, in the network namespace of this process."""

    def __init__(self) -> None:
        try:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETFILTER)
        except OSError as problem:
            raise StateRefused(f"the kernel's netfilter cannot be reached ({_name(problem)}); "
                               "run on a kernel with nftables", "netfilter") from None
        self.socket.settimeout(TIMEOUT_SECONDS)
        # an answer of thousands of messages must fit, or the kernel drops some
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * RECEIVE_BYTES)

    def __enter__(self) -> Netfilter:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.socket.close()

    def dump(self, subsystem: int, kind: int, family: int, payload: bytes = b"") -> List[bytes]:
        """All objects of one kind; none when the kernel does not know such.

        Args:
            payload: attributes by which the kernel filters.

        Raises:
            StateRefused: the kernel refuses, or never gave a list without somebody changing it meanwhile.
        """
        for _attempt in range(ATTEMPTS):
            try:
                self.socket.send(netlink.request(subsystem, kind, family, payload, netlink.DUMP))
                return list(self._bodies())
            except Interrupted:
                continue
            except OSError as problem:
                if problem.errno == errno.ENOENT:
                    return []
                raise StateRefused(f"the kernel does not list its netfilter objects ({_name(problem)}); "
                                   "run as root on a kernel with nftables", "netfilter") from None
        raise StateRefused("somebody else keeps changing the firewall, it could not be read; "
                           "wait for that to end and run again", "netfilter")

    def _bodies(self) -> Iterator[bytes]:
        broken = False
        while True:
            for kind, flags, _number, body in netlink.messages(self.socket.recv(RECEIVE_BYTES)):
                broken = broken or bool(flags & netlink.INTERRUPTED)
                if kind == netlink.ERROR and netlink.errno_of(body):
                    raise OSError(netlink.errno_of(body), "")
                if kind in (netlink.DONE, netlink.ERROR):
                    if broken:
                        raise Interrupted
                    return
                yield body

    def send_all(self, requests: List[bytes]) -> int:
        """Send requests that are each acknowledged; how many succeeded."""
        done = 0
        for message in requests:
            self.socket.send(message)
            answer = netlink.messages(self.socket.recv(RECEIVE_BYTES))
            done += sum(1 for kind, _flags, _number, body in answer if kind == netlink.ERROR and not netlink.errno_of(body))
        return done


def _name(problem: OSError) -> str:
    return errno.errorcode.get(problem.errno or 0, "no reason given")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and clients of real sockets, made in the namespace they are made in."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import List, Optional

ANSWER_SECONDS = 1.0
# for what must not come: long enough for a namespace, where an answer takes well under a millisecond
SILENCE_SECONDS = 0.3


def family(address: str) -> socket.AddressFamily:
    """Of an address in plain notation."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Echo:
    """Answers on TCP and UDP of one address and port with a name and the address it sees the peer at."""

    def __init__(self, name: str, address: str, port: int) -> None:
        self.name = name
        self.seen: List[str] = []
        self.tcp = socket.create_server((address, port), family=family(address))
        self.udp = socket.socket(family(address), socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._accept, self._datagrams)]
        for thread in self.threads:
            thread.start()

    def _text(self, peer: str) -> bytes:
        self.seen.append(peer)
        return f"{self.name} {peer}".encode()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self.tcp.accept()
                threading.Thread(target=self._serve, args=(connection, peer[0]), daemon=True).start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        with contextlib.suppress(OSError), connection:
            while connection.recv(100):
                connection.sendall(self._text(peer))

    def _datagrams(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                _data, where = self.udp.recvfrom(100)
                if not where:
                    return
                self.udp.sendto(self._text(where[0]), where)

    def close(self) -> None:
        """Stop."""
        # a thread that waits in a socket keeps it bound: shutdown wakes it (on UDP too, though it says "not connected")
        for server in (self.tcp, self.udp):
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for thread in self.threads:
            thread.join(1)


def dial(address: str, port: int, timeout: float = ANSWER_SECONDS, source: str = "") -> Optional[socket.socket]:
    """A TCP connection, or None when there is none to be had."""
    try:
        return socket.create_connection((address, port), timeout, (source, 0) if source else None)
    except OSError:
        return None


def say(connection: socket.socket) -> str:
    """Send something and return what comes back; nothing when nothing does."""
    try:
        connection.send(b"hello")
        return connection.recv(100).decode()
    except OSError:
        return ""


def tcp(address: str, port: int, timeout: float = ANSWER_SECONDS, source: str = "") -> str:
    """What a TCP server answers; nothing when it cannot be reached."""
    connection = dial(address, port, timeout, source)
    if connection is None:
        return ""
    with connection:
        return say(connection)


def flow(address: str, port: int, source: str = "") -> socket.socket:
    """A UDP socket of one source port, as a game's client keeps it."""
    client = socket.socket(family(address), socket.SOCK_DGRAM)
    client.settimeout(SILENCE_SECONDS)
    if source:
        client.bind((source, 0))
    client.connect((address, port))
    return client


def udp(address: str, port: int, source: str = "") -> str:
    """What a UDP server answers to a new flow."""
    with flow(address, port, source) as client:
        return say(client)

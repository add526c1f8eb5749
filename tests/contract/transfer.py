# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP transfer that runs while something is changed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Iterator

from contract.world import inside

PIECE = b"x" * 512


class Transfer:
    """One connection through which a piece goes every hundredth of a second."""

    def __init__(self, source: str, target: str, address: str, port: int) -> None:
        with inside(target):
            self.server = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        with inside(source):
            self.client = socket.create_connection((address, port), 5)
        self.connection, _peer = self.server.accept()
        self.client.settimeout(20)
        self.connection.settimeout(20)
        self.received, self.longest_gap, self.broken = 0, 0.0, ""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        try:
            while not self._stop.wait(0.01):
                self.client.sendall(PIECE)
        except OSError as problem:
            self.broken = str(problem)

    def _receive(self) -> None:
        last = time.monotonic()
        try:
            while not self._stop.is_set():
                data = self.connection.recv(65536)
                now = time.monotonic()
                if not data:
                    break
                self.received += len(data)
                self.longest_gap, last = max(self.longest_gap, now - last), now
        except OSError as problem:
            self.broken = self.broken or str(problem)

    def goes_on(self) -> bool:
        """Whether data still arrives, within the time that TCP may wait after a loss."""
        before, end = self.received, time.monotonic() + 10
        while self.received < before + 5 * len(PIECE) and time.monotonic() < end and not self.broken:
            time.sleep(0.01)
        return not self.broken and self.received >= before + 5 * len(PIECE)

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        for end in (self.client, self.connection, self.server):
            end.close()


@contextlib.contextmanager
def transfer(source: str, target: str, address: str, port: int = 7777) -> Iterator[Transfer]:
    """A transfer from one namespace to an address in another one."""
    found = Transfer(source, target, address, port)
    try:
        yield found
    finally:
        found.close()

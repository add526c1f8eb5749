# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HTTP server of the test's own, on the loopback interface."""

from __future__ import annotations

import contextlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

Reply = Tuple[int, Dict[str, str], bytes]


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the server's function."""

    server: Server
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """One request, one answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), body))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.server.react(self, len(self.server.seen))

    do_GET = do_POST = answer

    def reply(self, status: int, headers: Dict[str, str], body: bytes) -> None:
        """A complete answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Keeps what it was asked; ``react`` answers the n-th request."""

    daemon_threads = True

    def __init__(self, react: Callable[[Handler, int], None], address: str) -> None:
        super().__init__((address, 0), Handler)
        self.react = react
        self.seen: List[Tuple[str, str, Dict[str, str], bytes]] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


@contextlib.contextmanager
def serving(react: Callable[[Handler, int], None], context: Optional[ssl.SSLContext] = None,
            address: str = "127.0.0.1") -> Iterator[Server]:
    """Run a server for a while."""
    server = Server(react, address)
    # a client that has gone between its coming and its being let in would be waited for, and shutdown() with it
    server.socket.settimeout(1)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def replies(*answers: Reply) -> Callable[[Handler, int], None]:
    """Answer the first request with the first reply and so on; the last one for ever."""
    return lambda handler, number: handler.reply(*answers[min(number, len(answers)) - 1])

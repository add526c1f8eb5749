# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and connections through the real Traefik, and the backends that see what is left of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from contract.edge_traefik import entry, run
from contract.route_samples import FILES, Options
from unit.servers import Handler, Server, serving

SECONDS = 5


class Answer(NamedTuple):
    """What a client gets; ``seen`` is what the backend got, when it is one that tells."""

    status: int
    headers: Dict[str, str]
    body: bytes

    @property
    def seen(self) -> Options:
        """The request as the backend saw it."""
        found: Options = json.loads(self.body)
        return found


def client_tls(version: Optional[ssl.TLSVersion] = None, certificate: bool = False) -> ssl.SSLContext:
    """A client that takes any certificate, of one version of TLS, with a certificate of its own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(FILES / "cert.pem", FILES / "key.pem")
    return context


@contextlib.contextmanager
def connected(host: str, context: Optional[ssl.SSLContext] = None) -> Iterator[socket.socket]:
    """A connection to Traefik: plain, or over TLS for that name."""
    port = 8443 if context else 8000
    with socket.create_connection(("127.0.0.1", port), SECONDS) as plain:
        if context is None:
            yield plain
            return
        with context.wrap_socket(plain, server_hostname=host) as secure:
            yield secure


def ask(host: str, path: str = "/", context: Optional[ssl.SSLContext] = None, body: Optional[bytes] = None, **headers: str) -> Answer:
    """One request; names of headers are written with underscores."""
    with connected(host, context) as channel:
        connection = http.client.HTTPConnection(host)
        connection.sock = channel
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST" if body else "GET", path, body, {"Host": host, "Accept-Encoding": "identity", **given})
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def mirror(handler: Handler, _number: int) -> None:
    """Answer with what was asked."""
    _method, path, headers, _body = handler.server.seen[-1]
    # names as they came would hide that one is gone
    seen = {"path": path, "headers": {name.lower(): value for name, value in headers.items()}}
    handler.reply(200, {"Content-Type": "application/json", "X-Powered-By": "test"}, json.dumps(seen).encode())


def server_tls() -> ssl.SSLContext:
    """A backend's own TLS, for backend.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FILES / "cert.pem", FILES / "key.pem")
    return context


@contextlib.contextmanager
def backend(react: Callable[[Handler, int], None] = mirror, secure: bool = False) -> Iterator[Server]:
    """A backend; what it was asked is in ``seen``."""
    with serving(react, server_tls() if secure else None) as server:
        yield server


def url(server: Server, scheme: str = "http") -> str:
    """Where it is."""
    return f"{scheme}://127.0.0.1:{server.port}"


def route(server: Any, *middlewares: Options, **changes: Any) -> None:
    """One route, web.test, to a server."""
    target = server if isinstance(server, list) else url(server)
    run(**entry("web", target_url=target, middlewares=list(middlewares) or None, **changes))


@contextlib.contextmanager
def connections(secure: bool = False) -> Iterator[Options]:
    """A server of plain connections, which keeps the first bytes of each and answers them; ``port`` and ``first``."""
    first: List[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve(plain: socket.socket) -> None:
            with contextlib.suppress(OSError), (server_tls().wrap_socket(plain, server_side=True) if secure else plain) as channel:
                while data := channel.recv(1000):
                    first.append(data)
                    channel.sendall(b"got " + data[-5:])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield {"port": listener.getsockname()[1], "first": first}
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def tcp_route(port: int, *middlewares: Options, **changes: Any) -> None:
    """One route for connections, db.test."""
    run(**entry("db", entrypoint="websecure", target_url=f"tcp://127.0.0.1:{port}", middlewares=list(middlewares) or None, **changes))


def say(host: str, text: bytes = b"hello") -> bytes:
    """What a server of connections answers over TLS; nothing when the connection is closed."""
    try:
        with connected(host, client_tls()) as channel:
            channel.sendall(text)
            return channel.recv(100)
    except OSError:
        return b""

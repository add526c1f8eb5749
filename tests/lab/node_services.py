#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node of the mesh offers: HTTP on port 8080, a TCP and a UDP echo on port 32215.

Usage: node_services.py ADDRESS. Bound to this address alone, so only the mesh reaches it, and bound before the
address exists, so no start order is needed.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTTP_PORT = 8080
ECHO_PORT = 32215
IP_FREEBIND = 15  # <linux/in.h>; Python has no name for it
SHOWN_HEADERS = ("Host", "X-Forwarded-For", "X-Forwarded-Proto")
NAME = socket.gethostname()


class WebPage(BaseHTTPRequestHandler):
    """Tells what the request looked like when it arrived."""

    timeout = 10

    def do_GET(self) -> None:
        """Answer with the host's name, the path and the headers that a proxy sets."""
        lines = [f"hello from {NAME}", f"path: {self.path}"]
        lines += [f"{name}: {self.headers.get(name, '-')}" for name in SHOWN_HEADERS]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class TcpEcho(socketserver.StreamRequestHandler):
    """Greets and echoes lines."""

    timeout = 60

    def handle(self) -> None:
        """Serve one connection."""
        self.wfile.write(f"echo from {NAME}, you are {self.client_address[0]}\n".encode())
        for line in self.rfile:
            self.wfile.write(line)


class UdpEcho(socketserver.BaseRequestHandler):
    """Sends every datagram back; to "who am I" it tells the sender's address."""

    def handle(self) -> None:
        """Serve one datagram."""
        data, server_socket = self.request
        if data == b"who am I":
            data = f"you are {self.client_address[0]}".encode()
        server_socket.sendto(data, self.client_address)


class EarlyBind(socketserver.BaseServer):
    """Lets a server bind to an address that does not exist yet."""

    socket: socket.socket

    def server_bind(self) -> None:
        """Bind; without the look-up of the host's name that http.server makes."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = NAME, 0


class WebServer(EarlyBind, ThreadingHTTPServer):
    """HTTP."""


class TcpEchoServer(EarlyBind, socketserver.ThreadingTCPServer):
    """TCP echo."""

    daemon_threads = True


class UdpEchoServer(EarlyBind, socketserver.UDPServer):
    """UDP echo."""


def main() -> None:
    """Serve for ever."""
    address = sys.argv[1]
    for server in (TcpEchoServer((address, ECHO_PORT), TcpEcho), UdpEchoServer((address, ECHO_PORT), UdpEcho)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    WebServer((address, HTTP_PORT), WebPage).serve_forever()


if __name__ == "__main__":
    main()

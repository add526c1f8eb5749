#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell whether an edge answers as expected, seen from outside; needs nothing but Python.

Usage: probe.py EDGE EXPECTATION...

An expectation is "tcp:PORT=open" or "udp:PORT=open" (the node's echo answers there), the same with "=closed", or
"https://NAME/PATH=STATUS". Each is tried until it holds, for 10 seconds at most. Exit code 1 when one never did.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time

SECONDS = 10.0
GREETING = b"over the mesh\n"


def echo(edge: str, proto: str, port: int) -> str:
    """Open when what is sent comes back."""
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    answer = b""
    with socket.socket(socket.AF_INET, kind) as connection:
        connection.settimeout(1)
        try:
            connection.connect((edge, port))
            connection.sendall(GREETING)
            while not answer.endswith(GREETING):
                part = connection.recv(4096)
                if not part:
                    break
                answer += part
        except OSError:
            pass
    return "open" if answer.endswith(GREETING) else "closed"


def https(edge: str, url: str) -> str:
    """The status of the answer; the certificate is Traefik's own here."""
    name, _slash, path = url.partition("/")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((edge, 443), 3) as plain, context.wrap_socket(plain, server_hostname=name) as connection:
            connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(4096).split(b" ", 2)[1].decode()
    except (OSError, IndexError):
        return "no answer"


def look(edge: str, subject: str) -> str:
    """What the edge answers now."""
    if subject.startswith("https://"):
        return https(edge, subject[len("https://") :])
    proto, _colon, port = subject.partition(":")
    return echo(edge, proto, int(port))


def main() -> int:
    """Wait for every expectation; print those that never held."""
    deadline = time.monotonic() + SECONDS
    failed = False
    for expectation in sys.argv[2:]:
        subject, _equals, expected = expectation.rpartition("=")
        while (found := look(sys.argv[1], subject)) != expected:
            if time.monotonic() > deadline:
                print(f"{subject} is {found}, not {expected}")
                failed = True
                break
            time.sleep(0.2)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

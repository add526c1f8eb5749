#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an edge for a page over and over, each time over a new connection, and tell what was lost.

Usage: load.py EDGE NAME STOP_FILE

Ends when the file appears, after a minute at the latest. Prints requests, lost ones, and the longest time in milliseconds
between two answers.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import time

SECONDS = 60.0
PAUSE = 0.005


def answered(edge: str, name: str, context: ssl.SSLContext) -> bool:
    """Whether one request got its page."""
    try:
        with socket.create_connection((edge, 443), 2) as plain, context.wrap_socket(plain, server_hostname=name) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(4096).split(b" ", 2)[1] == b"200"
    except (OSError, IndexError):
        return False


def main() -> None:
    """Ask until told to stop."""
    edge, name, stop_file = sys.argv[1:]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sent = lost = 0
    gap = 0.0
    last = end = time.monotonic()
    while time.monotonic() < end + SECONDS and not os.path.exists(stop_file):
        sent += 1
        if answered(edge, name, context):
            gap, last = max(gap, time.monotonic() - last), time.monotonic()
        else:
            lost += 1
        time.sleep(PAUSE)
    print(json.dumps({"sent": sent, "lost": lost, "longest_gap_ms": round(gap * 1000)}))


if __name__ == "__main__":
    main()

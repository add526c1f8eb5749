#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the TCP and the UDP service behind a forwarded port who the client is: who_am_i.py EDGE PORT. Tries for half a minute."""

from __future__ import annotations

import socket
import sys
import time

SECONDS = 30.0


def ask(kind: socket.SocketKind, place: tuple[str, int]) -> str:
    """What one service says, from "you are" on; empty when nothing comes."""
    try:
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.settimeout(1)
            connection.connect(place)
            connection.send(b"who am I")
            return connection.recv(200).decode().strip().partition("you are ")[2]
    except OSError:
        return ""


def main() -> int:
    """Ask until both have answered."""
    place = (sys.argv[1], int(sys.argv[2]))
    end = time.monotonic() + SECONDS
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        answer = ask(kind, place)
        while not answer and time.monotonic() < end:
            time.sleep(0.5)
            answer = ask(kind, place)
        print(f"you are {answer}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

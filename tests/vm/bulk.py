#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk with an echo service behind a forward: bulk.py EDGE PORT sends a megabyte over TCP, and it must come back as it was.

With "until-cut" one UDP flow is kept: "open" is printed when it is answered, "cut" when it no longer is.
"""

from __future__ import annotations

import random
import socket
import sys
import threading
import time

LINES = 1024
SECONDS = 60
FLOW_SECONDS = 600


def transfer(place: tuple[str, int]) -> bool:
    """Whether a megabyte comes back."""
    lines = [random.randbytes(511).hex().encode() + b"\n" for _ in range(LINES)]
    with socket.create_connection(place, SECONDS) as connection, connection.makefile("rb") as answers:
        answers.readline()  # the greeting
        sender = threading.Thread(target=connection.sendall, args=[b"".join(lines)], daemon=True)
        sender.start()
        return all(answers.readline() == line for line in lines)


def keep_flow(place: tuple[str, int]) -> bool:
    """Whether a UDP flow was answered, and then no more within the time."""
    deadline = time.monotonic() + FLOW_SECONDS
    answered = False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        flow.settimeout(10)
        flow.connect(place)
        while time.monotonic() < deadline:
            try:
                flow.send(b"still there?")
                flow.recv(100)
            except OSError:  # silence, or the edge's word that nobody listens
                if answered:
                    print("cut", flush=True)
                    return True
            else:
                if not answered:
                    print("open", flush=True)
                answered = True
            time.sleep(0.5)
    return False


def main() -> int:
    """Do one of the two."""
    place = (sys.argv[1], int(sys.argv[2]))
    return int(not (keep_flow(place) if sys.argv[3:] == ["until-cut"] else transfer(place)))


if __name__ == "__main__":
    sys.exit(main())

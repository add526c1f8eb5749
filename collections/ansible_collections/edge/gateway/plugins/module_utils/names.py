# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host's resolver says of a name. For :class:`..host.Host` alone."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import List


def resolved(name: str, seconds: float) -> List[str]:
    """Addresses of a host name in the resolver's order; none when it cannot tell, or not in time.

    Three name servers that are silent take half a minute to give up, and whoever asks may hold the host's lock.
    """
    found: List[str] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)))

    # it dies with the process
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return list(found)

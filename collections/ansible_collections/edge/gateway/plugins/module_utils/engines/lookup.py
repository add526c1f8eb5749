# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host's resolver says of names, many at once and within a time: a slow look-up outlives every other timeout."""

from __future__ import annotations

import socket
import threading
import time
from typing import Dict, FrozenSet, Iterable, List

# the resolver's way to say that there is no such name, or that it has no address
NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def addresses(names: Iterable[str], seconds: float) -> Dict[str, FrozenSet[str]]:
    """The addresses of each name, none for one that does not exist; a name that was not answered in time is left out."""
    found: Dict[str, FrozenSet[str]] = {}
    threads: List[threading.Thread] = []
    for name in names:
        # threads that still wait at the end die with the process
        threads.append(threading.Thread(target=_ask, args=(name, found), daemon=True))
        threads[-1].start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    return dict(found)


def _ask(name: str, found: Dict[str, FrozenSet[str]]) -> None:
    try:
        found[name] = frozenset(str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM))
    except socket.gaierror as problem:
        if problem.errno in NO_SUCH_NAME:
            found[name] = frozenset()
    except (OSError, UnicodeError):
        return

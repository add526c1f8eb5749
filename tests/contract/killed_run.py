# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the role does on all hosts, as a program that can be killed: ``python -m contract.killed_run join|rotate``.

It says "ready" when everything is loaded and the work begins.
"""

from __future__ import annotations

import sys
import threading

from contract import hub_mesh
from contract.hub_mesh import NODE_1


def join() -> None:
    """A node that nobody knows enters the mesh, on a hub that is not there yet."""
    hub_mesh.register(peers=[])
    hub_mesh.enter(NODE_1, {"client_networks": ["0.0.0.0/0"]}, replies=True)


def rotate() -> None:
    """A node changes its key; see the role's rotate.yml."""
    keys = hub_mesh.make_key(NODE_1, next_key=True)
    upcoming = keys["next_public_key"]
    hub_mesh.register(node_id=NODE_1.name, node_pubkey=keys["public_key"], next_pubkey=upcoming, replies=True)
    hub = threading.Thread(target=lambda: hub_mesh.register(node_id=NODE_1.name, node_pubkey=upcoming, replies=True, timeout=10))
    hub.start()
    hub_mesh.join(NODE_1, client_networks=["0.0.0.0/0"], rotate_key=True)
    hub.join()
    join()


if __name__ == "__main__":
    print("ready", flush=True)
    {"join": join, "rotate": rotate}[sys.argv[1]]()

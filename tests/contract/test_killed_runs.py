# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is killed anywhere, with all that it had started: after the next plain run the tunnel is up and the hub knows one key.

EDGE_KILLS=50 makes it fifty points each instead of a few.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import List

import pytest
from contract import hub_mesh, killed_run
from contract.hub_mesh import HUB, HUB_IPS, NODE_1
from contract.world import STATE_DIR, WIREGUARD_DIR, reset

pytestmark = pytest.mark.usefixtures("no_tunnels")
KILLS = int(os.environ.get("EDGE_KILLS", "6"))


def start(what: str) -> subprocess.Popen[str]:
    """A run, at the point where it begins to work."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = subprocess.Popen([sys.executable, "-m", "contract.killed_run", what], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    assert running.stdout and running.stdout.readline() == "ready\n"
    return running


def before(what: str) -> None:
    """The mesh as the run finds it."""
    hub_mesh.clear()
    reset()
    if what == "rotate":
        killed_run.join()


def comes_up() -> bool:
    """Whether the tunnel works, within the time that WireGuard takes to notice a peer that has forgotten it."""
    return any(hub_mesh.answers(NODE_1, HUB_IPS[0]) for _try in range(12))


def leftovers() -> List[str]:
    """Files that a killed run had not yet put into place, and a next key that nobody waits for."""
    return [str(path) for folder in (WIREGUARD_DIR, STATE_DIR) for path in folder.rglob("*")
            if path.name.endswith((".tmp", ".next"))]


@pytest.mark.parametrize("what", ["join", "rotate"])
def test_the_next_run_makes_it_whole(what: str) -> None:
    """One peer with its networks, one key, no leftovers, and nothing more to do."""
    before(what)
    begun = time.monotonic()
    assert start(what).wait(60) == 0
    whole = time.monotonic() - begun
    dice = random.Random(f"{what} {os.environ.get('EDGE_SEED', '1')}")
    for number in range(KILLS):
        before(what)
        moment = dice.uniform(0, whole)
        running = start(what)
        time.sleep(moment)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        where = f"{what} {number}, killed after {moment:.3f} of {whole:.3f} s"
        killed_run.join()
        key = hub_mesh.make_key(NODE_1)["public_key"]
        assert {name: peer["allowed_ips"] for name, peer in hub_mesh.peers().items()} == {key: "10.50.0.2/32,fd50::2/128"}, where
        assert list(hub_mesh.peers(NODE_1)) == [hub_public_key()], where
        assert comes_up(), where
        assert not leftovers(), where
        assert not hub_mesh.join(NODE_1, client_networks=["0.0.0.0/0"]).plan.changed, where


def hub_public_key() -> str:
    """The hub's key as its interface has it."""
    return str(hub_mesh.make_key(HUB)["public_key"])

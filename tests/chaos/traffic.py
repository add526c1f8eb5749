# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards and routes change, one after the other, while connections and requests go on without a pause.

    tests/lab/lab isolate .venv/bin/python -m chaos.traffic          (in tests; 500 changes of each kind at full size)

Not one of them may fail: neither by changes of others, nor when the forward or route that they take is replaced itself, by one to
another target that serves as well. At the end the forward that the connections took is deleted, and the route: then they must fail, or
nothing was measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from contract import edge_traefik, forwarding, world
from contract.world import inside, sh

from .figures import TOP, note, sized

FULL, MILLISECONDS, IN_FLIGHT, CLIENTS = 500, 1000, 16, 4
CLIENT, EDGE, EDGE_MESH, NODE = "198.51.100.2", "198.51.100.1", "10.50.0.1", "10.50.0.12"
OTHER = "10.50.0.13"
STEADY: Dict[str, Any] = {"forward_id": "steady", "public_port": "22015", "target_ip": NODE, "target_port": 8080}
STEADY_ROUTE: Dict[str, Any] = edge_traefik.entry("steady")


@contextlib.contextmanager
def hosts(load: Path) -> Iterator[None]:
    """client -- edge -- node, with a server on the node."""
    for name in ("client", "gateway", "node"):
        world.add_namespace(name)
    world.connect(("client", "eth0", f"{CLIENT}/24"), ("gateway", "up0", f"{EDGE}/24"))
    world.connect(("node", "eth0", f"{NODE}/24"), ("gateway", "wg0", f"{EDGE_MESH}/24"))
    sh("ip", "-n", "node", "address", "add", f"{OTHER}/24", "dev", "eth0")
    # what a reset connection leaves may not hold up the next one of the same port
    sh("ip", "netns", "exec", "gateway", "sysctl", "-q", "net.netfilter.nf_conntrack_tcp_timeout_close=1")
    with inside("node"):
        server = subprocess.Popen([str(load), "serve", "8080"], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.kill()
        server.wait()
        world.remove_namespaces("client", "gateway", "node")


def connections(load: Path) -> Dict[str, Any]:
    """So many as are possible in a moment: each connects, says a word, and hears where it came from."""
    with inside("client"):
        command = [str(load), "rate", EDGE, "22015", EDGE_MESH, f"{CLIENT},1", "reset", str(MILLISECONDS), str(IN_FLIGHT)]
        found: Dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    return found


def change_of_forwards(dice: random.Random, number: int) -> Dict[str, Any]:
    """Every fourth replaces the forward of the connections; others change an element, a list, the table's structure."""
    if number % 4 == 0:
        return {**STEADY, "target_ip": NODE if number % 8 else OTHER}
    name = f"f-{number % 20}"
    if dice.random() < 0.2:
        return {"forward_id": name, "state": "absent"}
    first = 30000 + 20 * (number % 20)
    return {"forward_id": name, "public_port": dice.choice([str(first), f"{first}-{first + 9}"]),
            "target_ip": f"10.50.0.{dice.randint(20, 99)}", "proto": dice.choice(["tcp", "udp", "both"]),
            # a way back to the sender, and a way for senders of the mesh, exclude each other
            **dice.choice([{"source_nat": "none"}, {"hairpin": True}, {}]),
            "source_ranges": dice.choice([[], ["203.0.113.0/24"], [f"198.51.{dice.randint(1, 9)}.0/24", "192.0.2.0/25"]])}


def forwards_part(load: Path, count: int, dice: random.Random) -> Dict[str, int]:
    """Connections and failures while forwards change."""
    total = {"done": 0, "failed": 0, "after": 0}
    stop = threading.Event()

    def connect() -> None:
        while not stop.is_set():
            found = connections(load)
            total["done"] += found["done"]
            total["failed"] += found["failed"] + found["wrong"]

    with hosts(load):
        with inside("gateway"):
            forwarding.run(**STEADY)
        thread = threading.Thread(target=connect)
        thread.start()
        try:
            with inside("gateway"):
                for number in range(count):
                    forwarding.run(**change_of_forwards(dice, number))
        finally:
            stop.set()
            thread.join()
        with inside("gateway"):
            forwarding.run(forward_id="steady", state="absent")
        total["after"] = connections(load)["failed"]
    return total


def routes_part(count: int, dice: random.Random) -> Dict[str, int]:
    """Requests and failures while routes change."""
    total = {"done": 0, "failed": 0, "after": 0}
    stop = threading.Event()
    lock = threading.Lock()

    def ask() -> None:
        while not stop.is_set():
            answer = edge_traefik.fetch("steady.test")
            with lock:
                total["done"] += 1
                total["failed"] += answer not in ((200, "one"), (200, "two"))

    folder = Path(tempfile.mkdtemp(prefix="edge-traffic-"))
    with edge_traefik.started(folder), edge_traefik.backends("one", "two") as (one, two):
        edge_traefik.run(**{**STEADY_ROUTE, "target_url": one.url})
        threads = [threading.Thread(target=ask) for _client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for number in range(count):
            name = f"r-{number % 20}" if number % 4 else "steady"
            gone = name != "steady" and dice.random() < 0.2
            edge_traefik.run(**({"route_id": name, "state": "absent"} if gone else edge_traefik.entry(
                name, target_url=dice.choice([one.url, two.url]), priority=dice.randint(1, 1000))))
        stop.set()
        for thread in threads:
            thread.join()
        edge_traefik.run(route_id="steady", state="absent")
        total["after"] = int(edge_traefik.fetch("steady.test")[0] != 200)
    return total


def main() -> int:
    """Change, and count."""
    begun, count = time.monotonic(), sized(FULL, 10)
    dice = random.Random(os.environ.get("EDGE_SEED", "1"))
    world.reset()
    with tempfile.TemporaryDirectory() as folder:
        load = Path(folder) / "load"
        subprocess.run(["gcc", "-O2", "-o", str(load), str(TOP / "bench/forwards/load.c")], check=True)
        forwards = forwards_part(load, count, dice)
    routes = routes_part(count, dice)
    for kind, total, what in (("forwards", forwards, "connections"), ("routes", routes, "requests")):
        note(f"traffic of {kind}", "make chaos-traffic", count, f"{total['failed']} of {total['done']:,} {what} failed",
             time.monotonic() - begun)
    parts: List[Dict[str, int]] = [forwards, routes]
    return 0 if all(part["failed"] == 0 and part["done"] and part["after"] for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main())

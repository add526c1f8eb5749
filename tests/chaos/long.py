# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of converges: what they leave behind does not grow.

    tests/lab/lab isolate .venv/bin/python -m chaos.long          (in tests; 300 rounds at full size)

A round adds, changes and deletes a forward and a route, as modules do it, with a flow in each forward. After the first rounds and after the
last ones the host must hold the same files, as many bytes in them, as many objects in the kernel, flows and processes; and Traefik, which
has loaded its directory all the time, about as much memory and as many open files.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict

from contract import edge_traefik, world
from contract.world import sh

from .figures import note, sized

FULL = 300
FOLDERS = ("/etc/edge-gateway", "/etc/traefik", "/var/lib/edge-gateway", "/run/edge-gateway", "/etc/sysctl.d", "/etc/systemd/system")
# of Go's heap, which breathes
MEMORY = 1.3
# so many rounds fill the list of runs that is kept for people who ask later; before that it grows
SETTLED = 25
GROWING = ("log",) if sized(FULL, 2) >= SETTLED else ("log", "history.json")


def round_of_changes(number: int) -> None:
    """One of each kind, by the modules."""
    forward: Dict[str, Any] = {"forward_id": "game", "public_port": "22015", "target_ip": "10.50.0.12", "proto": "both"}
    route = edge_traefik.entry("web")
    for target in (80, 81):
        world.module("dnat_forward", **forward, target_port=target)
        result = edge_traefik.module(**{**route, "target_url": f"http://10.50.0.12:{target}"})
        assert not result.get("failed"), result
        # somebody comes
        sh("python3", "-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 22015))")
    world.module("dnat_forward", forward_id="game", state="absent")
    edge_traefik.module(route_id="web", state="absent")


def size_of(traefik: edge_traefik.Traefik) -> Dict[str, Any]:
    """What the host holds."""
    files = [path for folder in FOLDERS for path in Path(folder).rglob("*") if path.is_file()]
    flows = sh("conntrack", "-L", "-p", "udp", "--orig-port-dst", "22015", check=False).splitlines()
    status = Path(f"/proc/{traefik.process.pid}/status").read_text()
    return {"files": len(files), "bytes": sum(path.stat().st_size for path in files if path.name not in GROWING),
            "rules": len(world.ruleset().splitlines()), "flows": len(flows), "processes": len(sh("ps", "-e").splitlines()),
            "open files of Traefik": len(list(Path(f"/proc/{traefik.process.pid}/fd").iterdir())),
            "kB of Traefik": int(status.partition("VmRSS:")[2].split()[0])}


def main() -> int:
    """Change, and measure."""
    begun, count = time.monotonic(), sized(FULL, 2)
    world.reset()
    with edge_traefik.started(Path(tempfile.mkdtemp(prefix="edge-long-"))) as traefik:
        for number in range(min(SETTLED, count)):
            round_of_changes(number)
        first = size_of(traefik)
        for number in range(count):
            round_of_changes(number)
        last = size_of(traefik)
    grown = [f"{name}: {first[name]} -> {last[name]}" for name in first
             if last[name] > first[name] * (MEMORY if name == "kB of Traefik" else 1) + (0 if name != "open files of Traefik" else 3)]
    print(first, last, *grown, sep="\n")
    note("long", "make chaos-long", 6 * count, f"{', '.join(grown) or 'flat'} (Traefik {first['kB of Traefik'] >> 10} -> "
         f"{last['kB of Traefik'] >> 10} MiB)", time.monotonic() - begun)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())

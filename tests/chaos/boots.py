# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An edge with ten thousand forwards and a thousand routes restarts: all forwards are in the kernel before any network is, all routes
are served.

    make chaos-boots          (20 boots at full size, on the lab's edge1)

A unit of the test looks at the table the instant the network is declared online; it is ordered before nothing, so that it cannot hold
up what it looks at. When each unit began and ended is read from the host's own systemd. Every second boot is a reset without a shutdown.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from . import hosts
from .figures import PERCENT, note, sized
from .hosts import EDGE, ssh

FULL = 20
FORWARDS, ROUTES = (10_000, 1_000) if PERCENT >= 100 else (1_000, 100)
FIRST_PORT = 10_000
LOADER, ONLINE, SERVED = "edge-gateway-forwards.service", "chaos-online.service", "chaos-served.service"
UNITS = [LOADER, ONLINE, "network-pre.target", "network-online.target", "multi-user.target", "traefik.service"]
API = "http://127.0.0.1:8080/api/http/routers?per_page=100000"
# at the instant when the network is declared online, itself in the way of nothing; and when Traefik serves all of the routes
FILES = {
    f"/etc/systemd/system/{ONLINE}": """[Unit]
DefaultDependencies=no
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'nft list table inet edge_gateway >/run/chaos-table 2>&1 || true'
[Install]
WantedBy=multi-user.target
""",
    f"/etc/systemd/system/{SERVED}": """[Unit]
After=network-online.target
[Service]
ExecStart=/usr/bin/python3 /root/chaos-served.py
[Install]
WantedBy=multi-user.target
""",
    "/root/chaos-served.py": f"""
import json, time, urllib.request
while True:
    try:
        found = json.load(urllib.request.urlopen({API!r}, timeout=5))
    except OSError:
        found = []
    if sum(item["name"].endswith("@file") and item["status"] == "enabled" for item in found) >= {ROUTES}:
        break
    time.sleep(0.05)
open("/run/chaos-served", "w").write(str(time.monotonic()))
""",
}


def host_name(number: int) -> str:
    """The name that a route serves."""
    return f"r{number}.chaos.test"


def fill() -> None:
    """Forwards and routes as one call each, from files, which is the way for thousands."""
    forwards = [{"forward_id": f"f-{number}", "public_port": str(FIRST_PORT + number), "target_ip": hosts.NODE,
                 "target_port": hosts.NODE_ECHO, "comment": f"forward {number}"} for number in range(FORWARDS)]
    routes = [{"route_id": f"r-{number}", "hostname": host_name(number), "target_url": f"http://{hosts.NODE}:{hosts.NODE_WEB}"}
              for number in range(ROUTES)]
    with tempfile.TemporaryDirectory() as folder:
        for module, entries in (("dnat_forward", forwards), ("traefik_route", routes)):
            listing = Path(folder) / f"{module}.json"
            listing.write_text(json.dumps(entries))
            wait = " wait_timeout=120" if module == "traefik_route" else ""
            hosts.ansible("ansible", EDGE, "-m", f"edge.gateway.{module}", "-a", f"src={listing} purge=true summary=true{wait}")


def times() -> Dict[str, Dict[str, float]]:
    """When each unit began and was reached, in seconds of the host's monotonic clock; 0 for what did not happen in this boot."""
    names = {"InactiveExitTimestampMonotonic": "begun", "ActiveEnterTimestampMonotonic": "reached"}
    shown = ssh(EDGE, f"systemctl show -p Id,{','.join(names)} {' '.join(UNITS)}")
    found = {}
    for block in shown.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines())
        found[values["Id"]] = {name: int(values[key]) / 1e6 for key, name in names.items()}
    return found


def served(patience: float = 60) -> float:
    """When Traefik had all routes; 0 if that does not come."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = ssh(EDGE, "cat /run/chaos-served", check=False)
        if found:
            return float(found)
        time.sleep(0.5)
    return 0


def boot(how: str, before: List[str], dice: random.Random) -> Dict[str, Any]:
    """Restart; what was wrong, and what took how long."""
    hosts.reboot(EDGE, how)
    at, begun = times(), float(hosts.started(EDGE)) / 1e6
    reached = {unit: at[unit]["reached"] for unit in UNITS}
    early = ssh(EDGE, "cat /run/chaos-table", check=False)
    wrong = []
    if hosts.elements(early) != FORWARDS:
        wrong.append(f"when the network is online {hosts.elements(early):,} of {FORWARDS:,} forwards are there")
    if hosts.table(early) != before:
        wrong.append("when the network is online the table is not the one from before the restart")
    if hosts.table(ssh(EDGE, "nft list table inet edge_gateway", check=False)) != before:
        wrong.append("after the boot the table is not the one from before the restart")
    wrong += [f"{LOADER} has not ended before {unit}" for unit in ("network-pre.target", "network-online.target", "multi-user.target")
              if not 0 < reached[LOADER] <= reached[unit]]
    all_served = served()
    if not all_served:
        wrong.append(f"Traefik does not serve all {ROUTES:,} routes")
    wrong += hosts.from_outside([FIRST_PORT + number for number in dice.sample(range(FORWARDS), 3)],
                                [host_name(number) for number in dice.sample(range(ROUTES), 3)])
    return {"wrong": wrong, "load": reached[LOADER] - at[LOADER]["begun"], "forwards": reached[LOADER] - begun,
            "online": reached["network-online.target"] - begun, "users": reached["multi-user.target"] - begun,
            "routes": all_served - begun, "traefik": reached["traefik.service"] - begun}


def spread(values: List[float]) -> str:
    """Smallest, middle and largest, in seconds."""
    return f"{min(values):.2f}/{statistics.median(values):.2f}/{max(values):.2f} s"


def control(before: List[str], dice: random.Random) -> bool:
    """Whether a boot that loads nothing is found out."""
    ssh(EDGE, f"systemctl disable --now {LOADER}")
    found = boot("systemctl reboot", before, dice)["wrong"]
    ssh(EDGE, f"systemctl enable {LOADER}")
    return any("of" in words and "forwards are there" in words for words in found) and any(LOADER in words for words in found)


def main() -> int:
    """Boot after boot."""
    begun, count = time.monotonic(), sized(FULL, 2)
    dice = random.Random(1)
    wrong: List[str] = []
    boots = []
    for path, text in FILES.items():
        ssh(EDGE, f"cat >{path}", text)
    ssh(EDGE, f"systemctl daemon-reload && systemctl enable {ONLINE} {SERVED}")
    try:
        fill()
        before = hosts.table(ssh(EDGE, "nft list table inet edge_gateway"))
        seen = control(before, dice)
        for number in range(count):
            done = boot("systemctl reboot --force --force" if number % 2 else "systemctl reboot", before, dice)
            print(number, {name: value if name == "wrong" else round(value, 2) for name, value in done.items()}, flush=True)
            boots.append(done)
            wrong += [f"boot {number}: {words}" for words in done["wrong"]]
    finally:
        ssh(EDGE, f"systemctl disable --quiet {ONLINE} {SERVED}; rm -f {' '.join(FILES)}; systemctl daemon-reload")
        hosts.ansible("ansible-playbook", "site.yml", "-e", "edge_gateway_forwards_purge=true", "-e", "edge_gateway_routes_purge=true")
    print(*wrong, sep="\n")
    bad = sum(bool(done["wrong"]) for done in boots)
    of = {name: spread([done[name] for done in boots]) for name in ("load", "forwards", "online", "users", "routes")}
    note("boots", "make chaos-boots", count,
         f"{bad} not complete; loading the forwards took {of['load']} (least, median, most); since systemd began: forwards "
         f"{of['forwards']}, network online {of['online']}, multi-user {of['users']}, routes {of['routes']}"
         + ("" if seen else "; the control was not found out"), time.monotonic() - begun)
    return 0 if seen and not bad else 1


if __name__ == "__main__":
    sys.exit(main())

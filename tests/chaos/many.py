# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty calls at the same time on one host, round after round: nothing lost, nothing doubled, nobody fails, nobody waits too long.

    tests/lab/lab isolate .venv/bin/python -m chaos.many          (in tests; 20 rounds at full size)

In a round each of the fifty has a forward or a route of its own, which it adds, changes or deletes; ten more only look. What each had
asked for last must be there at the end of the round, and nothing else, in the state, in the kernel and in Traefik's directory.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from typing import Any, Dict, List, Tuple

from contract import world
from contract.forwarding import IPV6_FORWARDING

from .calls import DYNAMIC
from .figures import note, sized

FULL, WRITERS, READERS = 20, 50, 10
Wishes = Dict[str, Dict[str, Any]]


def wish(dice: random.Random, number: int, wishes: Wishes) -> Tuple[str, Dict[str, Any]]:
    """The id of a writer's object, and what he asks for next: mostly that it is there."""
    name = f"r-{number}" if number % 2 else f"f-{number}"
    standing = wishes.get(name, {"state": "absent"}).get("state") != "absent"
    target = dice.randint(1024, 65535)
    ways: Dict[str, Any] = {"route_id": name, "wait": False} if number % 2 else {"forward_id": name}
    if standing and dice.random() < 0.3:
        return name, {**ways, "state": "absent"}
    if number % 2:
        return name, {**ways, "hostname": f"r{number}.test", "target_url": f"http://10.50.0.12:{target}"}
    return name, {**ways, "public_port": str(20000 + number), "target_ip": "10.50.0.12", "target_port": target}


def module_of(asked: Dict[str, Any]) -> str:
    """The module that a wish is for."""
    return "dnat_forward" if "forward_id" in asked else "traefik_route"


def failures(runs: List[Tuple[str, subprocess.Popen[str]]]) -> List[str]:
    """Who got another answer than success."""
    wrong = []
    for name, run in runs:
        out, err = run.communicate(timeout=120)
        try:
            result = json.loads(out.strip().splitlines()[-1])
        except (IndexError, ValueError):
            result = {"failed": True, "msg": f"no answer: {err[-200:]}"}
        wrong += [f"{name}: {result.get('msg')}"] if result.get("failed") else []
    return wrong


def lost(wishes: Wishes, forward_info: Dict[str, Any], route_info: Dict[str, Any]) -> List[str]:
    """What is not as it was asked for last, by the answers of the two modules that only look."""
    forwards = {item["forward_id"]: item for item in forward_info["forwards"]}
    routes = {item["route_id"]: item for item in route_info["routes"]}
    wrong = []
    for name, asked in wishes.items():
        found = forwards.get(name) or routes.get(name)
        if (asked.get("state") == "absent") != (found is None):
            wrong.append(f"{name} {'is still' if found else 'is not'} there")
        elif found and "forward_id" in asked and (found["target_port"] != asked["target_port"] or not found["active"]):
            wrong.append(f"{name} leads to {found['target_port']}, not to {asked['target_port']}")
        elif found and "route_id" in asked and found["target_url"] != [asked["target_url"]]:
            wrong.append(f"{name} leads to {found['target_url']}, not to {asked['target_url']}")
    return wrong + [f"{name} was not asked for" for name in sorted({*forwards, *routes} - set(wishes))]


def main() -> int:
    """Round after round."""
    begun, rounds = time.monotonic(), sized(FULL, 1)
    dice = random.Random(os.environ.get("EDGE_SEED", "1"))
    world.reset()
    IPV6_FORWARDING.write_text("0")
    shutil.rmtree(DYNAMIC, ignore_errors=True)
    DYNAMIC.mkdir()
    wishes: Wishes = {}
    failed: List[str] = []
    gone: List[str] = []
    longest = 0.0
    for _round in range(rounds):
        asked = dict(wish(dice, number, wishes) for number in range(WRITERS))
        start = time.monotonic()
        runs = [(name, world.start_module(module_of(one), **one)) for name, one in asked.items()]
        runs += [("info", world.start_module("dnat_forward_info" if number % 2 else "traefik_route_info")) for number in range(READERS)]
        failed += failures(runs)
        longest = max(longest, time.monotonic() - start)
        wishes.update(asked)
        gone += lost(wishes, world.module("dnat_forward_info"), world.module("traefik_route_info"))
    print(*failed, *gone, sep="\n")
    note("many", "make chaos-many", rounds * WRITERS,
         f"{len(gone)} lost or doubled, {len(failed)} failed; the last of fifty had its answer after {longest:.0f} s",
         time.monotonic() - begun)
    return 1 if failed or gone else 0


if __name__ == "__main__":
    sys.exit(main())

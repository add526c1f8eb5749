# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml among fifty other calls, on a whole host: nothing lost, nothing doubled, nobody fails, nobody waits too long.

    make chaos-writers          (20 rounds at full size, on the lab's edge1)

While a run of site.yml changes what the inventory is about, fifty calls at a time add, change and delete forwards and routes of others,
and ten look, again and again until the run has ended. Afterwards everything is as it was asked for last. Every fourth run of site.yml
purges, as its documentation promises: others' objects that it meets are gone then, and may be nothing else than gone.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import ansible

from . import hosts
from .figures import TOP, note, sized
from .hosts import EDGE, ssh
from .many import READERS, WRITERS, Wishes, lost, module_of, wish

FULL, OWN = 20, 10
# seconds for one run of site.yml, which takes ten when nobody is in its way
LIMIT = 300
LIBRARY = "/root/chaos-library"
LOOKING = ["dnat_forward_info", "traefik_route_info", "gateway_health", "wg_join_info"]
Answers = List[Tuple[str, float, Dict[str, Any]]]


def bring() -> None:
    """The collection, Ansible's module_utils and the program that calls modules, on the host."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for source, name in ((Path(ansible.__file__).parents[1], "ansible/module_utils"),
                                 (TOP / "collections", "ansible_collections/edge/gateway/plugins")):
                archive.add(source / name, name, filter=lambda item: None if "__pycache__" in item.name else item)
            archive.add(Path(__file__).with_name("calls_here.py"), "calls_here.py")
        file.seek(0)
        unpack = f"rm -rf {LIBRARY}; mkdir {LIBRARY} && cd {LIBRARY} && tar -xz && touch ansible/__init__.py"
        subprocess.run(["ssh", "-F", str(hosts.LAB / "ssh/config"), EDGE, unpack], stdin=file, check=True)


def call(calls: List[Tuple[str, str, Dict[str, Any]]], *options: str) -> Answers:
    """Modules on the host, all at once; the name of each, when it had its answer, and the answer."""
    shown = ssh(EDGE, f"cd {LIBRARY} && python3 calls_here.py {' '.join(options)}", json.dumps(calls), timeout=300)
    return [(name, seconds, result) for name, seconds, result in json.loads(shown)]


def batch(asked: Wishes, *options: str) -> Answers:
    """All writers and readers."""
    calls = [(name, module_of(one), {key: value for key, value in one.items() if key != "wait"}) for name, one in asked.items()]
    return call(calls + [("look", LOOKING[number % len(LOOKING)], {}) for number in range(READERS)], *options)


def inventory(number: int) -> Wishes:
    """What site.yml wants in a round, by name, as the modules' parameters."""
    web, target = f"http://{hosts.NODE}", 1024 + number
    wanted: Wishes = {"demo": {"route_id": "demo", "hostname": "demo.edge.test", "target_url": f"{web}:{hosts.NODE_WEB}"}}
    wanted["demo-echo"] = {"forward_id": "demo-echo", "public_port": "22000", "target_ip": hosts.NODE, "target_port": hosts.NODE_ECHO}
    for own in range(OWN):
        wanted[f"s-{own}"] = {"forward_id": f"s-{own}", "public_port": str(23000 + own), "target_ip": hosts.NODE, "target_port": target}
        wanted[f"w-{own}"] = {"route_id": f"w-{own}", "hostname": f"w{own}.site.test", "target_url": f"{web}:{target}"}
    return wanted


def site(number: int, folder: str, *, purge: bool) -> List[str]:
    """The arguments of ansible-playbook for a round's run."""
    wanted = list(inventory(number).values())
    path = Path(folder) / "round.json"
    path.write_text(json.dumps({"edge_gateway_forwards": [one for one in wanted if "forward_id" in one],
                                "edge_gateway_routes": [one for one in wanted if "route_id" in one],
                                "edge_gateway_forwards_purge": purge, "edge_gateway_routes_purge": purge}))
    return ["site.yml", "--limit", EDGE, "-e", f"@{path}"]


def found() -> Tuple[Dict[str, Any], Dict[str, Any], List[str]]:
    """What the host has, and what of it is doubled."""
    answers = {name: result for name, _seconds, result in call([(name, name, {}) for name in LOOKING[:2]])}
    forwards, routes = (answers[name] for name in LOOKING[:2])
    names = [item["forward_id"] for item in forwards["forwards"]] + [item["route_id"] for item in routes["routes"]]
    listed = hosts.elements(ssh(EDGE, "nft list table inet edge_gateway"))
    wrong = [f"{name} is there twice" for name in {*names} if names.count(name) > 1]
    return forwards, routes, wrong + ([f"the kernel has {listed} forwards of {len(forwards['forwards'])}"]
                                      if listed != len(forwards["forwards"]) else [])


def control(dice: random.Random) -> bool:
    """Whether calls without the lock are found out."""
    asked = dict(wish(dice, number, {}) for number in range(WRITERS))
    failed = [name for name, _seconds, result in batch(asked, "unlocked") if result.get("failed")]
    forwards, routes, wrong = found()
    return bool(failed or wrong or lost(asked | inventory(0), forwards, routes))


class Rounds:
    """Round after round, and what came of it."""

    def __init__(self) -> None:
        self.dice = random.Random(os.environ.get("EDGE_SEED", "1"))
        self.wishes: Wishes = {}
        self.wrong: List[str] = []
        self.waits: List[float] = []
        self.runs: List[float] = []

    def play(self, number: int, folder: str) -> None:
        """One run of site.yml, with batches of calls until it has ended."""
        purge, begun = number % 4 == 3, time.monotonic()
        with tempfile.TemporaryFile("w+") as said:
            running = subprocess.Popen(hosts.command("ansible-playbook", *site(number, folder, purge=purge)), cwd=TOP,
                                       env=hosts.environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            while running.poll() is None and time.monotonic() < begun + LIMIT:
                self.disturb()
            self.runs.append(time.monotonic() - begun)
            running.kill()
            said.seek(0)
            self.wrong += [f"site.yml fails: {said.read()[-1500:]}"] if running.wait() else []
        self.compare(number, purge=purge)

    def disturb(self) -> None:
        """A batch of calls."""
        asked = dict(wish(self.dice, writer, self.wishes) for writer in range(WRITERS))
        for name, seconds, result in batch(asked):
            self.waits += [seconds] if name != "look" else []
            self.wrong += [f"{name} fails: {result.get('msg')}"] if result.get("failed") else []
        self.wishes.update(asked)

    def compare(self, number: int, *, purge: bool) -> None:
        """What is not as it was asked for last."""
        forwards, routes, wrong = found()
        names = {item.get("forward_id") or item.get("route_id") for item in forwards["forwards"] + routes["routes"]}
        if purge:
            self.wishes = {name: one if name in names else {**one, "state": "absent"} for name, one in self.wishes.items()}
        wrong += lost({**self.wishes, **inventory(number)}, forwards, routes)
        self.wrong += [f"round {number}: {words}" for words in wrong]


def main() -> int:
    """Play, and tell."""
    begun, count = time.monotonic(), sized(FULL, 1)
    bring()
    with tempfile.TemporaryDirectory() as folder:
        hosts.ansible("ansible-playbook", *site(0, folder, purge=True))
        seen = control(random.Random(1))
        hosts.ansible("ansible-playbook", *site(0, folder, purge=True))
        rounds = Rounds()
        for number in range(1, count + 1):
            rounds.play(number, folder)
            print(f"{number}: site.yml {rounds.runs[-1]:.0f} s, {len(rounds.waits)} calls, {len(rounds.wrong)} troubles", flush=True)
        again = hosts.ansible("ansible-playbook", *site(count, folder, purge=False))
        rounds.wrong += ["the run after the last one changes something"] if hosts.changed(again) else []
    ssh(EDGE, f"rm -rf {LIBRARY}")
    hosts.ansible("ansible-playbook", "site.yml", "-e", "edge_gateway_forwards_purge=true", "-e", "edge_gateway_routes_purge=true")
    print(*rounds.wrong, sep="\n")
    note("writers", "make chaos-writers", len(rounds.waits),
         f"{len(rounds.wrong)} troubles in {count} runs of site.yml; of fifty calls half had their answer after "
         f"{statistics.median(rounds.waits):.1f} s, the last after {max(rounds.waits):.1f} s"
         + ("" if seen else "; the control was not found out"), time.monotonic() - begun)
    return 0 if seen and not rounds.wrong else 1


if __name__ == "__main__":
    sys.exit(main())

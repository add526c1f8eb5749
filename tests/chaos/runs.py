# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml is killed at a random moment: the host has the old state or the new one, keeps its key and its traffic; the next run mends it.

    make chaos-runs          (200 kills at full size, on the lab's edge1)

Every second kill also ends the modules on the host with their connections; otherwise they work on, and are waited for. A fifth of the
cases are the first run on a new host. Of the others three in a row are killed before one is left in peace, and every second time the host
is reset before that.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

from . import hosts
from .figures import TOP, note, sized
from .hosts import EDGE, ssh

FULL, FORWARDS, ROUTES = 200, 300, 30
# kills before a run that is left in peace
ROW = 3
TASK, TASK_SECONDS = "TASK [", 0.6
# with pipelining a module is a Python that reads its program from stdin
MODULES = "^/usr/bin/python3$"
STEADY = ([22000], ["demo.edge.test"])
# what stands on the host, and what does not parse; run there
LOOK = r"""
import glob, hashlib, json, os, subprocess
try:
    import yaml
except ImportError:
    yaml = None
def run(*argv, **options):
    # a new host has no tools yet
    return subprocess.run(["env", *argv], capture_output=True, text=True, **options)
found, wrong = {}, []
for pattern in ("/var/lib/edge-gateway/*.json", "/etc/edge-gateway/*", "/etc/traefik/*.yml", "/etc/traefik/dynamic/*.yml",
                "/etc/wireguard/*", "/etc/systemd/system/*edge-gateway*", "/etc/systemd/system/traefik.service"):
    for path in glob.glob(pattern):
        if not os.path.isfile(path) or path.endswith((".tmp", "history.json", "-before.json")):
            continue
        with open(path, "rb") as file:
            data = file.read()
        found[path] = hashlib.sha256(data).hexdigest()
        try:
            if path.endswith(".json"):
                json.loads(data)
            if yaml and path.endswith(".yml"):
                yaml.safe_load(data)
        except ValueError as error:
            wrong.append("%s does not parse: %s" % (path, error))
boot = "/etc/edge-gateway/forwards.nft"
if boot in found and run("nft", "-c", "-f", boot).returncode:
    wrong.append("nft does not take the file for the boot")
key, name = "/etc/wireguard/wg0.key", ""
if key in found:
    with open(key) as file:
        name = run("wg", "pubkey", stdin=file).stdout.strip()
    if not name:
        wrong.append("the private key is damaged")
if "/etc/wireguard/wg0.conf" in found and run("wg-quick", "strip", "wg0").returncode:
    wrong.append("wg-quick does not take wg0.conf")
print(json.dumps({"files": found, "wrong": wrong, "key": name, "table": run("nft", "list", "table", "inet", "edge_gateway").stdout}))
"""

class Side(NamedTuple):
    """What the inventory asks for, and how the host stands when it has it."""

    options: List[str]
    files: Dict[str, str]
    table: List[str]
    key: str
    tasks: int


def wishes(side: int) -> Dict[str, Any]:
    """What is asked for: some forwards, routes and options stay, some change, some come or go."""
    target = {"target_ip": hosts.NODE, "proto": "tcp"}
    forwards = [{"forward_id": "demo-echo", "public_port": "22000", "target_port": hosts.NODE_ECHO, **target}]
    forwards += [{"forward_id": f"f-{number}", "public_port": str(30000 + number), "target_port": 1000 + number * (side + 1), **target}
                 for number in range(0 if side else FORWARDS // 2, FORWARDS)]
    web = f"http://{hosts.NODE}:{hosts.NODE_WEB}"
    routes = [{"route_id": "demo", "hostname": "demo.edge.test", "target_url": web}]
    routes += [{"route_id": f"r-{number}", "hostname": f"r{number}.chaos.test", "target_url": f"{web[:-1]}{side}"}
               for number in range(0 if side else ROUTES // 2, ROUTES)]
    return {"edge_gateway_forwards": forwards, "edge_gateway_forwards_purge": True, "edge_gateway_routes": routes,
            "edge_gateway_routes_purge": True, "edge_gateway_persistent_keepalive": 25 - side, "edge_gateway_mtu": 1420 - 20 * side,
            "edge_gateway_traefik_log_level": ("INFO", "WARN")[side]}


def look() -> Dict[str, Any]:
    """The host's files by their digests, its table, the public key, and what does not parse."""
    found: Dict[str, Any] = json.loads(ssh(EDGE, "python3 -", LOOK))
    return {**found, "table": hosts.table(found["table"])}


def site(options: List[str]) -> str:
    """What a run that must succeed prints."""
    return hosts.ansible("ansible-playbook", "site.yml", "--limit", EDGE, *options)


def kill(options: List[str], moment: float, *, modules: bool) -> None:
    """Begin a run, and kill it within a task (2.5: in the middle of the third one, as long as tasks take when nobody is in their way),
    with all that it has started here, and on the host or until that has ended by itself."""
    running = subprocess.Popen(hosts.command("ansible-playbook", "site.yml", "--limit", EDGE, *options), cwd=TOP,
                               env=hosts.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True, start_new_session=True)
    assert running.stdout
    seen = 0
    for line in running.stdout:
        seen += line.startswith(TASK)
        if seen > moment:
            break
    time.sleep(moment % 1 * TASK_SECONDS)
    if modules:
        os.killpg(running.pid, signal.SIGSTOP)
        ssh(EDGE, f"pkill -KILL -f '{MODULES}'", check=False)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    ssh(EDGE, f"for _ in $(seq 600); do pgrep -f '{MODULES}' >/dev/null || exit 0; sleep 0.1; done; exit 1")


def between(found: Dict[str, Any], sides: List[Side], key: str) -> List[str]:
    """What is neither old nor new, or does not parse, or is lost."""
    wrong: List[str] = [*found["wrong"]]
    wrong += [f"{path} is neither the old file nor the new one" for path, digest in found["files"].items()
              if digest not in [side.files.get(path) for side in sides]]
    wrong += [f"{path} is lost" for path in set.intersection(*(set(side.files) for side in sides)) - set(found["files"])]
    if found["table"] not in [side.table for side in sides]:
        wrong.append(f"the table is neither the old one nor the new one: {len(found['table'])} lines")
    return wrong + (["the key is another one"] if found["key"] != key else [])


def standing(number: int, old: Side, new: Side, moments: List[float]) -> Tuple[List[str], int]:
    """Kills in a row of a run that changes a host which stands; what is wrong after each, after a restart, and after the next run. And
    how many had left a part of the change behind."""
    middles, key = 0, old.key
    wrong: List[str] = []
    for turn, moment in enumerate(moments, number):
        kill(new.options, moment, modules=turn % 2 == 0)
        found = look()
        middles += (found["files"], found["table"]) not in [(side.files, side.table) for side in (old, new)]
        wrong += [f"killed in task {moment:.2f}: {words}" for words in between(found, [old, new], key) + hosts.from_outside(*STEADY)]
    if number // ROW % 2:
        hosts.reboot(EDGE, "systemctl reboot --force --force")
        wrong += [f"after a restart: {words}" for words in between(look(), [old, new], key) + hosts.from_outside(*STEADY)]
    site(new.options)
    wrong += [f"after the next run: {words}" for words in between(look(), [new], key) + hosts.from_outside(*STEADY)]
    again = hosts.changed(site(new.options)) if number // ROW % 2 == 0 else 0
    return wrong + ([f"the run after the next one changes {again}"] if again else []), middles


def bare(number: int, side: Side, moment: float) -> Tuple[List[str], int]:
    """The same of one kill of the first run on a new host."""
    lab = str(TOP / "tests/lab/lab")
    subprocess.run([lab, "exec", "podman", "rm", "--force", "--time", "0", EDGE], check=True, capture_output=True)
    subprocess.run([lab, "up"], check=True, capture_output=True)
    ssh(EDGE, "apt-get -qq update")
    kill(side.options, moment, modules=number % 2 == 0)
    first = look()
    site(side.options)
    found = look()
    wrong: List[str] = [*first["wrong"], *found["wrong"], *hosts.from_outside(*STEADY)]
    wrong += ["the key is another one"] if first["key"] not in ("", found["key"]) else []
    wrong += ["after the next run the table is not the one asked for"] if found["table"] != side.table else []
    again = hosts.changed(site(side.options))
    return wrong + ([f"the run after the next one changes {again}"] if again else []), int(0 < len(first["files"]) < len(found["files"]))


def control(sides: List[Side]) -> bool:
    """Whether damage is found out: a state and a file for the boot that were not written to their end, and half a table."""
    ssh(EDGE, "cd /var/lib/edge-gateway && truncate -s -100 forwards.json && truncate -s -100 /etc/edge-gateway/forwards.nft && "
              "nft delete element inet edge_gateway tcp4 '{ 22000 }'")
    wrong = " ".join(between(look(), sides, sides[0].key))
    ssh(EDGE, "cd /var/lib/edge-gateway && cp forwards.json.prev forwards.json")
    return all(words in wrong for words in ("forwards.json does not parse", "nft does not take", "the table is neither", "nft is neither"))


def learn(folder: str) -> List[Side]:
    """The two sides, each applied once; the host is left on the second one."""
    sides = []
    for number in (0, 1):
        path = Path(folder) / f"{number}.json"
        path.write_text(json.dumps(wishes(number)))
        options = ["-e", f"@{path}"]
        tasks = site(options).count(TASK)
        found = look()
        sides.append(Side(options, found["files"], found["table"], found["key"], tasks))
    return sides


def main() -> int:
    """Kill, and tell."""
    begun, count = time.monotonic(), sized(FULL, 2)
    dice = random.Random(os.environ.get("EDGE_SEED", "1"))
    contacts = count // 5
    troubles: List[str] = []
    middles = 0
    with tempfile.TemporaryDirectory() as folder:
        sides = learn(folder)
        seen = control(sides)
        site(sides[1].options)
        # the new hosts come last, since each has another key
        cases = [(start, min(ROW, count - contacts - start)) for start in range(0, count - contacts, ROW)]
        for turn, (number, kills) in enumerate(cases + [(number, 0) for number in range(count - contacts, count)]):
            old, new = sides[(turn + 1) % 2], sides[turn % 2]
            moments = [dice.uniform(0, new.tasks) for _kill in range(kills or 1)]
            try:
                words, middle = standing(number, old, new, moments) if kills else bare(number, new, moments[0])
            except RuntimeError as error:
                words, middle = [str(error)], 0
            where = f"{number}, {'killed' if kills else 'first run killed'} in {', '.join(f'{moment:.2f}' for moment in moments)}"
            print(f"{where} of {new.tasks} tasks, {middle} in the middle: {words or 'well'}", flush=True)
            troubles += words
            middles += middle
    hosts.ansible("ansible-playbook", "site.yml", "-e", "edge_gateway_forwards_purge=true", "-e", "edge_gateway_routes_purge=true")
    note("runs", "make chaos-runs", count, f"{len(troubles)} troubles ({middles} had changed a part of it); {contacts} were the first run "
         f"on a new host{'' if seen else '; the control was not found out'}",
         time.monotonic() - begun)
    return 0 if seen and not troubles else 1


if __name__ == "__main__":
    sys.exit(main())

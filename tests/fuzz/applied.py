# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules really applied, through Ansible's own argument checks: nothing is written but our files, and tables of others stay."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Dict, List, Tuple

from contract import world
from contract.forwarding import invoke

from .judge import Wrong, place, sentence
from .modules import MODULES, Given, parameters
from .objects import FOREIGN
from .runs import clean
from .watch import WATCH, is_below

DYNAMIC = Path("/etc/traefik/dynamic")
OURS = (
    "/run/edge-gateway",
    "/var/lib/edge-gateway",
    "/etc/edge-gateway",
    "/etc/wireguard",
    str(DYNAMIC),
    "/etc/sysctl.d/60-edge-gateway.conf",
    "/etc/sysctl.d/60-edge-gateway-hub.conf",
    "/etc/sysctl.d/.edge-gateway-",
    "/etc/traefik/.edge-gateway-",
    "/proc/sys/net",
    "/run/overlay",
    "/run/wireguard",
)
TREES = ("/etc", "/var/lib", "/run")
NAMES = ("dnat_forward", "traefik_route", "inbound_filter", "wg_key", "wg_peer")
# where to write, whom to ask and how long to wait is not for the dice here: that would be asked for
PLACES = {
    "state_dir",
    "config_dir",
    "data_dir",
    "dynamic_dir",
    "static_config",
    "api_url",
    "wait_timeout",
    "wait_certificate",
    "handshake_timeout",
    "remote_src",
    "src",
    "_packed",
    "open_foreign",
    "backend",
}
Tree = Dict[str, Tuple[int, int, int, int]]


def tree() -> Tree:
    """Inode, mode, size and time of every file that is not ours."""
    found: Tree = {}
    for top in TREES:
        for folder, _folders, names in os.walk(top):
            for name in names:
                path = f"{folder}/{name}"
                if not any(is_below(path, own) for own in OURS):
                    status = os.lstat(path)
                    found[path] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
    return found


class Applied:
    """For real, in the namespace that the run has made."""

    name, share = "applied", 2_000
    expected: Tuple[type[BaseException], ...] = ()

    def __init__(self) -> None:
        self.before: Tree = {}
        self.foreign = ""

    def make(self, dice: random.Random) -> Given:
        """A module that changes something, and its parameters."""
        name = dice.choice(NAMES)
        given = parameters(dice, MODULES[name])
        found = {key: value for key, value in given.items() if key not in {*PLACES, "name"} and not key.startswith("_")}
        return name, {**found, **({"wait": False} if name == "traefik_route" else {})}

    def _begin(self) -> None:
        world.reset()
        world.nft(FOREIGN)
        shutil.rmtree(DYNAMIC, ignore_errors=True)
        DYNAMIC.mkdir()
        self.foreign = world.sh("nft", "-a", "list", "table", "ip", "fuzz_foreign")
        self.before = tree()

    def run(self, given: Given) -> bool:
        """Apply it; each stands on what those before have left."""
        name, params = given
        if not self.before:
            self._begin()
        with WATCH.watching(*OURS):
            try:
                result = invoke(name, **params)
            except (TypeError, ValueError, OverflowError) as problem:
                # Ansible's own check of a value of another type, before ours; what comes later is caught there and told
                if "entry.py" not in place(problem):
                    raise
                return False
        if not result.get("failed"):
            clean({key: value for key, value in result.items() if key != "invocation"})
            return True
        # without a code it is Ansible's own check
        wrong = sentence(result["msg"]) if "code" in result else ""
        if wrong or result.get("code") == "internal":
            raise Wrong(f"message {wrong}: {str(result['msg'])[:300]}")
        return False

    def finish(self) -> List[str]:
        """What is not ours is as it was."""
        if not self.before:
            return []
        after, before = tree(), self.before
        wrong = [f"{path} was changed" for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
        tables = {line for line in world.ruleset().splitlines() if line.startswith("table ")}
        ours = {"table ip fuzz_foreign", "table inet edge_gateway", "table inet edge_gateway_inbound"}
        wrong += [f"a {line} was made" for line in sorted(tables) if line.partition(" {")[0] not in ours]
        if world.sh("nft", "-a", "list", "table", "ip", "fuzz_foreign") != self.foreign:
            wrong.append("a table of somebody else has changed")
        world.reset()
        return wrong[:5]

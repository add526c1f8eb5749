# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of the API on one edge: the playbook, the module by itself, and the module's own program on the host, with no Ansible."""

from __future__ import annotations

import json
from typing import Any, Dict

from ..common.plays import task
from ..common.space import BenchError, say
from ..common.stats import Samples
from . import edges
from .edges import TCP_FORWARD, Control

MODULE = "edge.gateway.dnat_forward"
FORWARD: Dict[str, Any] = {"forward_id": "bench", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 32215}
# in this order each changes something
STATES = {"present": FORWARD, "absent": {"forward_id": "bench", "state": "absent"}}
WAYS = ("play", "adhoc", "program")
# as long as they would be kept, were they not asked for by name
KEPT = "/root/.ansible/tmp"
CLOCK = 'a=$(date +%s%N); python3 "$0" >/tmp/answer; b=$(date +%s%N); echo $((b - a)); cat /tmp/answer'


def measure(samples: Samples, control: Control, number: int, *, times: int) -> None:
    """A round on the first host, which is an edge. Each way opens a forward and closes it, so many times."""
    say("one call")
    ping = control.write("ping", [task("ansible.builtin.ping")])
    for state, options in STATES.items():
        _keep_program(control, state, options)
    for _ in range(times):
        samples.add("call/start", number, control.run("ansible-playbook", "--version").seconds)
        samples.add("call/ping-play", number, control.play(ping, False).seconds)
        samples.add("call/ping", number, control.run("ansible", "edge", "-m", "ansible.builtin.ping").seconds)
        for way in WAYS:
            for state, options in STATES.items():
                samples.add(f"call/{way}", number, _changed(control, way, state, options))


def _changed(control: Control, way: str, state: str, options: Dict[str, Any]) -> float:
    """The seconds of a call that must change something."""
    if way == "program":
        return _program(state)
    if way == "play":
        return control.play(TCP_FORWARD, True, "-e", json.dumps(options)).seconds
    done = control.run("ansible", "edge", "-m", MODULE, "-a", json.dumps(options))
    if "CHANGED" not in done.out:
        raise BenchError(f"{MODULE} by itself reports no change: {done.out[-2000:]}")
    return done.seconds


def _keep_program(control: Control, state: str, options: Dict[str, Any]) -> None:
    """Have Ansible leave the module's program on the host, with its options in it."""
    edges.on_host(0, "rm", "-rf", KEPT)
    control.run("ansible", "edge", "-m", MODULE, "-a", json.dumps(options), ANSIBLE_KEEP_REMOTE_FILES="1", ANSIBLE_PIPELINING="0")
    found = edges.on_host(0, "find", KEPT, "-name", "AnsiballZ_dnat_forward.py").split()
    if len(found) != 1:
        raise BenchError(f"Ansible has not left one program of {MODULE} on the host: {found}")
    edges.on_host(0, "mv", found[0], f"/root/{state}.py")


def _program(state: str) -> float:
    """Run the program on the host, as the host's own clock sees it."""
    nanoseconds, answer = edges.on_host(0, "sh", "-c", CLOCK, f"/root/{state}.py").split("\n", 1)
    if json.loads(answer).get("changed") is not True:
        raise BenchError(f"the program of {MODULE} does not report a change: {answer[-2000:]}")
    return int(nanoseconds) / 1e9

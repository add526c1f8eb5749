# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of ``site.yml`` for so many edges, and a playbook of the same shape whose modules do nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from ..common.plays import task
from ..common.space import say
from ..common.stats import Samples
from . import edges
from .edges import SITE, Control

# Ansible's own number of hosts at a time, and the one of our ansible.cfg
USUAL, OURS = 5, 10
# what runs on the control node alone
INSIDE = frozenset(["assert", "validate_argument_spec", "include_tasks", "include_role", "set_fact", "debug"])


def forks(size: int) -> List[int]:
    """The numbers of hosts at a time that are tried with so many edges."""
    return sorted({min(number, size) for number in ((USUAL, OURS) if size <= OURS else (OURS, size))})


def nothing(tasks: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The tasks of the peer: a ping for each module, one that is skipped for each that was, and an assertion for the rest.

    What is Ansible's own in it: processes, connections, tasks, the transport of a small module and its Python on the host. What is not:
    our variables and templates, larger modules, and what they do.
    """
    ping, said = task("ansible.builtin.ping"), task("ansible.builtin.assert", that=True, quiet=True)
    return [{**ping, "when": False} if not entry["ok"] else said if entry["action"] in INSIDE else ping for entry in seen(tasks)]


def seen(tasks: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The tasks that hosts had a part in."""
    return [entry for entry in tasks if entry["ok"] or entry["skipped"]]


def first(samples: Samples, control: Control, number: int) -> None:
    """The first run on hosts that never had a gateway."""
    say(f"site.yml on {control.count} new hosts")
    _kept(Sample(samples, f"first/{control.count}", number), control, SITE, True, min(OURS, control.count))


def measure(samples: Samples, control: Control, number: int) -> None:
    """A round on hosts that are edges already."""
    size = control.count
    say(f"site.yml on {size} edges")
    for at_once in forks(size):
        _kept(Sample(samples, f"again/{size}/{at_once}", number), control, SITE, False, at_once)
        shape = json.loads(control.shape.read_text())
        _kept(Sample(samples, f"nothing/{size}/{at_once}", number), control, control.write("nothing", nothing(shape)), False, at_once)
        for again, peer in zip(seen(shape), json.loads(control.shape.read_text())):
            samples.add(f"task/{size}/{at_once}/{again['name']}", number, again["seconds"] - peer["seconds"])


class Sample(NamedTuple):
    """Where the figures of a run are kept."""

    samples: Samples
    name: str
    number: int


def _kept(sample: Sample, control: Control, playbook: Path, changes: bool, at_once: int) -> None:
    """Run a playbook; its time, and the processor time here and on the hosts, for each edge."""
    hosts = set(control.hosts.values())
    before = edges.cpu_seconds(hosts)
    done = control.play(playbook, changes, "--forks", str(at_once), **control.recording())
    theirs = edges.cpu_seconds(hosts) - before
    for what, figure in (("seconds", done.seconds), ("control", done.cpu / control.count), ("hosts", theirs / control.count)):
        sample.samples.add(f"{sample.name}/{what}", sample.number, figure)

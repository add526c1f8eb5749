# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane: whole runs of ansible-playbook, Traefik's own part of them, and a loop over files."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from ..common.plays import Playbooks, task
from ..common.space import say
from ..common.stats import Samples
from . import cases, layouts, prepare
from .traefik import Traefik

WAIT = 60
COPY = ("http:\n  routers:\n    {{ item.route_id }}: {rule: Host(`{{ item.hostname[0] }}`), entryPoints: [web], "
        "service: {{ item.route_id }}}\n  services:\n    {{ item.route_id }}: "
        "{loadBalancer: {servers: [{url: '{{ item.target_url[0] }}'}]}}\n")


class Plays(Playbooks):
    """The plays for so many routes."""

    def __init__(self, folder: Path, traefik: Traefik, count: int, looped: int) -> None:
        super().__init__(folder)
        self.traefik, self.count, self.looped = traefik, count, looped
        listing = folder / "routes.json"
        listing.write_text(json.dumps({"routes": cases.routes(count, prepare.TARGET)}))
        self.write("routes", [task("edge.gateway.traefik_route", src=str(listing), purge=True, summary=True,
                                   wait_timeout=WAIT, **traefik.options)])
        copy = task("ansible.builtin.copy", content=COPY, dest=f"{traefik.dynamic}/{{{{ item.route_id }}}}.yml", mode="0640")
        self.write("loop", [{**copy, "loop": cases.routes(looped, prepare.TARGET)}])

    def expect(self, count: int) -> None:
        """Ask Traefik: these hosts are the target's, and the one after them is nobody's."""
        for host in cases.hosts(count):
            self.traefik.client.until(host, 200, patience=0)
        self.traefik.client.until(cases.host(count), 404, patience=0)

    def forget(self) -> None:
        """A Traefik without routes."""
        self.traefik.restart(*self.traefik.dynamic.iterdir())


def measure(samples: Samples, folder: Path, count: int, *, rounds: int, looped: int) -> None:
    """All rounds; the loop in the first and the last one only."""
    (folder / "plays").mkdir()
    traefik = Traefik(folder / "traefik", 1)
    plays = Plays(folder / "plays", traefik, count, looped)
    with contextlib.ExitStack() as stack:
        stack.enter_context(prepare.target())
        stack.enter_context(traefik.running())
        for number in range(rounds):
            say(f"plays with {count} routes, round {number + 1} of {rounds}")
            samples.add("load average", number, os.getloadavg()[0])
            _round(samples, plays, number)
            if number in (0, rounds - 1):
                _loop(samples, plays, number)


def _round(samples: Samples, plays: Plays, number: int) -> None:
    """A play that does nothing; all routes from nothing, and again; and Traefik's own time for as many new files."""
    samples.add("play/ping", number, plays.run("ping", False))
    samples.add("play/first", number, plays.run("routes", True))
    plays.expect(plays.count)
    plays.traefik.restart()
    samples.add("play/again", number, plays.run("routes", False))
    plays.expect(plays.count)
    plays.forget()
    files = {f"{cases.name(other)}.yml": layouts.one(cases.host(other), prepare.TARGET) for other in range(plays.count)}
    plays.traefik.stage(files)
    begin = time.monotonic()
    plays.traefik.rename(list(files))
    samples.add("play/reload", number, plays.traefik.client.until(cases.host(plays.count - 1), 200) - begin)
    plays.expect(plays.count)
    plays.forget()
    samples.add("play/without-reload", number, samples.last("play/first") - samples.last("play/reload"))


def _loop(samples: Samples, plays: Plays, number: int) -> None:
    """A file at a time; seconds of ONE route, since the time is as long as the list."""
    for name, changes in (("loop", True), ("loop-again", False)):
        floor = plays.run("ping", False)
        samples.add(f"play/{name}", number, (plays.run("loop", changes) - floor) / plays.looped)
        plays.traefik.client.until(cases.host(plays.looped - 1), 200)
        plays.expect(plays.looped)
    plays.forget()

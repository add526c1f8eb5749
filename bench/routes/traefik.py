# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running Traefik with a directory of its own, and a client that asks it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Sequence, Tuple

from ..common import space
from ..common.prepare import TRAEFIK
from ..common.space import BenchError

FIRST_PORT, LOCAL = 10000, "127.0.0.1"
BODY = b"target"
# how often a client asks, how long it does, and when Traefik counts as having come to rest
POLL, PATIENCE = 0.004, 60.0
QUIET, IDLE = 0.15, 0.003
THROTTLE = "100ms"


class Client:
    """One connection to an entrypoint, kept."""

    def __init__(self, port: int, secure: bool = False) -> None:
        self.connection = http.client.HTTPConnection(LOCAL, port, timeout=PATIENCE)
        if secure:
            # Traefik's default certificate is its own; which one it is, is not what is measured
            context = ssl._create_unverified_context()
            self.connection = http.client.HTTPSConnection(LOCAL, port, timeout=PATIENCE, context=context)

    def get(self, host: str) -> Tuple[int, bytes]:
        """Status and body."""
        self.connection.request("GET", "/", headers={"Host": host})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def until(self, host: str, status: int, patience: float = PATIENCE) -> float:
        """When the first such answer came; one of 200 must be the target's."""
        end = time.monotonic() + patience
        while True:
            found, body = self.get(host)
            now = time.monotonic()
            if found == status:
                if status == 200 and body != BODY:
                    raise BenchError(f"{host} is answered {body[:100]!r}")
                return now
            if now > end:
                raise BenchError(f"{host} is answered {found} after {patience:.0f} s, not {status}")
            time.sleep(POLL)


class Traefik:
    """A process of Traefik.

    Args:
        place: a folder for its configuration; routes are in ``dynamic`` below it, and ``staged`` is beside that.
        number: of 1 to 99, for its ports.
        head: what its command line begins with.
    """

    def __init__(self, place: Path, number: int, throttle: str = THROTTLE, *, watch: bool = True, head: Sequence[str] = ()) -> None:
        self.place, self.head = place, head
        self._process: subprocess.Popen[str] | None = None
        self.dynamic, self.staged = place / "dynamic", place / "staged"
        self.web, self.secure, self.api = (FIRST_PORT + 10 * number + other for other in range(3))
        for folder in (self.dynamic, self.staged):
            folder.mkdir(parents=True, exist_ok=True)
        points = {"web": self.web, "websecure": self.secure, "traefik": self.api}
        (place / "traefik.yml").write_text(json.dumps({
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False}, "log": {"level": "INFO", "noColor": True},
            "api": {"insecure": True, "dashboard": False},
            "entryPoints": {name: {"address": f"{LOCAL}:{port}"} for name, port in points.items()},
            "providers": {"providersThrottleDuration": throttle, "file": {"directory": str(self.dynamic), "watch": watch}}}))

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process that runs."""
        assert self._process is not None
        return self._process

    @property
    def options(self) -> Dict[str, Any]:
        """What a module has to know of it."""
        return {"dynamic_dir": str(self.dynamic), "api_url": f"http://{LOCAL}:{self.api}", "allow_local_target": True}

    @contextlib.contextmanager
    def running(self, *served: str) -> Iterator[Traefik]:
        """Traefik for a while, from when it serves these hosts."""
        try:
            self.start(*served)
            yield self
        finally:
            self.stop()

    def start(self, *served: str) -> None:
        """Start it and wait until it serves these hosts and has come to rest."""
        self._process = space.start([*self.head, str(TRAEFIK), f"--configfile={self.place}/traefik.yml"], "", self.place / "log")
        self._await()
        self.client = Client(self.web)
        for host in served:
            self.client.until(host, 200)
        self.settle()

    def stop(self) -> None:
        """Stop it."""
        if self._process:
            space.stop(self._process)
            self._process = None

    def _await(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                Client(self.web).get("nobody.test")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise BenchError(f"Traefik does not start: {(self.place / 'log').read_text()[-2000:]}") from None
                time.sleep(0.02)

    def cpu(self) -> float:
        """Seconds of the cores that it has had."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # CPUCLOCK_SCHED of another process, see clock_getcpuclockid(3)

    def settle(self) -> None:
        """Wait until it has nothing left to do."""
        end = time.monotonic() + PATIENCE
        quiet = time.monotonic() + QUIET
        before = self.cpu()
        while time.monotonic() < quiet:
            time.sleep(QUIET / 3)
            now = self.cpu()
            if now - before > IDLE or self._waits():
                quiet = time.monotonic() + QUIET
            before = now
            if time.monotonic() > end:
                raise BenchError(f"Traefik in {self.place} is still busy after {PATIENCE:.0f} s")

    def _waits(self) -> bool:
        """Whether it would do something, had it a core."""
        states = (path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{self.process.pid}/task").glob("*/stat"))
        return "R" in states

    def put(self, files: Mapping[str, str]) -> None:
        """Put files into its directory in one go."""
        self.stage(files)
        self.rename(list(files))

    def stage(self, files: Mapping[str, str]) -> None:
        """Write files beside its directory."""
        for name, text in files.items():
            (self.staged / name).write_text(text)

    def rename(self, names: Sequence[str]) -> None:
        """Put staged files into place."""
        for name in names:
            os.rename(self.staged / name, self.dynamic / name)

    def restart(self, *files: Path) -> None:
        """Stop it, take these files away, and start it; what it had left to read is forgotten, the other files are read anew."""
        self.stop()
        for path in files:
            path.unlink()
        self.start()

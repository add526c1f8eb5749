# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik as a service: its files, and the process that runs by them, changed as one transaction."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Set, Tuple

from ..errors import GatewayError, InvalidInput, StateRefused, Unreachable, VerifyFailed, shown
from ..formats import traefik_program
from ..formats.systemd import UnitStatus
from ..host import Host
from ..models import fields
from ..models.config_file import ConfigFiles, Wish
from . import stand
from .config_files import ConfigFileEngine
from .dynamic_dir import DynamicDir
from .stand import Stand
from .traefik_api import PROTOCOLS, TraefikApi
from .unit import TRAEFIK as UNIT
from .unit import Unit

UNIT_FILE = f"/etc/systemd/system/{UNIT}"
PROCESS, AT_BOOT, UNFINISHED = f"({UNIT})", f"({UNIT} at boot)", "(what an unfinished run has left)"
PROGRAM = "traefik"
PROGRAM_SECONDS = 10.0
POLL_SECONDS = 0.05
# anything shorter is found in every text, and is no secret either
SHORTEST_SECRET = 6


@dataclass(frozen=True)
class ServiceOptions:
    """What the module is told about the service.

    Attributes:
        binary: the program that the unit's file names.
        version: what it must be; empty for any.
        dynamic_dir: directory of the file provider.
        timeout: seconds until a restarted Traefik that is not healthy counts as failed.
        versions_dir: directory of the installed versions, of which the running one and the one before are kept; empty to keep all.
    """

    binary: str
    version: str
    dynamic_dir: str
    timeout: float
    versions_dir: str = ""


class TraefikServiceEngine(ConfigFileEngine):
    """The files of the service are the wanted objects; the process and its start at boot are parts that must be right."""

    def __init__(self, host: Host, wish: Wish, api: TraefikApi, options: ServiceOptions) -> None:
        super().__init__(host, wish)
        self.api, self.options, self.unit = api, options, Unit(host, UNIT)
        # how things stood before anything was touched, by this run or by one that has not ended
        self.stood: Optional[Mapping[str, object]] = None
        self.before = Stand({}, False, False)
        self.program_stood = ""
        self.routers: Set[Tuple[str, str]] = set()
        self.attempted = False

    def read(self) -> Mapping[str, object]:
        """The files, and whether the process runs by them."""
        files, status = self.load(), self.unit.status()
        live: Dict[str, object] = {**files, PROCESS: self._process(files, status), AT_BOOT: status.at_boot or None}
        if self.stood is None:
            unfinished = stand.load(self.host)
            self.before = unfinished or Stand(files, status.active, status.at_boot)
            self.program_stood = self._program(status, unfinished)
            self.stood = live = {**live, UNFINISHED: True if unfinished else None}
        return live

    def _process(self, files: ConfigFiles, status: UnitStatus) -> Optional[str]:
        """None when it does not run, else whether it was started as the files say."""
        if not status.active or not status.main_pid:
            return None
        # not the directories: that of the routes changes whenever a route does
        paths = [path for path, item in files.items() if item.content is not None]
        right = not status.stale and self.host.runs(status.main_pid, self.options.binary)
        return "running" if right and self.unit.runs_since(status, paths) else "running as it was before"

    def _program(self, status: UnitStatus, unfinished: Optional[Stand]) -> str:
        """The program that ran, or the one that would have been run."""
        running = self.host.program(status.main_pid) if status.main_pid and not unfinished else ""
        unit = self.before.files.get(UNIT_FILE)
        named = re.search(r"^ExecStart=(\S+)", unit.content or "", re.MULTILINE) if unit else None
        return running or (named.group(1) if named else "")

    def render(self, items: ConfigFiles) -> Mapping[str, object]:
        """Without its unit there is nothing to run."""
        return {**items, UNFINISHED: None, **({PROCESS: "running", AT_BOOT: True} if UNIT_FILE in items else {})}

    def check(self, before: ConfigFiles, after: ConfigFiles) -> None:
        """Refuse files without a unit that runs the program, and a restart that would start with no route."""
        super().check(before, after)
        unit = after[UNIT_FILE].content if UNIT_FILE in after else None
        if unit is None or not re.search(rf"^ExecStart={re.escape(self.options.binary)}( |$)", unit, re.MULTILINE):
            raise InvalidInput("files", [UNIT_FILE], f"is missing or does not run {self.options.binary}; give that file, with "
                                                     "the path of option binary behind 'ExecStart='")
        if self._has_work(after):
            self._refuse_broken()

    def _refuse_broken(self) -> None:
        directory = DynamicDir(self.host, self.options.dynamic_dir)
        directory.look()
        for sentence in directory.broken():
            raise StateRefused(f"{sentence}: Traefik would start with no route at all; nothing was changed and what is served stays so, "
                               "correct that file or move it away", "dynamic_dir")

    def _has_work(self, after: ConfigFiles, apart: str = "") -> bool:
        stood = self.stood or {}
        return any(stood.get(name) != value for name, value in self.render(after).items() if name != apart)

    def ready(self, after: ConfigFiles) -> None:
        """Raise when the new program is not what it should be; note which routers have to come back."""
        super().ready(after)
        if not self._has_work(after):
            return
        self.unit.need()
        self._try_program()
        self.routers = self._enabled()

    def _try_program(self) -> None:
        binary, wanted = self.options.binary, self.options.version
        if self.host.find(binary) is None:
            raise StateRefused(f"binary {binary} is no program on this host; install Traefik there and run again", "binary")
        try:
            said = traefik_program.version(self.host.run([binary, "version"], timeout=PROGRAM_SECONDS).out)
        except (GatewayError, OSError):
            said = ""
        if not said or (wanted and said != wanted):
            found = f"is Traefik {said} and not {wanted}" if said else "does not tell its version when it is run with 'version'"
            raise StateRefused(f"binary {binary} {found}; nothing was changed, install Traefik {wanted} there and run again", "binary")

    def _enabled(self) -> Set[Tuple[str, str]]:
        """Protocol and name of the routers that are served from files."""
        try:
            return {(word, str(entry.get("name"))) for word in PROTOCOLS for entry in self.api.entries(f"/api/{word}/routers")
                    if entry.get("provider") == "file" and entry.get("status") == "enabled"}
        except Unreachable:
            return set()

    def write(self, before: ConfigFiles, after: ConfigFiles) -> None:
        """The files, then the process by them. The second time in a run, what stood before comes back."""
        if self.attempted:
            self._restore(before)
            return
        self.attempted = True
        stand.keep(self.host, self.before)
        super().write(before, after)
        self.unit.reload()
        if self._has_work(after, apart=AT_BOOT) and not self.unit.restart():
            raise self._failed("did not start")
        if not self.unit.status().at_boot:
            self.unit.set_at_boot(True)

    def _restore(self, failed: ConfigFiles) -> None:
        if not self.before.at_boot:
            # as long as the unit has a file
            self.unit.set_at_boot(False)
        super().write(failed, {path: item for path, item in self.before.files.items() if path in self.paths})
        self.unit.reload()
        if not self.before.active:
            self.unit.stop()
        elif not self.unit.restart():
            raise self._failed("did not start again")
        stand.forget(self.host)

    def confirm(self, before: ConfigFiles, after: ConfigFiles, touched: Set[str]) -> None:
        """Raise unless the new process answers, has the right version, and serves what was served before."""
        if not touched:
            return
        end = time.monotonic() + self.options.timeout
        while True:
            trouble = self._trouble()
            if not trouble:
                return
            if not self.unit.status().active:
                raise self._failed("ended soon after its start")
            if time.monotonic() >= end:
                raise self._failed(f"{trouble} {self.options.timeout:.0f} seconds after its start")
            time.sleep(POLL_SECONDS)

    def _trouble(self) -> str:
        """What is not yet right, empty when all is."""
        try:
            version = self.api.version()
            missing = sorted(self.routers - self._enabled())
        except Unreachable:
            return f"did not answer at {self.api.url}"
        if self.options.version and version != self.options.version:
            return f"answered as version {shown(version)}"
        return f"did not serve router {missing[0][1]}, which was served before," if missing else ""

    def _failed(self, what: str) -> VerifyFailed:
        """One sentence, with Traefik's own reason."""
        status = self.unit.status()
        said = traefik_program.reason(self.unit.journal(status.invocation), self._secrets())
        version = f"Traefik {self.options.version}" if self.options.version else "Traefik"
        because = said or (f"systemd calls it {status.result}, and it wrote nothing" if status.result else "it wrote nothing")
        return VerifyFailed(f"{version} {what} ({because}); what stood before has been restored, "
                            f"correct the cause (journalctl -u {UNIT}) and run again", UNIT)

    def _secrets(self) -> Set[str]:
        """What stands in the secret files, line by line and behind '=', unless it is too short to be one."""
        lines = [line.strip() for path, item in self.load().items() if item.secret for line in (item.content or "").splitlines()]
        values = {line.partition("=")[2].strip("\"'") for line in lines if "=" in line}
        return {words for words in {*lines, *values} if len(words) >= SHORTEST_SECRET}

    def finish(self, before: ConfigFiles, after: ConfigFiles, touched: Set[str]) -> None:
        """After a change of version: remove the versions other than the new one and the one that ran before."""
        stand.forget(self.host)
        folder = self.options.versions_dir
        keep = {path.split("/")[-2] for path in (self.options.binary, self.program_stood) if "/" in path}
        if not folder or self.program_stood in ("", self.options.binary):
            return
        for name in self.host.names(folder):
            if fields.matches(r"[0-9]+\.[0-9]+\.[0-9A-Za-z.+-]+", name) and name not in keep:
                self.host.remove(f"{folder}/{name}/{PROGRAM}")
                self.host.remove_directory(f"{folder}/{name}")

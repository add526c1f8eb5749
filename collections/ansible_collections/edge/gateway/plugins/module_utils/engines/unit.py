# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One systemd unit: how it stands, and how it is brought to run what its files say."""

from __future__ import annotations

import time
from typing import Iterable, List

from ..errors import MissingTool
from ..formats.systemd import PROPERTIES, UnitStatus, parse_status
from ..host import Host
from . import system

# stopping the old process and starting the new one, each within the time that the unit gives it
RESTART_SECONDS = 180.0
TRAEFIK = "traefik.service"


class Unit:
    """A unit of this host's systemd."""

    def __init__(self, host: Host, name: str) -> None:
        self.host, self.name = host, name

    def need(self) -> None:
        """Raise where systemd does not run."""
        if not system.has_systemd(self.host):
            raise MissingTool("systemd", "systemd")

    def status(self) -> UnitStatus:
        """How the unit stands."""
        if not system.has_systemd(self.host):
            return UnitStatus()
        return parse_status(self.host.run(["systemctl", "show", f"--property={','.join(PROPERTIES)}", self.name], check=False).out)

    def runs_since(self, status: UnitStatus, paths: Iterable[str]) -> bool:
        """Whether the main process was started after these files were last written."""
        now = time.time()
        # the monotonic clock is the one that nobody sets; the difference holds for now, which is when both are asked
        started = now - (time.clock_gettime(time.CLOCK_MONOTONIC) - status.started)
        for path in paths:
            found = self.host.mode(path)
            # a file from the future tells that the clock was wrong, and nothing about the process
            if found is not None and started < found.st_mtime <= now:
                return False
        return True

    def reload(self) -> None:
        """Let systemd read the units' files."""
        self.host.run(["systemctl", "daemon-reload"])

    def set_at_boot(self, wanted: bool) -> None:
        """Start it at boot, or not."""
        self.host.run(["systemctl", "enable" if wanted else "disable", "--quiet", self.name])

    def restart(self) -> bool:
        """Restart it, or start it; whether it says that it is ready."""
        return self.host.run(["systemctl", "restart", self.name], check=False, timeout=RESTART_SECONDS).rc == 0

    def stop(self) -> None:
        """Stop it, and forget that it ever failed."""
        self.host.run(["systemctl", "stop", self.name], check=False, timeout=RESTART_SECONDS)
        self.host.run(["systemctl", "reset-failed", self.name], check=False)

    def journal(self, invocation: str) -> List[str]:
        """What the process of one start has written; what systemd has to say about it when that is nothing."""
        self.host.run(["journalctl", "--sync"], check=False)
        wrote = self._lines(f"_SYSTEMD_INVOCATION_ID={invocation}", f"_SYSTEMD_UNIT={self.name}")
        return wrote or [line for line in self._lines(f"INVOCATION_ID={invocation}") if "Failed at step" in line]

    def _lines(self, *matches: str) -> List[str]:
        command = ["journalctl", "--no-pager", "--output=cat", "--lines=100", *matches]
        return self.host.run(command, check=False).out.splitlines()

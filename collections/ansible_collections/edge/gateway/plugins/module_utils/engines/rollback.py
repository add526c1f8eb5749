# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps how an edge stands before a change, and brings that back unless the change is confirmed in time."""

from __future__ import annotations

import json
import time
from typing import Any, Dict

from ..errors import Busy, CommandFailed, GatewayError, MissingTool
from ..formats.rollback import DIRECTORY, UNIT, script, unit
from ..formats.strict_json import parse_object
from ..host import Host
from ..models import fields
from ..models.choices import BOOT_FILES
from . import neighbours, system

SCRIPT, ARMED, TAKEN_BACK = f"{DIRECTORY}/rollback", f"{DIRECTORY}/armed", f"{DIRECTORY}/taken-back"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
TIMER = UNIT.replace(".service", ".timer")
RESTORE_SECONDS = 300.0


class TakenBack(GatewayError):
    """The change was not confirmed in time, or did harm, and the host stands as before."""

    code = "taken_back"


class Rollback:
    """The rollback of one host.

    Args:
        dynamic_dir: directory of the routes.
        token: names the run; another one may not confirm its change.
    """

    def __init__(self, host: Host, interface: str, dynamic_dir: str, token: str) -> None:
        self.host, self.interface, self.dynamic_dir, self.token = host, interface, dynamic_dir, token

    def arm(self, seconds: int, statuses: Dict[str, str]) -> str:
        """Have the host return to how it stands in so many seconds; a run that has armed already begins to count anew.

        Args:
            statuses: of each part of the health before the change.

        Returns:
            When the host returns.
        """
        if not system.has_systemd(self.host):
            raise MissingTool("systemd", "systemd")
        with self.host.lock():
            known = self._armed()
            if known and known["token"] != self.token:
                raise Busy(f"the change of another run ({known['token']}) waits to be confirmed, and is taken back at {known['until']}; "
                           "wait until then", "confirm")
            if not known:
                if self.host.read(TAKEN_BACK) is not None and self.owner() == self.token:
                    raise self.taken_back()
                self._keep()
            until = fields.moment_of(fields.seconds(self.host.now()) + seconds)
            document = {"token": self.token, "until": until, "statuses": known["statuses"] if known else statuses}
            self.host.write(ARMED, json.dumps(document) + "\n")
            self._start(seconds)
        return until

    def _keep(self) -> None:
        self.host.make_directory("/var/lib/edge-gateway")
        self.host.make_directory(DIRECTORY)
        self.host.remove(TAKEN_BACK)
        self.host.write(SCRIPT, script(self.interface, self.dynamic_dir))
        # of nobody, until there is something to go back to
        self.host.remove(f"{DIRECTORY}/token")
        self.host.run(["/bin/sh", SCRIPT, "keep"])
        self.host.write(f"{DIRECTORY}/token", self.token + "\n")
        text = unit(self.dynamic_dir, any(self.host.read(path) is not None for path in (BOOT_FILES["iptables"], neighbours.FILE)))
        if self.host.read(UNIT_FILE) != text.encode():
            self.host.write(UNIT_FILE, text, 0o644)
            self.host.run(["systemctl", "daemon-reload"])
        self.host.run(["systemctl", "enable", "--quiet", UNIT])

    def _start(self, seconds: int) -> None:
        self._stop()
        # not --on-active: systemd begins to count that anew at each daemon-reload, of which a run has several
        began = self.host.run(["systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value"]).out.strip()
        since = time.clock_gettime(time.CLOCK_MONOTONIC) - int(began) / 1_000_000
        self.host.run(["systemd-run", "--quiet", f"--unit={UNIT}", f"--on-startup={since + seconds:.3f}s",
                       "--timer-property=AccuracySec=100ms"])

    def _stop(self) -> None:
        self.host.run(["systemctl", "stop", TIMER], check=False)

    def confirm(self) -> Dict[str, str]:
        """Keep the change.

        Returns:
            The statuses that were kept.

        Raises:
            TakenBack: it is too late. What the run has done since is taken back too.
        """
        with self.host.lock():
            known = self._armed()
            if known and known["token"] == self.token:
                self._stop()
                self._forget()
                return dict(known["statuses"])
        if self.owner() != self.token:
            raise CommandFailed("no change of this run waits to be confirmed; arm before changing anything", "confirm")
        self.take_back()
        raise self.taken_back()

    def take_back(self) -> None:
        """Bring back how the host stood, now."""
        self._stop()
        # the script takes the lock itself, from whoever has it
        self.host.run(["/bin/sh", SCRIPT, "restore", "again"], timeout=RESTORE_SECONDS)
        self.host.run(["systemctl", "disable", "--quiet", UNIT], check=False)

    def taken_back(self) -> TakenBack:
        """What is told of a change that was taken back."""
        when = (self.host.read(TAKEN_BACK) or b"").decode().strip()
        return TakenBack(f"the change was taken back at {when}, because it was not confirmed in time; the host stands as "
                         "before, find out what closed the way in, or give it more time with edge_gateway_confirm_timeout", "confirm")

    def statuses(self) -> Dict[str, str]:
        """Those that were kept when the change was armed."""
        known = self._armed()
        return dict(known["statuses"]) if known else {}

    def _armed(self) -> Dict[str, Any]:
        data = self.host.read(ARMED, own=True)
        try:
            document = parse_object(data) if data is not None else {}
            return document if not document else {name: document[name] for name in ("token", "until", "statuses")}
        except (ValueError, KeyError):
            return {}

    def owner(self) -> str:
        """The run that has armed last."""
        return (self.host.read(f"{DIRECTORY}/token") or b"").decode().strip()

    def _forget(self) -> None:
        self.host.remove(ARMED)
        # among what was kept are keys
        self.host.run(["/bin/sh", SCRIPT, "forget"])
        self.host.remove(f"{DIRECTORY}/token")
        self.host.run(["systemctl", "disable", "--quiet", UNIT], check=False)


def unfinished(host: Host, last_run: str) -> str:
    """A sentence about a change that waits for its confirmation, or was taken back.

    Args:
        last_run: when a run was here last; what was taken back before it is no news.

    Returns:
        An empty text when there is nothing to tell.
    """
    known = Rollback(host, "", "", "")._armed()
    if known:
        return f"a change waits to be confirmed, and is taken back at {known['until']}"
    when = (host.read(TAKEN_BACK) or b"").decode().strip()
    return f"the last change was taken back at {when}, since nobody confirmed it" if when >= last_run and when else ""

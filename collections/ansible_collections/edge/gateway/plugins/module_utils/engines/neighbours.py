# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's firewalls beside ours: warnings about what drops forwards, or, for those who asked for it, openings.

An opening is a rule of ours in somebody's chain that lets forwards through and nothing else; a comment of its own tells it
again. A file keeps the openings, since Docker, ufw and others write their chains anew whenever they like; the firewall
role's watch unit runs it then.
"""

from __future__ import annotations

import shlex
from typing import Dict, Iterable, List

from ..formats import nftables_dump as dump
from ..formats import openings
from ..host import Host
from ..models.finding import Finding, Report
from ..models.forward import Forwards
from . import system
from .netlink import Netfilter

FILE = "/etc/edge-gateway/openings"
MOST_COPIES = 100
FILE_PART = "(openings at boot)"


class Neighbours:
    """The other firewalls of one host.

    Args:
        interface: the mesh interface.
        may_open: whether the user wants their chains opened.
        backend: the firewall that carries the forwards.
    """

    def __init__(self, host: Host, interface: str, may_open: bool, backend: str) -> None:
        self.host, self.interface, self.may_open, self.backend = host, interface, may_open, backend
        self.missing: List[str] = []
        self._looked_at: Forwards = {}

    def report(self, items: Forwards) -> Report:
        """What stands in the way of these forwards now."""
        if not items or not self._have_any():
            return Report()
        # a module's code is compiled anew on every run, and most hosts have nobody to simulate
        from ..models.passage import Probe  # noqa: PLC0415
        from .foreign import hindrances  # noqa: PLC0415
        probes = [Probe(proto, (item.first_port, item.last_port), item.target_ip,
                        (item.first_port + item.shift, item.last_port + item.shift), item.forward_id)
                  for _name, item in sorted(items.items()) for proto in item.protocols]
        return hindrances(self.host, self.interface, probes)

    def _have_any(self) -> bool:
        """Whether anybody else has chains on the hooks that forwarded packets pass; True when that cannot be told."""
        if self.host.find("nft") is None or any(system.legacy_tables(self.host, family) for family in (4, 6)):
            return True
        with Netfilter() as kernel:
            return any(dump.is_hooked_elsewhere(body) for body in kernel.dump(dump.SUBSYSTEM, dump.GET_CHAIN, dump.ANY_FAMILY))

    def look(self, items: Forwards) -> List[str]:
        """Find out which openings are missing; returns warnings about what is not going to be opened."""
        report, self._looked_at = self.report(items), items
        findings = [finding for finding in report.findings if not self._passes_ours_first(finding)]
        warnings = [str(finding) for finding in findings if not (self.may_open and finding.commands)] + list(report.notes)
        if self.may_open:
            self.missing = _commands(findings)
        elif items and self._recorded():
            warnings.append(f"the rules that let forwards through other firewalls are taken away ({len(self._recorded())} of them), since "
                            "open_foreign is not set any more; see gateway_health for what those firewalls drop now")
        return warnings

    def _passes_ours_first(self, finding: Finding) -> bool:
        """Whether rules of the iptables backend will stand at the top of that chain, if they do not stand there yet."""
        base = finding.base
        return self.backend == "iptables" and base.backend.startswith("iptables") and (base.table, base.hook) == ("filter", "forward")

    def live(self) -> Dict[str, object]:
        """The openings as they are."""
        parts: Dict[str, object] = {FILE_PART: self._file() or None}
        if self.missing:
            closed = _commands(self.report(self._looked_at).findings)
            parts.update({_part(command): "in place" for command in self.missing if command not in closed})
        return parts

    def wanted(self, items: Forwards) -> Dict[str, object]:
        """The openings as they should be."""
        return {FILE_PART: openings.script(self._kept(items)) or None, **{_part(command): "in place" for command in self.missing}}

    def apply(self, items: Forwards) -> None:
        """Make what is missing, take away what is no longer wanted, and keep the file.

        Raises:
            CommandFailed: a chain is not there any more, or refuses.
        """
        kept = self._kept(items)
        if self._file() != openings.script(kept):
            for command in self._recorded():
                if command not in kept:
                    self._close(command)
            if kept:
                self.host.write(FILE, openings.script(kept))
            else:
                self.host.remove(FILE)
        for command in self.missing:
            if self.host.run(["sh", "-c", openings.rule_test(command)], check=False).rc != 0:
                self.host.run(shlex.split(command))

    def _file(self) -> str:
        return (self.host.read(FILE) or b"").decode("utf-8", "replace")

    def _recorded(self) -> List[str]:
        return openings.commands_in(self._file())

    def _kept(self, items: Forwards) -> List[str]:
        return sorted({*self._recorded(), *self.missing}) if items and self.may_open else []

    def _close(self, command: str) -> None:
        words = shlex.split(command)
        if words[0] != "nft":
            # somebody may have saved and restored it along with rules of his own, and more than once
            for _copy in range(MOST_COPIES):
                if self.host.run(["-D" if word == "-I" else word for word in words], check=False).rc != 0:
                    return
            return
        place = words[3:6]
        listing = self.host.run(["nft", "-a", "-t", "list", "chain", *place], check=False).out
        for handle in openings.handles(listing, words[-1]):
            self.host.run(["nft", "delete", "rule", *place, "handle", handle], check=False)


def _part(command: str) -> str:
    return f"({command})"


def _commands(findings: Iterable[Finding]) -> List[str]:
    return list(dict.fromkeys(openings.marked(command) for finding in findings for command in finding.commands))

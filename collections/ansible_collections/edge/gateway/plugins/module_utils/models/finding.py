# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found out about other people's firewalls. Apart from what finds it out, which most hosts never need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Tuple

if TYPE_CHECKING:
    from .filtering import Chain
    from .passage import Probe


@dataclass(frozen=True)
class Finding:
    """A base chain that certainly drops what belongs to some forwards.

    Attributes:
        chain: how users know it, such as ``chain FORWARD of table ip filter (iptables-nft)``.
        cause: what in it does so, such as ``policy drop``.
        effect: what it does, such as ``drops``.
        traffic: what it does that to: new connections, answers, open connections.
        uplinks: the interfaces of arrival this was found for; empty when they are not known.
        remedy: half a sentence that tells what to do.
        commands: what opens it for these forwards, each a line for a shell; empty when only the owner's own tool can.
        probes: the forwards at stake.
        base: the base chain itself.
    """

    chain: str
    cause: str
    effect: str
    traffic: Tuple[str, ...]
    uplinks: Tuple[str, ...]
    remedy: str
    commands: Tuple[str, ...]
    probes: Tuple[Probe, ...]
    base: Chain

    def __str__(self) -> str:
        where = f" by {' and '.join(self.uplinks)}" if self.uplinks else ""
        return f"{self.chain}, {self.cause}, {self.effect} {' and '.join(self.traffic)} of forwards{where}; {self.remedy}"


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        findings: chains that certainly drop.
        doubts: chains that may drop some of it, depending on what is not known (a client's address, a rate, a set).
        notes: what could not be looked at, as sentences.
    """

    findings: Tuple[Finding, ...] = ()
    doubts: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()

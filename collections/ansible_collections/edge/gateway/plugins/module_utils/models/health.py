# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the facts of an edge mean: one status for each part, with the remedy, and one for the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
ORDER = [OK, DEGRADED, FAILED]
# WireGuard makes a new handshake every two minutes while there is traffic, and gives one up after three
HANDSHAKE_SECONDS = 180
RENEWAL = "see journalctl -u traefik for the resolver's orders, or give new files if the certificate was supplied"


@dataclass(frozen=True)
class Part:
    """The state of one part, for a person."""

    status: str
    message: str
    remedy: str = ""

    def as_dict(self) -> Dict[str, str]:
        """The part as the module returns it."""
        return {"status": self.status, "message": self.message, "remedy": self.remedy}


def overall(parts: Dict[str, Part]) -> str:
    """The worst status of all parts."""
    return max((part.status for part in parts.values()), key=ORDER.index, default=OK)


def mesh(interface: str, joined: bool, running: bool, handshake_age: Optional[int]) -> Part:
    """The tunnel.

    Args:
        handshake_age: seconds since the last handshake with the peer, None when there was none.
    """
    if not joined:
        return Part(FAILED, f"this host has not joined a mesh on {interface}", "run join.yml or the role wireguard")
    if not running:
        return Part(FAILED, f"interface {interface} is down", f"see journalctl -u wg-quick@{interface}, then run site.yml")
    if handshake_age is None:
        return Part(FAILED, f"{interface} is up, but its peer never answered",
                    "check that the hub knows this host's public key and that its UDP port is reachable")
    if handshake_age > HANDSHAKE_SECONDS:
        return Part(DEGRADED, f"last handshake on {interface} {handshake_age} s ago",
                    "check that the hub is up and its UDP port is reachable")
    return Part(OK, f"last handshake on {interface} {handshake_age} s ago")


def forwards(wanted: int, missing: List[str], blocked: List[str], at_boot: bool) -> Part:
    """The port forwards.

    Args:
        wanted: how many were asked for.
        missing: ids, and parts in parentheses, that are not in effect.
        blocked: sentences about chains of other firewalls that drop forwards.
        at_boot: whether the unit that loads them at boot is enabled.
    """
    if missing:
        return Part(FAILED, f"not in effect: {', '.join(missing)}", "run site.yml, it repairs them")
    if blocked:
        message, _semicolon, remedy = blocked[0].partition("; ")
        return Part(FAILED, message, remedy)
    if wanted and not at_boot:
        return Part(DEGRADED, f"{wanted} in effect, but a reboot loses them", "apply the role firewall")
    return Part(OK, f"{wanted} in effect")


def routes(live: Dict[str, str], running: bool, broken: List[str]) -> Part:
    """The HTTPS routes.

    Args:
        live: what Traefik reports for each route.
        running: whether Traefik answers.
        broken: sentences about files that stop all loading.
    """
    if not running:
        return Part(FAILED, f"Traefik does not answer, {len(live)} routes are not served", "see journalctl -u traefik")
    dead = sorted(name for name, status in live.items() if status != "enabled")
    if dead:
        return Part(FAILED, "not served: " + ", ".join(f"{name} ({live[name]})" for name in dead),
                    "see journalctl -u traefik, then run site.yml")
    if broken:
        return Part(DEGRADED, f"{len(live)} served, but {broken[0]}, and after a restart of Traefik there would be none",
                    "correct that file or move it away")
    return Part(OK, f"{len(live)} served")


def certificates(held: Optional[int], missing: Dict[str, str], ended: List[str], soon: List[str]) -> Part:
    """The certificates.

    Args:
        held: how many Traefik holds, None when it does not tell.
        missing: names without one, although a resolver should bring it, and why.
        ended, soon: sentences about certificates that have ended, or will.
    """
    if held is None:
        return Part(OK, "not looked at: this Traefik does not tell (3.7 and later do)")
    if ended:
        return Part(FAILED, "; ".join(ended), RENEWAL)
    if missing:
        name, reason = sorted(missing.items())[0]
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        return Part(DEGRADED, f"none for {name}{others}: {reason or 'nothing is logged about it'}", RENEWAL)
    if soon:
        return Part(DEGRADED, "; ".join(soon), RENEWAL)
    return Part(OK, f"{held} held")

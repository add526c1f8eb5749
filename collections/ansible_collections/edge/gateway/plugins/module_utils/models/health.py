# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the facts of an edge mean: one status for each part, with the remedy, and one for the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from .mesh_state import HANDSHAKE_SECONDS, HUB, KEYS_OPEN, MEMBER, NONE, NOT_AT_BOOT, MeshState

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
ORDER = [OK, DEGRADED, FAILED]
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


def mesh(interface: str, state: MeshState) -> Part:
    """The tunnel of a member, or the interface of a hub."""
    if state.role == NONE:
        return Part(FAILED, f"this host has not joined a mesh on {interface}", "run join.yml or the role wireguard")
    if not state.running:
        return Part(FAILED, f"interface {interface} is down", f"see journalctl -u wg-quick@{interface}, then run site.yml")
    found = _mesh_troubles(interface, state)
    age = state.handshake_age
    if state.role == MEMBER and age is None:
        found.insert(0, (f"{interface} is up, but its peer never answered",
                         "check that the hub knows this host's public key and that its UDP port is reachable"))
        return _joined(FAILED, found)
    if state.role == MEMBER and age is not None and age > HANDSHAKE_SECONDS:
        found.append((f"last handshake on {interface} {age} s ago",
                      "check that the hub is up and its UDP port is reachable"))
    if found:
        return _joined(DEGRADED, found)
    connected = sum(node.connected for node in state.peers)
    well = f"{connected} of {len(state.peers)} nodes connected on {interface}" if state.role == HUB else (
        f"last handshake on {interface} {age} s ago")
    return Part(OK, well if state.clock.words == "ok" else f"{well}; {state.clock.words}")


def _mesh_troubles(interface: str, state: MeshState) -> List[Tuple[str, str]]:
    """What is wrong with a tunnel that runs, each with its remedy; what is likely to cause the rest comes first."""
    found = []
    if state.clock.wrong:
        found.append((state.clock.words, "set this host's clock right, and keep it so with NTP"))
    if not state.keys_closed:
        found.append((f"the keys of {interface} can be read by others",
                      "run site.yml, which closes the files, and change the key with rotate_keys.yml if others use this host"))
    drift = [sentence for sentence in state.drift if sentence not in (KEYS_OPEN, NOT_AT_BOOT)]
    if drift:
        more = f" (and {len(drift) - 1} more)" if len(drift) > 1 else ""
        found.append((f"{interface} is not as it was set up: {drift[0]}{more}", "run site.yml, it repairs that"))
    if state.starts_at_boot is False:
        found.append((f"{interface} does not start at boot", "run site.yml, it repairs that"))
    return found


def _joined(status: str, found: List[Tuple[str, str]]) -> Part:
    """One part for several troubles; a remedy that serves two of them is told once."""
    return Part(status, "; ".join(message for message, _remedy in found), "; ".join(dict.fromkeys(remedy for _message, remedy in found)))


def forwards(wanted: int, missing: List[str], blocked: List[str], one_way: List[str], at_boot: bool) -> Part:
    """The port forwards.

    Args:
        wanted: how many were asked for.
        missing: ids, and parts in parentheses, that are not in effect.
        blocked: sentences about chains of other firewalls that drop forwards.
        one_way: nodes that were asked with a client's address, and did not answer through the mesh.
        at_boot: whether the unit that loads them at boot is enabled.
    """
    if missing:
        return Part(FAILED, f"not in effect: {', '.join(missing)}", "run site.yml, it repairs them")
    if blocked:
        message, _semicolon, remedy = blocked[0].partition("; ")
        return Part(FAILED, message, remedy)
    if one_way:
        others = f" (and {len(one_way) - 1} more)" if len(one_way) > 1 else ""
        return Part(DEGRADED, f"{one_way[0]}{others} does not send answers to clients back through the mesh",
                    "set edge_gateway_client_networks for that node (or name the forward's source_nat masquerade), then run site.yml")
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

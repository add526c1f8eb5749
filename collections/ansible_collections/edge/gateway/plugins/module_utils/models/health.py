# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the facts of an edge mean: one status for each part, with the remedy, and one for the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..errors import help_for_part
from .mesh_state import FUTURE_SECONDS, HANDSHAKE_SECONDS, HUB, KEYS_OPEN, MEMBER, NONE, NOT_AT_BOOT, MeshState

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
ORDER = [OK, DEGRADED, FAILED]
MEGABYTE = 1024 * 1024
# below the first nothing can be written safely, below the second that is near
FULL_BYTES, TIGHT_BYTES = 20 * MEGABYTE, 200 * MEGABYTE
# of the kernel's flow table: what is left is gone in seconds
NEARLY_FULL = 0.9
RENEWAL = "see journalctl -u traefik for the resolver's orders, or give new files if the certificate was supplied"


@dataclass(frozen=True)
class Part:
    """The state of one part, for a person.

    Attributes:
        figures: what can be counted or measured of it, for a monitor; the unit is the end of a name.
        help: address of what the documentation tells about it, where that is not the section about the part.
    """

    status: str
    message: str
    remedy: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    help: str = ""

    def as_dict(self, name: str) -> Dict[str, Any]:
        """The part as the module returns it."""
        address = "" if self.status == OK else self.help or help_for_part(name, self.status)
        return {"status": self.status, "message": self.message, "remedy": self.remedy, "help": address, "figures": dict(self.figures)}


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
        return _joined(FAILED, found, {})
    if state.role == MEMBER and age is not None and age > HANDSHAKE_SECONDS:
        found.append((f"last handshake on {interface} {age} s ago",
                      "check that the hub is up and its UDP port is reachable"))
    figures = {} if age is None else {"handshake_age_seconds": age}
    if found:
        return _joined(DEGRADED, found, figures)
    connected = sum(node.connected for node in state.peers)
    well = f"{connected} of {len(state.peers)} nodes connected on {interface}" if state.role == HUB else (
        f"last handshake on {interface} {age} s ago")
    return Part(OK, well if state.clock.words == "ok" else f"{well}; {state.clock.words}", "", figures)


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


def _joined(status: str, found: List[Tuple[str, str]], figures: Mapping[str, float]) -> Part:
    """One part for several troubles; a remedy that serves two of them is told once."""
    return Part(status, "; ".join(message for message, _remedy in found), "; ".join(
        dict.fromkeys(remedy for _message, remedy in found)), figures)


def forwards(wanted: int, missing: List[str], blocked: List[str], one_way: List[str], at_boot: bool, *, gone: str = "") -> Part:
    """The port forwards.

    Args:
        wanted: how many were asked for.
        missing: ids, and parts in parentheses, that are not in effect.
        blocked: sentences about chains of other firewalls that drop forwards.
        one_way: nodes that were asked with a client's address, and did not answer through the mesh.
        at_boot: whether the unit that loads them at boot is enabled.
        gone: a sentence about a program of the firewall that is not there.
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
    if wanted and gone:
        problem, _semicolon, remedy = gone.partition("; ")
        return Part(DEGRADED, f"{wanted} in effect, but {problem}: nothing can be changed, and a reboot loses them", remedy)
    if wanted and not at_boot:
        return Part(DEGRADED, f"{wanted} in effect, but a reboot loses them", "apply the role firewall")
    return Part(OK, f"{wanted} in effect", "", {"count": wanted})


def forwarding(needed: Sequence[int], off: Sequence[int], flows: Optional[Tuple[int, int]] = None) -> Part:
    """The kernel's own switch, by IP version, without which no forward carries anything, and its room for connections.

    Args:
        flows: how many the kernel keeps and how many it can; None where that is no matter.
    """
    if off:
        return Part(FAILED, f"the kernel does not pass packets on: forwarding is off for {_versions(off)}", "run site.yml, it repairs that")
    count, most = flows or (0, 0)
    figures = {"flows": count, "flows_limit": most} if flows else {}
    if flows and count >= most * NEARLY_FULL:
        words = "full: new ones are dropped" if count >= most else "nearly full"
        return Part(FAILED if count >= most else DEGRADED, f"the kernel's table of connections is {words} ({count} of {most})",
                    "raise net.netfilter.nf_conntrack_max in sysctl.d, and see who opens so many with conntrack -L", figures)
    return Part(OK, f"on for {_versions(needed)}" if needed else "not needed, there are no forwards", "", figures)


def _versions(families: Sequence[int]) -> str:
    return " and ".join(f"IPv{family}" for family in families)


def traefik(version: str, active: Optional[bool]) -> Part:
    """The Traefik process.

    Args:
        version: what it answers, empty when it does not.
        active: whether its unit is active, None where systemd does not run.
    """
    if not version:
        return Part(FAILED, "does not answer" if active is not False else "is not running", "see journalctl -u traefik, then run site.yml")
    if active is False:
        return Part(DEGRADED, f"{version} answers, but traefik.service is not what runs it", "stop the other Traefik, then run site.yml")
    return Part(OK, f"{version} runs")


def disk(free: int, total: int, path: str, closed: Sequence[str] = ()) -> Part:
    """The space for state, routes and certificates; they are kilobytes, but a full disk stops every change.

    Args:
        free, total: bytes.
        closed: directories that nobody can write to.
    """
    figures = {"free_bytes": free, "total_bytes": total}
    if closed:
        return Part(FAILED, f"read-only, so that nothing can be changed: {', '.join(closed)}",
                    "see dmesg for errors of the disk, then make it writable (mount -o remount,rw)", figures)
    words, remedy = f"{free // MEGABYTE} MiB free below {path}", "free space; df -h shows what is full, journalctl --vacuum-size=200M helps"
    status = FAILED if free < FULL_BYTES else DEGRADED if free < TIGHT_BYTES else OK
    return Part(status, words, "" if status == OK else remedy, figures)


def converged(runs: Mapping[str, str], age: Optional[int], limit: int, unfinished: str = "") -> Part:
    """When a run of this collection was here last.

    Args:
        runs: when each module ran.
        age: seconds since the last of them, less than none if it lies in the future; None without one.
        limit: from how many seconds on that is too long ago, 0 for never.
        unfinished: what a run has left undone, as a sentence.
    """
    if age is None:
        return Part(DEGRADED if limit else OK, "no run is on record", "run site.yml" if limit else "")
    figures = {"last_run_age_seconds": age}
    if age < -FUTURE_SECONDS:
        return Part(DEGRADED, f"the clock went back: the last run lies {-age} s in the future",
                    "set this host's clock right, and keep it so with NTP", figures)
    age = max(0, age)
    if unfinished:
        return Part(DEGRADED, unfinished, "wait for its end, or run site.yml", figures)
    if limit and age > limit:
        return Part(DEGRADED, f"last run {duration(age)} ago", "run site.yml, or look why the job that does so does not", figures)
    last = max(runs, key=lambda name: runs[name])
    return Part(OK, f"last run {duration(age)} ago ({last})", "", figures)


def expiry(late: Sequence[str], waiting: int, timer: bool) -> Part:
    """What ends by itself.

    Args:
        late: ids whose time has passed and that stand all the same.
        waiting: how many have their end ahead of them.
        timer: whether the timer that closes them runs.
    """
    figures = {"waiting": waiting, "late": len(late)}
    remedy = "apply the role upkeep (site.yml does), or see journalctl -u edge-gateway-expire"
    if late:
        return Part(FAILED, f"still open though their time has passed: {', '.join(late)}", remedy, figures)
    if waiting and not timer:
        return Part(DEGRADED, f"{waiting} will not end by themselves, edge-gateway-expire.timer does not run", remedy, figures)
    return Part(OK, f"{waiting} will end by themselves" if waiting else "nothing ends by itself", "", figures)


def duration(seconds: int) -> str:
    """A length of time in words, as exact as a person needs it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def routes(live: Dict[str, str], running: bool, broken: List[str], drift: Sequence[str] = ()) -> Part:
    """The HTTPS routes.

    Args:
        live: what Traefik reports for each route.
        running: whether Traefik answers.
        broken: sentences about files that stop all loading.
        drift: ids whose file is not as it was written.
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
    if drift:
        return Part(DEGRADED, f"altered by somebody: {', '.join(drift)}", "run site.yml, it repairs them")
    return Part(OK, f"{len(live)} served", "", {"count": len(live)})


def certificates(held: Optional[int], missing: Dict[str, str], ended: List[str], soon: List[str], first_end: Optional[int] = None) -> Part:
    """The certificates.

    Args:
        held: how many Traefik holds, None when it does not tell.
        missing: names without one, although a resolver should bring it, and why.
        ended, soon: sentences about certificates that have ended, or will.
        first_end: when the first of them ends, in seconds since 1970.
    """
    figures = {} if first_end is None else {"first_end_timestamp_seconds": first_end}
    if held is None:
        return Part(OK, "not looked at: this Traefik does not tell (3.7 and later do)")
    if ended:
        return Part(FAILED, "; ".join(ended), RENEWAL, figures)
    if missing:
        name, reason = sorted(missing.items())[0]
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        return Part(DEGRADED, f"none for {name}{others}: {reason or 'nothing is logged about it'}", RENEWAL, figures)
    if soon:
        return Part(DEGRADED, "; ".join(soon), RENEWAL, figures)
    return Part(OK, f"{held} held", "", figures)

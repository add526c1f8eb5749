# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host stands in its mesh: the facts that ``wg_join_info`` returns and that ``gateway_health`` judges."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

MEMBER, HUB, NONE = "member", "hub", "none"
# sentences of drift for which there is a fact of its own
KEYS_OPEN, NOT_AT_BOOT = "keys can be read by others", "it does not start at boot"
# WireGuard makes a new handshake every two minutes while there is traffic, and gives one up after three
HANDSHAKE_SECONDS = 180
# between two clocks that are kept right
FUTURE_SECONDS = 60


@dataclass(frozen=True)
class Clock:
    """What can be told of this host's clock; WireGuard refuses handshakes of one that went back.

    Attributes:
        words: ``ok``, or a sentence.
        wrong: whether that is an error, and not only worth a mention.
    """

    words: str = "ok"
    wrong: bool = False


def clock(now: float, changed: Mapping[str, float], latest_handshake: int, synchronized: Optional[bool]) -> Clock:
    """Judge the clock.

    Args:
        changed: files of ours and when they were changed last.
        synchronized: whether it is kept right by NTP, None where that cannot be told.
    """
    for path, when in sorted(changed.items()):
        if when - now > 1:
            return Clock(f"the clock went back: {path} was changed {int(when - now)} s in the future", wrong=True)
    if latest_handshake - now > FUTURE_SECONDS:
        return Clock(f"the clock went back: the last handshake lies {int(latest_handshake - now)} s in the future", wrong=True)
    return Clock("the clock is not synchronized by NTP") if synchronized is False else Clock()


@dataclass(frozen=True)
class Node:
    """One node as its hub sees it.

    Attributes:
        endpoint: where it is right now, empty before it has called.
        connected: whether its session is alive.
        pending: whether the hub knows a next key of it.
    """

    node_id: str
    node_ip: str
    endpoint: str
    handshake_age: Optional[int]
    received: int
    sent: int
    connected: bool
    pending: bool


@dataclass(frozen=True)
class MeshState:
    """One interface of a host in a mesh.

    Attributes:
        running: whether the interface is there, and up.
        identity: who the host is there: return values that need no judgement.
        drift: what the next run would repair, in plain words.
        keys_closed: whether nobody else can read the files with keys.
        starts_at_boot: None where that cannot be told.
        peers: of a hub: the nodes that it knows.
    """

    role: str
    running: bool
    identity: Mapping[str, Any] = field(default_factory=dict)
    latest_handshake: int = 0
    handshake_age: Optional[int] = None
    received: int = 0
    sent: int = 0
    peer_endpoint: str = ""
    listen_port: int = 0
    mtu: int = 0
    drift: Tuple[str, ...] = ()
    keys_closed: bool = True
    starts_at_boot: Optional[bool] = None
    clock: Clock = Clock()
    peers: Tuple[Node, ...] = ()

    def as_dict(self) -> Dict[str, Any]:
        """The facts as a module returns them."""
        return {
            "role": self.role, "joined": self.role == MEMBER, "running": self.running, **self.identity,
            "latest_handshake": self.latest_handshake, "handshake_age": self.handshake_age, "received": self.received, "sent": self.sent,
            "peer_endpoint": self.peer_endpoint, "listen_port": self.listen_port, "mtu": self.mtu, "drift": list(self.drift),
            "key_file_modes_ok": self.keys_closed, "clock": self.clock.words, "peers": [asdict(node) for node in self.peers],
        }


def age_of(handshake: int, now: float) -> Optional[int]:
    """Seconds since a handshake, None when there was none."""
    return max(0, int(now) - handshake) if handshake else None


def is_connected(age: Optional[int]) -> bool:
    """Whether a session of that age is alive."""
    return age is not None and age < HANDSHAKE_SECONDS

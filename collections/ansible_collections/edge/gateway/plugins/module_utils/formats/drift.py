# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an interface that stands differs from the one that was asked for, in plain words: what the next run would repair."""

from __future__ import annotations

from typing import AbstractSet, Dict, List, Mapping, Optional, Protocol, Set, Tuple

from ..models.mesh_state import KEYS_OPEN, NOT_AT_BOOT
from ..models.tunnel import Routing

# public key, shared key, allowed networks and keepalive of a peer
PeerRow = Tuple[str, str, Tuple[str, ...], int]
# permission bits of group and others
OTHERS = 0o077
DOWN, NO_FILE = "the interface is down", "the file is missing"


class Running(Protocol):
    """What is compared of a tunnel: :class:`.engines.tunnel.Running`, which a format must not import."""

    @property
    def public_key(self) -> str:
        """Of the interface."""

    @property
    def is_up(self) -> bool:
        """Whether it passes traffic."""

    @property
    def listen_port(self) -> Optional[int]:
        """None where it is left to chance."""

    @property
    def peers(self) -> AbstractSet[PeerRow]:
        """All of them."""

    @property
    def addresses(self) -> AbstractSet[str]:
        """With their prefix lengths."""

    @property
    def routes(self) -> AbstractSet[str]:
        """Of the main table."""

    @property
    def routing(self) -> Routing:
        """Beside the main table."""

    @property
    def mtu(self) -> Optional[int]:
        """None where wg-quick chooses it."""

    @property
    def starts_at_boot(self) -> Optional[bool]:
        """None where that cannot be told."""


class Standing(Protocol):
    """What is compared of an interface: :class:`.engines.interface.Standing`."""

    @property
    def text(self) -> Optional[str]:
        """Of the file that wg-quick reads."""

    @property
    def routing(self) -> Optional[str]:
        """Of the script."""

    @property
    def running(self) -> Optional[Running]:
        """None without an interface."""

    @property
    def modes(self) -> Tuple[Optional[int], ...]:
        """Permissions of that file and of the key file."""

    @property
    def pending(self) -> bool:
        """Whether a next key lies there."""


def drift(live: Optional[Standing], wanted: Standing, routing: str, names: Mapping[str, str]) -> List[str]:
    """Sentences about what differs, the most important first; none when the two are equal, and only then.

    Args:
        routing: what the routing beside the main table is for.
        names: public key to what the peer is called.
    """
    if live is None:
        return [DOWN, NO_FILE]
    running, there = live.running, wanted.running
    found = _files(live, wanted)
    if running is None or not running.is_up:
        found.insert(0, DOWN)
    if running is not None and there is not None:
        found += _tunnel(running, there) + _peers(running, there, names)
        found += _set("address", running.addresses, there.addresses) + _set("route", running.routes, there.routes)
        found += _routing(running.routing, there.routing, routing)
        found += [NOT_AT_BOOT] if there.starts_at_boot and not running.starts_at_boot else []
    found += _modes(live.modes, wanted.modes)
    found += ["a next key waits to replace the present one"] if live.pending and not wanted.pending else []
    # never silent about what a run would change
    return found or (["it differs from what was asked for"] if live != wanted else [])


def _files(live: Standing, wanted: Standing) -> List[str]:
    found = []
    if live.text is None:
        found.append(NO_FILE)
    elif live.text != wanted.text:
        found.append(_edited(live.text, wanted.text or ""))
    if live.routing != wanted.routing:
        what = "is missing" if live.routing is None else "is not wanted any more" if wanted.routing is None else "was edited"
        found.append(f"the routing script {what}")
    return found


def _edited(live: str, wanted: str) -> str:
    """What was done to the file: what others change for a reason is told from an edit."""
    lines = set(live.splitlines()) ^ set(wanted.splitlines())
    names = {line.partition(" = ")[0] for line in lines}
    if names == {"Endpoint"}:
        return "the file names an endpoint of the peer that is not right any more"
    if names == {"PrivateKey"}:
        return "the file and the key file hold different keys"
    if names == {"PresharedKey"}:
        return "the file holds another preshared key"
    return "the file was edited"


def _tunnel(live: Running, wanted: Running) -> List[str]:
    found = ["the interface runs with another key"] if live.public_key != wanted.public_key else []
    for what, now, then in (("listens on port", live.listen_port, wanted.listen_port), ("has the MTU", live.mtu, wanted.mtu)):
        # without a number on one side the files differ, which has been told
        if now and then and now != then:
            found.append(f"the interface {what} {now} instead of {then}")
    return found


def _peers(live: Running, wanted: Running, names: Mapping[str, str]) -> List[str]:
    now: Dict[str, PeerRow] = {row[0]: row for row in live.peers}
    then: Dict[str, PeerRow] = {row[0]: row for row in wanted.peers}
    found = []
    for key in sorted({*now, *then}, key=lambda key: (key not in then, names.get(key, key))):
        words = "is missing" if key not in now else "is not ours" if key not in then else ", ".join(
            f"has {what}" for what, old, new in zip(("another key", "another preshared key", "other networks", "another keepalive"),
                                                    now[key], then[key]) if old != new)
        found += [f"peer {names.get(key, key)} {words}"] if words else []
    return found


def _set(what: str, live: AbstractSet[str], wanted: AbstractSet[str]) -> List[str]:
    return [*(f"{what} {name} is missing" for name in sorted(wanted - live)),
            *(f"{what} {name} is not ours" for name in sorted(live - wanted))]


def _routing(live: Routing, wanted: Routing, what: str) -> List[str]:
    missing: Set[object] = {*wanted.rules, *wanted.routes} - {*live.rules, *live.routes}
    extra: Set[object] = {*live.rules, *live.routes} - {*wanted.rules, *wanted.routes}
    found = [f"routing for {what} is missing"] if missing else []
    found += [f"routing for {what} is there that is not wanted any more"] if extra else []
    return found + [f"the kernel setting {path} is not {value}" for path, value in sorted(wanted.switches - live.switches)]


def _modes(live: Tuple[Optional[int], ...], wanted: Tuple[Optional[int], ...]) -> List[str]:
    if live == wanted:
        return []
    if not closed(live):
        return [KEYS_OPEN]
    # the first is that of the file, which has been told
    if live[1:] and live[1] is None:
        return ["the key file is missing"]
    return ["the files with the keys have unusual permissions"] if None not in live else []


def closed(modes: Tuple[Optional[int], ...]) -> bool:
    """Whether nobody but root can read files of these permissions; those that are not there have None."""
    return not any(mode & OTHERS for mode in modes if mode is not None)

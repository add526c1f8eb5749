# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a connection through a forward, as the chains of the edge see it: hook by hook, first packet, answer, the rest.

Before the kernel begins to track connections, the state of every packet is "invalid"; a destination is the edge's own
before it is translated, and the target's afterwards.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Mapping, Tuple

from . import filtering as f
from .filtering import SOURCE_TRANSLATION, TRACKING, TRANSLATION, Fact, Known, Packet, Span
from .judging import Ruleset

FIRST, ANSWER, LATER = "new connections", "answers", "open connections"
# a client's own port: what RFC 6335 and Linux have in common. Rules that let in a client by its port let in no real one
CLIENT_PORTS = 49152, 60999
ADDRESS_FIELDS, PORT_FIELDS = (f.SOURCE, f.TARGET), (f.SPORT, f.DPORT, f.PUBLIC_PORT)


@dataclass(frozen=True)
class Probe:
    """One forward and one protocol of it.

    Attributes:
        proto: ``tcp`` or ``udp``.
        public_ports: first and last port at which clients call.
        target_ports: first and last port of the target.
        name: what the caller calls it.
    """

    proto: str
    public_ports: Span
    target_ip: str
    target_ports: Span
    name: str = ""

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.target_ip else 4

    @property
    def address(self) -> int:
        """The target as a number."""
        return int(ipaddress.ip_address(self.target_ip))


def classes(probes: Iterable[Probe], ruleset: Ruleset) -> List[List[Probe]]:
    """Probes that no rule can tell apart, together; all of one family and protocol when no rule asks for ports or targets."""
    cuts = [sorted({bound for low, high in ruleset.spans(fields) for bound in (low, high + 1)})
            for fields in (ADDRESS_FIELDS, PORT_FIELDS)]
    found: Dict[Tuple[object, ...], List[Probe]] = {}
    for probe in probes:
        ports = [bisect_right(cuts[1], port) for port in (*probe.public_ports, *probe.target_ports)]
        place = bisect_right(cuts[0], probe.address) if cuts[0] else 0
        found.setdefault((probe.family, probe.proto, place, *ports), []).append(probe)
    return list(found.values())


def packets(probe: Probe, mesh: str, uplink: str) -> Iterator[Tuple[str, Packet]]:
    """What passes the hooks in the life of a connection, each with the word for it.

    Args:
        mesh: the interface behind which the target is.
        uplink: the interface by which the client comes in; empty when it is not known.
    """
    inside, outside = _name(mesh), _name(uplink) if uplink else Known(maybe=None, never=frozenset({mesh, "lo"}))
    anywhere = 0, 2 ** (32 if probe.family == 4 else 128) - 1
    base: Dict[str, Fact] = {f.FAMILY: _name(str(probe.family)), f.PROTO: _name(probe.proto), f.PUBLIC_PORT: probe.public_ports,
                             f.SOURCE: anywhere, f.TARGET: anywhere, f.SPORT: CLIENT_PORTS, f.DPORT: CLIENT_PORTS}
    target, ports = (probe.address, probe.address), probe.target_ports
    before = {**base, f.IIF: outside, f.DPORT: probe.public_ports, f.TARGET_TYPE: _name("local")}
    after = {**base, f.IIF: outside, f.DPORT: ports, f.TARGET: target, f.TARGET_TYPE: _name("unicast")}
    back: Dict[str, Fact] = {**base, f.IIF: inside, f.SPORT: ports, f.SOURCE: target, f.SOURCE_TYPE: _name("unicast")}
    for word, facts in ((FIRST, before), (ANSWER, back)):
        untracked = {**_without(facts, f.PUBLIC_PORT), f.STATE: _name("invalid")}
        yield word, Packet(probe.family, "prerouting", untracked, f.LOWEST, TRACKING - 1)
    for packet in _first(probe.family, before, after, inside):
        yield FIRST, packet
    for packet in _way_in(probe.family, {**before, **_flow("original")}, {**after, **_flow("original")}, inside):
        yield LATER, packet
    for packet in _way_out(probe.family, {**back, **_flow("reply")}, outside):
        yield ANSWER, packet


def _first(family: int, before: Mapping[str, Fact], after: Mapping[str, Fact], inside: Known) -> Iterator[Packet]:
    early: Dict[str, Fact] = {**before, f.STATE: _name("new"), f.STATUS: Known(), f.DIRECTION: _name("original")}
    # iptables asks for "dnat" and "snat" among the states; "snat" comes with the masquerade
    late: Dict[str, Fact] = {**after, f.STATE: Known(frozenset({"new", "dnat"}), frozenset({"snat"})),
                             f.STATUS: Known(frozenset({"dnat"}), frozenset({"snat"})), f.DIRECTION: _name("original")}
    yield from _way_in(family, early, late, inside)
    # nat chains see the first packet only, in the order of their priority, until one of them (ours) has decided
    yield Packet(family, "prerouting", early, f.LOWEST, TRANSLATION - 1, "nat")
    yield Packet(family, "postrouting", {**_without(late, f.IIF), f.OIF: inside}, f.LOWEST, SOURCE_TRANSLATION - 1, "nat")


def _way_in(family: int, before: Mapping[str, Fact], after: Mapping[str, Fact], inside: Known) -> Iterator[Packet]:
    # at the very priority of a step of the kernel nobody can tell who comes first: what that step changes is not known there
    yield Packet(family, "prerouting", _without(before, f.STATE, f.STATUS, f.DIRECTION), TRACKING, TRACKING)
    yield Packet(family, "prerouting", before, TRACKING + 1, TRANSLATION - 1)
    yield Packet(family, "prerouting", _without(before, f.DPORT, f.TARGET_TYPE, f.STATUS, f.STATE), TRANSLATION, TRANSLATION)
    yield Packet(family, "prerouting", after, TRANSLATION + 1)
    yield Packet(family, "forward", {**after, f.OIF: inside})
    # the interface of arrival is known there since Linux 5.7 only
    yield Packet(family, "postrouting", {**_without(after, f.IIF), f.OIF: inside})


def _way_out(family: int, back: Mapping[str, Fact], outside: Known) -> Iterator[Packet]:
    yield Packet(family, "prerouting", _without(back, f.STATE, f.STATUS, f.DIRECTION), TRACKING, TRACKING)
    yield Packet(family, "prerouting", back, TRACKING + 1)
    yield Packet(family, "forward", {**back, f.OIF: outside})
    last = {**_without(back, f.IIF), f.OIF: outside}
    yield Packet(family, "postrouting", last, f.LOWEST, SOURCE_TRANSLATION - 1)
    # behind the translation the source is the edge
    yield Packet(family, "postrouting", _without(last, f.SOURCE, f.SPORT, f.SOURCE_TYPE), SOURCE_TRANSLATION)


def _flow(direction: str) -> Dict[str, Fact]:
    return {f.STATE: Known(frozenset({"established", "dnat"}), frozenset({"snat"})), f.DIRECTION: _name(direction),
            f.STATUS: Known(frozenset({"dnat"}), frozenset({"snat", "assured", "seen-reply", "confirmed"}))}


def _name(name: str) -> Known:
    return Known(frozenset({name}))


def _without(facts: Mapping[str, Fact], *fields: str) -> Dict[str, Fact]:
    return {name: fact for name, fact in facts.items() if name not in fields}

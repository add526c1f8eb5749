# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards made of somebody else's nat rules and lists, for a person to review. Nothing is taken that would work otherwise than before."""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left, insort
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ..errors import InvalidInput, Unreadable, shown, words_of
from . import fields
from . import filtering as f
from .filtering import Span
from .forward import Forward, Forwards
from .nat import OURS, PROTOCOLS, STRANGER, Limits, Place, Table

MOST_FORWARDS, MOST_NOTES = 10000, 500
# IP version, protocol, first and last public port, target and its first port: what a forward does, whoever may use it
Way = Tuple[int, str, int, int, str, int]
DESTINATION = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+|[0-9a-fA-F:]+))(?::([0-9]+)(?:-([0-9]+)(?:/([0-9]+))?)?)?", re.ASCII)
BY_HAND = "write the forward yourself if it can do without that"


def ways(forward: Forward) -> Tuple[Way, ...]:
    """What a forward does, one for each of its protocols."""
    return tuple((forward.family, proto, forward.first_port, forward.last_port, forward.target_ip, forward.target_port)
                 for proto in forward.protocols)


class Sent(NamedTuple):
    """A rule that forwards stand for."""

    place: Place
    forwards: Tuple[Forward, ...]


class Draft(NamedTuple):
    """A forward, still without an id of its own.

    Attributes:
        wish: the id that it should get.
        origins: where it comes from.
    """

    wish: str
    forward: Forward
    origins: Tuple[str, ...]


class Imported(NamedTuple):
    """What was found.

    Attributes:
        origins: where each forward comes from, by id.
        notes: what was not taken, each a sentence.
    """

    forwards: Forwards
    origins: Dict[str, List[str]]
    notes: List[str]


class _Claims:
    """Packets that rules have taken already, each with who did."""

    def __init__(self) -> None:
        self.single: Dict[Tuple[str, int], List[Tuple[object, Place]]] = {}
        self.wide: List[Tuple[Limits, object, Place]] = []

    def add(self, limits: Limits, way: object, place: Place) -> None:
        if limits.apart:
            return
        if len(limits.protos) == 1 and len(limits.ports) == 1 and limits.ports[0][0] == limits.ports[0][1]:
            key = next(iter(limits.protos)), limits.ports[0][0]
            self.single.setdefault(key, []).append((way, place))
        else:
            self.wide.append((limits, way, place))

    def taken(self, way: Way) -> Optional[Place]:
        """The rule that may have taken packets of this way to another end."""
        _family, proto, first, last = way[:4]
        for port in range(first, last + 1):
            for other, place in self.single.get((proto, port), ()):
                if other != way:
                    return place
        limits = Limits(frozenset({proto}), ((first, last),))
        return next((place for wide, other, place in self.wide if other != way and wide.overlaps(limits)), None)


class NatReader:
    """Reads the nat tables of one IP version.

    Attributes:
        sent: rules that forwards stand for, in the order in which packets meet them.
        notes: what was left out.
    """

    def __init__(self, tables: Sequence[Table], family: int) -> None:
        self.tables, self.family = tables, family
        self.sent: List[Sent] = []
        self.notes: List[str] = []
        self._claims = _Claims()
        self._drafts: Dict[Tuple[Way, ...], Draft] = {}

    def read(self) -> List[Draft]:
        """The forwards that do what the rules do."""
        owned: Dict[str, int] = {}
        chains = sorted(((chain.priority, number, chain.name) for number, table in enumerate(self.tables)
                         for chain in table.hooked("prerouting")))
        for _priority, number, name in chains:
            table = self.tables[number]
            for place in table.places(table.chains[name]):
                if place.limits.owner:
                    if place.limits.owner != OURS:      # what ours take, an imported forward takes over from itself
                        self._claims.add(place.limits, None, place)
                    if place.rule.verdict == f.REDIRECT:
                        key = f"{place.chain}, which {place.limits.owner} made"
                        owned[key] = owned.get(key, 0) + 1
                else:
                    self._rule(place)
        self.notes += [f"{count} rule{'s' * (count > 1)} of {where}, stay as they are; change them where they were made"
                       for where, count in owned.items()]
        self._others()
        return [self._with_source_nat(draft) for draft in self._drafts.values()]

    def _others(self) -> None:
        for table in self.tables:
            if table.skipped:
                self.notes.append("some chains call each other so often that not all of their rules were looked at; "
                                  "write what is missing yourself")
            local = [place for chain in table.hooked("output") for place in table.places(chain)
                     if place.rule.translation and not place.limits.owner]
            if local:
                more = f" (and {len(local) - 1} more)" if len(local) > 1 else ""
                self.notes.append(f"{local[0]}{more} was left out: it is for what this host itself sends, which no forward takes; "
                                  "call the target directly from here")

    def _rule(self, place: Place) -> None:
        """Take one rule, or tell why not; either way nothing behind it may claim its packets."""
        if not place.rule.translation:
            self._claims.add(place.limits, None, place)
            return
        try:
            forwards = self._forwards(place)
            for way in (way for forward in forwards for way in ways(forward)):
                earlier = self._claims.taken(way)
                if earlier is not None:
                    raise Unreadable(f"{earlier} comes before it and may take the same packets; keep one of the two, "
                                     "or write the forward yourself")
            if len(self._drafts) + len(forwards) > MOST_FORWARDS:
                raise Unreadable(f"there are more than {MOST_FORWARDS} forwards; import them in parts")
        except (ValueError, InvalidInput) as problem:
            self.notes.append(f"{place} was left out: {words_of(problem)}")
            self._claims.add(place.limits, None, place)
            return
        self.sent.append(Sent(place, forwards))
        for forward in forwards:
            self._take(place, forward, len(forwards) == 1)

    def _take(self, place: Place, forward: Forward, alone: bool) -> None:
        for way in ways(forward):
            self._claims.add(Limits(frozenset({way[1]}), ((way[2], way[3]),)), way, place)
        draft = self._drafts.get(ways(forward))
        if draft is None:
            comment = place.rule.comment
            named = fields.matches(r"[a-z0-9][a-z0-9._-]{0,50}", comment)
            version = "6" if self.family == 6 else ""
            wish = f"{comment}{'' if alone else f'-{forward.public_port}'}" if named else f"{forward.proto}{version}-{forward.public_port}"
            self._drafts[ways(forward)] = Draft(wish, forward, (str(place),))
            return
        # the same for others: together, they are those of both
        both = () if not (draft.forward.source_ranges and forward.source_ranges) else _merged(draft.forward, forward)
        more = () if str(place) in draft.origins else (str(place),)
        self._drafts[ways(forward)] = Draft(draft.wish, draft.forward._replace(source_ranges=both), draft.origins + more)

    def _forwards(self, place: Place) -> Tuple[Forward, ...]:
        """What a rule asks for.

        Raises:
            ValueError: a forward cannot say that; says why, with a remedy.
            InvalidInput: the same, from the model.
        """
        limits, rule = place.limits, place.rule
        if limits.apart:
            raise Unreadable("it is for packets that no forward takes, from the mesh or to another host; leave it, or write what is needed")
        if limits.beyond and limits.protos <= PROTOCOLS:
            raise Unreadable(f"it depends on {limits.beyond}; {BY_HAND}")
        if not limits.protos or not limits.protos <= PROTOCOLS:
            raise Unreadable("it is for other protocols than tcp and udp, which no forward takes; leave it, or write what is needed")
        if not limits.ports:
            raise Unreadable("it is for all ports, those of this host's own services among them; write forwards for those that are needed")
        proto = "both" if limits.protos == PROTOCOLS else next(iter(limits.protos))
        sources = [str(network) for span in limits.sources for network in ipaddress.summarize_address_range(
            *(ipaddress.ip_address(number) if self.family == 4 else ipaddress.IPv6Address(number) for number in span))]
        comment = rule.comment if fields.matches(r"[A-Za-z0-9 ._:/#@-]{0,64}", rule.comment) else ""
        found = tuple(Forward.parse({
            "forward_id": "x", "public_port": str(low) if low == high else f"{low}-{high}", "proto": proto,
            "source_ranges": sources, "comment": comment, **destination(rule.translation, (low, high), self.family)})
            for low, high in limits.ports)
        if any(int(ipaddress.ip_address(item.target_ip)) in table.own for item in found for table in self.tables):
            raise Unreadable("it sends to this host itself, which no forward does; let the service listen on that port")
        return found

    def _with_source_nat(self, draft: Draft) -> Draft:
        forward = draft.forward
        client = forward.source_ranges[0].partition("/")[0] if forward.source_ranges else STRANGER[self.family]
        ports = (forward.target_port, forward.last_port + forward.shift)
        answers = {table.hides_source(proto, forward.target_ip, ports, client) for table in self.tables for proto in forward.protocols}
        if True in answers:
            return draft
        if None in answers:
            self.notes.append(f"whether {forward.target_ip} sees the clients of {draft.wish} cannot be told from the rules, so the "
                              "forward hides them; set its source_nat to none if it shall see them")
            return draft
        return draft._replace(forward=forward._replace(source_nat="none"))


def _merged(one: Forward, other: Forward) -> Tuple[str, ...]:
    params = {**one.as_dict(), "source_ranges": [*one.source_ranges, *other.source_ranges]}
    return Forward.parse(params).source_ranges


def destination(text: str, ports: Span, family: int) -> Mapping[str, object]:
    """The options ``target_ip`` and ``target_port`` of what iptables calls ``--to-destination`` (iptables-extensions(8)).

    Args:
        ports: the public ones.

    Raises:
        ValueError: a forward does otherwise; says why, with a remedy.
    """
    first, last = ports
    if text == f.UNREAD:
        raise Unreadable(f"its destination is chosen in a way that a forward does not know (at random, from a map); {BY_HAND}")
    found = DESTINATION.fullmatch(text)
    if found is None:
        raise Unreadable(f"its destination {shown(text)} is not one address with its ports; {BY_HAND}")
    address, low = found[1] or found[2], int(found[3] or first)
    if (":" in address) != (family == 6):
        raise Unreadable(f"its destination {shown(text)} is of the other IP version; correct the rule")
    high, base = int(found[4] or low), int(found[5] or 0)
    if found[5] is not None:
        # ports in order, counted from the base
        if not base <= first or last - base > high - low:
            raise Unreadable(f"its destination {shown(text)} has not a port for each of its own; {BY_HAND}")
        low += first - base
    elif found[3] is not None and (low, high) != ports and not low == high == low + last - first:
        raise Unreadable(f"its destination {shown(text)} spreads or joins the ports, which a forward keeps in order; "
                         "write a forward with the first target port if order is what you want")
    return {"target_ip": address, "target_port": low}


def combine(drafts: Iterable[Draft], notes: Iterable[str]) -> Imported:
    """All that was found, under ids that nothing else has; of two that claim one port the first one is taken."""
    found = Imported({}, {}, list(notes))
    claims: Dict[Tuple[int, str], List[Tuple[int, int, str]]] = {}
    known: Dict[Tuple[Way, ...], str] = {}
    used: Set[str] = set()
    for draft in drafts:
        forward = draft.forward
        same = known.get(ways(forward))
        if same is not None:
            found.origins[same] += draft.origins
            continue
        owner = next(filter(None, (_owner(claims, way) for way in ways(forward))), None)
        if owner is not None:
            found.notes.append(f"{draft.origins[0]} was left out: port {forward.public_port} is forwarded otherwise by {owner} already; "
                               "keep one of the two")
            continue
        name = _free(draft.wish, used)
        used.add(name)
        known[ways(forward)] = name
        for way in ways(forward):
            insort(claims.setdefault(way[:2], []), (way[2], way[3], name))
        found.forwards[name] = forward._replace(forward_id=name)
        found.origins[name] = list(draft.origins)
    if len(found.notes) > MOST_NOTES:
        found.notes[MOST_NOTES:] = [f"{len(found.notes) - MOST_NOTES} more were left out; import what is listed, and look again"]
    return found


def _owner(claims: Mapping[Tuple[int, str], List[Tuple[int, int, str]]], way: Way) -> Optional[str]:
    taken = claims.get(way[:2], [])
    place = bisect_left(taken, (way[3] + 1, 0, ""))
    # they do not overlap each other, so the last one that begins before the end is the one that could reach in
    return taken[place - 1][2] if place and taken[place - 1][1] >= way[2] else None


def _free(wish: str, used: Set[str]) -> str:
    number, name = 1, wish
    while name in used:
        number += 1
        name = f"{wish}-{number}"
    return name

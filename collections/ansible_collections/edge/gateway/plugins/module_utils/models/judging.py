# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the chains of a host do with a packet.

A chain is walked once per packet: its result is the set of all ways it may end, so the work grows with the number of
rules, never with the number of combinations. What is said to be dropped certainly is; what might be is never said to be.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, Iterable, List, Mapping, Optional

from .filtering import (
    ACCEPT,
    CONTINUE,
    DROP,
    FAMILY,
    GOTO,
    IIF,
    JUMP,
    MARK,
    NOTRACK,
    PROTO,
    RETURN,
    STOPS,
    TRACKING,
    Chain,
    ChainKey,
    Packet,
    Rule,
    Span,
)

# nft allows 16 jumps in each other; a rule set deeper than this is not followed
DEPTH_LIMIT = 32


@dataclass(frozen=True)
class Judgement:
    """What one base chain does with a packet.

    Attributes:
        passes: True, False, or None when it depends on what is not known.
        place: the chain in which the packet is, or may be, stopped.
        rule: the rule that stops it; None for the policy of the base chain, or when it passes.
    """

    base: Chain
    passes: Optional[bool]
    place: Optional[Chain] = None
    rule: Optional[Rule] = None


@dataclass
class _Ends:
    """The ways a walk through a chain may end."""

    accepted: bool = False
    returned: bool = False
    stopped: bool = False
    place: Optional[Chain] = None
    rule: Optional[Rule] = None

    def stop(self, place: Optional[Chain], rule: Optional[Rule]) -> None:
        # the last one wins: where all ends are drops, it is the one that does not depend on the unknown
        self.stopped, self.place, self.rule = True, place, rule

    def add(self, other: _Ends) -> None:
        self.accepted |= other.accepted
        if other.stopped:
            self.stop(other.place, other.rule)


@dataclass
class Ruleset:
    """All chains of a host but our own, ready to be asked."""

    chains: List[Chain]
    _tables: Dict[ChainKey, Dict[str, Chain]] = field(default_factory=dict)
    _markers: List[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        for chain in self.chains:
            self._tables.setdefault(chain.place, {})[chain.name] = chain
            self._markers += [rule for rule in chain.rules if rule.sets_mark]

    def judge(self, packet: Packet) -> List[Judgement]:
        """What each base chain that sees the packet does with it; each of them must accept."""
        packet = self._with_mark(packet)
        return [self._judge(chain, packet) for chain in self.chains if packet.sees(chain)]

    def names(self, chain: Chain) -> List[str]:
        """The chains of the table that a chain stands in."""
        return list(self._tables[chain.place])

    def spans(self, fields: Iterable[str]) -> List[Span]:
        """All spans that conditions on these fields mention."""
        wanted = frozenset(fields)
        return [span for chain in self.chains for rule in chain.rules for condition in rule.conditions
                if condition.field in wanted for span in condition.spans]

    def _with_mark(self, packet: Packet) -> Packet:
        """A packet from outside carries no mark, unless some rule may set one."""
        early = {name: fact for name, fact in packet.facts.items() if name in (IIF, FAMILY, PROTO)}
        if MARK in packet.facts or any(rule.matches(early) is not False for rule in self._markers):
            return packet
        return replace(packet, facts={**packet.facts, MARK: (0, 0)})

    def _judge(self, base: Chain, packet: Packet) -> Judgement:
        ends = _Walk(self._tables[base.place], packet).through(base)
        if ends.returned and base.policy != DROP:
            ends.accepted = True
        elif ends.returned:
            ends.stop(base, None)
        if not ends.stopped:
            return Judgement(base, True)
        return Judgement(base, None if ends.accepted else False, ends.place, ends.rule)


class _Walk:
    """One packet's way through the chains of a table; every chain is walked at most once."""

    def __init__(self, table: Mapping[str, Chain], packet: Packet) -> None:
        self.table, self.facts, self.tracked = table, packet.facts, packet.highest >= TRACKING
        self.known: Dict[str, _Ends] = {}
        self.depth = 0

    def through(self, chain: Chain) -> _Ends:
        """All ways the chain may end; a loop, and what lies too deep, may end in any way."""
        if chain.name not in self.known:
            self.known[chain.name] = _Ends(True, True, True, chain)
            self.depth += 1
            if self.depth <= DEPTH_LIMIT:
                self.known[chain.name] = self._walk(chain)
            self.depth -= 1
        return self.known[chain.name]

    def _walk(self, chain: Chain) -> _Ends:
        ends = _Ends()
        for rule in chain.rules:
            matches = rule.matches(self.facts)
            if matches is not False and not self._obey(chain, rule, ends) and matches:
                return ends
        ends.returned = True
        return ends

    def _obey(self, chain: Chain, rule: Rule, ends: _Ends) -> bool:
        """Add what the rule's verdict leads to; whether the next rule may be reached after it."""
        if rule.verdict == CONTINUE or rule.verdict == NOTRACK and self.tracked:
            return True                  # what is tracked already stays so
        if rule.verdict == ACCEPT:
            ends.accepted = True
        elif rule.verdict in STOPS:
            ends.stop(chain, rule)
        elif rule.verdict == RETURN:
            ends.returned = True
        elif rule.verdict in (JUMP, GOTO) and rule.target in self.table:
            inner = self.through(self.table[rule.target])
            ends.add(inner)
            ends.returned |= inner.returned and rule.verdict == GOTO
            return inner.returned and rule.verdict == JUMP
        else:
            ends.accepted = True
            ends.stop(chain, rule)
            return True
        return False

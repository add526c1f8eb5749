# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's filter rules, and packets of which only some things are known.

Three-valued throughout: True is certain, False is certain, None is "depends on what is not known".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import FrozenSet, Iterable, Mapping, Optional, Tuple, Union

Span = Tuple[int, int]
ChainKey = Tuple[str, str, str]

# fields a condition can ask about; a condition on UNKNOWN may or may not match
IIF, OIF, FAMILY, PROTO, STATE, STATUS, DIRECTION = "iif", "oif", "family", "proto", "state", "status", "direction"
SOURCE_TYPE, TARGET_TYPE, SOURCE, TARGET = "saddr type", "daddr type", "saddr", "daddr"
SPORT, DPORT, PUBLIC_PORT, MARK, UNKNOWN = "sport", "dport", "original dport", "mark", ""

ACCEPT, DROP, REJECT, RETURN, CONTINUE, JUMP, GOTO = "accept", "drop", "reject", "return", "continue", "jump", "goto"
# notrack: no connection tracking, so no DNAT of ours; dnat: a nat chain before ours sends the packet elsewhere
NOTRACK, REDIRECT, UNSURE = "notrack", "dnat", "unsure"
TO_SOURCE, UNREAD = "source", "?"
STOPS = frozenset({DROP, REJECT, NOTRACK, REDIRECT})
LOWEST, HIGHEST = -2 ** 31, 2 ** 31 - 1
# priorities at which the kernel acts itself (linux/netfilter_ipv4.h): it begins to track connections, and translates
# destinations, both in prerouting, and sources, in postrouting
TRACKING, TRANSLATION, SOURCE_TRANSLATION = -200, -100, 100


@dataclass(frozen=True)
class Known:
    """What is known of a field that has names, such as an interface or flags.

    Attributes:
        is_: the names it certainly has.
        maybe: names it may have besides; None for any.
        never: names it certainly does not have.
    """

    is_: FrozenSet[str] = frozenset()
    maybe: Optional[FrozenSet[str]] = frozenset()
    never: FrozenSet[str] = frozenset()

    def any_of(self, patterns: Iterable[str]) -> Optional[bool]:
        """Whether it has one of the names; a pattern may end in ``*``."""
        result: Optional[bool] = False
        for pattern in patterns:
            if pattern == "*" or any(_fits(pattern, name) for name in self.is_):
                return True
            if self.maybe is None:
                result = result if pattern in self.never else None
            elif any(_fits(pattern, name) for name in self.maybe):
                result = None
        return result


def _fits(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


Fact = Union[Known, Span]


@dataclass(frozen=True)
class Condition:
    """One match of a rule: the field has one of the names, or lies in one of the spans (bounds included)."""

    field: str
    names: FrozenSet[str] = frozenset()
    spans: Tuple[Span, ...] = ()
    negated: bool = False

    def matches(self, facts: Mapping[str, Fact]) -> Optional[bool]:
        """Whether it holds for a packet with these facts."""
        fact = facts.get(self.field)
        if fact is None:
            return None
        answer = fact.any_of(self.names) if isinstance(fact, Known) else _inside(fact, self.spans)
        return answer if answer is None or not self.negated else not answer


ANYTHING = Condition(UNKNOWN)


def _inside(value: Span, spans: Iterable[Span]) -> Optional[bool]:
    low, high = value
    result: Optional[bool] = False
    for first, last in spans:
        if first <= low and high <= last:
            return True
        if first <= high and low <= last:
            result = None
    return result


@dataclass(frozen=True)
class Rule:
    """Conditions that must all hold, and what happens then.

    Attributes:
        target: the chain of a jump or goto.
        text: how the tool shows the rule; empty when only its handle is known.
        handle: the number nft gives it, 0 for none.
        sets_mark: whether it changes the mark of packets.
        translation: where a destination is translated to, as iptables writes it, or :data:`UNREAD`; :data:`TO_SOURCE` for a source.
    """

    conditions: Tuple[Condition, ...]
    verdict: str
    target: str = ""
    text: str = ""
    handle: int = 0
    sets_mark: bool = False
    translation: str = ""
    comment: str = ""

    def matches(self, facts: Mapping[str, Fact]) -> Optional[bool]:
        """Whether all its conditions hold."""
        result: Optional[bool] = True
        for condition in self.conditions:
            answer = condition.matches(facts)
            if answer is False:
                return False
            if answer is None:
                result = None
        return result


@dataclass(frozen=True)
class Chain:
    """A chain of somebody's firewall.

    Attributes:
        backend: ``nft``, ``iptables-nft`` or ``iptables-legacy``.
        family: ``ip``, ``ip6`` or ``inet``.
        hook: where the kernel calls it; empty for a chain that is only jumped to.
        kind: ``filter`` or ``nat``.
    """

    backend: str
    family: str
    table: str
    name: str
    hook: str = ""
    priority: int = 0
    kind: str = "filter"
    policy: str = ACCEPT
    rules: Tuple[Rule, ...] = ()

    @property
    def place(self) -> ChainKey:
        """The table it stands in."""
        return self.backend, self.family, self.table

    def __str__(self) -> str:
        label = f"chain {self.name} of table {self.family} {self.table}"
        return label if self.backend == "nft" else f"{label} ({self.backend})"


@dataclass(frozen=True)
class Packet:
    """A packet as the chains of one hook see it, between two priorities (both included)."""

    family: int
    hook: str
    facts: Mapping[str, Fact]
    lowest: int = LOWEST
    highest: int = HIGHEST
    kind: str = "filter"

    def sees(self, chain: Chain) -> bool:
        """Whether it comes through a base chain."""
        return (chain.hook == self.hook and chain.kind == self.kind and self.lowest <= chain.priority <= self.highest
                and chain.family in ("inet", "ip" if self.family == 4 else "ip6"))

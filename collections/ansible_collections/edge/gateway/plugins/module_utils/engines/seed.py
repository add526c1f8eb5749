# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes over the forwards of the older system: its state becomes ours, and its rules go once ours stand."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Set

from ..formats import seed
from ..formats.seed import Rule
from ..host import Host
from ..models.forward import Forward, Forwards
from ..models.imports import Sent, Way, ways
from . import system
from .forwards import ForwardEngine
from .imports import drafts_of_state, nat_readers, state_file

VARIANTS = ("iptables-nft", "iptables-legacy")
PROGRAMS = (*VARIANTS, "ip6tables-nft", "ip6tables-legacy")


def forwards_of(host: Host, directory: str, reviewed: Optional[Forwards] = None) -> Forwards:
    """The forwards in a data directory of the older system.

    Args:
        reviewed: what a person has made of them; then only those that are still among these, and nothing else is looked at.

    Raises:
        StateRefused: there is no ``state.json``, or not such a file.
        InvalidInput: a forward in it cannot be had here, and nobody has reviewed them.
    """
    if reviewed is None:
        return seed.parse_state(*state_file(host, directory))
    wanted = all_ways(reviewed)
    return {draft.wish: draft.forward for draft in drafts_of_state(host, directory, []) if wanted.issuperset(ways(draft.forward))}


def all_ways(forwards: Forwards) -> Set[Way]:
    """What these forwards do."""
    return {way for item in forwards.values() for way in ways(item)}


def is_rule(part: str) -> bool:
    """Whether a part of the plan is a rule of somebody else."""
    return part.startswith(tuple(f"({program} -t " for program in PROGRAMS))


class SeedImport(ForwardEngine):
    """Forwards of one host, and beside them what the older system, or a person, left in iptables.

    Attributes:
        older: forwards of the older system, whose rules go.
        reviewed: forwards that a person has looked through; None when all of ``older`` is taken as it is.
        remove_rules: whether the rules go that such forwards were imported from.
        rules: the rules that go as they were found, by program.
        doubled: rules that stay though a forward takes the same ports, each with its program.
    """

    older: Forwards = {}
    reviewed: Optional[Forwards] = None
    remove_rules = False
    rules: Dict[str, List[Rule]] = {}
    doubled: List[str] = []

    def read(self) -> Mapping[str, object]:
        """Besides our own rules, each of the others that has to go."""
        by_hand = self._by_hand() if self.reviewed is not None else {}
        self.rules = {variant: found for variant in VARIANTS if (found := self._found(variant))}
        for program, found in by_hand.items():
            others = [rule for rule in found if rule not in self.rules.get(program, ())]
            if others and self.remove_rules:
                self.rules.setdefault(program, []).extend(others)
            else:
                self.doubled += [f"{program} -t nat {rule.text}" for rule in others]
        return {**super().read(), **dict.fromkeys(self._names(), "in effect")}

    def render(self, items: Forwards) -> Mapping[str, object]:
        """Besides our own rules, none that has to go."""
        return {**super().render(items), **dict.fromkeys(self._names())}

    def _names(self) -> List[str]:
        return [f"({program} -t {rule.table} {rule.text})" for program, rules in self.rules.items() for rule in rules]

    def _found(self, variant: str) -> List[Rule]:
        # looking at a legacy table would load its module
        legacy = variant.endswith("legacy")
        if not self.older or self.host.find(f"{variant}-save") is None or legacy and not system.legacy_tables(self.host, 4):
            return []
        listing = self.host.run([f"{variant}-save"], check=False).out
        return seed.rules_of(listing, self.older.values(), self.interface, masquerade=self.backend.name != "iptables")

    def _by_hand(self) -> Dict[str, List[Rule]]:
        """The rules that the reviewed forwards do the work of, by program; those that only share a port with one are doubled."""
        wanted = all_ways(self.reviewed or {})
        found: Dict[str, List[Rule]] = {}
        self.doubled = []
        for reader in nat_readers(self.host, self.interface, []):
            reader.read()
            for place, forwards in reader.sent:
                chain, text = place.chain, f"-A {place.chain.name} {place.rule.text}"
                program = chain.backend.replace("ip", chain.family, 1) if chain.backend != "nft" else ""
                done = wanted.issuperset(way for forward in forwards for way in ways(forward))
                if done and program and "\n" not in text:
                    found.setdefault(program, []).append(Rule("nat", text))
                elif any(_shares(forward, self.reviewed or {}) for forward in forwards):
                    self.doubled.append(f"{program} -t nat {text}" if program else _in_words_of_nft(Sent(place, forwards)))
        return found

    def write(self, before: Forwards, after: Forwards) -> None:
        """Our rules first; the others go only when ours are in effect, so that no forward is ever missing."""
        rules = self.rules
        super().write(before, after)
        if all(self.active(after).values()):
            for program, found in rules.items():
                for text in seed.removal(found).values():
                    self.host.run([f"{program}-restore", "--noflush"], stdin=text, holds_lock=True)


def _shares(forward: Forward, others: Forwards) -> bool:
    return any(forward.family == other.family and forward.first_port <= other.last_port and other.first_port <= forward.last_port
               and set(forward.protocols) & set(other.protocols) for other in others.values())


def _in_words_of_nft(sent: Sent) -> str:
    chain, rule = sent.place.chain, sent.place.rule
    return f"nft rule {chain.family} {chain.table} {chain.name} {rule.text} (handle {rule.handle})"

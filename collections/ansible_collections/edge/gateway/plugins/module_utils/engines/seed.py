# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes over the forwards of the older system: its state becomes ours, and its rules go once ours stand."""

from __future__ import annotations

from typing import Dict, List, Mapping

from ..errors import StateRefused
from ..formats import seed
from ..formats.seed import Rule
from ..host import Host
from ..models.forward import Forwards
from . import system
from .forwards import ForwardEngine

VARIANTS = ("iptables-nft", "iptables-legacy")


def forwards_of(host: Host, directory: str) -> Forwards:
    """The forwards in a data directory of the older system.

    Raises:
        StateRefused: there is no ``state.json``, or not such a file.
    """
    path = f"{directory}/state.json"
    data = host.read(path)
    if data is None:
        raise StateRefused(f"{path} does not exist; give the directory that the older system's agent had as /data", path)
    return seed.parse_state(data, path)


def is_rule(part: str) -> bool:
    """Whether a part of the plan is a rule of the older system."""
    return part.startswith(tuple(f"({variant} -t " for variant in VARIANTS))


class SeedImport(ForwardEngine):
    """Forwards of one host, and beside them what the older system left in iptables.

    Attributes:
        older: forwards of the older system.
        rules: its rules as they were found, by variant of iptables.
    """

    older: Forwards = {}
    rules: Dict[str, List[Rule]] = {}

    def read(self) -> Mapping[str, object]:
        """Besides our own rules, each of the older system."""
        self.rules = {variant: found for variant in VARIANTS if (found := self._found(variant))}
        return {**super().read(), **dict.fromkeys(self._names(), "in effect")}

    def render(self, items: Forwards) -> Mapping[str, object]:
        """Besides our own rules, none of the older system."""
        return {**super().render(items), **dict.fromkeys(self._names())}

    def _names(self) -> List[str]:
        return [f"({variant} -t {rule.table} {rule.text})" for variant, rules in self.rules.items() for rule in rules]

    def _found(self, variant: str) -> List[Rule]:
        # looking at a legacy table would load its module
        legacy = variant.endswith("legacy")
        if self.host.find(f"{variant}-save") is None or legacy and not system.legacy_tables(self.host, 4):
            return []
        listing = self.host.run([f"{variant}-save"], check=False).out
        return seed.rules_of(listing, self.older.values(), self.interface, masquerade=self.backend.name != "iptables")

    def write(self, before: Forwards, after: Forwards) -> None:
        """Our rules first; those of the older system go only when ours are in effect, so that no forward is ever missing."""
        rules = self.rules
        super().write(before, after)
        if all(self.active(after).values()):
            for variant, found in rules.items():
                for text in seed.removal(found).values():
                    self.host.run([f"{variant}-restore", "--noflush"], stdin=text, holds_lock=True)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The iptables side of the forwards: our own chains, the jumps to them, one masquerade, and nothing else.

``iptables`` is one of two variants (nf_tables or legacy), whichever the host has made it; both act on packets at once. What
is ours is driven with the host's, looked for in the other one too, and taken away there.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

from ..errors import MissingTool
from ..formats.iptables import NO_RULES, TABLES, Entry, Key, Part, Rules, change, wanted_rules
from ..formats.iptables_boot import PROGRAMS, script
from ..formats.iptables_parse import Count, Listing, parse
from ..host import Host
from ..models.choices import BOOT_FILES
from ..models.forward import Forward, Forwards
from . import system

BOOT_FILE = BOOT_FILES["iptables"]
PACKAGE = "iptables"
IPV6 = "/proc/sys/net/ipv6"
# for the lock that all programs of the legacy variant share
LOCK_SECONDS = "5"


class Variant(NamedTuple):
    """What stands in one of the two variants, for one IP version.

    Attributes:
        program: what the names of its programs begin with, such as ``ip6tables`` or ``iptables-legacy``.
        name: what to call it to people.
    """

    family: int
    program: str
    name: str
    listing: Listing


class IptablesBackend:
    """Reads and writes chains ``EDGE-GATEWAY...`` in tables mangle, filter and nat.

    Attributes:
        warnings: what the last :meth:`read` saw beside our rules that may surprise; whole sentences.
    """

    name = "iptables"
    boot_file = BOOT_FILE

    def __init__(self, host: Host, interface: str) -> None:
        self.host, self.interface = host, interface
        self.warnings: List[str] = []
        self._used: List[Variant] = []
        self._others: List[Variant] = []
        self._live: Optional[Rules] = None
        self._wanted: Tuple[Optional[Forwards], Rules] = (None, NO_RULES)

    def check(self, forward: Forward) -> None:
        """Every option can be had with iptables."""

    def ready(self, forwards: Forwards) -> None:
        """Raise MissingTool without the programs, those for IPv6 only if a forward needs them."""
        for family in sorted({4} | {item.family for item in forwards.values()}):
            if not self._has(family):
                raise MissingTool(PROGRAMS[family], PACKAGE)

    def read(self) -> Rules:
        """What the kernel holds, in both variants; nothing for an IP version without programs to look with.

        Raises:
            StateRefused: something in our chains, or a jump to them, is not ours.
        """
        self.warnings, self._used, self._others = [], [], []
        for family, program in PROGRAMS.items():
            if self._speaks(family):
                legacy = "nf_tables" not in self.host.run([program, "--version"]).out
                self._used.append(self._variant(family, program, f"{program}-{'legacy' if legacy else 'nft'}"))
                self._look_beside(family, legacy)
        elsewhere = tuple(f"{other.name}: {table}" for other in self._others for _family, table in other.listing.rules.parts)
        self._live = _together(self._used, elsewhere)
        return self._live

    def _has(self, family: int) -> bool:
        return all(self.host.find(PROGRAMS[family] + suffix) is not None for suffix in ("", "-save", "-restore"))

    def _speaks(self, family: int) -> bool:
        """Whether there can be rules of this IP version: a kernel without IPv6 has none, and its programs fail."""
        return self._has(family) and (family == 4 or self.host.mode(IPV6) is not None)

    def _variant(self, family: int, program: str, name: str) -> Variant:
        # all tables: "-t" would bring up one that nobody has
        text = self.host.run([f"{program}-save", "-c"]).out
        return Variant(family, program, name, parse(text, family, self.interface, name))

    def _look_beside(self, family: int, legacy: bool) -> None:
        """Look into the variant that is not used here."""
        used, other = (f"{PROGRAMS[family]}-{word}" for word in (("legacy", "nft") if legacy else ("nft", "legacy")))
        if not legacy and not system.legacy_tables(self.host, family):
            return
        if any(self.host.find(other + suffix) is None for suffix in ("-save", "-restore")):
            if not legacy:
                self.warnings.append(f"this kernel has tables of {other} beside those of {used}, and no {other}-save to look into "
                                     "them: rules there act on the same packets; install it, or restart the host to be rid of them")
            return
        if legacy and self.host.run([f"{other}-save"], check=False).rc != 0:
            # this kernel has no nf_tables, and so no rules in it
            return
        found = self._variant(family, other, other)
        self._others.append(found)
        if found.listing.foreign:
            self.warnings.append(f"rules of others stand in {other} (table {', '.join(found.listing.foreign)}) while this host uses "
                                 f"{used}: both act on the same packets, and either can drop what the other forwards; move them into one")

    def counts(self) -> Dict[str, Count]:
        """By forward id, how many connections it has opened, and the bytes of their first packets; as last read."""
        return {name: count for used in self._used for name, count in used.listing.counts.items()}

    def wanted(self, forwards: Forwards) -> Rules:
        """What these forwards need; the guard stands for IPv6 too wherever the host can have it."""
        known, rules = self._wanted
        if known is not forwards:
            families = {4} | {item.family for item in forwards.values()}
            if self._speaks(6):
                families.add(6)
            rules = wanted_rules(forwards, self.interface, families)
            self._wanted = forwards, rules
        return rules

    def boot_text(self, forwards: Forwards) -> str:
        """The shell script that the boot unit runs."""
        return script(self.wanted(forwards), self.interface)

    def apply(self, forwards: Forwards) -> None:
        """Make the rules the wanted ones: one transaction a table, and only for tables that differ.

        In this order the mesh is closed whenever something leads into it, so a kill in between opens nothing.
        """
        if self._live is None:
            self.read()
        # what follows is no longer what was read
        self._live = None
        rules = self.wanted(forwards)
        for used in self._used:
            self._change(used, rules)
        for other in self._others:
            self._change(other, NO_RULES)

    def clear(self) -> None:
        """Take all that is ours away, in both variants."""
        self.read()
        self._live = None
        for variant in [*self._used, *self._others]:
            self._change(variant, NO_RULES)

    def _change(self, variant: Variant, rules: Rules) -> None:
        leads_in = (variant.family, "nat") in rules.parts
        for table in TABLES if leads_in else TABLES[::-1]:
            text = change(variant.listing.rules, rules, (variant.family, table))
            if text:
                self.host.run([f"{variant.program}-restore", "-w", LOCK_SECONDS, "--noflush"], stdin=text, holds_lock=True)


def _together(variants: List[Variant], elsewhere: Tuple[str, ...]) -> Rules:
    """The rules of both IP versions as one."""
    parts: Dict[Key, Part] = {}
    elements: Dict[str, Tuple[Entry, ...]] = {}
    for variant in variants:
        parts.update(variant.listing.rules.parts)
        for name, entries in variant.listing.rules.elements.items():
            elements[name] = (*elements.get(name, ()), *entries)
    return Rules(parts, elements, elsewhere)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables: the table that some forwards need, written in nft's language (nft(8)).

Look-ups are maps keyed by port, so the cost does not grow with the number of forwards: plain hash maps for single ports,
interval maps for ranges, one chain per distinct allow-list. What no forward needs is not there.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
from typing import Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple, TypeVar

from ..models.forward import Forwards
from .nftables import ADDRESS, FAMILY, TABLE, Chain, Element, Holder, Span, Table, allow_list, elements_of, holder_type

WHERE = f"{FAMILY} {TABLE}"
IP = {4: "ip", 6: "ip6"}
HOOKS = {"forward": ("filter", "forward", "0"), "prerouting": ("nat", "prerouting", "-100"),
         "postrouting": ("nat", "postrouting", "100")}
BASES = ("tcp4", "udp4", "tcp6", "udp6")

Value = TypeVar("Value")


class Rule(NamedTuple):
    """A rule and what it is for."""

    text: str
    why: str

    @property
    def label(self) -> str:
        """Its comment, by which it is known again."""
        return f"{self.why} #{hashlib.sha256(self.text.encode()).hexdigest()[:8]}"

    def __str__(self) -> str:
        return f'{self.text} comment "{self.label}"'


class Layout:
    """The table that some forwards need. With none, only the guard stands and the masquerade is gone.

    Attributes:
        table: the table, in the terms in which it is read back.
        rules: its rules by chain.
    """

    def __init__(self, forwards: Forwards, interface: str) -> None:
        elements = {name: elements_of(forward) for name, forward in forwards.items()}
        holders = sorted({element.holder for entries in elements.values() for element in entries})
        lists = dict(allow_list(item.family, item.source_ranges) for item in forwards.values() if item.source_ranges)
        self.rules = _chains(interface, holders, sorted(lists))
        self.table = Table(
            flags=0, holders={name: holder_type(name) for name in holders}, lists=lists,
            chains={name: Chain(HOOKS.get(name, ()), tuple(rule.label for rule in rules)) for name, rules in self.rules.items()},
            elements=elements)

    @functools.cached_property
    def text(self) -> str:
        """The whole table as one transaction that replaces whatever stood there; also the file that is loaded at boot."""
        lines = [f"add table {WHERE}", f"delete table {WHERE}", f"table {WHERE} {{"]
        by_holder = _by_holder(element for elements in self.table.elements.values() for element in elements)
        for name, holder in self.table.holders.items():
            lines += [f"\t{_kind(holder)} {name} {{", f"\t\t{holder.text}", "\t\telements = {",
                      ",\n".join(f"\t\t\t{element.text}" for element in by_holder[name]), "\t\t}", "\t}"]
        lines += [f"\tset {name} {{ {_list_text(name, self.table.lists[name])} }}" for name in sorted(self.table.lists)]
        for name, rules in self.rules.items():
            lines.append(f"\tchain {name} {{")
            lines += [f"\t\t{_hook_text(name)}"] if name in HOOKS else []
            lines += [f"\t\t{rule}" for rule in rules]
            lines.append("\t}")
        return "\n".join([*lines, "}"]) + "\n"

    def fits(self, live: Table) -> bool:
        """Whether the live table can be changed into this one piece by piece: what both have is of the same type."""
        wanted = self.table
        return bool(live.chains) and live.flags == wanted.flags and all(
            there[name] == value for here, there in ((live.holders, wanted.holders), (live.lists, wanted.lists))
            for name, value in here.items() if name in there) and all(
            wanted.chains[name].hook == chain.hook for name, chain in live.chains.items() if name in wanted.chains)

    def change(self, live: Table) -> str:
        """What differs from a live table that fits, as one transaction; elements that stay are not touched."""
        wanted = self.table
        outdated = [name for name in live.chains if live.chains[name] != wanted.chains.get(name)]
        rewritten = [name for name in wanted.chains if live.chains.get(name) != wanted.chains[name]]
        gone, new = _element_changes(live, wanted)
        return "".join(f"{line}\n" for line in [
            # chains before maps: nft 1.0.6 does not find a chain that is newer than the interval map whose element names it
            *(f"add chain {WHERE} {name}" + (f" {{ {_hook_text(name)} }}" if name in HOOKS else "")
              for name, _chain in _without(wanted.chains, live.chains)),
            *(f"add {_kind(holder)} {WHERE} {name} {{ {holder.text} }}" for name, holder in _without(wanted.holders, live.holders)),
            *(f"add set {WHERE} {name} {{ {_list_text(name, spans)} }}" for name, spans in _without(wanted.lists, live.lists)),
            *(f"flush chain {WHERE} {name}" for name in outdated),
            *gone,
            *(f"delete {_kind(holder)} {WHERE} {name}" for name, holder in _without(live.holders, wanted.holders)),
            *(f"delete chain {WHERE} {name}" for name, _chain in _without(live.chains, wanted.chains)),
            *(f"delete set {WHERE} {name}" for name, _spans in _without(live.lists, wanted.lists)),
            *new,
            *(f"add rule {WHERE} {name} {rule}" for name in rewritten for rule in self.rules[name])])


def _chains(interface: str, holders: Sequence[str], lists: Sequence[str]) -> Dict[str, List[Rule]]:
    """Rules by chain; the order of the chains is the one in which they can be declared."""
    mesh_in, mesh_out = f'iifname "{interface}"', f'oifname "{interface}"'
    clamp = "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu"
    chains = {name: [Rule(f"{IP[int(name[5])]} saddr != @{name} accept", "others find the port closed")] for name in lists}
    if holders:
        # only traffic to the edge itself (a 1:1-NAT host has no public address on its card), never what passes through
        enter = [Rule(f'iifname != "{interface}" fib daddr type local jump forwards', "traffic to this host may be forwarded")]
        enter += [Rule(f"{mesh_in} fib daddr type local {_match(base)} dport @{base}_hairpin jump forwards",
                       f"nodes use {base} forwards too") for base in BASES if f"{base}_hairpin" in holders]
        leave = [Rule(f"{mesh_out} ct status dnat {_match(base, 'meta l4proto ')} ct original proto-dst @{base}_keep accept",
                      f"the target sees {base} clients") for base in BASES if f"{base}_keep" in holders]
        leave.append(Rule(f"{mesh_out} ct status dnat masquerade", "answers come back through the edge"))
        chains.update(forwards=_forwards(holders), prerouting=enter, postrouting=leave)
    chains["to_mesh"] = [
        # a tunnel is narrower than the path beside it: without the clamp large answers are lost where ICMP is filtered
        Rule(clamp, "segments fit into the tunnel"),
        # the guard: forwarding alone would make the edge an open router between its networks and the mesh
        Rule("ct status dnat accept", "forwarded traffic enters the mesh"),
        Rule("ct state established,related accept", "answers enter the mesh"),
        Rule("drop", "nothing else enters the mesh"),
    ]
    chains["from_mesh"] = [
        Rule(clamp, "segments fit into the tunnel"),
        Rule("ct state established,related accept", "answers leave the mesh"),
        Rule("drop", "nothing else leaves the mesh"),
    ]
    # two comparisons are all that other traffic pays
    chains["forward"] = [Rule(f"{mesh_out} jump to_mesh", "traffic into the mesh"),
                         Rule(f"{mesh_in} jump from_mesh", "traffic out of the mesh")]
    return chains


def _match(base: str, before: str = "") -> str:
    """What selects packets of one protocol and IP version."""
    return f"meta nfproto ipv{base[3]} {before}{base[:3]}"


def _forwards(holders: Sequence[str]) -> List[Rule]:
    """Who may not is sent away first; then one look-up in each map that is in use."""
    rules = []
    for base in BASES:
        packet, to = _match(base), f"dnat {IP[int(base[3])]} to {base[:3]} dport map"
        rules += [Rule(f"{packet} dport vmap @{name}", f"who may use {base} forwards")
                  for name in (f"{base}_allow", f"{base}_allow_ranges") if name in holders]
        rules += [Rule(f"meta nfproto ipv{base[3]} {to} @{name}", f"{base} forwards")
                  for name in (base, f"{base}_ranges") if name in holders]
    return rules


def _hook_text(name: str) -> str:
    kind, hook, priority = HOOKS[name]
    return f"type {kind} hook {hook} priority {priority}; policy accept;"


def _kind(holder: Holder) -> str:
    return "map" if holder.data else "set"


def _list_text(name: str, spans: Sequence[Span]) -> str:
    """Declaration of an allow-list with its elements."""
    family = int(name[5])
    make = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
    words = (str(make(first)) if first == last else f"{make(first)}-{make(last)}" for first, last in spans)
    return f"type {ADDRESS[family]}; flags interval; elements = {{ {', '.join(words)} }};"


def _without(some: Mapping[str, Value], others: Mapping[str, object]) -> List[Tuple[str, Value]]:
    return [(name, value) for name, value in some.items() if name not in others]


def _element_changes(live: Table, wanted: Table) -> Tuple[List[str], List[str]]:
    """Commands that delete and that add elements; a holder that goes takes its elements with it."""
    old = {element for name, elements in live.elements.items() if wanted.elements.get(name) != elements for element in elements}
    new = {element for name, elements in wanted.elements.items() if live.elements.get(name) != elements for element in elements}
    gone = [f"delete element {WHERE} {name} {{ {', '.join(element.key for element in elements)} }}"
            for name, elements in _by_holder(old - new).items() if name in wanted.holders]
    added = [f"add element {WHERE} {name} {{ {', '.join(element.text for element in elements)} }}"
             for name, elements in _by_holder(new - old).items()]
    return gone, added


def _by_holder(elements: Iterable[Element]) -> Dict[str, List[Element]]:
    found: Dict[str, List[Element]] = {}
    for element in sorted(elements):
        found.setdefault(element.holder, []).append(element)
    return found

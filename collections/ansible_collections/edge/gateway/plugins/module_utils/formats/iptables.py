# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our iptables rules as a value, and what turns one such value into another (iptables-save(8), iptables-extensions(8)).

Rules are written as ``iptables-save`` 1.8 lists them, so that what is wanted and what is there can be compared as text.
Each carries a comment: the id of its forward, or ``edge-gateway: <what it is for>``. One line carries none, because those
who look for it know it so: ``-A POSTROUTING -o wg0 -j MASQUERADE``.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from ..errors import InvalidInput
from ..models import fields
from ..models.forward import Forward, Forwards

PREFIX, MARK = "EDGE-GATEWAY", "edge-gateway: "
# ENTER: who may; TARGETS: where to; HAIRPIN: what mesh nodes may use; KEEP: whose source stays; FROM...: one allow-list
ENTER, TARGETS, HAIRPIN, KEEP = PREFIX, f"{PREFIX}-DNAT", f"{PREFIX}-HAIRPIN", f"{PREFIX}-KEEP"
FROM, MESH, GUARD = f"{PREFIX}-FROM-", f"{PREFIX}-MESH", f"{PREFIX}-GUARD"
# an empty chain: the masquerade stood before we came, so it is not ours to take away
FOUND = f"{PREFIX}-FOUND"
# in the order of loading: the mesh is closed before anything leads into it
TABLES = ("mangle", "filter", "nat")
# stands for all rules of single forwards in the text of a chain
ENTRIES = "*"
# more work than this (rules to look through) and a chain is filled anew instead of changed rule by rule
PIECEWISE_LIMIT = 1_000_000
Key = Tuple[int, str]


class Entry(NamedTuple):
    """One rule of a forward, in table ``nat`` of its IP version."""

    family: int
    chain: str
    text: str


@dataclass(frozen=True)
class Part:
    """What is ours in one table of one IP version.

    Attributes:
        chains: texts of the rules that forwards share, by chain; a run of rules of single forwards is one ``ENTRIES``.
        hooks: our rules in chains that are not ours (jumps, the masquerade), in their order.
    """

    chains: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    hooks: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)


NO_PART = Part()


@dataclass(frozen=True)
class Rules:
    """All that is ours.

    Attributes:
        parts: by IP version and table; those with nothing in them are left out.
        elements: rules by id of their forward, sorted.
        elsewhere: what stands in the variant of iptables that this host does not use, where it would count twice.
        foreign: by IP version, masquerade lines that look like ours and are somebody else's.
        marked: IP versions in which ``FOUND`` stands.
    """

    parts: Mapping[Key, Part]
    elements: Mapping[str, Tuple[Entry, ...]]
    elsewhere: Tuple[str, ...] = ()
    foreign: Mapping[int, Tuple[str, ...]] = field(default_factory=dict, compare=False)
    marked: FrozenSet[int] = field(default=frozenset(), compare=False)

    @property
    def structure(self) -> Tuple[object, ...]:
        """All but the elements."""
        return self.parts, self.elsewhere


NO_RULES = Rules({}, {})


def wanted_rules(forwards: Forwards, interface: str, families: Iterable[int]) -> Rules:
    """What these forwards need.

    Args:
        families: IP versions (4, 6) of which the guard shall stand, whether or not they have forwards.
    """
    parts: Dict[Key, Part] = {}
    for family in sorted(families):
        parts[family, "mangle"], parts[family, "filter"] = _mangle(interface), _filter(interface)
        items = [item for item in forwards.values() if item.family == family]
        if items:
            parts[family, "nat"] = _nat(interface, items)
    return Rules(parts, {name: entries_of(item) for name, item in forwards.items()})


def comment(note: str) -> str:
    """The match that carries a comment, quoted as iptables lists it."""
    if not fields.matches(r"[A-Za-z0-9 ._:/#@-]{1,255}", note):
        raise InvalidInput("comment", note, "has a character that does not belong into a rule; correct it")
    return "-m comment --comment " + (note if fields.matches(r"[A-Za-z0-9_-]+", note) else f'"{note}"')


def masquerade(interface: str) -> str:
    """The line that those who look for it know."""
    return f"-o {interface} -j MASQUERADE"


def _shared(match: str, why: str, target: str) -> str:
    return f"{match} {comment(MARK + why)} {target}".lstrip(" ")


def _mangle(interface: str) -> Part:
    """The guard where nothing of anybody comes before it: an ACCEPT in table filter cannot open the mesh."""
    syn = "-p tcp -m tcp --tcp-flags SYN,RST SYN"
    clamp = "-j TCPMSS --clamp-mss-to-pmtu"
    return Part({MESH: (
        _shared(f"-o {interface} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT", "nothing else enters the mesh", "-j DROP"),
        # what goes from node to node (hairpin) has passed the rule above
        _shared(f"-i {interface} ! -o {interface} -m conntrack ! --ctstate RELATED,ESTABLISHED", "nothing else leaves the mesh",
                "-j DROP"),
        # a tunnel is narrower than the path beside it: without the clamp large answers are lost where ICMP is filtered
        _shared(f"-o {interface} {syn}", "segments fit into the tunnel", clamp),
        _shared(f"-i {interface} {syn}", "segments fit into the tunnel", clamp),
    )}, {"FORWARD": (_shared("", "keeps the mesh closed", f"-j {MESH}"),)})


def _filter(interface: str) -> Part:
    """What may cross the mesh interface is accepted, whatever the policy of FORWARD says."""
    into, out = f"-o {interface}", f"-i {interface}"
    known = "-m conntrack --ctstate RELATED,ESTABLISHED"
    return Part({GUARD: (
        _shared(f"{into} -m conntrack --ctstate DNAT", "forwarded traffic enters the mesh", "-j ACCEPT"),
        _shared(f"{into} {known}", "answers enter the mesh", "-j ACCEPT"),
        _shared(into, "nothing else enters the mesh", "-j DROP"),
        _shared(f"{out} {known}", "answers leave the mesh", "-j ACCEPT"),
        _shared(out, "nothing else leaves the mesh", "-j DROP"),
    )}, {"FORWARD": (_shared("", "only forwards enter the mesh", f"-j {GUARD}"),)})


def _nat(interface: str, items: Sequence[Forward]) -> Part:
    local = "-m addrtype --dst-type LOCAL"
    # only traffic to the edge itself (a 1:1-NAT host has no public address on its card), never what passes through
    enter = [_shared(f"! -i {interface} {local}", "traffic to this host may be forwarded", f"-j {ENTER}")]
    leave = [masquerade(interface)]
    lists = dict(allow_list(item.family, item.source_ranges) for item in items if item.source_ranges)
    chains: Dict[str, Tuple[str, ...]] = {name: tuple(
        # those who are not listed fall off the end, back to where they came from: for them the port is as if not forwarded
        _shared("" if network.endswith("/0") else f"-s {network}", "who may use forwards", f"-g {TARGETS}") for network in networks)
        for name, networks in sorted(lists.items())}
    chains[ENTER] = (*([ENTRIES] if lists else []), _shared("", "anyone may use the others", f"-g {TARGETS}"))
    chains[TARGETS] = (ENTRIES,)
    if any(item.hairpin for item in items):
        chains[HAIRPIN] = (ENTRIES,)
        enter.append(_shared(f"-i {interface} {local}", "nodes may use some forwards too", f"-j {HAIRPIN}"))
    if any(item.source_nat == "none" for item in items):
        chains[KEEP] = (ENTRIES,)
        leave.insert(0, _shared(f"-o {interface}", "some targets see their clients", f"-j {KEEP}"))
    return Part(chains, {"PREROUTING": tuple(enter), "POSTROUTING": tuple(leave)})


@functools.lru_cache(maxsize=None)
def entries_of(forward: Forward) -> Tuple[Entry, ...]:
    """The rules of one forward."""
    found: List[Tuple[str, str]] = []
    name, note = comment(forward.forward_id), comment(f"{forward.forward_id} {forward.comment}".rstrip(" "))
    span = str(forward.first_port) if forward.first_port == forward.last_port else f"{forward.first_port}:{forward.last_port}"
    for proto in forward.protocols:
        match = f"-p {proto} -m {proto} --dport"
        found += [(TARGETS, f"{match} {port} {note} -j DNAT --to-destination {to}") for port, to in _destinations(forward, span)]
        if forward.source_ranges:
            found.append((ENTER, f"{match} {span} {name} -g {allow_list(forward.family, forward.source_ranges)[0]}"))
        if forward.hairpin:
            found.append((HAIRPIN, f"{match} {span} {name} -g {ENTER}"))
        if forward.source_nat == "none":
            found.append((KEEP, f"-p {proto} -m conntrack --ctstate DNAT --ctorigdstport {span} {name} -j ACCEPT"))
    return tuple(sorted(Entry(forward.family, chain, text) for chain, text in found))


def _destinations(forward: Forward, span: str) -> List[Tuple[str, str]]:
    """Public ports and where they go. A range as target would spread connections over it, so shifted ones go port by port."""
    if forward.shift == 0 and forward.first_port < forward.last_port:
        return [(span, forward.target_ip)]
    host = f"[{forward.target_ip}]" if forward.family == 6 else forward.target_ip
    return [(str(port), f"{host}:{port + forward.shift}") for port in range(forward.first_port, forward.last_port + 1)]


@functools.lru_cache(maxsize=None)
def allow_list(family: int, networks: Tuple[str, ...]) -> Tuple[str, Tuple[str, ...]]:
    """Chain and merged networks of one IP version; chain names have at most 28 characters."""
    parsed = [ipaddress.ip_network(words) for words in networks]
    if family == 4:
        merged = [str(item) for item in ipaddress.collapse_addresses(item for item in parsed if isinstance(item, ipaddress.IPv4Network))]
    else:
        merged = [str(item) for item in ipaddress.collapse_addresses(item for item in parsed if isinstance(item, ipaddress.IPv6Network))]
    return FROM + hashlib.sha256(" ".join(merged).encode()).hexdigest()[:10], tuple(merged)


def by_chain(rules: Rules, family: int) -> Dict[str, List[str]]:
    """Rules of single forwards of one IP version, by chain, in an order that does not depend on that of the forwards."""
    found: Dict[str, List[str]] = {}
    for name in sorted(rules.elements):
        for entry in rules.elements[name]:
            if entry.family == family:
                found.setdefault(entry.chain, []).append(entry.text)
    return found


def change(live: Rules, wanted: Rules, key: Key) -> str:
    """What makes one table the wanted one, as one transaction for ``iptables-restore --noflush``; empty for nothing to do."""
    here, there = live.parts.get(key, NO_PART), wanted.parts.get(key, NO_PART)
    nat = key[1] == "nat"
    foreign = live.foreign.get(key[0], ()) if nat else ()
    old, new = (by_chain(live, key[0]), by_chain(wanted, key[0])) if nat else ({}, {})
    gone = [name for name in here.chains if name not in there.chains]
    fill: List[str] = []
    for name, texts in there.chains.items():
        fill += _refill(name, here.chains.get(name), texts, old.get(name, []), new.get(name, []))
    lines = [*(f":{name} - [0:0]" for name in gone), *(line for line in fill if line.startswith(":")),
             *_unhook(here, there, foreign), *(line for line in fill if not line.startswith(":")), *_hook(here, there, foreign),
             *(f"-X {name}" for name in gone), *(_mark(there, foreign, key[0] in live.marked) if nat else [])]
    return "\n".join([f"*{key[1]}", *lines, "COMMIT"]) + "\n" if lines else ""


def filled(name: str, texts: Iterable[str], entries: Iterable[str]) -> List[str]:
    """The lines that create or empty a chain and fill it."""
    lines = [f":{name} - [0:0]"]
    for text in texts:
        lines += [f"-A {name} {entry}" for entry in entries] if text == ENTRIES else [f"-A {name} {text}"]
    return lines


def _refill(name: str, before: object, texts: Tuple[str, ...], old: Sequence[str], new: Sequence[str]) -> List[str]:
    """The lines that make one chain the wanted one; rules that stay keep their counters when little else changes."""
    left, added = Counter(old), Counter(new)
    if before == texts and left == added:
        return []
    minus, plus = list((left - added).elements()), list((added - left).elements())
    if before == texts == (ENTRIES,) and (len(minus) + len(plus)) * len(old) <= PIECEWISE_LIMIT:
        return [f"-D {name} {text}" for text in minus] + [f"-A {name} {text}" for text in plus]
    return filled(name, texts, new)


def is_masquerade(text: str) -> bool:
    """Whether a rule in a foreign chain is the one without a comment."""
    return text.endswith(" -j MASQUERADE")


def _unhook(here: Part, there: Part, foreign: Sequence[str]) -> List[str]:
    lines = []
    for chain, texts in here.hooks.items():
        wanted = there.hooks.get(chain, ())
        if texts != wanted:
            lines += [f"-D {chain} {text}" for text in texts
                      if not is_masquerade(text) or text not in wanted and text not in foreign]
    return lines


def _hook(here: Part, there: Part, foreign: Sequence[str]) -> List[str]:
    lines = []
    for chain, texts in there.hooks.items():
        standing = here.hooks.get(chain, ())
        if texts != standing:
            lines += hooked(chain, texts)
            lines += [f"-A {chain} {text}" for text in texts
                      if is_masquerade(text) and text not in standing and text not in foreign]
    return lines


def hooked(chain: str, texts: Sequence[str]) -> List[str]:
    """The lines that put our jumps in front of a foreign chain, in this order."""
    return [f"-I {chain} {text}" for text in reversed(texts) if not is_masquerade(text)]


def _mark(there: Part, foreign: Sequence[str], marked: bool) -> List[str]:
    """Remember that the masquerade is somebody's, for as long as we need one and have not made one."""
    found = any(text in foreign for texts in there.hooks.values() for text in texts)
    if found == marked:
        return []
    return [f":{FOUND} - [0:0]"] if found else [f"-X {FOUND}"]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is ours in the output of ``iptables-save -c`` (iptables-save(8)), of either variant and IP version.

Only what looks like ours is understood; of the rest it is told in which tables it stands.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Dict, Iterable, Iterator, List, NamedTuple, NoReturn, Sequence, Set, Tuple

from ..errors import StateRefused, shown
from ..models import fields
from . import iptables as own
from .iptables import Entry, Key, Part, Rules

NAMES = {"mangle": {own.MESH}, "filter": {own.GUARD}, "nat": {own.ENTER, own.TARGETS, own.HAIRPIN, own.KEEP, own.FOUND}}
ENTRY_CHAINS = frozenset({own.ENTER, own.TARGETS, own.HAIRPIN, own.KEEP})
RULE = re.compile(r"(?:\[(\d+):(\d+)\] )?-A (\S+) ?(.*)", re.DOTALL)
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)', re.DOTALL)
# the rules that there are thousands of, when they are listed as we write them
USUAL = re.compile(r'-p (tcp|udp) -m \1 --dport [0-9:]+ -m comment --comment (?:"([a-z0-9._-]+ [^"\\]+)"|([A-Za-z0-9_-]+)) '
                   r"-j DNAT --to-destination [0-9.]+(?::[0-9]+)?", re.ASCII)
# our order of options, and the match that each belongs to (of --dport and --tcp-flags it is the protocol)
ORDER = {name: number for number, name in enumerate((
    "-s", "-i", "-o", "-p", "--dport", "--tcp-flags", "--dst-type", "--ctstate", "--ctorigdstport", "--comment", "-j", "-g",
    "--to-destination", "--clamp-mss-to-pmtu"))}
MODULES = {"--dst-type": "addrtype", "--ctstate": "conntrack", "--ctorigdstport": "conntrack"}
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
PROTOCOLS = {"6": "tcp", "17": "udp"}

Option = Tuple[str, Tuple[str, ...]]
Count = Tuple[int, int]


class Listing(NamedTuple):
    """What one ``iptables-save`` tells.

    Attributes:
        counts: packets and bytes of the DNAT rules, by id of their forward.
        foreign: tables with rules or policies that are not ours.
    """

    rules: Rules
    counts: Dict[str, Count]
    foreign: Tuple[str, ...]


class _Line(NamedTuple):
    chain: str
    text: str
    seen: Count


def parse(text: str, family: int, interface: str, program: str) -> Listing:
    """Read what is ours.

    Args:
        text: output of ``iptables-save -c``, all tables.
        interface: the mesh interface, whose masquerade is ours.
        program: what to call the variant in errors.

    Raises:
        StateRefused: something in our chains, or a jump to them, is not ours; it is named.
    """
    parts: Dict[Key, Part] = {}
    elements: Dict[str, List[Entry]] = {}
    counts: Dict[str, Count] = {}
    strange: Set[str] = set()
    marked: Set[int] = set()
    masquerades: Set[str] = set()
    for table, (declared, lines) in _tables(text).items():
        if any(policy not in ("ACCEPT", "-") for policy in declared.values()) or table not in own.TABLES and lines:
            strange.add(table)
        if table not in own.TABLES:
            continue
        reader = _Reader(table, family, program, elements, counts)
        part = reader.part(declared, lines, interface)
        if part.chains or part.hooks:
            parts[family, table] = part
        strange |= {table} if reader.foreign else set()
        marked |= {family} if reader.marked else set()
        masquerades |= reader.masquerades
    rules = Rules(parts, {name: tuple(sorted(entries)) for name, entries in elements.items()},
                  foreign={family: tuple(sorted(masquerades))}, marked=frozenset(marked))
    return Listing(rules, counts, tuple(sorted(strange)))


def _tables(text: str) -> Dict[str, Tuple[Dict[str, str], List[_Line]]]:
    """By table: policies by chain, and rules."""
    found: Dict[str, Tuple[Dict[str, str], List[_Line]]] = {}
    declared: Dict[str, str] = {}
    lines: List[_Line] = []
    for line in logical_lines(text):
        rule = RULE.fullmatch(line)
        if rule is not None:
            packets, size, chain, words = rule.groups()
            lines.append(_Line(chain, words, (int(packets or 0), int(size or 0))))
        elif line.startswith(":"):
            name, policy = (line[1:].split(" ") + [""])[:2]
            declared[name] = policy
        elif line.startswith("*"):
            declared, lines = found.setdefault(line[1:], ({}, []))
    return found


def logical_lines(text: str) -> Iterator[str]:
    """Lines; a comment with a line break in it, which iptables lists as it is, does not start another one."""
    pending = ""
    for line in text.split("\n"):
        whole = f"{pending}\n{line}" if pending else line
        quotes = re.sub(r"\\.", "", whole) if "\\" in whole else whole
        pending = whole if quotes.count('"') % 2 and not whole.startswith("#") else ""
        if not pending:
            yield whole


class _Reader:
    """Reads one table."""

    def __init__(self, table: str, family: int, program: str, elements: Dict[str, List[Entry]], counts: Dict[str, Count]) -> None:
        self.table, self.family, self.program = table, family, program
        self.elements, self.counts = elements, counts
        self.foreign, self.marked = False, False
        self.masquerades: Set[str] = set()

    def part(self, declared: Iterable[str], lines: Iterable[_Line], interface: str) -> Part:
        """What is ours in it."""
        chains: Dict[str, List[str]] = {}
        for name in declared:
            if name.startswith(own.PREFIX):
                if name not in NAMES[self.table] and not (self.table == "nat" and fields.matches(own.FROM + "[0-9a-f]{10}", name)):
                    self._refuse(f"a chain {name} in table {self.table} of {self.program} is not ours")
                chains[name] = []
        placed: List[Tuple[str, str]] = []
        for line in lines:
            if line.chain in chains:
                self._own(line, chains[line.chain])
            elif own.PREFIX in line.text and self._is_jump(line):
                placed.append((line.chain, canonical(line.text, self.family)))
            elif self.table == "nat" and line.chain == "POSTROUTING" and own.is_masquerade(line.text):
                placed.append((line.chain, line.text))
            else:
                self.foreign = True
        # alone, the mark of a foreign masquerade marks nothing: it is left over
        self.marked = own.ENTER in chains and chains.pop(own.FOUND, None) is not None
        hooks = self._hooks(placed, interface, own.ENTER in chains)
        return Part({name: tuple(texts) for name, texts in chains.items()}, {chain: tuple(texts) for chain, texts in hooks.items()})

    def _hooks(self, placed: Sequence[Tuple[str, str]], interface: str, stands: bool) -> Dict[str, List[str]]:
        """Our rules in foreign chains: jumps, and the masquerade, once, if our chains stand; else it is somebody's."""
        # an interface that was ours before, as our own jumps tell
        names = {interface, *(text.split(" ")[2] for _chain, text in placed if text.startswith("! -i ") and f"-j {own.ENTER}" in text)}
        known = {own.masquerade(name) for name in names}
        hooks: Dict[str, List[str]] = {}
        for chain, text in placed:
            if own.is_masquerade(text):
                self.foreign = self.foreign or text not in known or not stands or self.marked
                if text in known and (not stands or self.marked):
                    self.masquerades.add(text)
                if text not in known or not stands or text in hooks.get(chain, ()):
                    continue
            hooks.setdefault(chain, []).append(text)
        return hooks

    def _own(self, line: _Line, texts: List[str]) -> None:
        """A rule in one of our chains."""
        usual = USUAL.fullmatch(line.text) if line.chain == own.TARGETS else None
        text = line.text if usual is not None else canonical(line.text, self.family)
        note = (usual[2] or usual[3]) if usual is not None else _comment(line.text)
        name = note.split(" ")[0]
        if note.startswith(own.MARK) and "\n" not in text:
            texts.append(text)
        elif "\n" not in text and line.chain in ENTRY_CHAINS and fields.matches(r"[a-z0-9][a-z0-9._-]{0,62}", name):
            self.elements.setdefault(name, []).append(Entry(self.family, line.chain, text))
            if not texts or texts[-1] != own.ENTRIES:
                texts.append(own.ENTRIES)
            if line.chain == own.TARGETS:
                packets, size = self.counts.get(name, (0, 0))
                self.counts[name] = (packets + line.seen[0], size + line.seen[1])
        else:
            self._refuse(f"the rule {shown(line.text)} in chain {line.chain}, table {self.table} of {self.program}, is not ours")

    def _is_jump(self, line: _Line) -> bool:
        """Whether a rule in a foreign chain leads into one of ours, as our own jumps do."""
        target = next((values[0] for name, values in options(line.text) if name in ("-j", "-g") and values), "")
        if not target.startswith(own.PREFIX):
            return False
        # with a line break it would be several lines where it is to be deleted
        if not _comment(line.text).startswith(own.MARK) or "\n" in line.text:
            self._refuse(f"the rule {shown(line.text)} in chain {line.chain}, table {self.table} of {self.program}, "
                         f"leads into our chain {target} and is not ours")
        return True

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise StateRefused(f"{what}; move it to a chain of your own (ours are called {own.PREFIX}...) and run again", own.PREFIX)


def options(text: str) -> List[Option]:
    """The options of a rule with their values; a negated one is called ``! --name``. Names of matches (-m) are left out."""
    found: List[Tuple[str, List[str]]] = []
    negated = ""
    for match in WORD.finditer(text):
        word = match[2]
        if word == "!":
            negated = "! "
        elif word is not None and word.startswith("-"):
            found.append((negated + word, []))
            negated = ""
        elif found:
            found[-1][1].append(word if word is not None else re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
    return [(name, tuple(values)) for name, values in found if name != "-m"]


def _comment(text: str) -> str:
    return next((values[0] for name, values in options(text) if name == "--comment" and values), "")


def canonical(text: str, family: int) -> str:
    """A rule with its options in our order and notation, as another version may list it; unchanged with options we never use."""
    found = options(text)
    names = [name.replace("! ", "") for name, _values in found]
    if len(set(names)) != len(names) or not set(names) <= set(ORDER):
        return text
    words: List[str] = []
    module = ""
    protocol = next((PROTOCOLS.get(values[0], values[0]) for name, values in found if name == "-p" and values), "")
    for name, values in sorted(found, key=lambda option: ORDER[option[0].replace("! ", "")]):
        bare = name.replace("! ", "")
        if bare == "--comment":
            if not values or not fields.matches(r"[A-Za-z0-9 ._:/#@-]{1,255}", values[0]):
                return text
            words.append(own.comment(values[0]))
            continue
        needed = protocol if bare in ("--dport", "--tcp-flags") else MODULES.get(bare, "")
        words += [f"-m {needed}"] if needed not in ("", module) else []
        module = needed
        words.append(" ".join([name, *(_value(bare, value, family) for value in values)]))
    return " ".join(words)


def _value(name: str, value: str, family: int) -> str:
    if name == "-p":
        return PROTOCOLS.get(value, value)
    if name == "--ctstate":
        return ",".join(sorted(value.split(","), key=lambda state: STATES.index(state) if state in STATES else -1))
    if name == "-s":
        return _network(value)
    return _target(value) if family == 6 and name == "--to-destination" else value


@functools.lru_cache(maxsize=4096)
def _network(value: str) -> str:
    """A network as we write it; a host has its length too."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        return value


@functools.lru_cache(maxsize=4096)
def _target(value: str) -> str:
    """An IPv6 address, or one in brackets with a port, as Python writes it."""
    match = re.fullmatch(r"\[(.*)\](:[0-9]+)", value)
    try:
        return f"[{ipaddress.ip_address(match[1])}]{match[2]}" if match is not None else str(ipaddress.ip_address(value))
    except ValueError:
        return value

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the older system left on a host: ``state.json`` with ``tcp_forwards``, and bare iptables rules.

Its agent added, for each forward, a DNAT rule to PREROUTING and an ACCEPT rule to FORWARD, and for all of them
``-A POSTROUTING -o wg0 -j MASQUERADE`` and an ACCEPT of established connections in FORWARD.
"""

from __future__ import annotations

import shlex
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ..errors import StateRefused, words_of
from ..models.forward import Forward, Forwards
from .iptables_parse import logical_lines
from .strict_json import parse_object

FORWARDS, ROUTES = "tcp_forwards", "http_routes"
# what the agent knew of each kind: its id, and all options
KINDS = {FORWARDS: ("forward_id", ("forward_id", "public_port", "target_ip", "target_port", "proto")),
         ROUTES: ("route_id", ("route_id", "hostname", "target_url", "entrypoint", "certresolver"))}
# options of a rule that narrow it down without making it anybody else's
HARMLESS = {"-m", "-i", "-o", "--ctstate", "--state", "--comment", "--dst-type"}


class Rule(NamedTuple):
    """A rule of the older system, as ``iptables-save`` lists it."""

    table: str
    text: str


def parse_state(data: bytes, path: str) -> Forwards:
    """The forwards of ``state.json``: an object by id, or a list.

    Raises:
        StateRefused: not such a file.
        InvalidInput: a forward in it cannot be had here; it is named.
    """
    parsed = [Forward.parse(entry, f"{FORWARDS}[{number}].") for number, entry in enumerate(entries_of(data, path, FORWARDS))]
    return {item.forward_id: item for item in parsed}


def entries_of(data: bytes, path: str, kind: str) -> List[Dict[str, Any]]:
    """What ``state.json`` holds of one kind (:data:`FORWARDS`, :data:`ROUTES`), with the options that the agent knew.

    Raises:
        StateRefused: not such a file.
    """
    option, names = KINDS[kind]
    try:
        found = parse_object(data).get(kind, {})
    except ValueError as problem:
        raise StateRefused(f"{path} {words_of(problem)}; give the directory that holds the older system's state.json", path) from None
    entries: List[Any] = [{option: name, **entry} if isinstance(entry, dict) else entry for name, entry in found.items()] \
        if isinstance(found, dict) else found
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise StateRefused(f"{path} holds {kind} that are no list of {kind.partition('_')[2]}; correct it, nothing was changed", path)
    return [{name: entry.get(name) for name in names} for entry in entries]


def rules_of(listing: str, forwards: Iterable[Forward], interface: str, masquerade: bool) -> List[Rule]:
    """Rules in the output of ``iptables-save`` that the older system made for these forwards, as often as they stand there.

    Its rule for established connections is left alone: others may live on it by now, and it lets nothing new in.

    Args:
        masquerade: whether the rule that masquerades into the mesh is one of them.
    """
    ways = {(item.proto, item.public_port, item.target_ip, str(item.target_port)) for item in forwards}
    ends = {(proto, f"{target}/32", port) for proto, _public, target, port in ways}
    found, table = [], ""
    for line in logical_lines(listing):
        if line.startswith("*"):
            table = line[1:]
        # with a line break in its comment it would be several lines where it is to be deleted
        options = _options(line) if line.startswith("-A ") and "\n" not in line else None
        if options is None:
            continue
        place = (table, options.get("-A"), options.get("-j"))
        is_ours = place == ("nat", "POSTROUTING", "MASQUERADE") and masquerade and line == f"-A POSTROUTING -o {interface} -j MASQUERADE"
        if place == ("nat", "PREROUTING", "DNAT"):
            target, _colon, port = options.get("--to-destination", "").partition(":")
            is_ours = (options.get("-p"), options.get("--dport"), target, port) in ways and _plain(options, "--to-destination")
        elif place == ("filter", "FORWARD", "ACCEPT"):
            is_ours = (options.get("-p"), options.get("-d"), options.get("--dport")) in ends and _plain(options, "-d")
        if is_ours:
            found.append(Rule(table, line))
    return found


def _options(line: str) -> Optional[Dict[str, str]]:
    """Options of a rule by name; None for one with a negation or a repetition, which the older system did not make."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    pairs: List[Tuple[str, str]] = list(zip(words[::2], words[1::2]))
    names = [name for name, _value in pairs if name != "-m"]
    if "!" in words or len(words) % 2 or len(set(names)) != len(names) or not all(name.startswith("-") for name in names):
        return None
    return dict(pairs)


def _plain(options: Mapping[str, str], address: str) -> bool:
    return set(options) <= {"-A", "-p", "--dport", "-j", address, *HARMLESS}


def removal(rules: Iterable[Rule]) -> Dict[str, str]:
    """By table, the input of ``iptables-restore --noflush`` that deletes these rules."""
    by_table: Dict[str, List[str]] = {}
    for rule in rules:
        by_table.setdefault(rule.table, []).append(f"-D{rule.text[2:]}")
    return {table: "\n".join([f"*{table}", *lines, "COMMIT"]) + "\n" for table, lines in by_table.items()}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``iptables-save`` of either variant and family (iptables-save(8), iptables-extensions(8)) as chains to be asked.

Somebody else's rules: nothing is refused here. What is not understood becomes a condition, or a verdict, of which nothing
is known, so that it can neither excuse nor accuse a chain.
"""

from __future__ import annotations

import ipaddress
import shlex
from dataclasses import replace
from typing import Callable, Dict, List, Tuple

from ..models import filtering as f
from ..models.filtering import ANYTHING, Chain, Condition, Rule, Span
from .iptables_parse import logical_lines

# table to the priority of its chains (linux/netfilter_ipv4.h); sources are translated at 100
PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
HOOKS = {"PREROUTING": "prerouting", "FORWARD": "forward", "POSTROUTING": "postrouting", "INPUT": "input", "OUTPUT": "output"}
VERDICTS = {"ACCEPT": f.ACCEPT, "DROP": f.DROP, "REJECT": f.REJECT, "RETURN": f.RETURN, "NOTRACK": f.NOTRACK,
            "DNAT": f.REDIRECT, "REDIRECT": f.REDIRECT, "NETMAP": f.ACCEPT, "SNAT": f.ACCEPT, "MASQUERADE": f.ACCEPT}
# targets after which the next rule is looked at
PASSING = frozenset({"", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "SECMARK", "CONNSECMARK", "TCPMSS", "TCPOPTSTRIP", "TTL", "HL",
                     "DSCP", "TOS", "ECN", "CLASSIFY", "CHECKSUM", "SET", "TRACE", "TEE", "AUDIT", "CT", "RATEEST"})
MARKING = frozenset({"MARK", "CONNMARK"})
# matches that say nothing by themselves: their options do
BARE_MATCHES = frozenset({"tcp", "udp", "icmp", "icmp6", "ipv6-icmp", "comment", "conntrack", "state", "multiport", "addrtype",
                          "mark", "iprange"})
PROTOCOLS = {"6": "tcp", "17": "udp"}
NAMES = {"-p": f.PROTO, "--ctstate": f.STATE, "--state": f.STATE, "--ctstatus": f.STATUS, "--ctdir": f.DIRECTION,
         "--dst-type": f.TARGET_TYPE, "--src-type": f.SOURCE_TYPE}
INTERFACES = {"-i": f.IIF, "-o": f.OIF}

Option = Tuple[bool, str, List[str]]


def parse(text: str, family: str, backend: str) -> List[Chain]:
    """The chains of all tables in one dump.

    Args:
        family: ``ip`` or ``ip6``.
        backend: ``iptables-nft`` or ``iptables-legacy``.
    """
    table = ""
    chains: Dict[Tuple[str, str], Chain] = {}
    rules: Dict[Tuple[str, str], List[Rule]] = {}
    for line in logical_lines(text):
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            name, policy = [*line[1:].split(), "", ""][:2]
            chains[table, name] = _chain(family, backend, table, name, policy)
        elif line.startswith("-A "):
            name = [*line.split(), ""][1]
            rules.setdefault((table, name), []).append(parse_rule(line))
    return [replace(chain, rules=tuple(rules.get(key, []))) for key, chain in chains.items()]


def unreadable(text: str) -> bool:
    """Whether iptables-nft-save gave up on a table because rules of nft's own language stand in it."""
    return any(line.startswith("# Table ") and "incompatible" in line for line in text.splitlines())


def _chain(family: str, backend: str, table: str, name: str, policy: str) -> Chain:
    hook = HOOKS.get(name, "") if policy != "-" else ""
    kind = "nat" if table == "nat" else "filter"
    priority = 100 if kind == "nat" and hook in ("postrouting", "input") else PRIORITIES.get(table, 0)
    return Chain(backend, family, table, name, hook, priority, kind, f.DROP if policy == "DROP" else f.ACCEPT)


def parse_rule(line: str) -> Rule:
    """One ``-A CHAIN ...`` line."""
    try:
        words = shlex.split(line)
    except ValueError:
        return Rule((ANYTHING,), f.UNSURE, text=line)
    conditions: List[Condition] = []
    verdict, target, translation = f.CONTINUE, "", ""
    options = _options(words[2:])
    for number, (negated, name, values) in enumerate(options):
        if name in ("-j", "-g"):
            target = (values or [""])[0]
            verdict = _verdict(name, target, words)
            translation = _translation(target, options[number + 1:])
            break                                # what follows belongs to the target
        conditions += _conditions(negated, name, values)
    note = next((values[0] for _negated, name, values in options if name == "--comment" and values), "")
    return Rule(tuple(conditions), verdict, target, " ".join(line.split(" ")[2:]), sets_mark=target in MARKING, translation=translation,
                comment=note)


def _translation(target: str, options: List[Option]) -> str:
    if target in ("MASQUERADE", "SNAT"):
        return f.TO_SOURCE
    if target != "DNAT":
        return ""
    found = [values for _negated, name, values in options if name == "--to-destination"]
    others = {name for _negated, name, _values in options} - {"--to-destination", "--persistent"}
    return found[0][0] if len(found) == 1 and len(found[0]) == 1 and not others else f.UNREAD


def _verdict(option: str, target: str, words: List[str]) -> str:
    if target == "CT" and "--notrack" in words:
        return f.NOTRACK
    if target in VERDICTS or target in PASSING:
        return VERDICTS.get(target, f.CONTINUE)
    # a chain of this table, or else a target nobody here knows: the walk finds no such chain then
    return f.GOTO if option == "-g" else f.JUMP


def _options(words: List[str]) -> List[Option]:
    """Options with what stands behind each, and whether "!" stands before it."""
    found: List[Option] = []
    negated = False
    for word in words:
        if found and found[-1][1:] == ("--comment", []):
            found[-1][2].append(word)            # whatever it looks like
        elif word == "!":
            negated = True
        elif word.startswith("-") and len(word) > 1 and not word[1:2].isdigit():
            found.append((negated, word, []))
            negated = False
        elif found:
            found[-1][2].append(word)
    return found


def _conditions(negated: bool, name: str, values: List[str]) -> List[Condition]:
    value = values[0] if values else ""
    if name == "--comment" or name == "-m" and value in BARE_MATCHES or name == "-p" and value in ("all", "0"):
        return []
    if (name, value) == ("-m", "rt"):
        return [Condition(f.PROTO, frozenset({"ipv6-route"}))]      # an extension header that no common packet has
    try:
        return [_condition(negated, name, value)]
    except ValueError:
        return [ANYTHING]


def _condition(negated: bool, name: str, value: str) -> Condition:
    if name in SPANS and value:
        field, read = SPANS[name]
        return Condition(field, spans=tuple(read(word) for word in value.split(",")), negated=negated)
    if name in NAMES and value:
        names = frozenset(PROTOCOLS.get(word, word) for word in value.lower().replace("_", "-").split(","))
        return Condition(NAMES[name], names, negated=negated) if "none" not in names else ANYTHING
    if name in INTERFACES and value:
        pattern = value[:-1] + "*" if value.endswith("+") else value
        return Condition(INTERFACES[name], frozenset({pattern}), negated=negated)
    return ANYTHING


def _ports(text: str) -> Span:
    first, colon, last = text.partition(":")
    return int(first or 0), int(last or 65535) if colon else int(first)


def _addresses(text: str) -> Span:
    if "-" in text:
        first, _dash, last = text.partition("-")
        return int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))
    network = ipaddress.ip_network(text, strict=False)
    return int(network[0]), int(network[-1])


def _mark(text: str) -> Span:
    # a packet is only ever known to have the mark 0: with that, a mask changes nothing
    value = int(text.partition("/")[0], 0)
    return value, value


SPANS: Dict[str, Tuple[str, Callable[[str], Span]]] = {
    "-s": (f.SOURCE, _addresses), "--src-range": (f.SOURCE, _addresses), "--sport": (f.SPORT, _ports), "--sports": (f.SPORT, _ports),
    "-d": (f.TARGET, _addresses), "--dst-range": (f.TARGET, _addresses), "--dport": (f.DPORT, _ports), "--dports": (f.DPORT, _ports),
    "--ctorigdstport": (f.PUBLIC_PORT, _ports), "--mark": (f.MARK, _mark),
}

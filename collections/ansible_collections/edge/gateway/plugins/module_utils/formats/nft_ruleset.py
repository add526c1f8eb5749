# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's nftables tables as chains to be asked, from ``nft -j -t list`` (libnftables-json(5)).

Nothing is refused here but what is not a listing at all. What is not understood, and every set whose elements are not
in the listing, becomes a condition or a verdict of which nothing is known.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from itertools import product
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..errors import StateRefused, Unreadable
from ..models import filtering as f
from ..models.filtering import ANYTHING, Chain, Condition, Rule, Span

BACKEND = "nft"
# a rule stands for one rule per entry of a verdict map; more entries than this are not looked at
ALTERNATIVES_LIMIT = 4096
PORT_MAX, MARK_MAX = 65535, 2 ** 32 - 1
FAMILIES = {"ipv4": "4", "ipv6": "6", "ip": "4", "ip6": "6"}
PROTOCOLS = {6: "tcp", 17: "udp", "ipv6-icmp": "icmpv6"}
META = {"iifname": f.IIF, "iif": f.IIF, "oifname": f.OIF, "oif": f.OIF, "l4proto": f.PROTO, "nfproto": f.FAMILY,
        "protocol": f.FAMILY, "mark": f.MARK}
TRACKED = {("state", ""): f.STATE, ("status", ""): f.STATUS, ("direction", ""): f.DIRECTION,
           ("proto-dst", "original"): f.PUBLIC_PORT}
FIB = {"daddr": f.TARGET_TYPE, "saddr": f.SOURCE_TYPE}
PAYLOAD = {"saddr": f.SOURCE, "daddr": f.TARGET, "sport": f.SPORT, "dport": f.DPORT, "protocol": f.PROTO, "nexthdr": f.PROTO}
SPANNED = {f.SOURCE: 2 ** 128 - 1, f.TARGET: 2 ** 128 - 1, f.SPORT: PORT_MAX, f.DPORT: PORT_MAX, f.PUBLIC_PORT: PORT_MAX,
           f.MARK: MARK_MAX}
VERDICTS = {"accept": f.ACCEPT, "drop": f.DROP, "reject": f.REJECT, "return": f.RETURN, "continue": f.CONTINUE,
            "notrack": f.NOTRACK, "dnat": f.REDIRECT, "redirect": f.REDIRECT, "snat": f.ACCEPT, "masquerade": f.ACCEPT}
# statements that neither match nor decide
SILENT = frozenset({"counter", "log", "mangle", "ct helper", "ct timeout", "ct expectation", "dup", "flow", "last", "comment"})
SILENT_TARGETS = frozenset({"LOG", "NFLOG", "MARK", "CONNMARK", "TCPMSS"})

# how an expression of another shape than expected makes itself felt
ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)

Conditions = Tuple[Condition, ...]
Alternatives = List[Conditions]


def parse(text: str) -> List[Chain]:
    """The chains of a listing, with their rules where it has rules.

    Raises:
        StateRefused: this is not what nft prints.
    """
    chains: Dict[Tuple[str, str, str], Chain] = {}
    rules: Dict[Tuple[str, str, str], List[Rule]] = {}
    for kind, body in entries(text):
        if kind == "chain":
            chain = _chain(body)
            chains[chain.family, chain.table, chain.name] = chain
        elif kind == "rule":
            place = str(body.get("family")), str(body.get("table")), str(body.get("chain"))
            found, note = parse_rule(body.get("expr"), _number(body.get("handle"))), body.get("comment")
            rules.setdefault(place, []).extend([replace(rule, comment=note) for rule in found] if isinstance(note, str) else found)
    return [replace(chain, rules=tuple(rules.get(place, []))) for place, chain in chains.items()]


def with_words(chains: List[Chain], listing: str) -> List[Chain]:
    """Chains of one table, their rules with nft's own words, from ``nft -a list table``."""
    marked = [line.rpartition(" # handle ") for line in listing.splitlines()]
    words = {int(handle): text.strip() for text, mark, handle in marked if mark and handle.isdecimal()}
    return [replace(chain, rules=tuple(replace(rule, text=words.get(rule.handle, "")) for rule in chain.rules)) for chain in chains]


def rule_text(listing: str, handle: int) -> str:
    """One rule in nft's own words, from ``nft -a list chain``; empty when it is not there."""
    mark = f" # handle {handle}"
    return next((line.strip()[:-len(mark)] for line in listing.splitlines() if line.endswith(mark)), "")


def entries(text: str) -> List[Tuple[str, Mapping[str, Any]]]:
    """What a listing holds, each with its kind (``chain``, ``rule``).

    Raises:
        StateRefused: this is not what nft prints.
    """
    try:
        listing = json.loads(text)
        items = [item for entry in listing["nftables"] for item in entry.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StateRefused("nft printed something that is not a listing in JSON; look at 'nft -j list chains' "
                           "and run again", "nft") from None
    return [(str(kind), body) for kind, body in items if isinstance(body, dict)]


def _chain(body: Mapping[str, Any]) -> Chain:
    policy = f.DROP if body.get("policy") == "drop" else f.ACCEPT
    kind = "nat" if body.get("type") == "nat" else "filter"
    return Chain(BACKEND, str(body.get("family")), str(body.get("table")), str(body.get("name")), str(body.get("hook", "")),
                 _number(body.get("prio")), kind, policy)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def parse_rule(statements: Any, handle: int) -> List[Rule]:
    """A rule as one rule, or as one per entry when it looks something up."""
    try:
        return _rules(statements if isinstance(statements, list) else [], handle)
    except ODD:
        return [Rule((ANYTHING,), f.UNSURE, handle=handle)]


def _rules(statements: List[Any], handle: int) -> List[Rule]:
    ways: Alternatives = [()]
    marks = False
    for statement in statements:
        (word, body), = statement.items()
        verdict = _verdict(word, body)
        marks = marks or word in ("mangle", "xt") and "mark" in str(body).lower()
        if word == "vmap":
            return [replace(rule, conditions=way + rule.conditions) for way in ways for rule in _map(body, handle)]
        if verdict:
            return [Rule(way + _translated(body), *verdict, handle=handle, sets_mark=marks, translation=_translation(word, body))
                    for way in ways]
        if word == "match":
            ways = _both(ways, _match(body))
        elif word not in SILENT and not (word == "set" and "stmt" not in body) and not _silent_target(word, body):
            ways = _both(ways, [(ANYTHING,)])
    return [Rule(way, f.CONTINUE, handle=handle, sets_mark=marks) for way in ways]


def _both(left: Alternatives, right: Alternatives) -> Alternatives:
    if len(left) * len(right) > ALTERNATIVES_LIMIT:
        raise Unreadable("too many")
    return [one + two for one, two in product(left, right)]


def _translated(body: Any) -> Conditions:
    """What else must hold for a translation to happen: the family it is for, and a hit where it looks up its address."""
    if not isinstance(body, dict):
        return ()
    family = _implied(body["family"]) if body.get("family") in FAMILIES else ()
    looks_up = isinstance(body.get("addr"), dict) or isinstance(body.get("port"), dict) and "range" not in body["port"]
    return (*family, ANYTHING) if looks_up else family


def _translation(word: str, body: Any) -> str:
    """How it translates, in the words of iptables."""
    if word in ("masquerade", "snat"):
        return f.TO_SOURCE
    if word == "xt":
        return f.UNREAD if body.get("name") == "DNAT" else ""
    if word != "dnat":
        return ""
    address, port, flags = (body.get(name) for name in ("addr", "port", "flags"))
    if isinstance(port, dict) and set(port) == {"range"}:
        port = f"{port['range'][0]}-{port['range'][1]}"
    if not isinstance(address, str) or not isinstance(port, (int, str, type(None))) or flags not in (None, "persistent"):
        return f.UNREAD
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port is not None else address


def _silent_target(word: str, body: Any) -> bool:
    return word == "xt" and body.get("type") == "target" and body.get("name") in SILENT_TARGETS


def _verdict(word: str, body: Any) -> Optional[Tuple[str, str]]:
    """What a statement decides, and the chain it names; None for one that decides nothing."""
    if word in ("jump", "goto"):
        return word, str(body["target"])
    if word == "xt" and body.get("type") == "target" and body.get("name") not in SILENT_TARGETS:
        return (f.REJECT if body.get("name") == "REJECT" else f.UNSURE), ""
    if word in ("queue", "fwd", "tproxy", "synproxy"):
        return f.UNSURE, ""
    return (VERDICTS[word], "") if word in VERDICTS else None


def _map(body: Mapping[str, Any], handle: int) -> List[Rule]:
    """One rule per entry of a verdict map; a map by name may hold anything."""
    data = body["data"]
    if not isinstance(data, dict) or len(data["set"]) > ALTERNATIVES_LIMIT:
        return [Rule((ANYTHING,), f.UNSURE, handle=handle)]
    rules = []
    for key, value in data["set"]:
        (word, target), = value.items()
        verdict = _verdict(word, target) or (f.UNSURE, "")
        for way in [((),)] if key == "*" else [_match({"op": "==", "left": body["key"], "right": key})]:
            rules += [Rule(conditions, *verdict, handle=handle) for conditions in way]
    return sorted(rules, key=lambda rule: not rule.conditions)      # the entry for all else comes last


def _match(body: Mapping[str, Any]) -> Alternatives:
    """The ways a match can hold: one, or one per entry of a set of concatenations."""
    try:
        operator, left, right = body["op"], body["left"], _plain(body["right"])
        if "concat" not in left:
            return [_simple(operator, left, right)]
        if operator != "==":
            return [(ANYTHING,)]
        return [sum((_simple("==", part, value) for part, value in zip(left["concat"], _plain(entry)["concat"])), ())
                for entry in _values(right)]
    except ODD:
        return [(ANYTHING,)]


def _plain(value: Any) -> Any:
    """A value without what may be wrapped around it: a comment, a timeout, a counter."""
    return _plain(value["elem"]["val"]) if isinstance(value, dict) and "elem" in value else value


def _simple(operator: str, left: Mapping[str, Any], right: Any) -> Conditions:
    """Conditions of a comparison; what a field implies about family or protocol comes before it."""
    name, implied = _field(left)
    values = [_plain(value) for value in _values(right)]
    if name in SPANNED and operator in ("==", "!=", "<", ">", "<=", ">="):
        spans = _spans(operator, values, SPANNED[name])
        condition = Condition(name, spans=spans, negated=operator == "!=") if spans else ANYTHING
    elif _are_names(name, values) and operator in (("in",) if name == f.STATUS else ("==", "!=", "in")):
        condition = Condition(name, _names(name, values), negated=operator == "!=")
    else:
        condition = ANYTHING               # flags compared as a number among them
    return (*implied, condition)


def _are_names(name: str, values: List[Any]) -> bool:
    kinds = (str, int) if name == f.PROTO else (str,)
    return name not in (f.UNKNOWN, *SPANNED) and all(isinstance(value, kinds) and str(value)[:1] != "@" for value in values)


def _field(left: Mapping[str, Any]) -> Tuple[str, Conditions]:
    """The field an expression reads, UNKNOWN for others, and what it implies."""
    (word, body), = left.items()
    if word == "&":
        return f.UNKNOWN, _field(body[0])[1]
    if word == "payload" and "protocol" in body:
        return PAYLOAD.get(body["field"], f.UNKNOWN), _implied(body["protocol"])
    name = f.UNKNOWN
    if word == "meta":
        name = META.get(body["key"], f.UNKNOWN)
    elif word == "ct":
        name = TRACKED.get((body["key"], body.get("dir", "")), f.UNKNOWN)
    elif word == "fib" and body["result"] == "type":
        name = FIB.get("".join(body["flags"]), f.UNKNOWN)       # a list, or one word
    return name, ()


def _implied(protocol: str) -> Conditions:
    if protocol in FAMILIES:
        return (Condition(f.FAMILY, frozenset({FAMILIES[protocol]})),)
    if protocol == "th":
        return ()
    return (Condition(f.PROTO, frozenset({protocol})),)


def _values(right: Any) -> List[Any]:
    if isinstance(right, dict) and "set" in right:
        return right["set"] if isinstance(right["set"], list) else [right["set"]]
    if isinstance(right, dict) and "|" in right:
        return [value for part in right["|"] for value in _values(part)]
    return right if isinstance(right, list) else [right]


def _names(name: str, values: List[Any]) -> FrozenSet[str]:
    known = FAMILIES if name == f.FAMILY else PROTOCOLS if name == f.PROTO else {}
    return frozenset(str(known.get(value, value)) for value in values)


def _spans(operator: str, values: List[Any], highest: int) -> Tuple[Span, ...]:
    """Values as spans; none when one of them is not understood."""
    if any(isinstance(value, str) and value.startswith("@") for value in values) or len(values) != 1 and operator not in ("==", "!="):
        return ()
    spans = [_span(value) for value in values]
    low, high = spans[0]
    bounds = {"<": (0, low - 1), "<=": (0, high), ">": (high + 1, highest), ">=": (low, highest)}
    return (bounds[operator],) if operator in bounds else tuple(spans)


def _span(value: Any) -> Span:
    if isinstance(value, dict) and "prefix" in value:
        network = ipaddress.ip_network(f"{value['prefix']['addr']}/{value['prefix']['len']}", strict=False)
        return int(network[0]), int(network[-1])
    if isinstance(value, dict) and "range" in value:
        low, high = value["range"]
        return _span(low)[0], _span(high)[1]
    if isinstance(value, int):
        return value, value
    number = int(ipaddress.ip_address(value))
    return number, number

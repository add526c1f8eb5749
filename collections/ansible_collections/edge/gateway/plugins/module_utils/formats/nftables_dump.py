# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our nftables table as the kernel sends it (linux/netfilter/nf_tables.h), and what stands in it that is not ours."""

from __future__ import annotations

import ipaddress
import struct
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ..errors import InvalidInput, StateRefused
from ..models import fields
from .netlink import ATTRIBUTE, Attributes, attribute, attributes, each, number, text
from .nftables import ADDRESS, CHAIN_NAME, FAMILY, HOLDER_NAME, LIST_NAME, SIZE, TABLE, Chain, Element, Holder, Span, Table, merged

SUBSYSTEM = 10                                    # NFNL_SUBSYS_NFTABLES
ANY_FAMILY, INET = 0, 1                           # NFPROTO_UNSPEC, NFPROTO_INET
GET_TABLE, GET_CHAIN, GET_RULE, GET_SET, GET_ELEMENTS, GET_OBJECT, GET_FLOWTABLE = 1, 4, 7, 10, 13, 19, 23
HOOKS = {0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting"}
POLICY_ACCEPT = 1
SET_INTERVAL, SET_MAP = 0x4, 0x8
ELEMENT_END = 1                                   # NFT_SET_ELEM_INTERVAL_END
RULE_COMMENT = 0                                  # NFTNL_UDATA_RULE_COMMENT, and of an element (libnftnl/udata.h)
# nft's numbers for the types of keys and data (nftables/include/datatype.h); a concatenation has six bits for each part
SERVICE, VERDICT = 13, 0xFFFFFF00
TYPES = {SERVICE: "inet_service", 7: "ipv4_addr", 8: "ipv6_addr", VERDICT: "verdict", 0: "",
         7 << 6 | SERVICE: "ipv4_addr . inet_service", 8 << 6 | SERVICE: "ipv6_addr . inet_service"}
JUMP = struct.pack(">i", -3)                      # NFT_JUMP
REMEDY = f"move it to a table of your own (ours is {FAMILY} {TABLE}) and run again"

# an entry of a hash map of IPv4 forwards, as the kernel packs it: key, data, counter, comment
KEY_HEAD, DATA_HEAD, PAD = struct.pack("=HHHH", 12, 1, 6, 1), struct.pack("=HHHH", 16, 2, 12, 1), bytes(2)
COUNTER_START, COUNTER_END = 28, 72

Count = Tuple[int, int]
Entry = Tuple[str, Element, Optional[bytes]]


def in_table(kind: int) -> bytes:
    """The filter by which the kernel sends the objects of our table only."""
    return attribute(kind, TABLE.encode() + b"\0")


def elements_filter(name: str) -> bytes:
    """The filter for the elements of one map or set."""
    return in_table(1) + attribute(2, name.encode() + b"\0")


class SetInfo(NamedTuple):
    """A map or set as the kernel describes it."""

    name: str
    flags: int
    key: int
    data: int
    size: int

    @property
    def holder(self) -> Holder:
        """Its type, in the terms of what is wanted; a set that is unlike ours in any way has an unlikely type."""
        ours = self.key == SERVICE and self.size == SIZE
        return Holder(TYPES.get(self.data, "unknown") if ours else "unlike ours", bool(self.flags & SET_INTERVAL))

    @property
    def is_list(self) -> bool:
        """Whether it is an allow-list."""
        return fields.matches(LIST_NAME, self.name) and not self.flags & SET_MAP

    @property
    def is_holder(self) -> bool:
        """Whether it is a map or set of forwards."""
        return fields.matches(HOLDER_NAME, self.name)


def table_flags(bodies: Iterable[bytes]) -> Optional[int]:
    """Flags of our table, None when there is none; "dormant" takes every hook away."""
    for body in bodies:
        found = attributes(body)
        if text(found.get(1, b"")) == TABLE:
            return number(found.get(2, b""))
    return None


def sets(bodies: Iterable[bytes]) -> List[SetInfo]:
    """Maps and sets of our table.

    Raises:
        StateRefused: one is not ours; it is named.
    """
    found = []
    for body in bodies:
        values = attributes(body)
        description = attributes(values.get(9, b""))
        info = SetInfo(text(values[2]), number(values.get(3, b"")), number(values.get(4, b"")), number(values.get(6, b"")),
                       number(description.get(1, b"")))
        if not info.is_list and not info.is_holder:
            raise StateRefused(f"a set {info.name} in table {FAMILY} {TABLE} is not ours; {REMEDY}", TABLE)
        found.append(info)
    return found


def refuse_objects(kind: str, bodies: Iterable[bytes]) -> None:
    """Raise StateRefused for any counter, quota, flowtable or other object: we make none."""
    for body in bodies:
        raise StateRefused(f"a {kind} {text(attributes(body).get(2, b''))} in table {FAMILY} {TABLE} is not ours; {REMEDY}", TABLE)


def chains(chain_bodies: Iterable[bytes], rule_bodies: Iterable[bytes]) -> Dict[str, Chain]:
    """Chains of our table with the labels of their rules.

    Raises:
        StateRefused: a chain or rule is not ours; it is named.
    """
    hooks: Dict[str, Tuple[str, ...]] = {}
    for body in chain_bodies:
        values = attributes(body)
        name = text(values.get(3, b""))
        if text(values.get(1, b"")) != TABLE:
            continue
        if not fields.matches(CHAIN_NAME, name):
            raise StateRefused(f"a chain {name} in table {FAMILY} {TABLE} is not ours; {REMEDY}", TABLE)
        hooks[name] = _hook(values)
    labels: Dict[str, List[str]] = {name: [] for name in hooks}
    for body in rule_bodies:
        values = attributes(body)
        chain, label = text(values.get(2, b"")), _comment(values.get(7, b""))
        if not fields.matches(r"[a-z0-9 ]+ #[0-9a-f]{8}", label):
            raise StateRefused(f"a rule in chain {chain} of table {FAMILY} {TABLE} (handle {number(values.get(3, b''))}) "
                               f"is not ours; {REMEDY}", TABLE)
        labels.setdefault(chain, []).append(label)
    return {name: Chain(hook, tuple(labels[name])) for name, hook in hooks.items()}


def is_hooked_elsewhere(body: bytes) -> bool:
    """Whether a chain of any family is somebody else's and sees forwarded packets; by its table's name, ours exists in one family."""
    values = attributes(body)
    return 4 in values and text(values.get(1, b"")) != TABLE and \
        HOOKS.get(number(attributes(values[4]).get(1, b""))) in ("prerouting", "forward", "postrouting")


def _hook(values: Attributes) -> Tuple[str, ...]:
    if 4 not in values:
        return ()
    hook = attributes(values[4])
    priority, = struct.unpack(">i", hook[2])
    policy = () if number(values.get(5, b"")) == POLICY_ACCEPT else ("policy drop",)
    return (text(values.get(7, b"")), HOOKS.get(number(hook[1]), "?"), str(priority), *policy)


def _comment(userdata: bytes) -> str:
    """The comment in nft's user data, which is a row of (type, length, value) with one byte each for the first two."""
    while len(userdata) > 2:
        length = 2 + userdata[1]
        if userdata[0] == RULE_COMMENT:
            return text(userdata[2:length])
        userdata = userdata[length:]
    return ""


def allow_list(info: SetInfo, bodies: Iterable[bytes]) -> Tuple[Span, ...]:
    """Spans of an allow-list; of one that is not as we declare it, spans that equal no list's."""
    family = int(info.name[5])
    if TYPES.get(info.key) != ADDRESS[family] or not info.flags & SET_INTERVAL:
        return ((-1, -1),)
    highest = (1 << (32 if family == 4 else 128)) - 1
    return merged((first, last) for first, last, _element in _spans(map(attributes, _raw(bodies)), highest))


def elements(info: SetInfo, bodies: Iterable[bytes], counters: Dict[str, List[bytes]],
             known: Optional[Mapping[bytes, Tuple[str, Element]]] = None) -> Iterable[Tuple[str, Element]]:
    """Forward ids with the entries of a map or set.

    Args:
        counters: by forward id, which the counters of the entries are added to; :func:`count` understands them.
        known: entries that are likely to be there, by :func:`expected`; they need not be taken apart.

    Raises:
        StateRefused: an entry is not ours.
    """
    for owner, entry, counter in _found(info, bodies, known or {}):
        if counter:
            counters.setdefault(owner, []).append(counter)
        yield owner, entry


def _found(info: SetInfo, bodies: Iterable[bytes], known: Mapping[bytes, Tuple[str, Element]]) -> Iterable[Entry]:
    try:
        if info.flags & SET_INTERVAL:
            return [_entry(info, key, element) for key, element in _spanned(bodies)]
        found: List[Entry] = []
        for raw in _raw(bodies):
            # to look it up costs a fifth of taking it apart, and nearly all are as they should be
            usual = known.get(raw[:COUNTER_START] + raw[COUNTER_END:])
            if usual:
                found.append((usual[0], usual[1], raw[COUNTER_START + ATTRIBUTE.size:COUNTER_END]))
            else:
                element = attributes(raw)
                found.append(_entry(info, str(number(_inner(element[1]))), element))
        return found
    except (KeyError, ValueError, IndexError, struct.error, InvalidInput):
        raise StateRefused(f"an element of {info.name} in table {FAMILY} {TABLE} is not ours; {REMEDY}", TABLE) from None


def expected(name: str, by_forward: Mapping[str, Tuple[Element, ...]]) -> Dict[bytes, Tuple[str, Element]]:
    """What the kernel would send for the entries of one hash map of IPv4 forwards, without their counters."""
    found = {}
    for owner, entries in by_forward.items():
        for element in entries:
            if element.holder == name:
                address, _dot, port = element.value.partition(" . ")
                note = element.note.encode() + b"\0"
                raw = KEY_HEAD + int(element.key).to_bytes(2, "big") + PAD + DATA_HEAD + bytes(map(int, address.split("."))) + \
                    int(port).to_bytes(2, "big") + PAD + attribute(6, bytes((RULE_COMMENT, len(note))) + note)
                found[raw] = owner, element
    return found


def _entry(info: SetInfo, key: str, element: Attributes) -> Entry:
    """Owner, entry and counter."""
    note = _comment(element.get(6, b""))
    owner, _space, comment = note.partition(" ")
    if comment:
        fields.comment("comment", comment)
    return fields.identifier("comment", owner), Element(info.name, key, _value(info, element), note), element.get(7)


def _spanned(bodies: Iterable[bytes]) -> Iterable[Tuple[str, Attributes]]:
    return ((str(first) if first == last else f"{first}-{last}", element)
            for first, last, element in _spans(map(attributes, _raw(bodies)), SIZE - 1))


def _raw(bodies: Iterable[bytes]) -> Iterable[bytes]:
    """The elements of all messages, each as the kernel packed it."""
    return [element for body in bodies for kind, value in each(body) if kind == 3 for _kind, element in each(value)]


def _inner(value: bytes) -> bytes:
    """The value of the only attribute inside one."""
    return value[ATTRIBUTE.size:ATTRIBUTE.unpack_from(value)[0]]


def _spans(found: Iterable[Attributes], highest: int) -> List[Tuple[int, int, Attributes]]:
    """Intervals from their ends: the kernel keeps where one begins, and as an entry of its own where it is over."""
    marks = sorted(((number(_inner(item[1])), not number(item.get(3, b"")) & ELEMENT_END, item) for item in found),
                   key=lambda mark: mark[:2])
    result = []
    for place, (first, begins, item) in enumerate(marks):
        if begins:
            last = marks[place + 1][0] - 1 if place + 1 < len(marks) else highest
            result.append((first, last, item))
    return result


def _value(info: SetInfo, element: Attributes) -> str:
    if not info.flags & SET_MAP:
        return ""
    data = _inner(element[2])
    if info.data == VERDICT:
        verdict = attributes(data)
        return f"jump {text(verdict[2])}" if verdict[1] == JUMP else "unknown"
    length = 4 if info.name[3] == "4" else 16
    address = ".".join(map(str, data[:4])) if length == 4 else str(ipaddress.IPv6Address(data[:length]))
    return f"{address} . {number(data[length:length + 2])}" if len(data) > length else address


def count(counters: Iterable[bytes]) -> Count:
    """Packets and bytes of some counters together."""
    packets = size = 0
    for expression in counters:
        values = attributes(attributes(expression).get(2, b""))
        packets, size = packets + number(values.get(2, b"")), size + number(values.get(1, b""))
    return packets, size


def table_of(flags: int, infos: Iterable[SetInfo], chain_map: Dict[str, Chain], lists: Dict[str, Tuple[Span, ...]],
             entries: Iterable[Tuple[str, Element]]) -> Table:
    """The parts put together."""
    by_forward: Dict[str, List[Element]] = {}
    for forward_id, element in entries:
        by_forward.setdefault(forward_id, []).append(element)
    return Table(flags, {info.name: info.holder for info in infos if info.is_holder}, lists, chain_map,
                 {name: tuple(sorted(found)) for name, found in by_forward.items()})

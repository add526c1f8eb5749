# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our nftables table as a value: what is compared. ``nftables_text`` writes it, ``nftables_dump`` reads it from the kernel.

Every rule carries a comment that ends in a digest of its own text, every element the id of its forward: so a table can
be compared without understanding expressions.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import re
from dataclasses import dataclass
from typing import Iterable, List, Mapping, NamedTuple, Tuple

from ..models.forward import Forward

FAMILY, TABLE = "inet", "edge_gateway"
# declared: faster to load, and a read-back right after a load is complete
SIZE = 65536
# what our chains, maps and sets are called; anything else in our table is somebody's
LIST_NAME = r"allow[46]_[0-9a-f]{12}"
HOLDER_NAME = r"(tcp|udp)[46](_ranges|_allow|_allow_ranges|_keep|_hairpin)?"
CHAIN_NAME = rf"forward|forwards|to_mesh|from_mesh|prerouting|postrouting|{LIST_NAME}"
ADDRESS = {4: "ipv4_addr", 6: "ipv6_addr"}
# of nft: counters of the entries of a map came with it ("stateful expressions in maps" in the announcement of 1.0.0)
OLDEST = (1, 0)
Span = Tuple[int, int]


class Element(NamedTuple):
    """One entry of a map or set: what the kernel holds for one port or range of a forward."""

    holder: str
    key: str
    value: str
    note: str

    @property
    def text(self) -> str:
        """The entry in nft's language."""
        return f'{self.key} comment "{self.note}"' + (f" : {self.value}" if self.value else "")


class Holder(NamedTuple):
    """Type of a map or set."""

    data: str
    interval: bool

    @property
    def text(self) -> str:
        """Its declaration; maps count how often each entry opened a connection."""
        kind = f" : {self.data}" if self.data else ""
        counts = " counter;" if self.data and self.data != "verdict" else ""
        return f"type inet_service{kind}; size {SIZE};{' flags interval;' if self.interval else ''}{counts}"


class Chain(NamedTuple):
    """A chain: type, hook and priority (nothing for one that is jumped to), and the labels of its rules."""

    hook: Tuple[str, ...]
    labels: Tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table as it is or should be.

    Attributes:
        flags: the kernel's flags of the table; none is ours.
        lists: allow-lists as sorted spans of addresses.
        elements: by id of their forward.
    """

    flags: int
    holders: Mapping[str, Holder]
    lists: Mapping[str, Tuple[Span, ...]]
    chains: Mapping[str, Chain]
    elements: Mapping[str, Tuple[Element, ...]]

    @property
    def structure(self) -> Tuple[object, ...]:
        """All but the elements."""
        return self.flags, self.holders, self.lists, self.chains


NO_TABLE = Table(0, {}, {}, {}, {})


def version(text: str) -> Tuple[int, ...]:
    """The version in what ``nft --version`` prints, like ``nftables v1.0.6 (Lester Gooch #5)``; empty where there is none."""
    found = re.match(r"nftables v([0-9]{1,4}(?:\.[0-9]{1,4})*)(?![0-9.])", text)
    return tuple(map(int, found[1].split("."))) if found else ()


def holder_type(name: str) -> Holder:
    """Type of the map or set of a name like ``tcp4``, ``udp6_ranges``, ``tcp4_allow``, ``tcp4_keep``."""
    base, _underscore, kind = name.partition("_")
    address = ADDRESS[int(base[3:])]
    return {"": Holder(f"{address} . inet_service", False), "ranges": Holder(address, True),
            "allow": Holder("verdict", False), "allow_ranges": Holder("verdict", True),
            "keep": Holder("", True), "hairpin": Holder("", True)}[kind]


@functools.lru_cache(maxsize=None)
def elements_of(forward: Forward) -> Tuple[Element, ...]:
    """The entries of one forward, in all maps and sets."""
    found: List[Element] = []
    note = f"{forward.forward_id} {forward.comment}".rstrip(" ")
    single = forward.first_port == forward.last_port
    for proto in forward.protocols:
        base = f"{proto}{forward.family}"
        if single:
            found.append(Element(base, str(forward.first_port), f"{forward.target_ip} . {forward.target_port}", note))
        elif forward.shift == 0:
            found.append(Element(f"{base}_ranges", forward.public_port, forward.target_ip, note))
        else:
            # a range as target would send every port to its first one
            found += [Element(base, str(port), f"{forward.target_ip} . {port + forward.shift}", note)
                      for port in range(forward.first_port, forward.last_port + 1)]
        if forward.source_ranges:
            name, _spans = allow_list(forward.family, forward.source_ranges)
            found.append(Element(f"{base}_allow" if single else f"{base}_allow_ranges", forward.public_port, f"jump {name}",
                                 forward.forward_id))
        if forward.source_nat == "none":
            found.append(Element(f"{base}_keep", forward.public_port, "", forward.forward_id))
        if forward.hairpin:
            found.append(Element(f"{base}_hairpin", forward.public_port, "", forward.forward_id))
    return tuple(sorted(found)) if len(found) > 1 else tuple(found)


@functools.lru_cache(maxsize=None)
def allow_list(family: int, networks: Tuple[str, ...]) -> Tuple[str, Tuple[Span, ...]]:
    """Name and merged spans of the networks of one family."""
    parsed = [ipaddress.ip_network(words) for words in networks]
    spans = merged((int(item.network_address), int(item.broadcast_address)) for item in parsed if item.version == family)
    digest = hashlib.sha256(repr((family, spans)).encode()).hexdigest()
    return f"allow{family}_{digest[:12]}", spans


def merged(spans: Iterable[Span]) -> Tuple[Span, ...]:
    """Sorted spans without overlaps and seams."""
    result: List[Span] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return tuple(result)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables: forwards as a table of our own, and back.

Structure is text (the JSON of nft 1.0.6 cannot declare a concatenated map); reading is ``nft -j list table``
(libnftables-json(5)). Look-ups are plain hash maps keyed by port, so the cost does not grow with the number of forwards.
Every rule carries a comment that ends in a digest of its own text, every element the id of its forward: so a table
can be compared without a parser for expressions, whose JSON differs between versions of nft.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Tuple

from ..errors import InvalidInput, StateRefused
from ..models import fields
from ..models.forward import Forward, Forwards

FAMILY, TABLE = "inet", "edge_gateway"
MAP_TYPE = "inet_service : ipv4_addr . inet_service"
# declared: faster to load, and a read-back right after a load is complete
MAP_SIZE = 65536
MAPS = {"tcp": "tcp4", "udp": "udp4"}
CHAINS = ("forward", "prerouting", "postrouting")
REMEDY = f"move it to a table of your own (ours is {FAMILY} {TABLE}) and run again"

Structure = FrozenSet[Tuple[str, ...]]


@dataclass(frozen=True, order=True)
class Element:
    """One entry of a map: what the kernel holds for one forward and one protocol."""

    map_name: str
    port: int
    target_ip: str
    target_port: int
    forward_id: str
    comment: str


@dataclass(frozen=True)
class Table:
    """Our table as it is or should be: its structure, and the elements by forward id."""

    structure: Structure
    elements: Mapping[str, Tuple[Element, ...]]


def table_of(forwards: Forwards, interface: str) -> Table:
    """The table that these forwards need. With none, only the guard stands and the masquerade is gone."""
    return Table(
        structure=frozenset(_structure(interface, bool(forwards))),
        elements={name: elements_of(forward) for name, forward in forwards.items()},
    )


def elements_of(forward: Forward) -> Tuple[Element, ...]:
    """The map entries of one forward."""
    return tuple(sorted(
        Element(MAPS[proto], forward.public_port, forward.target_ip, forward.target_port, forward.forward_id, forward.comment)
        for proto in forward.protocols))


def _chains(interface: str, forwarding: bool) -> Dict[str, Tuple[str, str, List[Tuple[str, str]]]]:
    """Chain name to (type and hook, priority, rules as (text, why))."""
    mesh_in, mesh_out = f'iifname "{interface}"', f'oifname "{interface}"'
    clamp = "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu"
    chains = {"forward": ("filter hook forward", "0", [
        # a tunnel is narrower than the path beside it: without the clamp large answers are lost where ICMP is filtered
        (f"{mesh_out} {clamp}", "segments fit into the tunnel"),
        (f"{mesh_in} {clamp}", "segments fit into the tunnel"),
        # the guard: ip_forward alone would make the edge an open router between its networks and the mesh
        (f"{mesh_out} ct status dnat accept", "forwarded traffic enters the mesh"),
        (f"{mesh_out} ct state established,related accept", "answers enter the mesh"),
        (f"{mesh_out} drop", "nothing else enters the mesh"),
        (f"{mesh_in} ct state established,related accept", "answers leave the mesh"),
        (f"{mesh_in} drop", "nothing else leaves the mesh"),
    ])}
    if forwarding:
        # only traffic to the edge itself (a 1:1-NAT host has no public address on its card), never what passes through
        local = f'iifname != "{interface}" fib daddr type local'
        chains["prerouting"] = ("nat hook prerouting", "-100", [
            (f"{local} dnat ip to {proto} dport map @{name}", f"{proto} forwards") for proto, name in MAPS.items()])
        chains["postrouting"] = ("nat hook postrouting", "100", [
            (f"{mesh_out} ct status dnat masquerade", "answers come back through the edge")])
    return chains


def _label(text: str, why: str) -> str:
    return f"{why} #{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _structure(interface: str, forwarding: bool) -> Iterable[Tuple[str, ...]]:
    for name, (hook, priority, rules) in _chains(interface, forwarding).items():
        kind, _word, where = hook.split()
        yield ("chain", name, kind, where, priority, "accept")
        for number, (text, why) in enumerate(rules):
            yield ("rule", name, str(number), _label(text, why))
    for name in MAPS.values():
        yield ("map", name, MAP_TYPE, str(MAP_SIZE))


def _element_text(element: Element) -> str:
    note = f"{element.forward_id} {element.comment}".rstrip(" ")
    return f'{element.port} comment "{note}" : {element.target_ip} . {element.target_port}'


def render_table(table: Table, interface: str) -> str:
    """The whole table as one transaction that replaces whatever stood there; also the file that is loaded at boot."""
    by_map = _by_map(element for elements in table.elements.values() for element in elements)
    lines = [f"add table {FAMILY} {TABLE}", f"delete table {FAMILY} {TABLE}", f"table {FAMILY} {TABLE} {{"]
    for name in MAPS.values():
        lines += [f"\tmap {name} {{", f"\t\ttype {MAP_TYPE}", f"\t\tsize {MAP_SIZE}"]
        if by_map.get(name):
            lines += ["\t\telements = {", ",\n".join(f"\t\t\t{_element_text(item)}" for item in by_map[name]), "\t\t}"]
        lines.append("\t}")
    for name, (hook, priority, rules) in _chains(interface, bool(table.elements)).items():
        lines += [f"\tchain {name} {{", f"\t\ttype {hook} priority {priority}; policy accept;"]
        lines += [f'\t\t{text} comment "{_label(text, why)}"' for text, why in rules]
        lines.append("\t}")
    return "\n".join([*lines, "}"]) + "\n"


def render_change(live: Table, wanted: Table) -> str:
    """The few elements that differ, as one transaction; both tables must have the same structure."""
    old = {element for elements in live.elements.values() for element in elements}
    new = {element for elements in wanted.elements.values() for element in elements}
    lines = []
    for name, elements in _by_map(old - new).items():
        lines.append(f"delete element {FAMILY} {TABLE} {name} {{ {', '.join(str(item.port) for item in elements)} }}")
    for name, elements in _by_map(new - old).items():
        lines.append(f"add element {FAMILY} {TABLE} {name} {{ {', '.join(_element_text(item) for item in elements)} }}")
    return "".join(line + "\n" for line in lines)


def _by_map(elements: Iterable[Element]) -> Dict[str, List[Element]]:
    by_map: Dict[str, List[Element]] = {}
    for element in sorted(elements):
        by_map.setdefault(element.map_name, []).append(element)
    return by_map


def parse_table(listing: Mapping[str, Any]) -> Table:
    """Our table from ``nft -j list table``.

    Raises:
        StateRefused: something stands in the table that this collection does not write; it is named.
    """
    structure: List[Tuple[str, ...]] = []
    elements: Dict[str, List[Element]] = {}
    rules: Dict[str, int] = {}
    for entry in listing.get("nftables", []):
        (kind, body), = entry.items()
        if kind == "table" and "flags" in body:
            structure.append(("table", str(body["flags"])))      # "dormant" takes every hook away
        elif kind == "chain" and body["name"] in CHAINS:
            structure.append(("chain", body["name"], body.get("type", ""), body.get("hook", ""),
                              str(body.get("prio", "")), body.get("policy", "")))
        elif kind == "rule":
            if not fields.matches(r"[a-z ]+ #[0-9a-f]{8}", body.get("comment", "")):
                raise StateRefused(f"a rule in chain {body['chain']} of table {FAMILY} {TABLE} (handle {body['handle']}) "
                                   f"is not ours; {REMEDY}", TABLE)
            number = rules[body["chain"]] = rules.get(body["chain"], -1) + 1
            structure.append(("rule", body["chain"], str(number), body["comment"]))
        elif kind == "map" and body["name"] in MAPS.values():
            structure.append(("map", body["name"], f"{body.get('type')} : {_joined(body.get('map'))}", str(body.get("size"))))
            for element in (_parse_element(body["name"], item) for item in body.get("elem", [])):
                elements.setdefault(element.forward_id, []).append(element)
        elif kind not in ("metainfo", "table"):
            raise StateRefused(f"a {kind} {body.get('name', '')} in table {FAMILY} {TABLE} is not ours; {REMEDY}", TABLE)
    return Table(frozenset(structure), {name: tuple(sorted(items)) for name, items in elements.items()})


def _joined(data_type: Any) -> str:
    # nft up to 1.0.6 prints one string, later versions a list
    return " . ".join(data_type) if isinstance(data_type, list) else str(data_type)


def _parse_element(map_name: str, item: Any) -> Element:
    try:
        key, value = item
        forward_id, _space, comment = key["elem"]["comment"].partition(" ")
        target_ip, target_port = value["concat"]
        return Element(map_name, int(key["elem"]["val"]), str(target_ip), int(target_port),
                       fields.identifier("comment", forward_id), fields.comment("comment", comment))
    except (KeyError, TypeError, ValueError, InvalidInput):
        raise StateRefused(f"an element of map {map_name} in table {FAMILY} {TABLE} is not ours; {REMEDY}", TABLE) from None

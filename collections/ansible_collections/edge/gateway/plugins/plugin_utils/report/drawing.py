# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The map: clients, edges, mesh and nodes in their places, and a strand for all that one edge sends to one node in one way."""

from __future__ import annotations

import math
from typing import Dict, List, NamedTuple, Sequence, Tuple, Union

from .fleet import DEGRADED, FAILED, OK, UNKNOWN, WORDS, Edge, Forward, Route, badness, worst
from .values import counted, shortened

Item = Union[Route, Forward]
# beyond that many a map is no map any more; the rest shares one place
MOST_EDGES, MOST_NODES = 8, 16
ROUTES, FORWARDS = "routes", "forwards"
# from so many strands on they get thinner
CROWDED = 60


class Geometry(NamedTuple):
    """Measures of one drawing, in its own units, about a pixel each.

    Attributes:
        edge, node: left side and width of the boxes.
        mesh: left side and width of the tunnels.
        top: where boxes begin.
        letters: how many letters of a name fit into an edge, and into a node.
    """

    width: int
    edge: Tuple[int, int]
    mesh: Tuple[int, int]
    node: Tuple[int, int]
    top: int
    letters: Tuple[int, int]


WIDE = Geometry(1120, (196, 250), (560, 84), (810, 308), 44, (20, 26))
NARROW = Geometry(372, (16, 142), (184, 24), (232, 138), 66, (11, 12))
EDGE_HEAD, ROW, EDGE_GAP, NODE_HEIGHT, NODE_GAP = 50, 32, 26, 50, 12
EDGE_HEIGHT = EDGE_HEAD + 2 * ROW + 8


class Strand(NamedTuple):
    """All that one edge sends to one node, as routes or as forwards: ``(item, status towards this node)`` each."""

    edge: int
    node: int
    kind: str
    items: Tuple[Tuple[Item, str], ...]

    @property
    def status(self) -> str:
        """Of all its items together."""
        return _common([status for _item, status in self.items])

    @property
    def broken(self) -> int:
        """How many lead nowhere."""
        return sum(status == FAILED for _item, status in self.items)

    @property
    def label(self) -> str:
        """``12 routes``, or ``12 routes, 3 broken``."""
        return counted(len(self.items), self.kind[:-1]) + (f", {self.broken:,} broken" if self.broken else "")


class Place(NamedTuple):
    """An edge or a node on the map.

    Attributes:
        strands: numbers of those that begin or end here.
        lanes: of an edge: whether clients get as far as Traefik, and as far as the forwards.
        listed: of an edge: what is known of ``routes`` and ``forwards``.
    """

    name: str
    status: str
    word: str
    strands: Tuple[int, ...]
    lanes: Tuple[str, ...] = ()
    listed: Tuple[str, ...] = ()


class Scene(NamedTuple):
    """What is to be drawn, before it has places."""

    edges: Tuple[Place, ...]
    nodes: Tuple[Place, ...]
    strands: Tuple[Strand, ...]
    tunnels: Tuple[str, ...]


def scene(edges: Sequence[Edge], routes: Sequence[Route], forwards: Sequence[Forward]) -> Scene:
    """Group what leads from the same edge to the same node in the same way."""
    items: List[Tuple[str, Item]] = [*((ROUTES, route) for route in routes), *((FORWARDS, forward) for forward in forwards)]
    known = {address: name for edge in edges for address, name in edge.names.items() if name}
    shown = _kept([(edge.name, -badness(edge.status)) for edge in edges], MOST_EDGES, "edge")
    counts: Dict[str, int] = {}
    for _kind, item in items:
        for host in {target.host for target in item.targets}:
            counts[host] = counts.get(host, 0) + 1
    places = _kept([(host, -count) for host, count in counts.items()], MOST_NODES, "node")
    groups: Dict[Tuple[str, str, str], List[Tuple[Item, str]]] = {}
    for kind, item in items:
        ends: Dict[str, List[str]] = {}
        for target in item.targets:
            ends.setdefault(places[target.host], []).append(target.status)
        for node, statuses in ends.items():
            groups.setdefault((shown[item.edge], node, kind), []).append((item, worst(statuses)))
    edge_names, node_names = list(dict.fromkeys(shown.values())), sorted(dict.fromkeys(places.values()), key=_natural)
    strands = tuple(sorted((Strand(edge_names.index(edge), node_names.index(node), kind, tuple(group))
                            for (edge, node, kind), group in groups.items()),
                           key=lambda strand: (strand.edge, strand.node, strand.kind != ROUTES)))
    return Scene(tuple(_edge_place(name, edges, shown, strands, number) for number, name in enumerate(edge_names)),
                 tuple(_node_place(name, known, strands, number) for number, name in enumerate(node_names)), strands,
                 tuple(_tunnel(name, edges, shown) for name in edge_names))


def _kept(ranked: Sequence[Tuple[str, int]], most: int, noun: str) -> Dict[str, str]:
    """For each name the name of its place: its own for the first by rank, and a common one for the rest."""
    order = [name for name, _rank in sorted(ranked, key=lambda entry: (entry[1], _natural(entry[0])))]
    kept = set(order[:most] if len(order) > most + 1 else order)
    rest = f"{len(order) - len(kept):,} further {noun}s"
    return {name: name if name in kept else rest for name, _rank in ranked}


def _natural(name: str) -> Tuple[bool, List[Tuple[int, str]]]:
    """Addresses by their numbers, what stands for several last."""
    parts = "".join(letter if letter.isascii() and letter.isdigit() else f" {letter} " for letter in name).split()
    return " further " in name, [(int(part[:18]), "") if part.isdigit() and part.isascii() else (-1, part) for part in parts]


def _common(statuses: Sequence[str]) -> str:
    """One status for several ends: what all have, else degraded when some are not well."""
    found = set(statuses)
    return found.pop() if len(found) == 1 else DEGRADED if found - {OK} else OK


def _edge_place(name: str, edges: Sequence[Edge], shown: Dict[str, str], strands: Sequence[Strand], number: int) -> Place:
    behind = [edge for edge in edges if shown[edge.name] == name]
    status = worst([edge.status for edge in behind])
    return Place(name, status, behind[0].word if len(behind) == 1 else WORDS[status],
                 tuple(index for index, strand in enumerate(strands) if strand.edge == number),
                 (_lane(behind, "traefik"), _lane(behind, "forwarding")),
                 tuple(kind for kind in (ROUTES, FORWARDS) if any(kind in edge.listed for edge in behind)))


def _lane(edges: Sequence[Edge], part: str) -> str:
    # that Ansible cannot look tells nothing of clients
    return worst([FAILED if edge.lost(part) else OK if any(one.name == "mesh" for one in edge.parts) else UNKNOWN for edge in edges])


def _node_place(name: str, known: Dict[str, str], strands: Sequence[Strand], number: int) -> Place:
    own = tuple(index for index, strand in enumerate(strands) if strand.node == number)
    status = _common([strands[index].status for index in own])
    words = {OK: "Reached", FAILED: "Cut off", DEGRADED: "Partly cut off"}
    return Place(f"{known[name]} ({name})" if name in known else name, status, words.get(status, WORDS[status]), own)


def _tunnel(name: str, edges: Sequence[Edge], shown: Dict[str, str]) -> str:
    behind = [edge for edge in edges if shown[edge.name] == name]
    parts = [part.status for edge in behind for part in edge.parts if part.name == "mesh"]
    return worst(parts) if parts else UNKNOWN


class Box(NamedTuple):
    """A place in the drawing."""

    place: Place
    x: float
    y: float
    width: float
    height: float
    shown: str

    @property
    def middle(self) -> float:
        """Its height on the page, half way."""
        return self.y + self.height / 2


class Line(NamedTuple):
    """A strand in the drawing: an SVG path, and how thick it is."""

    strand: int
    status: str
    path: str
    thickness: float


class Drawing(NamedTuple):
    """One drawing of a scene."""

    geometry: Geometry
    height: float
    edges: Tuple[Box, ...]
    nodes: Tuple[Box, ...]
    lines: Tuple[Line, ...]


def draw(found: Scene, geometry: Geometry) -> Drawing:
    """Give everything its place. Edges and nodes stand in two columns, the shorter one in the middle."""
    tall_edges = len(found.edges) * (EDGE_HEIGHT + EDGE_GAP) - EDGE_GAP
    tall_nodes = len(found.nodes) * (NODE_HEIGHT + NODE_GAP) - NODE_GAP
    inner = max(tall_edges, tall_nodes, EDGE_HEIGHT)
    edges = _column(found.edges, geometry.edge, geometry.top + (inner - tall_edges) / 2, (EDGE_HEIGHT, EDGE_GAP),
                    _without_domain([place.name for place in found.edges], geometry.letters[0]))
    nodes = _column(found.nodes, geometry.node, geometry.top + (inner - tall_nodes) / 2, (NODE_HEIGHT, NODE_GAP),
                    [_without_middle(place.name, geometry.letters[1]) for place in found.nodes])
    lines = [_line(number, found, edges, nodes, geometry) for number in range(len(found.strands))]
    # what is broken lies on top
    return Drawing(geometry, geometry.top + inner + 12, edges, nodes,
                   tuple(sorted(lines, key=lambda line: badness(line.status))))


def _column(places: Sequence[Place], span: Tuple[int, int], top: float, heights: Tuple[int, int], shown: Sequence[str]) -> Tuple[Box, ...]:
    height, gap = heights
    return tuple(Box(place, span[0], top + number * (height + gap), span[1], height, shown[number]) for number, place in enumerate(places))


def _without_domain(names: Sequence[str], letters: int) -> List[str]:
    """Names that fit: where one does not, all without what follows their first dot, as long as that tells them apart."""
    brief = [name.partition(".")[0] for name in names]
    chosen = brief if max(map(len, names), default=0) > letters and len(set(brief)) == len(brief) else names
    return [shortened(name, letters) for name in chosen]


def _without_middle(name: str, letters: int) -> str:
    """A name that fits: addresses differ at their ends."""
    half = (letters - 1) // 2
    return name if len(name) <= letters else f"{name[:letters - 1 - half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"


def _line(number: int, found: Scene, edges: Sequence[Box], nodes: Sequence[Box], geometry: Geometry) -> Line:
    strand = found.strands[number]
    edge, node = edges[strand.edge], nodes[strand.node]
    start = edge.y + EDGE_HEAD + ROW * (0.5 if strand.kind == ROUTES else 1.5)
    beside = edge.place.strands.index(number) + 0.5 - len(edge.place.strands) / 2
    through = edge.middle + beside * min(3.0, 44 / max(1, len(edge.place.strands)))
    at_node = node.place.strands.index(number) + 0.5 - len(node.place.strands) / 2
    end = node.middle + at_node * min(9.0, (NODE_HEIGHT - 8) / max(1, len(node.place.strands)))
    left, right = edge.x + edge.width, node.x
    enter, leave = geometry.mesh[0], geometry.mesh[0] + geometry.mesh[1]
    first, second = (left + enter) / 2, (leave + right) / 2
    crowd = min(1.0, CROWDED / len(found.strands))
    path = (f"M{left:.1f} {start:.1f}C{first:.1f} {start:.1f} {first:.1f} {through:.1f} {enter:.1f} {through:.1f}"
            f"H{leave:.1f}C{second:.1f} {through:.1f} {second:.1f} {end:.1f} {right:.1f} {end:.1f}")
    return Line(number, strand.status, path, round(1.0 + crowd * min(4.0, 0.5 * math.sqrt(len(strand.items))), 1))

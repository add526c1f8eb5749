# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page tells, as values: the whole fleet, read from what its edges answered."""

from __future__ import annotations

import ipaddress
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .values import Moment, mapping, mappings, shortened, size, text, texts, whole

OK, UNKNOWN, DEGRADED, FAILED = "ok", "unknown", "degraded", "failed"
# from good to bad
ORDER = (OK, UNKNOWN, DEGRADED, FAILED)
WORDS = {OK: "OK", UNKNOWN: "Unknown", DEGRADED: "Degraded", FAILED: "Failed"}
UNREACHABLE, UNSEEN = "Not reachable", "Not looked at"
# parts of an edge in the order in which packets meet them; others follow by name
PARTS = ("mesh", "forwarding", "forwards", "traefik", "routes", "certificates", "expiry", "disk", "converge")
UNASKED = ("the run stopped before it was asked", "see the output of the run")
REACH = "check that the host is up and that Ansible can log in there"


def badness(status: str) -> int:
    """How bad a status is, as a number that rises."""
    return ORDER.index(status)


def worst(statuses: Sequence[str]) -> str:
    """The worst of some statuses; well when there are none."""
    return max(statuses, key=badness, default=OK)


class Part(NamedTuple):
    """One part of an edge, or a reason why nothing can be told of it."""

    name: str
    status: str
    message: str
    remedy: str


class Edge(NamedTuple):
    """One edge.

    Attributes:
        word: its status in a word.
        parts: what health says of it, and what could not be asked.
        facts: (what, value) of its place in the mesh.
        listed: of ``routes`` and ``forwards``, what it told.
        networks: those behind its tunnel.
        names: of nodes that it knows by name, by their address.
    """

    name: str
    reachable: bool
    status: str
    word: str
    parts: Tuple[Part, ...]
    facts: Tuple[Tuple[str, str], ...]
    listed: Tuple[str, ...]
    networks: Tuple[str, ...]
    names: Mapping[str, str]

    @property
    def troubles(self) -> Tuple[Part, ...]:
        """The parts that are not well, the worst first."""
        return tuple(sorted((part for part in self.parts if part.status != OK), key=lambda part: -badness(part.status)))

    def lost(self, *names: str) -> bool:
        """Whether one of these parts has failed."""
        return any(part.name in names and part.status == FAILED for part in self.parts)

    def behind_tunnel(self, host: str) -> bool:
        """Whether packets for an address take the tunnel; names, of which that cannot be told, do."""
        try:
            address = ipaddress.ip_address(host)
            networks = [ipaddress.ip_network(network, strict=False) for network in self.networks]
        except ValueError:
            return True
        return not networks or any(address in network for network in networks if network.version == address.version)


class Target(NamedTuple):
    """Where a route or a forward leads: ``shown`` in full, ``host`` alone for the map."""

    shown: str
    host: str
    status: str


class Route(NamedTuple):
    """One route of one edge; ``why`` holds sentences about what is wrong."""

    edge: str
    name: str
    status: str
    word: str
    why: Tuple[str, ...]
    hosts: Tuple[str, ...]
    targets: Tuple[Target, ...]
    notes: Tuple[str, ...]
    expires: Optional[Moment]

    @property
    def title(self) -> str:
        """What tells it from others in a list."""
        return ", ".join(self.hosts)


class Forward(NamedTuple):
    """One forward of one edge."""

    edge: str
    name: str
    status: str
    word: str
    why: Tuple[str, ...]
    port: str
    proto: str
    targets: Tuple[Target, ...]
    notes: Tuple[str, ...]
    comment: str
    connections: Optional[int]
    open_now: Optional[int]
    expires: Optional[Moment]

    @property
    def title(self) -> str:
        """What tells it from others in a list."""
        return f"{self.proto} {self.port}"

    @property
    def first_port(self) -> int:
        """What it is sorted by."""
        digits = self.port.partition("-")[0]
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0


def edge_of(name: str, answers: Mapping[str, Any]) -> Edge:
    """One edge, from the answers of its modules."""
    mesh = mapping(answers.get("mesh"))
    if answers.get("reachable") is not True:
        problem, remedy = (_message(answers, "health") or "it does not answer", REACH) if answers else UNASKED
        return Edge(name, False, FAILED, UNREACHABLE if answers else UNSEEN, (Part("connection", FAILED, problem, remedy),),
                    (), (), (), {})
    health = mapping(answers.get("health"))
    parts = _parts(health) + _unasked(answers)
    claimed = [text(health.get("status"))] if health.get("status") in ORDER else []
    status = worst([*claimed, *(part.status for part in parts)])
    listed = tuple(kind for kind in ("routes", "forwards") if kind in mapping(answers.get(kind)))
    names = {text(node.get("node_ip")): text(node.get("node_id")) for node in mappings(mesh.get("peers"))}
    return Edge(name, True, status, WORDS[status], parts, _facts(mesh), listed, tuple(texts(mesh.get("allowed_ips"))), names)


def _parts(health: Mapping[str, Any]) -> Tuple[Part, ...]:
    found = mapping(health.get("parts"))
    names = sorted(found, key=lambda name: (PARTS.index(name) if name in PARTS else len(PARTS), str(name)))
    return tuple(_part(text(name), mapping(found[name])) for name in names)


def _part(name: str, part: Mapping[str, Any]) -> Part:
    status = part.get("status")
    return Part(name, text(status) if status in ORDER else UNKNOWN, text(part.get("message")), text(part.get("remedy")))


def _unasked(answers: Mapping[str, Any]) -> Tuple[Part, ...]:
    """Modules that did not answer; the same reason is told once."""
    wanted = {"health": ("parts", FAILED), "mesh": ("role", DEGRADED), "forwards": ("forwards", DEGRADED), "routes": ("routes", DEGRADED)}
    found: List[Part] = []
    for name, (sign, status) in wanted.items():
        if sign not in mapping(answers.get(name)):
            problem, _semicolon, remedy = _message(answers, name).partition("; ")
            if problem not in [part.message for part in found]:
                found.append(Part(f"{name} report", status, problem or "was not asked",
                                  remedy or "run health.yml for this edge alone, with -vvv, to see more"))
    return tuple(found)


def _message(answers: Mapping[str, Any], name: str) -> str:
    answer = mapping(answers.get(name))
    return shortened(text(answer.get("msg")) or text(answer.get("module_stderr")), 400)


def _facts(mesh: Mapping[str, Any]) -> Tuple[Tuple[str, str], ...]:
    age, received, sent = (whole(mesh.get(key)) for key in ("handshake_age", "received", "sent"))
    drift = texts(mesh.get("drift"))
    if mesh.get("role") not in ("member", "hub"):
        return ()
    found = [("Mesh address", ", ".join(texts(mesh.get("node_ips")) or texts(mesh.get("node_ip")))),
             ("Peer", text(mesh.get("peer_endpoint")) or text(mesh.get("endpoint"))),
             ("Last handshake", f"{age} s ago" if age is not None else ""),
             ("Through the tunnel", f"{size(received)} in, {size(sent or 0)} out" if received is not None else ""),
             ("Differs from what was set up", "; ".join(drift))]
    return tuple((name, value) for name, value in found if value)


def forwards_of(edge: Edge, answers: Mapping[str, Any]) -> List[Forward]:
    """The forwards of an edge."""
    return [_forward(edge, entry) for entry in mappings(mapping(answers.get("forwards")).get("forwards"))]


def _forward(edge: Edge, entry: Mapping[str, Any]) -> Forward:
    host = text(entry.get("target_ip"))
    blocked = texts(entry.get("blocked_by"))
    if entry.get("active") is False:
        status, word = FAILED, "Not in effect"
    elif blocked:
        status, word = FAILED, "Blocked"
    elif edge.lost("mesh") and edge.behind_tunnel(host):
        status, word = FAILED, "Mesh is down"
    else:
        status, word = (OK, "In effect") if entry.get("active") is True else (UNKNOWN, "Not known")
    sources = texts(entry.get("source_ranges"))
    notes = [f"only from {', '.join(sources)}"] if sources else []
    notes += ["keeps the client's address"] if entry.get("source_nat") == "none" else []
    notes += ["also from the mesh"] if entry.get("hairpin") is True else []
    return Forward(
        edge.name, text(entry.get("forward_id")), status, word, tuple(blocked), text(entry.get("public_port")), text(entry.get("proto")),
        (Target(_target(entry, host), host, status),), tuple(notes), text(entry.get("comment")),
        whole(entry.get("connections")), whole(entry.get("open_connections")), Moment.read(entry.get("expires")))


def _target(entry: Mapping[str, Any], host: str) -> str:
    first, _dash, last = text(entry.get("public_port")).partition("-")
    port = text(entry.get("target_port"))
    if last.isdigit() and first.isdigit() and port.isdigit():
        port = f"{port}-{int(last) - int(first) + int(port)}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def routes_of(edge: Edge, answers: Mapping[str, Any]) -> List[Route]:
    """The routes of an edge."""
    answer = mapping(answers.get("routes"))
    live, details = mapping(answer.get("live")), mapping(answer.get("details"))
    return [_route(edge, entry, text(live.get(name)), mapping(details.get(name)))
            for entry in mappings(answer.get("routes")) for name in [text(entry.get("route_id"))]]


def _route(edge: Edge, entry: Mapping[str, Any], live: str, detail: Mapping[str, Any]) -> Route:
    servers = mapping(detail.get("servers"))
    status, word = {"enabled": (OK, "Served"), "warning": (DEGRADED, "Warning"), "unknown": (UNKNOWN, "Not known"),
                    "": (UNKNOWN, "Not known")}.get(live, (FAILED, "Not served"))
    if status == UNKNOWN and edge.lost("traefik", "routes"):
        status, word = FAILED, "Traefik is down"
    targets = tuple(_server(edge, url, text(servers.get(url)), status) for url in texts(entry.get("target_url")))
    ends = [target.status for target in targets]
    if status == OK and FAILED in ends:
        status, word = (FAILED, "No target") if set(ends) == {FAILED} else (DEGRADED, "Target down")
        word = "Mesh is down" if edge.lost("mesh") else word
    path = text(entry.get("path_prefix"))
    kinds = [text(kind) for middleware in mappings(entry.get("middlewares")) for kind in middleware]
    notes = [", ".join(kinds)] if kinds else []
    notes += ["edited by hand"] if detail.get("intact") is False else []
    return Route(edge.name, text(entry.get("route_id")), status, word, tuple(texts(detail.get("errors"))),
                 tuple(host + path for host in texts(entry.get("hostname"))), targets, tuple(notes), Moment.read(entry.get("expires")))


def _server(edge: Edge, url: str, word: str, status: str) -> Target:
    host = host_of(url)
    down = word == "DOWN" or (edge.lost("mesh") and edge.behind_tunnel(host))
    return Target(url, host, FAILED if down else status)


def host_of(url: str) -> str:
    """The host of a target's URL; what is no such URL is shown as it stands."""
    place = url.partition("://")[2].partition("/")[0]
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.rpartition(":")[0] or place or url

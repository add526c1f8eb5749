# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the edges of an inventory want, looked at together: what contradicts itself is found before the first host is touched."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ..errors import InvalidInput
from .edits import unexpired
from .forward import Forward, Forwards
from .forward_rules import check_overlaps
from .route import Route, Routes


class Edge(NamedTuple):
    """What the inventory says of one edge.

    Attributes:
        addresses: public addresses that lead to it; edges that share one are one to their clients.
        node_id: its name in the mesh.
        node_ips: its addresses in the mesh, as far as the inventory gives them.
    """

    forwards: Forwards
    routes: Routes
    addresses: Tuple[str, ...] = ()
    node_id: str = ""
    node_ips: Tuple[str, ...] = ()

    @classmethod
    def parse(cls, variables: Mapping[str, Any], now: str) -> Edge:
        """From the variables of a host, templated.

        Raises:
            InvalidInput: a forward or route is not acceptable, or two of this edge cannot stand together.
        """
        forwards = _listed(variables, "edge_gateway_forwards", "forward_id", Forward.parse, now)
        check_overlaps(forwards, forwards)
        node_ip = str(variables.get("edge_gateway_node_ip") or "")
        return cls(forwards, _listed(variables, "edge_gateway_routes", "route_id", Route.parse, now),
                   tuple(str(address) for address in variables.get("edge_gateway_public_addresses") or ()),
                   str(variables.get("edge_gateway_node_id") or ""), tuple(word.strip() for word in node_ip.split(",") if word.strip()))


def _listed(variables: Mapping[str, Any], name: str, id_option: str, parse: Any, now: str) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for number, entry in enumerate(variables.get(name) or ()):
        where = f"{name}[{number}]."
        if not isinstance(entry, dict):
            raise InvalidInput(f"{name}[{number}]", str(entry), "is no dictionary of options; correct it")
        if entry.get("state", "present") == "absent":
            continue
        item = parse(entry, where)
        identity = getattr(item, id_option)
        if identity in found:
            raise InvalidInput(where + id_option, identity, "is named twice; keep one of the two")
        found[identity] = item
    return unexpired(found, now)


def conflicts(edges: Mapping[str, Edge]) -> List[str]:
    """Sentences about what two edges want and cannot both have.

    A hostname or port on several edges is the usual way to serve it twice. It is a conflict when it leads to different places,
    and clients cannot choose the edge: by the hostname never, by the port when the edges share an address.
    """
    names = sorted(edges)
    found = []
    for position, one in enumerate(names):
        for other in names[position + 1:]:
            found += _hostnames(one, edges[one].routes, other, edges[other].routes)
            if set(edges[one].addresses) & set(edges[other].addresses):
                found += _ports(one, edges[one], other, edges[other])
            found += _identities(one, edges[one], other, edges[other])
    return found


def _hostnames(one: str, mine: Routes, other: str, theirs: Routes) -> List[str]:
    claims = {(name, item.path_prefix, point): item for item in mine.values() for name in item.hostname for point in item.entrypoint}
    found = []
    for item in theirs.values():
        for name, point in ((name, point) for name in item.hostname for point in item.entrypoint):
            same = claims.get((name, item.path_prefix, point))
            if same is not None and sorted(same.target_url) != sorted(item.target_url):
                found.append(f"hostname {name}{item.path_prefix} leads to {', '.join(same.target_url)} by {same.route_id} on {one}, and to "
                             f"{', '.join(item.target_url)} by {item.route_id} on {other}; clients get the one or the other, "
                             "give both the same targets or remove one")
    return found


def _ports(one: str, mine: Edge, other: str, theirs: Edge) -> List[str]:
    shared = ", ".join(sorted(set(mine.addresses) & set(theirs.addresses)))
    claims = {(proto, item.family, port): item for item in mine.forwards.values() for proto in item.protocols
              for port in range(item.first_port, item.last_port + 1)}
    found: Dict[Tuple[str, str], str] = {}
    for late in theirs.forwards.values():
        for proto, port in ((proto, port) for proto in late.protocols for port in range(late.first_port, late.last_port + 1)):
            item = claims.get((proto, late.family, port))
            if item is not None and (item.target_ip, item.shift) != (late.target_ip, late.shift):
                found.setdefault((item.forward_id, late.forward_id), (
                    f"{proto} {port} of {shared} leads to {item.target_ip} port {port + item.shift} by {item.forward_id} on {one}, and to "
                    f"{late.target_ip} port {port + late.shift} by {late.forward_id} on {other}; the edges share that address, choose "
                    "another port or remove one"))
    return list(found.values())


def _identities(one: str, mine: Edge, other: str, theirs: Edge) -> List[str]:
    found = []
    if mine.node_id and mine.node_id == theirs.node_id:
        found.append(f"edge_gateway_node_id {mine.node_id!r} is the name of {one} and of {other}; each host needs its own")
    taken = {str(ipaddress.ip_address(word)) for word in mine.node_ips} & {str(ipaddress.ip_address(word)) for word in theirs.node_ips}
    for address in sorted(taken):
        found.append(f"edge_gateway_node_ip {address} is that of {one} and of {other}; each host needs its own")
    return found


def named(line: str, nodes: Sequence[Tuple[str, str]]) -> str:
    """A line with the names of nodes beside their addresses.

    Args:
        nodes: address and name, longest address first.
    """
    for address, name in nodes:
        line = _name_beside(line, address, name)
    return line


def _name_beside(line: str, address: str, name: str) -> str:
    parts = line.split(address)
    for number in range(len(parts) - 1):
        before, behind = parts[number][-1:], parts[number + 1][:1]
        whole = not (before.isalnum() or before in (".", ":") or behind.isalnum() or behind == ".")
        parts[number] += f"{name} ({address})" if whole else address
    return "".join(parts)

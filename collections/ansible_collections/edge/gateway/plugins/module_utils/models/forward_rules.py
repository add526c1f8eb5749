# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold among several forwards, and between forwards and the host that carries them."""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from typing import AbstractSet, Dict, Iterable, List, Mapping, Sequence, Tuple

from ..errors import InvalidInput
from . import fields
from .forward import Forward, Forwards

Claim = Tuple[int, int, str]


def check_overlaps(forwards: Forwards, known: Forwards) -> None:
    """Raise InvalidInput when two forwards claim one public port; the one that stood before keeps it.

    Args:
        known: the forwards before the change.
    """
    claims: Dict[Tuple[str, int], List[Claim]] = {}
    for forward in forwards.values():
        for proto in forward.protocols:
            claims.setdefault((proto, forward.family), []).append((forward.first_port, forward.last_port, forward.forward_id))
    for (proto, _family), found in claims.items():
        found.sort()
        # sorted by their first port, the one that reaches furthest is the only one that the next can run into
        reach = found[0]
        for claim in found[1:]:
            if claim[0] <= reach[1]:
                raise _overlap(proto, forwards[reach[2]], forwards[claim[2]], known)
            reach = claim


def _overlap(proto: str, one: Forward, other: Forward, known: Forwards) -> InvalidInput:
    owner, late = (one, other) if known.get(one.forward_id) == one else (other, one)
    if known.get(owner.forward_id) != owner:
        owner, late = sorted((one, other))
    port = max(one.first_port, other.first_port)
    return InvalidInput("public_port", late.public_port,
                        f"({proto}) of {late.forward_id} is already forwarded by {owner.forward_id} (port {port}); "
                        "choose another port or remove that forward")


def reply_networks(value: Sequence[object]) -> List[fields.Network]:
    """The option ``reply_nodes``."""
    return [fields.exact_network("reply_nodes", word) for word in value]


def check_replies(forward: Forward, told: AbstractSet[str], acknowledged: Sequence[fields.Network]) -> None:
    """Raise InvalidInput when a client would come with its own address to a node that may answer it by another way.

    Args:
        told: addresses of nodes of which a hub says that they send such answers back through the mesh.
        acknowledged: networks of nodes of which the user says so.
    """
    if forward.source_nat != "none" or forward.target_ip in told:
        return
    target = ipaddress.ip_address(forward.target_ip)
    if not any(target in network for network in acknowledged):
        raise InvalidInput("source_nat", "none", f"of {forward.forward_id} needs {forward.target_ip} to send its answers back through the "
                                                 "mesh, and nothing says that it does; set edge_gateway_client_networks for that node and "
                                                 "run site.yml, or name it in reply_nodes if you have set that up yourself")


class Reserved:
    """The ports that the host itself uses.

    Args:
        ports: (protocol, port) to what uses it.
    """

    def __init__(self, ports: Mapping[Tuple[str, int], str]) -> None:
        self.users = ports
        self.sorted = {proto: sorted(port for name, port in ports if name == proto) for proto in ("tcp", "udp")}

    def check(self, forward: Forward) -> None:
        """Raise InvalidInput when one of the forward's public ports is taken."""
        for proto in forward.protocols:
            taken = self.sorted[proto]
            place = bisect_left(taken, forward.first_port)
            if place < len(taken) and taken[place] <= forward.last_port:
                port = taken[place]
                raise InvalidInput("public_port", forward.public_port,
                                   f"({proto}) of {forward.forward_id} takes port {port}, which is used by this host itself "
                                   f"({self.users[proto, port]}); choose another port, or you lose that service")


class Reach:
    """Where targets may lie.

    Args:
        mesh: networks behind the mesh interface; empty when unknown, then only ``own`` is checked.
        own: addresses of the host.
    """

    def __init__(self, mesh: Sequence[fields.Network], own: Iterable[str]) -> None:
        self.mesh = mesh
        self.own: AbstractSet[str] = {str(ipaddress.ip_address(words)) for words in own}
        self.inside: Dict[str, bool] = {}

    def check(self, forward: Forward) -> None:
        """Raise InvalidInput when the target is the host itself or lies outside the mesh."""
        target = forward.target_ip
        if target in self.own:
            raise InvalidInput("target_ip", target, f"of {forward.forward_id} is this host itself; "
                                                    "give the address of a mesh node")
        if not self.mesh:
            return
        if target not in self.inside:
            parsed = ipaddress.ip_address(target)
            self.inside[target] = any(parsed in network for network in self.mesh)
        if not self.inside[target]:
            raise InvalidInput("target_ip", target,
                               f"of {forward.forward_id} is outside the mesh networks "
                               f"({', '.join(str(network) for network in self.mesh)}); give the address of a mesh node, "
                               "or set allow_outside_mesh if you mean it")

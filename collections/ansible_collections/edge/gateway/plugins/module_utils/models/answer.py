# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is told when it joins a mesh, by a controller or by the role hub."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

from ..errors import InvalidInput
from . import fields
from .target import Endpoint, endpoint

MAX_NETWORKS = 64
REQUIRED = ("node_ip", "controller_pubkey", "endpoint", "allowed_ips")


@dataclass(frozen=True)
class Answer:
    """A controller's answer, parsed: nothing of it reaches a file in any other form.

    Attributes:
        addresses: of this host in the mesh, one for each IP version it has there.
        client_networks: networks of clients that may enter the mesh through this host with their own address.
        reply_nodes: addresses of nodes that send their answers to such clients back through the mesh.
    """

    addresses: Tuple[str, ...]
    controller_pubkey: str
    endpoint: Endpoint
    allowed_ips: Tuple[str, ...]
    client_networks: Tuple[str, ...] = ()
    reply_nodes: Tuple[str, ...] = ()

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "answer.") -> Answer:
        """Build an answer from the controller's JSON or from ``join.json``; treats both as hostile."""
        for name in REQUIRED:
            if not params.get(name):
                raise InvalidInput(where + name, "", "is missing; the controller must answer node_ip, "
                                                     "controller_pubkey, endpoint and allowed_ips")
        clients, nodes = params.get("client_networks"), params.get("reply_nodes")
        return cls(
            addresses=node_addresses(where + "node_ip", params["node_ip"]),
            controller_pubkey=fields.key(where + "controller_pubkey", params["controller_pubkey"]),
            endpoint=endpoint(where + "endpoint", params["endpoint"]),
            allowed_ips=networks(where + "allowed_ips", params["allowed_ips"]),
            client_networks=networks(where + "client_networks", clients) if clients else (),
            reply_nodes=_nodes(where + "reply_nodes", nodes) if nodes else (),
        )

    @property
    def node_ip(self) -> str:
        """The address of this host in the mesh: the IPv4 one, if it has both."""
        return self.addresses[0]

    def as_dict(self) -> Dict[str, Any]:
        """The answer in the form of the controller's contract; what only some controllers answer is left out where it is empty."""
        more = {"client_networks": list(self.client_networks), "reply_nodes": list(self.reply_nodes)}
        return {"node_ip": ",".join(self.addresses), "controller_pubkey": self.controller_pubkey,
                "endpoint": str(self.endpoint), "allowed_ips": list(self.allowed_ips),
                **{name: value for name, value in more.items() if value}}


def networks(option: str, value: object) -> Tuple[str, ...]:
    """Networks as a list or a comma-separated string, canonical and without repetition."""
    words = _words(value)
    if not words:
        raise InvalidInput(option, value, f"is not a list of 1 to {MAX_NETWORKS} networks; write it like 10.50.0.0/24")
    return tuple(sorted({str(fields.network(option, word)) for word in words}))


def node_addresses(option: str, value: object) -> Tuple[str, ...]:
    """One address of a node, or one for each IP version, the IPv4 one first: a string (comma-separated), or a list."""
    words = _words(value)
    found = tuple(sorted((_node_ip(option, word) for word in words), key=lambda address: ":" in address))
    if not found or len({":" in address for address in found}) != len(found):
        raise InvalidInput(option, value, "is not one address, or one for each IP version; write it like 10.50.0.5, or 10.50.0.5,fd50::5")
    return found


def _nodes(option: str, value: object) -> Tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidInput(option, value, "is not a list of addresses; write it like [10.50.0.12]")
    return tuple(sorted({str(fields.unicast(option, word)) for word in value}))


def _words(value: object) -> Tuple[Any, ...]:
    """The parts of a list or of a comma-separated string; none where there are too many, or where it is neither."""
    words: object = [part.strip(" ") for part in value.split(",")] if isinstance(value, str) else value
    return tuple(words) if isinstance(words, (list, tuple)) and len(words) <= MAX_NETWORKS else ()


def _node_ip(option: str, value: object) -> str:
    words = fields.text(option, value)
    address, _slash, length = words.partition("/")
    parsed = fields.unicast(option, address)
    if _slash and length != str(parsed.max_prefixlen):
        raise InvalidInput(option, value, f"is a network; the address of one node is expected, like {parsed}")
    return str(parsed)


def with_length(address: str) -> str:
    """An address as the interface carries it: alone in its network."""
    return f"{address}/{ipaddress.ip_address(address).max_prefixlen}"

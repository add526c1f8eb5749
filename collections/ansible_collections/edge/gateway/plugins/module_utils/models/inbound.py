# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach the edge itself: a filter for what is addressed to the host. Forwards are not its business, nor is what passes through."""

from __future__ import annotations

import ipaddress
from typing import AbstractSet, Any, Dict, List, Mapping, NamedTuple, Tuple

from ..errors import InvalidInput
from . import fields

Inbounds = Dict[str, "Inbound"]
# the one object there is
NAME = "inbound"


class Opening(NamedTuple):
    """Ports of the host that may be reached.

    Attributes:
        proto: ``tcp`` or ``udp``.
        sources: canonical networks of those who may; empty for anyone.
    """

    proto: str
    first: int
    last: int
    sources: Tuple[str, ...] = ()
    comment: str = ""

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str = "") -> Opening:
        """From a dictionary with ``port``, and maybe ``proto``, ``source_ranges`` and ``comment``."""
        try:
            unknown = sorted(set(entry) - {"port", "proto", "source_ranges", "comment"})
            if unknown:
                raise InvalidInput(unknown[0], entry[unknown[0]], "is no option of an open port; "
                                                                  "use port, proto, source_ranges and comment")
            given = entry.get("source_ranges") or ()
            if not isinstance(given, (list, tuple)):
                raise InvalidInput("source_ranges", given, "is not a list of networks; write it like ['203.0.113.0/24']")
            first, last = fields.ports("port", entry.get("port"))
            sources = {fields.exact_network("source_ranges", word) for word in given}
            ordered = sorted(sources, key=lambda item: (item.version, int(item.network_address), item.prefixlen))
            return cls(fields.choice("proto", entry.get("proto") or "tcp", ["tcp", "udp"]), first, last,
                       tuple(str(item) for item in ordered), fields.comment("comment", entry.get("comment") or ""))
        except InvalidInput as problem:
            raise problem.within(where) from None

    @property
    def port(self) -> str:
        """The ports as a user writes them."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def admits(self, proto: str, port: int, client: str = "") -> bool:
        """Whether it lets that client (or, without one, somebody) reach a port."""
        if proto != self.proto or not self.first <= port <= self.last:
            return False
        if not client or not self.sources:
            return True
        address = ipaddress.ip_address(client.partition("%")[0])
        return any(address in ipaddress.ip_network(network) for network in self.sources)

    def as_dict(self) -> Dict[str, Any]:
        """The opening with the names of the options."""
        return {"port": self.port, "proto": self.proto, "source_ranges": list(self.sources), "comment": self.comment}

    def __str__(self) -> str:
        return f"{self.proto} {self.port} from {', '.join(self.sources) or 'anyone'}" + (f"  # {self.comment}" if self.comment else "")


class Inbound(NamedTuple):
    """The filter: all is closed but these ports, the mesh, and what the host itself has begun.

    Attributes:
        mesh: mesh interface, from which everything may come; empty to close it too.
    """

    openings: Tuple[Opening, ...]
    mesh: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> Inbound:
        """From the options ``open`` and ``mesh``, or from what :meth:`as_dict` made."""
        entries = params.get("open")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InvalidInput("open", entries, "is not a list of open ports; write it like [{port: 22}, {port: 443}]")
        found = tuple(dict.fromkeys(Opening.parse(entry, f"open[{number}].") for number, entry in enumerate(entries)))
        mesh = params.get("mesh") or ""
        return cls(found, fields.interface("mesh", mesh) if mesh else "")

    def with_way_in(self, port: int, client: str) -> Inbound:
        """The filter that leaves the SSH connection of this run its way.

        Raises:
            InvalidInput: the port is open, but not for that client.
        """
        known = [item for item in self.openings if item.admits("tcp", port)]
        if any(item.admits("tcp", port, client) for item in known):
            return self
        if known:
            raise InvalidInput("open", known[0].port, f"leaves out {client}, where this SSH connection comes from; add its network to "
                                                      "source_ranges, or come in by another way")
        return self._replace(openings=(Opening("tcp", port, port, (), "this SSH connection"), *self.openings))

    def closes(self, listening: AbstractSet[Tuple[str, int]]) -> List[str]:
        """Ports on which something listens and that nobody outside can reach any more."""
        return [f"{proto} {port}" for proto, port in sorted(listening) if not any(item.admits(proto, port) for item in self.openings)]

    def as_dict(self) -> Dict[str, Any]:
        """The filter as it is kept."""
        return {"open": [item.as_dict() for item in self.openings], "mesh": self.mesh}

    def __str__(self) -> str:
        lines = [*map(str, self.openings), *([f"everything from {self.mesh}"] if self.mesh else [])]
        return "closed but for\n" + "\n".join(f"  {line}" for line in lines)

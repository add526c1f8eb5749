# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One port forward, and the rules that hold among several."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Tuple

from ..errors import InvalidInput
from . import fields

PROTOCOLS = ["tcp", "udp", "both"]
FIELDS = ("forward_id", "public_port", "target_ip", "target_port", "proto", "comment")

Forwards = Dict[str, "Forward"]


@dataclass(frozen=True, order=True)
class Forward:
    """Packets to ``public_port`` of the edge go to ``target_ip``:``target_port`` in the mesh."""

    forward_id: str
    public_port: int
    target_ip: str
    target_port: int
    proto: str = "tcp"
    comment: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> Forward:
        """Build a forward from task parameters or from a state file.

        Args:
            params: option name to value; None means "not given".
            where: prefix for option names in errors, such as ``forwards[3].``.
        """
        given = {name: value for name, value in params.items() if value is not None}
        for name in ("forward_id", "public_port", "target_ip"):
            if name not in given:
                raise InvalidInput(where + name, "", "is missing; every forward needs forward_id, public_port "
                                                     "and target_ip")
        public = fields.port(where + "public_port", given["public_port"])
        return cls(
            forward_id=fields.identifier(where + "forward_id", given["forward_id"]),
            public_port=public,
            target_ip=_target(where + "target_ip", given["target_ip"]),
            target_port=fields.port(where + "target_port", given.get("target_port", public)),
            proto=fields.choice(where + "proto", given.get("proto", "tcp"), PROTOCOLS),
            comment=fields.comment(where + "comment", given.get("comment", "")),
        )

    @property
    def protocols(self) -> Tuple[str, ...]:
        """The transport protocols it stands for."""
        return ("tcp", "udp") if self.proto == "both" else (self.proto,)

    def as_dict(self) -> Dict[str, Any]:
        """The forward with the names of the options, as modules return it (``public_port`` is a string there)."""
        values = {name: getattr(self, name) for name in FIELDS}
        values["public_port"] = str(self.public_port)
        return values

    def __str__(self) -> str:
        words = f"{self.proto} {self.public_port} -> {self.target_ip}:{self.target_port}"
        return f"{words}  # {self.comment}" if self.comment else words


def _target(option: str, value: object) -> str:
    target = fields.unicast(option, value)
    if target.version != 4:
        raise InvalidInput(option, value, "is an IPv6 address, which this version does not forward to; "
                                          "give the node's IPv4 address")
    return str(target)


def check_overlaps(forwards: Forwards, known: Forwards) -> None:
    """Raise InvalidInput when two forwards claim one public port; the one that stood before keeps it.

    Args:
        known: the forwards before the change.
    """
    owners: Dict[Tuple[str, int], str] = {}
    for forward in sorted(forwards.values(), key=lambda item: (known.get(item.forward_id) != item, item)):
        for proto in forward.protocols:
            owner = owners.setdefault((proto, forward.public_port), forward.forward_id)
            if owner != forward.forward_id:
                raise InvalidInput("public_port", str(forward.public_port),
                                   f"({proto}) of {forward.forward_id} is already forwarded by {owner}; "
                                   "choose another port or remove that forward")


def check_reserved(forward: Forward, reserved: Mapping[Tuple[str, int], str]) -> None:
    """Raise InvalidInput when the host itself uses the public port.

    Args:
        reserved: (protocol, port) to what uses it.
    """
    for proto in forward.protocols:
        user = reserved.get((proto, forward.public_port))
        if user:
            raise InvalidInput("public_port", str(forward.public_port),
                               f"({proto}) of {forward.forward_id} is used by this host itself ({user}); "
                               "choose another port, or you lose that service")


def check_target(forward: Forward, mesh: List[fields.Network], own: Iterable[str]) -> None:
    """Raise InvalidInput when the target is the host itself or lies outside the mesh.

    Args:
        mesh: networks behind the mesh interface; empty when unknown, then only ``own`` is checked.
        own: addresses of the host.
    """
    if forward.target_ip in own:
        raise InvalidInput("target_ip", forward.target_ip, f"of {forward.forward_id} is this host itself; "
                                                           "give the address of a mesh node")
    if mesh and not any(ipaddress.ip_address(forward.target_ip) in network for network in mesh):
        raise InvalidInput("target_ip", forward.target_ip,
                           f"of {forward.forward_id} is outside the mesh networks "
                           f"({', '.join(str(network) for network in mesh)}); give the address of a mesh node, "
                           "or set allow_outside_mesh if you mean it")

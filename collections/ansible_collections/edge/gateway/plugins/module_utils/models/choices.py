# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles decided for a host and every ad-hoc call shares (``/etc/edge-gateway/gateway.json``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

from ..errors import InvalidInput
from . import fields

# what the unit loads at boot, by the firewall that carries the forwards; the role firewall names the same files
BOOT_FILES = {"nftables": "/etc/edge-gateway/forwards.nft", "iptables": "/etc/edge-gateway/forwards.rules"}
BACKENDS = list(BOOT_FILES)


@dataclass(frozen=True)
class Choices:
    """Defaults of one host.

    Attributes:
        backend, interface: empty where the roles chose nothing.
        open_foreign: whether chains of other firewalls that would drop forwards are opened.
        reserved_ports: (protocol, port) to what uses it, for services that may not be running right now.
        public_addresses: where clients reach the host, when that is not an address of its own.
    """

    backend: str = ""
    interface: str = ""
    open_foreign: bool = False
    reserved_ports: Tuple[Tuple[str, int, str], ...] = ()
    public_addresses: Tuple[str, ...] = ()

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> Choices:
        """Build the choices from the file's JSON object; unknown keys belong to a newer version and are refused."""
        unknown = sorted(set(params) - {"schema", "backend", "interface", "open_foreign", "reserved_ports", "public_addresses"})
        if not fields.is_version(params.get("schema"), 1) or unknown:
            raise InvalidInput("gateway.json", ", ".join(unknown) or params.get("schema"),
                               "is of another version of this collection; run the firewall role again")
        backend = params.get("backend", "")
        if backend:
            fields.choice("gateway.json backend", backend, BACKENDS)
        interface = params.get("interface", "")
        if interface:
            fields.interface("gateway.json interface", interface)
        opened = fields.boolean("gateway.json open_foreign", params.get("open_foreign", False))
        reserved = []
        entries = params.get("reserved_ports", [])
        if not isinstance(entries, list):
            raise InvalidInput("gateway.json reserved_ports", entries, "is not a list; run the firewall role again")
        for entry in entries:
            if not isinstance(entry, dict):
                raise InvalidInput("gateway.json reserved_ports", entry, "is not an object; run the firewall role again")
            reserved.append((fields.choice("gateway.json proto", entry.get("proto", "tcp"), ["tcp", "udp"]),
                             fields.port("gateway.json port", entry.get("port")),
                             fields.comment("gateway.json used_by", entry.get("used_by", "reserved"))))
        public = params.get("public_addresses", [])
        if not isinstance(public, list):
            raise InvalidInput("gateway.json public_addresses", public, "is not a list; run the firewall role again")
        return cls(backend, interface, opened, tuple(reserved),
                   tuple(str(fields.address("gateway.json public_addresses", entry)) for entry in public))

    @property
    def reserved(self) -> Dict[Tuple[str, int], str]:
        """The reserved ports as a mapping."""
        return {(proto, port): user for proto, port, user in self.reserved_ports}

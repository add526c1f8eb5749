# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarding between interfaces: the kernel's switches, and the file that sets them at boot (sysctl.d(5))."""

from __future__ import annotations

import re
from typing import AbstractSet, Dict, List, Optional

from ..host import Host
from . import system

FILE = "/etc/sysctl.d/60-edge-gateway.conf"
HEADER = """# Written by edge.gateway.dnat_forward.
# Port forwards need it. The guard rules of edge.gateway keep the mesh closed to everything else.
"""
HUB_FILE = "/etc/sysctl.d/60-edge-gateway-hub.conf"
HUB_HEADER = """# Written by edge.gateway.wg_peer.
# A hub passes packets between its nodes; IPv6 has no switch for one interface alone. Its routing rules keep the mesh closed.
"""
SWITCH = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}


class Forwarding:
    """The switches of one host and their file."""

    def __init__(self, host: Host, path: str = FILE, header: str = HEADER) -> None:
        self.host, self.path, self.header = host, path, header
        self._uplinks: Optional[List[str]] = None

    def has(self, family: int, interface: str) -> bool:
        """Whether the kernel speaks this IP version on an interface; one that is not there yet will be as the kernel's default says."""
        if self.host.mode(f"/proc/sys/{SWITCH[family]}") is None:
            return False
        switches = (self.host.read(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6") for name in (interface, "default"))
        return family == 4 or next((switch.strip() for switch in switches if switch is not None), b"0") == b"0"

    def settings(self, families: AbstractSet[int]) -> Dict[str, str]:
        """Settings that forwards of these IP versions need, in the order in which they must be made.

        A host that forwards IPv6 no longer listens to its router, which may be where its own default route comes from:
        accept_ra=2 keeps that.
        """
        wanted = {f"net/ipv6/conf/{name}/accept_ra": "2" for name in self.uplinks()} if 6 in families else {}
        return {**wanted, **{SWITCH[family]: "1" for family in sorted(families)}}

    def uplinks(self) -> List[str]:
        """Interfaces that a router gave a default route; those of the file too, for a router that is away for a while."""
        if self._uplinks is None:
            routes = system.ip_json(self.host, "-6", "route", "show", "default")
            known = re.findall(r"^net/ipv6/conf/([^/\s]+)/accept_ra = 2$", self.file(), re.MULTILINE)
            self._uplinks = sorted({str(route["dev"]) for route in routes if route.get("protocol") == "ra" and "dev" in route}
                                   | set(known))
        return self._uplinks

    def live(self, family: int) -> Dict[str, str]:
        """The settings of one IP version as they are; one whose interface is away needs nothing."""
        settings = self.settings({family})
        return {name: (self.host.read(f"/proc/sys/{name}") or value.encode()).decode().strip() for name, value in settings.items()}

    def file(self) -> str:
        """The file as it is, empty when there is none."""
        return (self.host.read(self.path) or b"").decode("utf-8", "replace")

    def text(self, families: AbstractSet[int]) -> str:
        """The file as it should be."""
        return self.header + "".join(f"{name} = {value}\n" for name, value in self.settings(families).items())

    def apply(self, families: AbstractSet[int]) -> None:
        """Write the file and make the settings. What is no longer needed stays on until the next boot: others may need it too."""
        self.host.make_directory(self.path.rpartition("/")[0], 0o755)
        if self.file() != self.text(families):
            self.host.write(self.path, self.text(families), 0o644)
        for family in sorted(families):
            now = self.live(family)
            for name, value in self.settings({family}).items():
                if now[name] != value:
                    self.host.set_kernel(f"/proc/sys/{name}", value)

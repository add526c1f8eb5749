# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port forwards: ``forwards.json`` is what was asked for, a firewall backend is where it takes effect."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Set, Type

from ..errors import InvalidInput
from ..host import Host
from ..models import forward as rules
from ..models.forward import Forward, Forwards
from . import conntrack, system
from .base import BaseEngine
from .memberships import membership_of
from .nftables import BOOT_FILE, NftablesBackend
from .store import Store

BACKENDS = {"nftables": NftablesBackend}
BOOT_UNIT = "edge-gateway-forwards.service"
TABLE_PART, FILE_PART, BOOT_PART, FORWARDING_PART = "(firewall table)", "(state file)", "(boot file)", "(ip_forward)"


class ForwardEngine(BaseEngine[Forward]):
    """Forwards of one host.

    Args:
        interface: mesh interface; None for the host's own choice.
        backend: ``auto``, or the name of a firewall.
        allow_outside_mesh: accept targets that are not behind the mesh interface.
    """

    def __init__(self, host: Host, state_dir: str, interface: Optional[str], backend: str = "auto",
                 allow_outside_mesh: bool = False) -> None:
        super().__init__(host)
        self.interface, self.state_dir = system.mesh_interface(host, interface), state_dir
        self.allow_outside_mesh = allow_outside_mesh
        self.store = Store(host, state_dir, "forwards.json", "forwards")
        self.backend = choose_backend(host, backend)(host, self.interface)

    def load(self) -> Forwards:
        """The forwards that were asked for."""
        return self.store.load(Forward.parse, lambda item: item.forward_id)

    def read(self) -> Mapping[str, object]:
        """Kernel, boot file and forwarding as they are."""
        table = self.backend.read()
        live: Dict[str, object] = dict(table.elements)
        live[TABLE_PART] = table.structure
        live[FILE_PART] = self.store.exists()
        live[BOOT_PART] = (self.host.read(BOOT_FILE) or b"").decode("utf-8", "replace")
        live[FORWARDING_PART] = system.forwarding(self.host)
        return live

    def render(self, items: Forwards) -> Mapping[str, object]:
        """Kernel, boot file and forwarding as these forwards need them."""
        table = self.backend.wanted(items)
        wanted: Dict[str, object] = dict(table.elements)
        wanted[TABLE_PART] = table.structure
        wanted[FILE_PART] = True
        wanted[BOOT_PART] = self.backend.boot_text(items)
        if items:
            wanted[FORWARDING_PART] = True
        return wanted

    def active(self, items: Forwards) -> Dict[str, bool]:
        """Whether each forward carries traffic: its own rules and those that all share are in effect."""
        live, right = self.read(), self.render(items)
        shared = all(live[part] == right.get(part, live[part]) for part in (TABLE_PART, FORWARDING_PART))
        return {name: shared and live.get(name) == right[name] for name in items}

    def check(self, before: Forwards, after: Forwards) -> None:
        """Refuse overlaps, and new forwards that would cut the host's own services or leave the mesh."""
        rules.check_overlaps(after, before)
        new = [item for name, item in sorted(after.items()) if before.get(name) != item]
        if not new:
            return
        reserved, own = system.reserved_ports(self.host), system.own_addresses(self.host)
        member = None if self.allow_outside_mesh else membership_of(self.host, self.state_dir, self.interface)
        for item in new:
            rules.check_reserved(item, reserved)
            rules.check_target(item, member.mesh if member else [], own)
        if member is None and not self.allow_outside_mesh:
            self.warnings.append(f"this host has not joined a mesh on {self.interface} yet: whether the targets lie "
                                 "in it could not be checked, and forwards carry traffic only once it has")

    def ready(self, after: Forwards) -> None:
        """Raise without the firewall's tool."""
        self.backend.ready()

    def write(self, before: Forwards, after: Forwards) -> None:
        """State first, then the boot file, then the kernel: a kill in between heals at the next run or boot."""
        self.store.save([item.as_dict() for _name, item in sorted(after.items())])
        self.host.make_directory(BOOT_FILE.rpartition("/")[0], 0o755)
        self.host.write(BOOT_FILE, self.backend.boot_text(after))
        self.backend.apply(after)
        if after:
            system.start_forwarding(self.host)

    def confirm(self, before: Forwards, after: Forwards, touched: Set[str]) -> None:
        """Reading the kernel back was all the confirmation there is; say so when a boot would lose it."""
        if after and self.host.mode(f"/etc/systemd/system/{BOOT_UNIT}") is None:
            self.warnings.append(f"{BOOT_UNIT} is not installed: the forwards do not survive a reboot; "
                                 "apply the role edge.gateway.firewall")

    def finish(self, before: Forwards, after: Forwards, touched: Set[str]) -> None:
        """Cut UDP flows of the ports that changed, or they keep their old way."""
        ports = [("udp", side[name].public_port) for side in (before, after) for name in touched
                 if name in side and "udp" in side[name].protocols]
        self.warnings += conntrack.cut(self.host, ports)


def choose_backend(host: Host, name: str) -> Type[NftablesBackend]:
    """The firewall to drive: the one named, else the one the roles chose for this host, else nftables."""
    chosen = name if name != "auto" else system.choices(host).backend or "nftables"
    if chosen not in BACKENDS:
        raise InvalidInput("backend", chosen, f"is not available in this version; use {' or '.join(BACKENDS)}")
    return BACKENDS[chosen]

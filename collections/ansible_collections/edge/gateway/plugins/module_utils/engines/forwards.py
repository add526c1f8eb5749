# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port forwards: ``forwards.json`` is what was asked for, a firewall backend is where it takes effect."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ..errors import GatewayError, InvalidInput
from ..host import Host
from ..models import changes
from ..models.fields import Network
from ..models.forward import Forward, Forwards
from ..models.forward_rules import Reach, Reserved, check_overlaps, check_replies
from . import conntrack, system
from .base import BaseEngine
from .firewall import backend_for, clear, left_behind, ready_to_clear
from .forwarding import Forwarding
from .mesh import mesh_of
from .neighbours import Neighbours
from .store import Store

BOOT_UNIT = "edge-gateway-forwards.service"
TABLE_PART, FILE_PART, BOOT_PART = "(firewall table)", "(state file)", "(boot file)"
FORWARDING_FILE_PART, OTHER_PART = "(forwarding at boot)", "(rules of another backend)"
FORWARDING_PARTS = {4: "(IPv4 forwarding)", 6: "(IPv6 forwarding)"}


class ForwardEngine(BaseEngine[Forward]):
    """Forwards of one host.

    Args:
        interface: mesh interface; None for the host's own choice.
        backend: ``auto``, or the name of a firewall.
        allow_outside_mesh: accept targets that are not behind the mesh interface.
        reply_nodes: networks of nodes that answer clients with their own address back through the mesh, beside those that a hub tells of.
        open_foreign: open chains of other firewalls that would drop forwards; None for the host's own choice.
    """

    def __init__(self, host: Host, state_dir: str, interface: Optional[str], backend: str = "auto", *,
                 allow_outside_mesh: bool = False, reply_nodes: Sequence[Network] = (), open_foreign: Optional[bool] = None) -> None:
        super().__init__(host)
        self.interface, self.state_dir = system.mesh_interface(host, interface), state_dir
        self.allow_outside_mesh, self.reply_nodes = allow_outside_mesh, reply_nodes
        self.store = Store(host, state_dir, "forwards.json", "forwards")
        self.backend = backend_for(host, backend, self.interface)
        self.forwarding = Forwarding(host)
        may_open = system.choices(host).open_foreign if open_foreign is None else open_foreign
        self.neighbours = Neighbours(host, self.interface, may_open, self.backend.name)

    def load(self) -> Forwards:
        """The forwards that were asked for.

        Raises:
            StateRefused: as :meth:`.Store.load`, or two of them claim one port.
        """
        found = self.store.load(Forward.parse, lambda item: item.forward_id)
        try:
            check_overlaps(found, found)
        except InvalidInput as problem:
            raise self.store.refused(f"holds forwards that cannot stand together: {problem.message}") from None
        # what the kernel is read against: most of it will be as it was asked for
        self.backend.wanted(found)
        return found

    def read(self) -> Mapping[str, object]:
        """Kernel, boot file and forwarding as they are."""
        table = self.backend.read()
        live: Dict[str, object] = dict(table.elements)
        live[TABLE_PART] = table.structure
        live[FILE_PART] = self.store.exists()
        live[BOOT_PART] = (self.host.read(self.backend.boot_file) or b"").decode("utf-8", "replace")
        live[OTHER_PART] = left_behind(self.host, self.backend) or None
        live.update({part: self.forwarding.live(family) for family, part in FORWARDING_PARTS.items()})
        live[FORWARDING_FILE_PART] = self.forwarding.file()
        live.update(self.neighbours.live())
        return live

    def render(self, items: Forwards) -> Mapping[str, object]:
        """Kernel, boot file and forwarding as these forwards need them."""
        table = self.backend.wanted(items)
        wanted: Dict[str, object] = dict(table.elements)
        wanted[TABLE_PART] = table.structure
        wanted[FILE_PART] = True
        wanted[BOOT_PART] = self.backend.boot_text(items)
        wanted[OTHER_PART] = None
        families = {item.family for item in items.values()}
        wanted.update({FORWARDING_PARTS[family]: self.forwarding.settings({family}) for family in families})
        wanted[FORWARDING_FILE_PART] = self.forwarding.text(families)
        wanted.update(self.neighbours.wanted(items))
        return wanted

    def active(self, items: Forwards) -> Dict[str, bool]:
        """Whether each forward carries traffic: its own rules and those that all share are in effect."""
        live, right = self.read(), self.render(items)
        return {name: all(live.get(part) == right[part] for part in (name, TABLE_PART, FORWARDING_PARTS[item.family]))
                for name, item in items.items()}

    def observe(self, items: Forwards) -> List[Tuple[Forward, Dict[str, Any]]]:
        """What can be seen of each forward: whether it is in effect, its use, and who drops it."""
        active, counts = self.active(items), self.backend.counts()
        report = self.neighbours.report(items)
        blocked: Dict[str, List[str]] = {}
        for finding in report.findings:
            for name in {probe.name for probe in finding.probes}:
                blocked.setdefault(name, []).append(str(finding))
        open_now: Dict[str, int] = {}
        try:
            open_now = conntrack.open_connections(self.host, items.values())
        except GatewayError as problem:
            self.warnings.append(f"open connections are not counted: {problem.message}")
        self.warnings += report.notes
        return [(item, {"active": active[name], "connections": counts.get(name, (0, 0))[0], "open_connections": open_now.get(name),
                        "blocked_by": blocked.get(name, [])}) for name, item in sorted(items.items())]

    def check(self, before: Forwards, after: Forwards) -> None:
        """Refuse overlaps, and new forwards that would cut the host's own services or leave the mesh; warn of other firewalls."""
        self.warnings += self.backend.warnings + self.neighbours.look(after)
        new = [item for name, item in after.items() if before.get(name) != item]
        if not new:
            return
        check_overlaps(after, before)
        mesh = mesh_of(self.host, self.state_dir, self.interface)
        reserved = Reserved(system.reserved_ports(self.host))
        reach = Reach(mesh.networks if mesh and not self.allow_outside_mesh else [], system.own_addresses(self.host))
        spoken = {family for family in (4, 6) if self.forwarding.has(family, self.interface)}
        for item in new:
            if item.family not in spoken:
                raise InvalidInput("target_ip", item.target_ip, f"of {item.forward_id} needs IPv{item.family}, which is switched off "
                                                                "on this host; give an address of the other version")
            self.backend.check(item)
            reserved.check(item)
            reach.check(item)
            if mesh:
                check_replies(item, mesh.reply_nodes, self.reply_nodes)
        if mesh is None and not self.allow_outside_mesh:
            self.warnings.append(f"this host has not joined a mesh on {self.interface} yet: whether the targets lie "
                                 "in it could not be checked, and forwards carry traffic only once it has")

    def explain(self, before: Forwards, after: Forwards, named: List[str], parts: List[str]) -> List[str]:
        """In the users' words, with the flows that :meth:`finish` cuts."""
        cut = [before[name] for name in named if name in before and before[name].proto != "tcp"]
        flows: Dict[str, int] = {}
        if cut:
            # without a look at the flows nothing is cut either, which the run warns of
            with contextlib.suppress(GatewayError):
                flows = conntrack.open_connections(self.host, [item._replace(proto="udp") for item in cut])
        return changes.of_forwards(before, after, named, flows) + changes.of_parts(parts)

    def ready(self, after: Forwards) -> None:
        """Raise without the firewall's tool, or that of the one that carries the forwards until now."""
        self.backend.ready(after)
        ready_to_clear(self.host, self.backend, self.interface)

    def write(self, before: Forwards, after: Forwards) -> None:
        """State first, then the boot file, then the kernel: a kill in between heals at the next run or boot."""
        self.store.save([item.as_kept() for _name, item in sorted(after.items())])
        boot_file, text = self.backend.boot_file, self.backend.boot_text(after)
        self.host.make_directory(boot_file.rpartition("/")[0], 0o755)
        if self.host.read(boot_file) != text.encode():
            self.host.write(boot_file, text)
        self.backend.apply(after)
        self.forwarding.apply({item.family for item in after.values()})
        self.neighbours.apply(after)
        for name in left_behind(self.host, self.backend):
            clear(self.host, name, self.interface)

    def confirm(self, before: Forwards, after: Forwards, touched: Set[str]) -> None:
        """Reading the kernel back was all the confirmation there is; say so when a boot would lose it."""
        unit = self.host.read(f"/etc/systemd/system/{BOOT_UNIT}")
        if after and (unit is None or self.backend.boot_file.encode() not in unit):
            self.warnings.append(f"{BOOT_UNIT} is not installed for {self.backend.name}: the forwards do not survive a reboot; "
                                 "apply the role edge.gateway.firewall")

    def finish(self, before: Forwards, after: Forwards, touched: Set[str]) -> None:
        """Cut UDP flows of the ports that changed, or they keep their old way."""
        ports: Dict[int, List[Tuple[int, int]]] = {4: [], 6: []}
        for side in (before, after):
            for name in touched:
                if name in side and side[name].proto != "tcp":
                    ports[side[name].family].append((side[name].first_port, side[name].last_port))
        self.warnings += conntrack.cut(self.host, ports)

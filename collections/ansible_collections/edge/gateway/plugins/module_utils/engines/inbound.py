# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter for inbound traffic: a file that a unit loads at boot, and a table of its own."""

from __future__ import annotations

from typing import List, Mapping, Set, Tuple

from ..errors import StateRefused, words_of
from ..formats import inbound as formats
from ..host import Host
from ..models.changes import of_parts
from ..models.inbound import NAME, Inbound, Inbounds
from . import system
from .base import BaseEngine

FILE = "/etc/edge-gateway/inbound.nft"
BOOT_UNIT = "edge-gateway-inbound.service"


class InboundEngine(BaseEngine[Inbound]):
    """The filter of one host: there is one, or none."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.file_part = f"({FILE})"

    def load(self) -> Inbounds:
        """The filter that was asked for."""
        data = self.host.read(FILE, own=True)
        if data is None:
            return {}
        try:
            return {NAME: formats.parse(data.decode("utf-8", "replace"))}
        except ValueError as problem:
            raise StateRefused(f"{FILE} {words_of(problem)}; nothing was changed, remove it to begin anew", FILE) from None

    def read(self) -> Mapping[str, object]:
        """What is loaded, and the file."""
        live: dict[str, object] = {self.file_part: (self.host.read(FILE) or b"").decode("utf-8", "replace") or None}
        if self.host.find("nft"):
            done = self.host.run(["nft", "-j", "list", "table", "inet", formats.TABLE], check=False)
            if done.rc == 0:
                live[NAME] = formats.parse_listing(done.out)
        return live

    def render(self, items: Inbounds) -> Mapping[str, object]:
        """The same as it has to be."""
        item = items.get(NAME)
        return {self.file_part: None} if item is None else {NAME: formats.comments(item), self.file_part: formats.render(item)}

    def check(self, before: Inbounds, after: Inbounds) -> None:
        """Say what is closed that somebody may miss."""
        item = after.get(NAME)
        if item is None or item == before.get(NAME):
            return
        closed = item.closes(system.listening(self.host) - self._tunnels())
        if closed:
            self.warnings.append(f"something listens on {', '.join(closed)}, which nobody outside the mesh can reach any more; "
                                 "add to edge_gateway_inbound_open what has to stay open")

    def _tunnels(self) -> Set[Tuple[str, int]]:
        """Ports of WireGuard: a host that calls its peer gets the answers, whatever its port is."""
        if not self.host.find("wg"):
            return set()
        lines = self.host.run(["wg", "show", "all", "listen-port"], check=False).out.split()
        return {("udp", int(word)) for word in lines if word.isdecimal()}

    def ready(self, after: Inbounds) -> None:
        """Raise without nft."""
        self.host.need("nft", "nftables")

    def explain(self, before: Inbounds, after: Inbounds, named: List[str], parts: List[str]) -> List[str]:
        """Which ports open and close."""
        if not named:
            return of_parts(parts)
        item, was = after.get(NAME), before.get(NAME)
        if item is None:
            return ["inbound: lets everything in"]
        if was is None:
            return [f"inbound: closes everything but {', '.join(map(str, item.openings))}"]
        lines = [f"inbound: opens {entry}" for entry in item.openings if entry not in was.openings]
        lines += [f"inbound: closes {entry}" for entry in was.openings if entry not in item.openings]
        return lines or ["inbound: repairs the filter" if item == was else f"inbound: {'opens' if item.mesh else 'closes'} the mesh"]

    def write(self, before: Inbounds, after: Inbounds) -> None:
        """The file first, then the table, in one transaction."""
        item = after.get(NAME)
        if item is None:
            self.host.remove(FILE)
            self.host.run(["nft", "-f", "-"], stdin=f"table inet {formats.TABLE}\ndelete table inet {formats.TABLE}\n")
            return
        self.host.make_directory("/etc/edge-gateway", 0o755)
        text = formats.render(item)
        if self.host.read(FILE) != text.encode():
            self.host.write(FILE, text)
        self.host.run(["nft", "-f", FILE])

    def confirm(self, before: Inbounds, after: Inbounds, touched: Set[str]) -> None:
        """Say when a boot would lose it."""
        if after and self.host.read(f"/etc/systemd/system/{BOOT_UNIT}") is None:
            self.warnings.append(f"{BOOT_UNIT} is not installed: the filter does not survive a reboot; "
                                 "apply the role edge.gateway.firewall")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables side of the forwards: our own table, the file it is loaded from at boot, and nothing else."""

from __future__ import annotations

import json

from ..errors import StateRefused
from ..formats import nftables
from ..formats.nftables import FAMILY, TABLE, Table
from ..host import Host
from ..models.forward import Forwards

BOOT_FILE = "/etc/edge-gateway/forwards.nft"
NO_TABLE = Table(frozenset(), {})


class NftablesBackend:
    """Reads and writes table ``inet edge_gateway``; foreign tables are not even listed."""

    name = "nftables"

    def __init__(self, host: Host, interface: str) -> None:
        self.host, self.interface = host, interface

    def ready(self) -> None:
        """Raise MissingTool without nft."""
        self.host.need("nft", "nftables")

    def read(self) -> Table:
        """The table as the kernel holds it; an empty one when there is none, or no nft to look with."""
        if self.host.find("nft") is None:
            return NO_TABLE
        done = self.host.run(["nft", "-j", "list", "table", FAMILY, TABLE], check=False)
        if done.rc == 0:
            return nftables.parse_table(json.loads(done.out))
        if "No such file or directory" in done.err:
            return NO_TABLE
        raise StateRefused(f"nft cannot list table {FAMILY} {TABLE} ({done.err.strip().splitlines()[0]}); "
                           "run as root on a kernel with nftables", TABLE)

    def wanted(self, forwards: Forwards) -> Table:
        """The table that these forwards need."""
        return nftables.table_of(forwards, self.interface)

    def boot_text(self, forwards: Forwards) -> str:
        """What the boot unit loads."""
        return nftables.render_table(self.wanted(forwards), self.interface)

    def apply(self, forwards: Forwards) -> None:
        """Make the kernel's table the wanted one, in one transaction: element by element when the structure stands."""
        live, wanted = self.read(), self.wanted(forwards)
        stands = live.structure == wanted.structure
        text = nftables.render_change(live, wanted) if stands else nftables.render_table(wanted, self.interface)
        if text:
            self.host.run(["nft", "-f", "-"], stdin=text)

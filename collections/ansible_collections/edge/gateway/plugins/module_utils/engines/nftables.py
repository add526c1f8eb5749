# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables side of the forwards: our own table, the file it is loaded from at boot, and nothing else."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from ..errors import CommandFailed, StateRefused
from ..formats import nftables_dump as dump
from ..formats.nftables import FAMILY, NO_TABLE, OLDEST, TABLE, Element, Table, version
from ..formats.nftables_text import Layout
from ..host import Host
from ..models.choices import BOOT_FILES
from ..models.forward import Forward, Forwards
from .netlink import Netfilter

BOOT_FILE = BOOT_FILES["nftables"]


class NftablesBackend:
    """Reads and writes table ``inet edge_gateway``; foreign tables are not even listed."""

    name = "nftables"
    boot_file = BOOT_FILE

    def __init__(self, host: Host, interface: str) -> None:
        self.host, self.interface = host, interface
        self.warnings: List[str] = []
        self._counters: Dict[str, List[bytes]] = {}
        self._live: Optional[Table] = None
        self._likely: Mapping[str, Tuple[Element, ...]] = {}
        self._layouts: Dict[int, Tuple[Forwards, Layout]] = {}

    def check(self, forward: Forward) -> None:
        """Every option can be had with nftables."""

    def ready(self, forwards: Forwards) -> None:
        """Raise MissingTool without nft."""
        self.host.need("nft", "nftables")

    def read(self) -> Table:
        """The table as the kernel holds it, which nft is not needed for; an empty one when there is none."""
        try:
            self._live = self._read()
        except StateRefused:
            if self.host.find("nft") is not None:
                raise
            # a host for nothing but iptables, whose kernel may not know such tables
            self._live = NO_TABLE
        return self._live

    def _read(self) -> Table:
        with Netfilter() as kernel:
            flags = dump.table_flags(kernel.dump(dump.SUBSYSTEM, dump.GET_TABLE, dump.INET))
            if flags is None:
                return NO_TABLE
            dump.refuse_objects("named object", self._dump(kernel, dump.GET_OBJECT))
            dump.refuse_objects("flowtable", self._dump(kernel, dump.GET_FLOWTABLE))
            infos = dump.sets(self._dump(kernel, dump.GET_SET))
            chains = dump.chains(self._dump(kernel, dump.GET_CHAIN), self._dump(kernel, dump.GET_RULE))
            lists = {info.name: dump.allow_list(info, self._elements(kernel, info)) for info in infos if info.is_list}
            self._counters = {}
            return dump.table_of(flags, infos, chains, lists, self._entries(kernel, infos))

    def counts(self) -> Dict[str, dump.Count]:
        """By forward id, how many connections it has opened, and the bytes of their first packets; as last read."""
        return {name: dump.count(found) for name, found in self._counters.items()}

    def _entries(self, kernel: Netfilter, infos: Iterable[dump.SetInfo]) -> Iterator[Tuple[str, Element]]:
        for info in infos:
            if info.is_holder:
                known = dump.expected(info.name, self._likely) if info.name in ("tcp4", "udp4") else {}
                yield from dump.elements(info, self._elements(kernel, info), self._counters, known)

    @staticmethod
    def _dump(kernel: Netfilter, kind: int) -> List[bytes]:
        return kernel.dump(dump.SUBSYSTEM, kind, dump.INET, dump.in_table(1))

    @staticmethod
    def _elements(kernel: Netfilter, info: dump.SetInfo) -> List[bytes]:
        return kernel.dump(dump.SUBSYSTEM, dump.GET_ELEMENTS, dump.INET, dump.elements_filter(info.name))

    def layout(self, forwards: Forwards) -> Layout:
        """The table that these forwards need."""
        # a run asks for the same two again and again, and a run is all the time that this lives
        if id(forwards) not in self._layouts:
            self._layouts[id(forwards)] = forwards, Layout(forwards, self.interface)
        # whatever is read next will mostly be what was asked for last
        self._likely = self._layouts[id(forwards)][1].table.elements
        return self._layouts[id(forwards)][1]

    def wanted(self, forwards: Forwards) -> Table:
        """The table that these forwards need, in the terms of :meth:`read`."""
        return self.layout(forwards).table

    def boot_text(self, forwards: Forwards) -> str:
        """What the boot unit loads."""
        return self.layout(forwards).text

    def apply(self, forwards: Forwards) -> None:
        """Make the kernel's table the wanted one, in one transaction; piece by piece unless a part has the wrong type."""
        live, layout = self._live if self._live is not None else self.read(), self.layout(forwards)
        # what follows is no longer what was read
        self._live = None
        text = layout.change(live) if layout.fits(live) else layout.text
        if text:
            self._load(text)

    def clear(self) -> None:
        """Delete our table."""
        if self.read() is not NO_TABLE:
            self._load(f"delete table {FAMILY} {TABLE}\n")

    def _load(self, text: str) -> None:
        try:
            self.host.run(["nft", "-f", "-"], stdin=text, holds_lock=True)
        except CommandFailed:
            # not asked before: it costs each run a process, and most old ones can do what most forwards need
            found = version(self.host.run(["nft", "--version"], check=False).out)
            if found and found < OLDEST:
                shown, needed = (".".join(map(str, numbers)) for numbers in (found, OLDEST))
                raise CommandFailed(f"nft {shown} of this host is too old; install nftables {needed} or later, and run again",
                                    "nft") from None
            raise

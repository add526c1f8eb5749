# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's socket tables (proc(5), /proc/net/tcp and its siblings)."""

from __future__ import annotations

from typing import Set

TCP_LISTEN = "0A"


def listening_ports(table: str, proto: str) -> Set[int]:
    """Ports that something listens on at an address other hosts can reach.

    Args:
        table: the text of one file.
        proto: ``tcp`` (listening sockets) or ``udp`` (sockets without a peer).

    Raises:
        ValueError: it is no such table.
    """
    ports = set()
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 4:
            continue
        address, port = columns[1].split(":")
        listens = columns[3] == TCP_LISTEN if proto == "tcp" else columns[2].endswith(":0000")
        if listens and not _is_loopback(address):
            ports.add(int(port, 16))
    return ports


def _is_loopback(address: str) -> bool:
    # each 32-bit word is printed in the host's byte order, so 127.0.0.1 ends in 7F on the machines that exist
    if len(address) == 8:
        return address.endswith("7F")
    return address == "0" * 24 + "01000000" or address.startswith("0" * 16 + "FFFF0000") and address.endswith("7F")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports this host itself uses, from the kernel's socket tables."""

from __future__ import annotations

from typing import Set

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats.procnet import listening_ports

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000     0        0 1234 1 0000000000000000 100 0 0 10 0\n"
ANY6, LOOP6, MAPPED6 = "0" * 32, "0" * 24 + "01000000", "0000000000000000FFFF00000100007F"
MAPPED_REAL6 = "0000000000000000FFFF00000C00320A"


def table(*rows: str) -> str:
    """A socket table of (local, remote, state) rows, as Linux 6 prints it."""
    return HEAD + "".join(f"   {number}: {row} {REST}" for number, row in enumerate(rows))


@pytest.mark.parametrize(("row", "ports"), [
    ("00000000:0016 00000000:0000 0A", {22}),
    ("0A32000C:01BB 00000000:0000 0A", {443}),
    ("0100007F:1F90 00000000:0000 0A", set()),
    ("0509007F:1F90 00000000:0000 0A", set()),
    ("7F00000A:1F90 00000000:0000 0A", {8080}),
    ("00000000:0016 0A32000C:C350 01", set()),
    ("00000000:0016 00000000:0000 07", set()),
    (f"{ANY6}:0050 {ANY6}:0000 0A", {80}),
    (f"{LOOP6}:1F90 {ANY6}:0000 0A", set()),
    (f"{MAPPED6}:1F90 {ANY6}:0000 0A", set()),
    (f"{MAPPED_REAL6}:1F90 {ANY6}:0000 0A", {8080}),
    (f"B80D0120000000000000000005000000:FFFF {ANY6}:0000 0A", {65535}),
])
def test_tcp(row: str, ports: Set[int]) -> None:
    """Listening sockets that another host can reach."""
    assert listening_ports(table(row), "tcp") == ports


@pytest.mark.parametrize(("row", "ports"), [
    ("00000000:CA6C 00000000:0000 07", {51820}),
    ("0100007F:0035 00000000:0000 07", set()),
    ("0A32000C:C350 08080808:0035 01", set()),
    (f"{ANY6}:CA6C {ANY6}:0000 07", {51820}),
    (f"{LOOP6}:0035 {ANY6}:0000 07", set()),
])
def test_udp(row: str, ports: Set[int]) -> None:
    """Sockets that wait for anyone; a client's own connected socket is none."""
    assert listening_ports(table(row), "udp") == ports


@pytest.mark.parametrize("text", ["", HEAD, HEAD + "\n", HEAD + "  0: 00000000:0016\n"])
def test_empty(text: str) -> None:
    """A kernel without IPv6, or a table without rows."""
    assert listening_ports(text, "tcp") == set()


def test_several() -> None:
    """Each port once."""
    rows = ["00000000:0016 00000000:0000 0A", "0A32000C:0016 00000000:0000 0A", "00000000:0050 00000000:0000 0A"]
    assert listening_ports(table(*rows), "tcp") == {22, 80}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes that a probe tries, what a tunnel may carry, and echoes as bytes."""

from __future__ import annotations

import random

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import path_mtu
from ansible_collections.edge.gateway.plugins.module_utils.formats import icmp
from ansible_collections.edge.gateway.plugins.module_utils.models.path import (
    BURST,
    LARGEST_PATH,
    between,
    first_sizes,
    tunnel_mtu,
)

IP = bytes([0x45, *[0] * 19])
WITH_OPTIONS = bytes([0x46, *[0] * 23])


@pytest.mark.parametrize(("path", "family", "expected"), [
    (1500, 4, 1440), (1500, 6, 1408), (1492, 4, 1424), (1492, 6, 1408), (1420, 4, 1360), (1401, 4, 1328),
    (1340, 4, 1280), (1339, 4, 1280), (1280, 6, 1280), (68, 4, 1280), (9000, 4, 8928), (9080, 6, 8992), (65535, 4, 9000),
])
def test_what_fits_into_a_tunnel(path: int, family: int, expected: int) -> None:
    """The path less what WireGuard adds, within what the option mtu takes too."""
    assert tunnel_mtu(path, family) == expected


@pytest.mark.parametrize(("family", "header"), [(4, 20), (6, 40)])
def test_no_inner_packet_makes_a_larger_outer_one(family: int, header: int) -> None:
    """Padded as WireGuard pads (to 16 bytes, but not beyond the sender's MTU), each fits, also from a peer with a larger MTU."""
    for path in range(1280 + header + 40, 1700):
        mtu = tunnel_mtu(path, family)
        largest = max(min((size + 15) // 16 * 16, peers) for size in range(mtu + 1) for peers in (mtu, 9000))
        assert path - 16 < largest + header + 8 + 32 <= path


@pytest.mark.parametrize(("low", "high"), [(0, 1), (1280, 1281), (1280, 1296), (1280, 1297), (1280, 1500), (1280, LARGEST_PATH)])
def test_sizes_between_are_spread(low: int, high: int) -> None:
    """Ascending, no more than a burst, the high one among them, and nothing below or twice."""
    sizes = between(low, high)
    assert sizes == sorted(set(sizes)) and low < sizes[0] and sizes[-1] == high and len(sizes) == min(BURST, high - low)
    gaps = [after - before for before, after in zip([low, *sizes], sizes)]
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(("low", "high"), [(5, 5), (6, 5), (1500, 1280)])
def test_nothing_lies_between(low: int, high: int) -> None:
    """The end of a search."""
    assert between(low, high) == []


@pytest.mark.parametrize("link", [576, 1279, 1280, 1281, 1492, 1500, LARGEST_PATH])
def test_the_first_burst_reaches_from_the_least_to_the_link(link: int) -> None:
    """A link narrower than any tunnel is asked for itself alone."""
    sizes = first_sizes(link)
    assert sizes[0] == min(1280, link) and sizes[-1] == link and len(sizes) <= BURST and sizes == sorted(set(sizes))


def test_two_bursts_find_any_size_of_an_ethernet() -> None:
    """The gaps of the first are no wider than the second."""
    first = first_sizes(1500)
    for path in range(1280, 1501):
        low = max(size for size in first if size <= path)
        high = min((size for size in first if size > path), default=low + 1)
        assert path in (low, *between(low, high))


@pytest.mark.parametrize("size", [28, 29, 1280, 1499, 9000])
def test_a_request_of_ipv4_has_its_size_and_checksum(size: int) -> None:
    """The checksum over a packet with its own checksum is zero."""
    packet = icmp.request(4, 0xBEEF, 7, icmp.filling(4, size))
    assert len(packet) == size - 20 and icmp.checksum(packet) == 0 and icmp.HEADER.unpack_from(packet)[3:] == (0xBEEF, 7)


def test_a_known_checksum() -> None:
    """The example of RFC 1071."""
    assert icmp.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D


def test_a_request_of_ipv6_leaves_the_checksum_to_the_kernel() -> None:
    """Which alone knows the source address that goes into it."""
    packet = icmp.request(6, 1, 2, icmp.filling(6, 1280))
    assert len(packet) == 1240 and icmp.HEADER.unpack_from(packet) == (128, 0, 0, 1, 2)


@pytest.mark.parametrize(("family", "front"), [(4, IP), (4, WITH_OPTIONS), (6, b"")])
def test_a_reply_is_read(family: int, front: bytes) -> None:
    """Behind an IP header of any length, or none."""
    body = icmp.HEADER.pack(icmp.REPLY[family], 0, 0xFFFF, 300, 65535) + bytes(100)
    assert icmp.reply(family, front + body) == (300, 65535, icmp.IP_HEADER[family] + len(body), bytes(100))


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_no_reply(family: int) -> None:
    """Requests, errors, other codes, the other version's, and halves."""
    front = IP if family == 4 else b""
    for kind in range(256):
        for code in (0, 1, 255):
            heard = icmp.reply(family, front + icmp.HEADER.pack(kind, code, 0, 1, 1))
            assert (heard is not None) == ((kind, code) == (icmp.REPLY[family], 0))
    whole = front + icmp.HEADER.pack(icmp.REPLY[family], 0, 0, 1, 1)
    assert all(icmp.reply(family, whole[:size]) is None for size in range(len(whole)))


def test_rubbish_is_ignored() -> None:
    """Whatever bytes come, nothing is raised."""
    source = random.Random(1)
    for _ in range(2000):
        packet = bytes(source.randrange(256) for _ in range(source.randrange(60)))
        for family in (4, 6):
            icmp.reply(family, packet)


@pytest.mark.parametrize("address", ["", "hub.example.com", "300.1.1.1", "x" * 300, "1.2.3.4\0", "fd50::/64", "[::1]", "ü"])
def test_what_is_no_address_cannot_be_measured(address: str) -> None:
    """No look-up, no exception."""
    assert path_mtu.probe(address) is None

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of packets: what to try on a path, and what a tunnel over it may carry."""

from __future__ import annotations

from typing import List

# less is no MTU of an interface with IPv6, and more than the option mtu takes is of no use
SMALLEST_TUNNEL, LARGEST_TUNNEL = 1280, 9000
# IP header, 8 of UDP, and 32 of WireGuard: 16 in front of the inner packet and 16 behind it
OVERHEAD = {4: 20 + 8 + 32, 6: 40 + 8 + 32}
LARGEST_PATH = LARGEST_TUNNEL + OVERHEAD[6]
SMALLEST_PATH = 1280
BURST = 16


def tunnel_mtu(path: int, family: int) -> int:
    """The largest inner packet whose WireGuard packet still fits into the path, in both directions.

    WireGuard pads an inner packet to a multiple of 16, but not beyond the sender's own MTU. The peer's may be larger, and then a
    packet that just fits ours would be padded beyond the path: so the MTU is a multiple of 16 itself.
    """
    return min(max((path - OVERHEAD[family]) // 16 * 16, SMALLEST_TUNNEL), LARGEST_TUNNEL)


def first_sizes(link: int) -> List[int]:
    """Sizes for the first burst on a path that starts with a link of this MTU, ascending."""
    smallest = min(SMALLEST_PATH, link)
    return [smallest, *between(smallest, link, BURST - 1)]


def between(low: int, high: int, count: int = BURST) -> List[int]:
    """At most so many sizes above the low one, evenly spread, the high one among them; none when nothing lies between."""
    width = max(high - low, 0)
    steps = min(width, count)
    return [low + width * step // steps for step in range(1, steps + 1)]

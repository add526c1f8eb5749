# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The path of a tunnel's packets through the internet."""

from __future__ import annotations

from typing import List

# of an inner packet: what IPv6 needs at the least
SMALLEST = 1280
# outer IP header, UDP header, and WireGuard's header and tag (https://www.wireguard.com/protocol/)
OVERHEAD = {4: 20 + 8 + 32, 6: 40 + 8 + 32}


def tunnel_mtu(path: int, family: int) -> int:
    """The largest inner packet on a path, in bytes.

    WireGuard pads packets to a multiple of 16 bytes, but never beyond the interface's MTU, so nothing has to be rounded.

    Args:
        path: the largest packet that reaches the peer.
        family: IP version of the outer packets.
    """
    return max(SMALLEST, path - OVERHEAD[family])


def candidates(low: int, high: int, most: int) -> List[int]:
    """Sizes from above ``low`` up to ``high``, evenly spread and at the most so many; ``high`` is one of them."""
    count = min(most, high - low)
    return sorted({low + (high - low) * number // count for number in range(1, count + 1)}) if count > 0 else []

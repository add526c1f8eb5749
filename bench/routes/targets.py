# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the collection: each against a limit or a peer of the same run."""

from __future__ import annotations

from typing import List

from ..common.stats import Samples
from ..common.targets import Target
from .rps import OURS, SCHEMES
from .served import CHANGES, INSIDE, MODULE

JUDGED = "rps/core"
# two starts of Traefik with the same files differ by five percent, and the ratio is good to three: what is called equal
EQUAL = 0.95


def targets(samples: Samples, sizes: List[int], count: int) -> List[Target]:
    """All of them."""
    return [*_served(samples, sizes), *_requests(samples, min(sizes), max(sizes)), *_plays(samples, count)]


def _served(samples: Samples, sizes: List[int]) -> List[Target]:
    said = {"add": "one more of {} served", "remove": "one less of {} gone"}
    return [Target(f"{said[change].format(size)}, module - a file by hand, s",
                   samples.difference(f"served/served/{change}/{MODULE}/{size}", f"served/served/{change}/{INSIDE}/{size}"), 0.3, False)
            for size in sizes for change in CHANGES]


def _requests(samples: Samples, low: int, top: int) -> List[Target]:
    """Where hand-written files lose as much by number as ours, being as good as those is enough."""
    found = []
    for scheme in SCHEMES:
        key = f"{JUDGED}/{scheme}"
        by_number, by_hand_too = (samples.ratio(f"{key}/{name}/{top}", f"{key}/{name}/{low}") for name in (OURS, "hand"))
        by_hand = samples.ratio(f"{key}/{OURS}/{top}", f"{key}/hand/{top}")
        if by_hand_too is None or by_hand_too >= 0.9:
            found.append(Target(f"requests by {scheme}, {top} routes : {low}", by_number, 0.9, True))
        else:
            found.append(Target(f"requests by {scheme}, {top} routes, ours : by hand (by hand {top} : {low} is {by_hand_too:.2f}, "
                                f"ours {by_number or 0:.2f})", by_hand, EQUAL, True))
    return found


def _plays(samples: Samples, count: int) -> List[Target]:
    return [Target(f"{count} routes with src, without Traefik's own reload : a ping",
                   samples.ratio("play/without-reload", "play/ping"), 2.0, False),
            Target(f"{count} routes with src again : a ping", samples.ratio("play/again", "play/ping"), 1.6, False)]

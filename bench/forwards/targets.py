# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the collection: ratios within one run, each against a limit or a peer."""

from __future__ import annotations

from typing import List

from ..common.stats import Samples
from ..common.targets import Target

JUDGED = "reset-core"


def targets(samples: Samples, sizes: List[int], middle: int) -> List[Target]:
    """All of them."""
    return [*_data(samples, min(sizes), max(sizes)), *_control(samples, max(sizes), middle)]


def _data(samples: Samples, low: int, top: int) -> List[Target]:
    def rate(name: str) -> str:
        return f"data/{JUDGED}/{name}"
    ours = rate(f"ours/{top}")
    ratios = [("one hand-written rule", ours, "hand/1", 0.95), ("plain routing", ours, "plain/1", 0.80),
              ("the seed's layout with as many", ours, f"seed-nft/{top}", 10), (f"{low} forwards", ours, f"ours/{low}", 0.95)]
    found = [Target(f"connections, {top} forwards : {what}", samples.ratio(name, rate(to)), bound, True)
             for what, name, to, bound in ratios]
    lists = samples.ratio(rate(f"lists/{top}"), ours)
    return [*found, Target(f"connections, {top} forwards with allow-lists : without", lists, 0.85, True)]


def _control(samples: Samples, top: int, middle: int) -> List[Target]:
    source = f"play/src/{middle}"
    loop = samples.median("peer/loop") * middle / samples.median(source) if samples.has("peer/loop") and samples.has(source) else None
    return [
        Target(f"apply {top} with src : a ping", samples.ratio(f"play/src/{top}", f"play/ping/{top}"), 1.6, False),
        Target(f"apply {top} again : a ping", samples.ratio(f"play/src-again/{top}", f"play/ping/{top}"), 1.6, False),
        Target(f"add one to {top} : to none", samples.ratio(f"play/add-one/{top}", f"play/add-to-none/{top}"), 1.3, False),
        Target(f"{top} as variables : a task that only carries them",
               samples.ratio(f"play/inline-json/{top}", f"play/carry-json/{top}"), 1.3, False),
        Target(f"loop of ansible.builtin.iptables over {middle} (scaled) : apply with src", loop, 150, True),
        Target(f"pyinfra with {middle} rules : apply with src", samples.ratio(f"peer/pyinfra/{middle}", source), 1, True),
    ]

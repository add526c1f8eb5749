# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the collection: each against a peer of the same run."""

from __future__ import annotations

from typing import List

from ..common.stats import Samples
from ..common.targets import Target
from .site import forks


def targets(samples: Samples, sizes: List[int]) -> List[Target]:
    """All of them."""
    found = [Target(f"nothing to do, edges: {size}, forks: {at_once}; site.yml : the same tasks without work",
                    samples.ratio(f"again/{size}/{at_once}/seconds", f"nothing/{size}/{at_once}/seconds"), 2.25, False)
             for size in sizes for at_once in forks(size)[-1:]]
    return [*found, Target("one call, tcp_forward.yml : the module by itself (ansible -m)", samples.ratio("call/play", "call/adhoc"),
                           1.25, False)]

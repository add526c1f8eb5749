# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples and what is said of them.

A ratio is the median of the ratios within each round: both sides of it saw the same load of the machine.
"""

from __future__ import annotations

from statistics import median
from typing import Dict, List, Optional, Tuple


class Samples:
    """Figures by name, each with the round it was taken in."""

    def __init__(self) -> None:
        self.taken: Dict[str, List[Tuple[int, float]]] = {}

    def add(self, name: str, number: int, figure: float) -> None:
        """Keep a figure of a round."""
        self.taken.setdefault(name, []).append((number, figure))

    def has(self, name: str) -> bool:
        """Whether there is any figure of that name."""
        return name in self.taken

    def figures(self, name: str) -> List[float]:
        """All figures of a name."""
        return [figure for _number, figure in self.taken[name]]

    def last(self, name: str) -> float:
        """The figure that came last."""
        return self.figures(name)[-1]

    def median(self, name: str) -> float:
        """The figure in the middle."""
        return median(self.figures(name))

    def lowest(self, name: str) -> float:
        """The least: the best of what is a time."""
        return min(self.figures(name))

    def highest(self, name: str) -> float:
        """The most: the best of what is a rate."""
        return max(self.figures(name))

    def ratio(self, name: str, to: str) -> Optional[float]:
        """How many times of ``to``; None when one of them is missing."""
        if not (self.has(name) and self.has(to)):
            return None
        pairs = self._pairs(name, to)
        if not pairs:
            return self.median(name) / self.median(to)
        return median(ours / theirs for ours, theirs in pairs)

    def difference(self, name: str, to: str) -> Optional[float]:
        """How much more than ``to``, within the rounds; None when one of them is missing."""
        pairs = self._pairs(name, to) if self.has(name) and self.has(to) else []
        return median(ours - theirs for ours, theirs in pairs) if pairs else None

    def _pairs(self, name: str, to: str) -> List[Tuple[float, float]]:
        ours, theirs = self._by_round(name), self._by_round(to)
        return [(ours[number], theirs[number]) for number in sorted(set(ours) & set(theirs))]

    def _by_round(self, name: str) -> Dict[int, float]:
        rounds: Dict[int, List[float]] = {}
        for number, figure in self.taken[name]:
            rounds.setdefault(number, []).append(figure)
        return {number: median(figures) for number, figures in rounds.items()}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the collection, and whether it is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Target:
    """A figure of one run, usually a ratio against a limit or a peer, and its bound."""

    what: str
    measured: Optional[float]
    bound: float
    at_least: bool

    @property
    def met(self) -> Optional[bool]:
        """Whether it is; None when it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What most engines have in common; each overrides the steps at which its system differs.

The whole list of steps, with what each has to do, is ``converge.Engine``.
"""

from __future__ import annotations

from typing import ContextManager, Dict, Generic, List, Set, TypeVar

from ..host import Host

Item = TypeVar("Item")


class BaseEngine(Generic[Item]):
    """An engine for a system on which nobody outside has a say, and where reading back is all the confirmation."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.warnings: List[str] = []

    def wait(self) -> None:
        """Nobody has to do anything first."""

    def lock(self) -> ContextManager[None]:
        """The host-wide lock."""
        return self.host.lock()

    def describe(self, item: Item) -> str:
        """The object as text, for a diff; models hold no secrets."""
        return str(item)

    def settle(self, before: Dict[str, Item], after: Dict[str, Item]) -> Dict[str, Item]:
        """Nobody outside has a say."""
        return after

    def confirm(self, before: Dict[str, Item], after: Dict[str, Item], touched: Set[str]) -> None:
        """Reading back was all the confirmation there is."""

    def finish(self, before: Dict[str, Item], after: Dict[str, Item], touched: Set[str]) -> None:
        """Nothing is left behind."""

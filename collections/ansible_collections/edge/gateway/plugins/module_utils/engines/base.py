# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What most engines have in common; each overrides the steps at which its system differs.

The whole list of steps, with what each has to do, is ``converge.Engine``.
"""

from __future__ import annotations

import contextlib
from typing import ContextManager, Dict, Generic, List, Mapping, Optional, Set, TypeVar

from ..errors import GatewayError
from ..host import Host
from ..models.changes import of_parts
from .history import Chronicle

Item = TypeVar("Item")


class BaseEngine(Generic[Item]):
    """An engine for a system on which nobody outside has a say, and where reading back is all the confirmation.

    Attributes:
        chronicle: where runs are noted, for those that people ask about.
    """

    chronicle: Optional[Chronicle] = None

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

    def explain(self, before: Dict[str, Item], after: Dict[str, Item], named: List[str], parts: List[str]) -> List[str]:
        """What happens to each object and part, in one word."""
        verbs = [(name, "adds" if name not in before else "removes" if name not in after else
                  "repairs" if before[name] == after[name] else "changes") for name in named]
        return [f"{verb} {name}" for name, verb in verbs] + of_parts(parts)

    def note(self, ids: Mapping[str, List[str]], changed: bool) -> None:
        """Note the run where somebody may look for it."""
        if self.chronicle:
            # the work is done, and a full disk must not make a failure of it
            with contextlib.suppress(GatewayError):
                self.chronicle.note(ids, changed)

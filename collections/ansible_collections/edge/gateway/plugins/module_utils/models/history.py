# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs have changed on a host, newest first: for people who ask what happened, never read as what is wanted."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ..errors import InvalidInput, Unreadable
from . import fields

KINDS = ("added", "updated", "removed", "repaired")
KEPT_CHANGES = 100
# a change of ten thousand forwards is told by their number
NAMED_IDS = 20


class Change(NamedTuple):
    """One run that changed something.

    Attributes:
        time: as :func:`.fields.moment` has it.
        module: whose run it was.
        counts: how many objects, by :data:`KINDS`.
        names: the first :data:`NAMED_IDS` ids of each kind.
    """

    time: str
    module: str
    counts: Tuple[int, ...]
    names: Tuple[Tuple[str, ...], ...]

    @classmethod
    def of(cls, time: str, module: str, ids: Mapping[str, Sequence[str]]) -> Change:
        """The change of one run, by the ids of each kind."""
        return cls(time, module, tuple(len(ids[kind]) for kind in KINDS), tuple(tuple(ids[kind][:NAMED_IDS]) for kind in KINDS))

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Change:
        """The change that :meth:`as_dict` described."""
        counts = tuple(fields.integer(f"counts.{kind}", entry["counts"].get(kind, 0), 0, 10**9) for kind in KINDS)
        names = tuple(tuple(fields.text(kind, name) for name in entry.get(kind, [])) for kind in KINDS)
        return cls(fields.moment("time", entry["time"]), fields.text("module", entry["module"]), counts, names)

    def as_dict(self) -> Dict[str, Any]:
        """The change as it is kept and returned."""
        return {"time": self.time, "module": self.module, "counts": dict(zip(KINDS, self.counts)),
                **{kind: list(names) for kind, names in zip(KINDS, self.names)}}


class History(NamedTuple):
    """The last runs and changes of a host.

    Attributes:
        runs: when each module ran last, whether or not it changed anything.
        changes: newest first.
    """

    runs: Mapping[str, str] = {}      # noqa: RUF012  a tuple's default is shared, and nothing writes to it
    changes: Tuple[Change, ...] = ()

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> History:
        """The history that :meth:`as_dict` described.

        Raises:
            ValueError: it is another one.
        """
        try:
            runs = {fields.text("module", name): fields.moment(name, time) for name, time in document["runs"].items()}
            return cls(runs, tuple(Change.parse(entry) for entry in document["changes"][:KEPT_CHANGES]))
        except (InvalidInput, KeyError, AttributeError, TypeError) as problem:
            raise Unreadable("is no history") from problem

    def with_run(self, time: str, module: str, ids: Mapping[str, Sequence[str]], changed: bool) -> History:
        """The history after one more run."""
        changes: List[Change] = [Change.of(time, module, ids)] if changed else []
        return History({**self.runs, module: time}, (*changes, *self.changes)[:KEPT_CHANGES])

    def as_dict(self) -> Dict[str, Any]:
        """The history as it is kept."""
        return {"runs": dict(self.runs), "changes": [change.as_dict() for change in self.changes]}

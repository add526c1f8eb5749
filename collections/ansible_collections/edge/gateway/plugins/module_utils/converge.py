# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of every module that changes something: read, plan, apply, verify, report.

Check mode stops after the plan, in one place, so what it predicts cannot differ from what is done; and the diff is
made from the values that are applied, so it cannot tell another story. An engine says how one outside system is read
and written; see :class:`Engine`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Callable, ContextManager, Dict, Generic, List, Mapping, Protocol, Set, TypeVar

from .errors import GatewayError, VerifyFailed

NAME_WIDTH = 20

Item = TypeVar("Item")
Items = Dict[str, Item]
# What the outside system holds: by the id of the object, and under names in parentheses the rest that must be right
Live = Mapping[str, object]


class Engine(Protocol[Item]):
    """One outside system: where the wanted objects are kept, and where they take effect."""

    warnings: List[str]

    def wait(self) -> None:
        """Wait for what others must do first; they may need the lock for it."""

    def lock(self) -> ContextManager[None]:
        """Hold every other run off from read to verify."""

    def load(self) -> Items[Item]:
        """The objects that were asked for earlier."""

    def read(self) -> Live:
        """What is in effect. Without the tool to look with, nothing is."""

    def render(self, items: Items[Item]) -> Live:
        """What should be in effect for these objects, in the same terms as :meth:`read`; a part that must go is None."""

    def describe(self, item: Item) -> str:
        """The object for a person who reads a diff."""

    def check(self, before: Items[Item], after: Items[Item]) -> None:
        """Raise when ``after`` cannot be wanted on this host."""

    def ready(self, after: Items[Item]) -> None:
        """Raise when the host lacks what applying needs; nothing has been touched yet."""

    def settle(self, before: Items[Item], after: Items[Item]) -> Items[Item]:
        """Fill in what only someone outside can tell, such as a controller's answer."""

    def write(self, before: Items[Item], after: Items[Item]) -> None:
        """Keep the objects, then put them into effect in one transaction."""

    def confirm(self, before: Items[Item], after: Items[Item], touched: Set[str]) -> None:
        """Raise unless the system itself says that the objects work, those above all that this run touched."""

    def finish(self, before: Items[Item], after: Items[Item], touched: Set[str]) -> None:
        """Clear away what the change has left behind, such as stale flows of the ids that it touched."""

    def explain(self, before: Items[Item], after: Items[Item], named: List[str], parts: List[str]) -> List[str]:
        """What the run means to people, a line for each object and part that differs; nothing has been done yet."""

    def note(self, ids: Mapping[str, List[str]], changed: bool) -> None:
        """Keep for people who ask later what this run has done."""


Edit = Callable[[Items[Item]], Items[Item]]


@dataclass(frozen=True)
class Plan(Generic[Item]):
    """Before and after of one run.

    Attributes:
        announced: ``after`` as it was predicted, before :meth:`Engine.settle`; a new object is shown that way.
        was_wanted, wanted: ``before`` and ``after`` as :meth:`Engine.render` puts them.
    """

    before: Items[Item]
    after: Items[Item]
    announced: Items[Item]
    live: Live
    was_wanted: Live
    wanted: Live

    @property
    def changed(self) -> bool:
        """Whether anything has to be done."""
        return self.before != self.after or not in_effect(self.live, self.wanted)

    @cached_property
    def added(self) -> List[str]:
        """Ids that were not asked for before."""
        return sorted(set(self.after) - set(self.before))

    @cached_property
    def updated(self) -> List[str]:
        """Ids whose object differs."""
        before = self.before
        return sorted(name for name, item in self.after.items() if name in before and before[name] is not item and before[name] != item)

    @cached_property
    def removed(self) -> List[str]:
        """Ids that are no longer wanted, or were in effect though nobody asked for them."""
        return sorted((set(self.before) | {name for name in self.live if not is_part(name)}) - set(self.after))

    @cached_property
    def repaired(self) -> List[str]:
        """Ids that were asked for and stay as they are, but were not in effect that way."""
        after, updated = self.after, set(self.updated)
        return sorted(name for name in self.before if name in after and name not in updated and self.drifted(name))

    @property
    def ids(self) -> Dict[str, List[str]]:
        """The ids of each kind of change."""
        return {"added": self.added, "updated": self.updated, "removed": self.removed, "repaired": self.repaired}

    @property
    def parts(self) -> List[str]:
        """Parts that objects share, that were not in effect as they had to be, and that the run puts right."""
        return sorted(name for name, value in self.wanted.items() if is_part(name) and self.drifted(name) and self.live.get(name) != value)

    @cached_property
    def touched(self) -> Set[str]:
        """Ids whose effect differs after the run: all of them when a part that they share was not in effect."""
        if any(is_part(name) and self.drifted(name) for name in self.wanted):
            return set(self.before) | set(self.after)
        return {*self.added, *self.updated, *self.removed, *self.repaired}

    def drifted(self, name: str) -> bool:
        """Whether an object or part was not in effect as it had been asked for."""
        return self.live.get(name) != self.was_wanted.get(name)


@dataclass(frozen=True)
class Outcome(Generic[Item]):
    """What a module reports."""

    plan: Plan[Item]
    describe: Callable[[Item], str]
    warnings: List[str]
    changes: List[str]

    @property
    def diff(self) -> Dict[str, str]:
        """Both sides as text."""
        return _diff(self.describe, self.plan)

    @property
    def items(self) -> List[Item]:
        """The objects that are wanted after the run, in the order of their ids."""
        return [item for _name, item in sorted(self.plan.after.items())]

    def as_dict(self, diff: bool = True) -> Dict[str, Any]:
        """The return values that all modules share; the diff costs as much as the whole list is long."""
        plan = self.plan
        values = {"changed": plan.changed, **plan.ids, "changes": self.changes, "warnings": self.warnings}
        return {**values, "diff": self.diff} if diff else values


def is_part(name: str) -> bool:
    """Whether a name of :data:`Live` stands for a part of the system rather than for an object."""
    return name.startswith("(")


def in_effect(live: Live, wanted: Live) -> bool:
    """Whether all that is wanted is live, and no object is live that is not wanted."""
    return all(live.get(name) == value for name, value in wanted.items()) and \
        all(name in wanted for name in live if not is_part(name))


def converge(engine: Engine[Item], edit: Edit[Item], dry_run: bool) -> Outcome[Item]:
    """Bring the system to what ``edit`` makes of the wanted objects.

    Raises:
        GatewayError: nothing has changed, or what stood before has been restored.
    """
    if dry_run:
        with engine.lock():
            plan = _plan(engine, edit)
            return Outcome(plan, engine.describe, engine.warnings, _explained(engine, plan))
    engine.wait()
    with engine.lock():
        plan = _plan(engine, edit)
        changes = _explained(engine, plan)
        return Outcome(_carry_out(engine, plan), engine.describe, engine.warnings, changes)


def _explained(engine: Engine[Item], plan: Plan[Item]) -> List[str]:
    named = sorted(name for names in plan.ids.values() for name in names)
    return engine.explain(plan.before, plan.after, named, plan.parts) if plan.changed else []


def _plan(engine: Engine[Item], edit: Edit[Item]) -> Plan[Item]:
    before, live = engine.load(), engine.read()
    after = edit(before)
    engine.check(before, after)
    if before == after:
        wanted = engine.render(before)
        return Plan(before, before, before, live, wanted, wanted)
    return Plan(before, after, after, live, engine.render(before), engine.render(after))


def _carry_out(engine: Engine[Item], plan: Plan[Item]) -> Plan[Item]:
    engine.ready(plan.after)
    settled = engine.settle(plan.before, plan.after)
    if settled != plan.after:
        engine.check(plan.before, settled)
        plan = replace(plan, after=settled, wanted=engine.render(settled))
    if plan.changed:
        _commit(engine, plan)
        engine.finish(plan.before, plan.after, plan.touched)
    else:
        engine.confirm(plan.before, plan.after, set())
    engine.note(plan.ids, plan.changed)
    return plan


def _commit(engine: Engine[Item], plan: Plan[Item]) -> None:
    try:
        engine.write(plan.before, plan.after)
        # rendered anew: what was created on the way (a key, a directory's group) is known only now
        live, wanted = engine.read(), engine.render(plan.after)
        if not in_effect(live, wanted):
            wrong = sorted(name for name in set(live) | set(wanted)
                           if live.get(name) != wanted.get(name) and (name in wanted or not is_part(name)))
            raise VerifyFailed(f"{', '.join(wrong)} did not take effect; what stood before has been restored, "
                               "see what else changes it and run again")
        engine.confirm(plan.before, plan.after, plan.touched)
    except (GatewayError, OSError):
        with contextlib.suppress(GatewayError, OSError):
            engine.write(plan.after, plan.before)
        raise


def _diff(describe: Callable[[Item], str], plan: Plan[Item]) -> Dict[str, str]:
    """Both sides as a table that a person reads, a row to an object; only the parts that were wrong are listed."""
    before, after = [], []
    for name in plan.parts:
        gone = plan.wanted[name] is None
        before.append(f"{name} {'to be removed' if gone else 'altered' if plan.live.get(name) else 'missing'}")
        after += [] if gone else [f"{name} in place"]
    for name in sorted(set(plan.before) | {name for name in plan.live if not is_part(name)}):
        if name not in plan.before:
            before.append(_row(name, "in effect, though nobody asked for it"))
            continue
        state = "" if not plan.drifted(name) else "  (altered)" if name in plan.live else "  (not in effect)"
        before.append(_row(name, describe(plan.before[name]) + state))
    for name in sorted(plan.after):
        after.append(_row(name, describe((plan.after if name in plan.before else plan.announced)[name])))
    return {"before": _text(before), "after": _text(after)}


def _row(name: str, words: str) -> str:
    # a column of fixed width: a longer name elsewhere must not move every other row
    return f"{name + ':':<{NAME_WIDTH}} {words}"


def _text(lines: List[str]) -> str:
    return "".join(line + "\n" for line in lines)

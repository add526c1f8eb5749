# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a run, on an engine that keeps everything in memory: plan, check mode, apply, verify, restore, diff."""

from __future__ import annotations

import contextlib
import re
from typing import Callable, ContextManager, Dict, List, Mapping, Optional, Set, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.errors import CommandFailed, MissingTool, VerifyFailed

Items = Dict[str, str]


class MemoryEngine:
    """A store and a system that are dictionaries. ``deaf``: what is written does not take effect."""

    def __init__(self, stored: Items, live: Items, answer: str = "") -> None:
        self.stored, self.system, self.answer = dict(stored), dict(live), answer
        self.warnings: List[str] = []
        self.calls: List[str] = []
        self.noted: List[Tuple[Dict[str, List[str]], bool]] = []
        self.deaf = False
        self.missing_tool = False
        self.breaks: Optional[Exception] = None
        self.in_vain = False

    def wait(self) -> None:
        """Somebody outside has to do something first."""
        self.calls.append("wait")
        if self.in_vain:
            raise CommandFailed("nobody called", "handshake_timeout")

    def lock(self) -> ContextManager[None]:
        self.calls.append("lock")
        return contextlib.nullcontext()

    def load(self) -> Items:
        return dict(self.stored)

    def read(self) -> Mapping[str, object]:
        return dict(self.system)

    def render(self, items: Items) -> Mapping[str, object]:
        return {**items, "(table)": "set up"}

    def describe(self, item: str) -> str:
        return item

    def check(self, before: Items, after: Items) -> None:
        self.calls.append("check")

    def ready(self, after: Items) -> None:
        self.calls.append("ready")
        if self.missing_tool:
            raise MissingTool("nft", "nftables")

    def settle(self, before: Items, after: Items) -> Items:
        self.calls.append("settle")
        return {name: item + self.answer for name, item in after.items()}

    def write(self, before: Items, after: Items) -> None:
        self.calls.append("write")
        self.stored = dict(after)
        if self.breaks and after != {"a": "old"}:
            raise self.breaks
        if not self.deaf:
            self.system = {**after, "(table)": "set up"}

    def confirm(self, before: Items, after: Items, touched: Set[str]) -> None:
        self.calls.append("confirm")

    def finish(self, before: Items, after: Items, touched: Set[str]) -> None:
        self.calls.append("finish")

    def explain(self, before: Items, after: Items, named: List[str], parts: List[str]) -> List[str]:
        return [*named, *parts]

    def note(self, ids: Mapping[str, List[str]], changed: bool) -> None:
        self.noted.append((dict(ids), changed))


def adding(name: str, item: str) -> Callable[[Items], Items]:
    """The edit that wants one more object."""
    return lambda current: {**current, name: item}


def nothing(current: Items) -> Items:
    """The edit that wants what is wanted already."""
    return current


SETTLED = {"a": "old", "(table)": "set up"}


@pytest.mark.parametrize(("stored", "live", "edit"), [
    ({}, {}, adding("a", "new")),                                   # bare host
    ({"a": "old"}, SETTLED, adding("b", "new")),                    # one more
    ({"a": "old"}, SETTLED, adding("a", "new")),                    # change
    ({"a": "old"}, SETTLED, lambda current: {}),                    # remove
    ({"a": "old"}, SETTLED, nothing),                               # nothing to do
    ({"a": "old"}, {"(table)": "set up"}, nothing),                 # lost
    ({"a": "old"}, {"a": "bent", "(table)": "set up"}, nothing),    # altered
    ({"a": "old"}, {}, nothing),                                    # flushed
    ({"a": "old"}, {**SETTLED, "x": "stray"}, nothing),             # in effect, never asked for
])
def test_check_mode_predicts_exactly(stored: Items, live: Items, edit: Callable[[Items], Items]) -> None:
    """All that is reported is the same; check mode has written nothing, the real run leaves nothing to do."""
    predicting, acting = MemoryEngine(stored, live), MemoryEngine(stored, live)
    predicted = converge(predicting, edit, dry_run=True).as_dict()
    assert predicted == converge(acting, edit, dry_run=False).as_dict()
    assert (predicting.stored, predicting.system) == (stored, live)
    assert "write" not in predicting.calls and "settle" not in predicting.calls and "ready" not in predicting.calls
    assert not converge(acting, edit, dry_run=False).as_dict()["changed"]
    assert acting.system == {**acting.stored, "(table)": "set up"}


def rows(diff: str) -> List[str]:
    """The rows of one side of a diff, columns moved together; each row's columns begin where the others' do."""
    lines = diff.splitlines()
    assert len({re.search(r":\s+", line).end() for line in lines}) == 1      # type: ignore[union-attr]
    return [" ".join(line.split()) for line in lines]


def test_report_names_what_happened() -> None:
    """Every id is in exactly the list that it belongs to."""
    engine = MemoryEngine({"kept": "1", "lost": "1", "old": "1", "gone": "1"}, {"kept": "1", "old": "1", "gone": "1",
    "(table)": "set up"})
    result = converge(engine, lambda now: {"kept": "1", "lost": "1", "old": "2", "new": "1"}, dry_run=False).as_dict()
    assert (result["added"], result["updated"], result["removed"], result["repaired"]) == (["new"], ["old"], ["gone"], ["lost"])
    assert rows(result["diff"]["before"]) == ["gone: 1", "kept: 1", "lost: 1 (not in effect)", "old: 1"]
    assert rows(result["diff"]["after"]) == ["kept: 1", "lost: 1", "new: 1", "old: 2"]


def test_a_run_without_a_change_writes_nothing() -> None:
    engine = MemoryEngine({"a": "old"}, SETTLED)
    converge(engine, nothing, dry_run=False)
    assert "write" not in engine.calls and "confirm" in engine.calls


def test_what_does_not_take_effect_fails_and_is_taken_back() -> None:
    engine = MemoryEngine({"a": "old"}, SETTLED)
    engine.deaf = True
    with pytest.raises(VerifyFailed, match="^b did not take effect"):
        converge(engine, adding("b", "new"), dry_run=False)
    assert engine.stored == {"a": "old"} and engine.calls.count("write") == 2 and "finish" not in engine.calls


@pytest.mark.parametrize("reason", [CommandFailed("nft failed", "nft"), OSError(24, "nft failed")])
def test_a_failing_write_is_taken_back_and_its_reason_is_told(reason: Exception) -> None:
    engine = MemoryEngine({"a": "old"}, SETTLED)
    engine.breaks = reason
    with pytest.raises(type(reason), match="nft failed"):
        converge(engine, adding("b", "new"), dry_run=False)
    assert engine.stored == {"a": "old"} and engine.system == SETTLED


def test_a_missing_tool_stops_before_anything_is_touched() -> None:
    engine = MemoryEngine({}, {})
    engine.missing_tool = True
    with pytest.raises(MissingTool):
        converge(engine, adding("a", "new"), dry_run=False)
    assert engine.stored == {} and engine.calls == ["wait", "lock", "check", "ready"]


def test_what_only_outsiders_can_tell_is_not_in_the_diff_of_a_new_object() -> None:
    """So that check mode, which asks nobody, predicts the same; but it is applied, and checked before that."""
    engine, predicting = MemoryEngine({}, {}, answer=" at 10.50.0.5"), MemoryEngine({}, {}, answer=" at 10.50.0.5")
    outcome = converge(engine, adding("a", "joined"), dry_run=False)
    assert outcome.diff == converge(predicting, adding("a", "joined"), dry_run=True).diff
    assert engine.stored == {"a": "joined at 10.50.0.5"} and engine.calls.count("check") == 2


def test_what_outsiders_change_about_a_known_object_is_in_the_diff() -> None:
    engine = MemoryEngine({"a": "joined"}, {"a": "joined", "(table)": "set up"}, answer=" elsewhere")
    assert converge(engine, nothing, dry_run=False).diff["after"].split() == ["a:", "joined", "elsewhere"]


def test_a_run_waits_before_the_lock() -> None:
    """Once, and before it has read anything: whoever is waited for may need the lock, and what stands may change meanwhile."""
    for edit in (adding("b", "new"), nothing):
        engine = MemoryEngine({"a": "old"}, SETTLED)
        converge(engine, edit, dry_run=False)
        assert engine.calls[:2] == ["wait", "lock"] and engine.calls.count("wait") == 1


def test_check_mode_waits_for_nobody() -> None:
    """Who would call is not there before the run."""
    engine = MemoryEngine({"a": "old"}, SETTLED)
    engine.in_vain = True
    converge(engine, adding("b", "new"), dry_run=True)
    assert "wait" not in engine.calls


def test_who_waits_in_vain_touches_nothing() -> None:
    engine = MemoryEngine({"a": "old"}, SETTLED)
    engine.in_vain = True
    with pytest.raises(CommandFailed, match="nobody called"):
        converge(engine, adding("b", "new"), dry_run=False)
    assert engine.calls == ["wait"] and engine.stored == {"a": "old"} and engine.system == SETTLED

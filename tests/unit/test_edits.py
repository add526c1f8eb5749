# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of a task to an edit of the wanted objects."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from unit.samples import refusal

NOW = "2027-01-31T18:00:00Z"


class Thing(str):
    """Stand-in for an object of a model."""

    expires = ""


def until(moment: str) -> Thing:
    """An object that ends by itself."""
    thing = Thing(f"until {moment}")
    thing.expires = moment
    return thing


CURRENT = {"a": Thing("old a"), "b": Thing("old b")}


def parse(entry: Mapping[str, Any], where: str = "") -> Thing:
    """Stand-in for a model's parser."""
    if entry.get("value") == "bad":
        raise InvalidInput(where + "value", "bad", "is bad; correct it")
    return until(entry["expires"]) if "expires" in entry else Thing(entry.get("value"))


def apply(params: Dict[str, Any]) -> Dict[str, Thing]:
    """What such a task makes of the current objects."""
    current = dict(CURRENT)
    result = edit_of(params, "forward_id", "forwards", parse, NOW)(current)
    assert current == CURRENT, "an edit must not change its input"
    return result


@pytest.mark.parametrize(("params", "expected"), [
    ({"forward_id": "c", "value": "new"}, {**CURRENT, "c": "new"}),
    ({"forward_id": "a", "value": "new"}, {"a": "new", "b": "old b"}),
    ({"forward_id": "a", "state": "absent"}, {"b": "old b"}),
    ({"forward_id": "zz", "state": "absent"}, CURRENT),
    ({"forward_id": "a", "state": "absent", "value": "bad"}, {"b": "old b"}),
    ({"forwards": []}, CURRENT),
    ({"forwards": [], "purge": True}, {}),
    ({"forwards": [{"forward_id": "c", "value": "x"}]}, {**CURRENT, "c": "x"}),
    ({"forwards": [{"forward_id": "c", "value": "x"}], "purge": True}, {"c": "x"}),
    ({"forwards": [{"forward_id": "a", "state": "absent"}, {"forward_id": "c", "value": "x"}]}, {"b": "old b", "c": "x"}),
    ({"forwards": [{"forward_id": "a", "state": "absent"}], "purge": True}, {}),
])
def test_edit(params: Dict[str, Any], expected: Dict[str, str]) -> None:
    """One entry or a list; only a list can purge."""
    assert apply(params) == expected


@pytest.mark.parametrize("params", [
    {}, {"forward_id": None}, {"forward_id": ""}, {"forward_id": "../x"}, {"forward_id": "a\n"}, {"forward_id": "A", "state": "absent"},
    {"forwards": [{"value": "x"}]}, {"forwards": [{"forward_id": None}]}, {"forwards": [{"forward_id": "x@y", "state": "absent"}]},
    {"forward_id": "c", "value": "bad"}, {"forward_id": "c", "value": "x", "purge": True}, {"forwards": [{"forward_id": "c", "state": ""}]},
])
def test_refused(params: Dict[str, Any]) -> None:
    """An entry without a valid id or with a bad value is refused before the host is looked at."""
    refusal(edit_of, params, "forward_id", "forwards", parse)


@pytest.mark.parametrize("entries", [
    [{"forward_id": "c", "value": "1"}, {"forward_id": "c", "value": "1"}],
    [{"forward_id": "c", "value": "1"}, {"forward_id": "c", "state": "absent"}],
    [{"forward_id": "c", "state": "absent"}, {"forward_id": "c", "value": "1"}],
    [{"forward_id": "c", "state": "absent"}, {"forward_id": "c", "state": "absent"}],
])
def test_one_id_twice_is_refused(entries: List[Dict[str, Any]]) -> None:
    """Which of the two is meant cannot be told; the second one's place is named."""
    assert "forwards[1].forward_id" in refusal(edit_of, {"forwards": entries}, "forward_id", "forwards", parse)


def test_a_bad_entry_of_a_list_is_named_by_its_place() -> None:
    """With a thousand entries the place matters."""
    entries = [{"forward_id": f"f{number}", "value": "bad" if number == 7 else "x"} for number in range(10)]
    assert "forwards[7].value" in refusal(edit_of, {"forwards": entries}, "forward_id", "forwards", parse)


@pytest.mark.parametrize(("moment", "over"), [
    ("2027-01-31T17:59:59Z", True), (NOW, True), ("2027-01-31T18:00:01Z", False), ("2028-01-01T00:00:00Z", False), ("", False)])
def test_what_has_expired_is_not_wanted(moment: str, over: bool) -> None:
    """An entry of a list counts as absent, whoever asked for it, now or earlier; a task about nothing else is refused."""
    entry = {"forward_id": "c", "expires": moment}
    assert ("c" in apply({"forwards": [entry]})) != over
    assert ("old" in edit_of({"forwards": []}, "forward_id", "forwards", parse, NOW)({"old": until(moment)})) != over
    if over:
        message = refusal(edit_of, entry, "forward_id", "forwards", parse, NOW)
        assert message.startswith("expires ") and NOW in message
    else:
        assert "c" in apply(entry)

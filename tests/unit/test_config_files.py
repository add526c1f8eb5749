# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files of the roles: one task, exact prediction, root's own."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils import host
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.config_files import ConfigFileEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, InvalidInput, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import ConfigFile, Wish
from unit.samples import one_sentence, refusal

GOOD: Dict[str, Any] = {"path": "/etc/x", "mode": "0644", "content": "a\n"}


@pytest.mark.parametrize("changes", [
    {"path": "etc/x"}, {"path": "/etc/../x"}, {"path": "/etc/x\n"}, {"path": "/"}, {"path": "/etc//x"}, {"path": ""},
    {"path": None}, {"path": 5},
    {"mode": "644"}, {"mode": "0666"}, {"mode": "0664"}, {"mode": "0o644"}, {"mode": "1644"}, {"mode": 420}, {"mode": None},
    {"group": "a b"}, {"group": "x\n"}, {"group": "-x"},
])
def test_refused(changes: Dict[str, Any]) -> None:
    """Paths that are not plain, and modes that let others write."""
    (option, _value), = changes.items()
    assert f"files[1].{option}" in refusal(ConfigFile.parse, {**GOOD, **changes}, "files[1].")


def test_one_path_twice_is_refused() -> None:
    """Whichever came last would win."""
    refusal(Wish.parse, {"directories": [{"path": "/etc/x", "mode": "0755"}], "files": [GOOD]})


@pytest.fixture(name="place")
def a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a host whose lock is the test's own."""
    monkeypatch.setattr(host, "LOCK_FILE", str(tmp_path / "run" / "lock"))
    place = tmp_path / "place"
    place.mkdir()
    yield place


def run(params: Dict[str, List[Any]], dry_run: bool = False) -> Outcome[ConfigFile]:
    """What the module does."""
    wish = Wish.parse({"directories": [], "files": [], **params})
    return converge(ConfigFileEngine(host.Host(), wish), wish.edit, dry_run)


def walk(params: Dict[str, List[Any]]) -> Dict[str, Any]:
    """Predict, do, and do again: the same report, and nothing left to do."""
    predicted = run(params, dry_run=True).as_dict()
    real = run(params).as_dict()
    assert predicted == real and not run(params).plan.changed
    return real


def wanted(place: Path, text: str = "a = 1\n", mode: str = "0644", group: str = "root") -> Dict[str, List[Any]]:
    """A directory and a file in it."""
    return {"directories": [{"path": f"{place}/d", "mode": "0750", "group": group}],
            "files": [{"path": f"{place}/d/f", "mode": mode, "content": text, "group": group}]}


def test_life_of_a_file(place: Path) -> None:
    """Create, change content, change mode; each predicted exactly."""
    assert walk(wanted(place))["added"] == [f"{place}/d", f"{place}/d/f"]
    assert (place / "d/f").read_text() == "a = 1\n" and stat.S_IMODE((place / "d").stat().st_mode) == 0o750
    changed = walk(wanted(place, text="a = 2\n"))
    assert changed["updated"] == [f"{place}/d/f"] and "  a = 2" in changed["diff"]["after"] and "  a = 1" in changed["diff"]["before"]
    assert walk(wanted(place, text="a = 2\n", mode="0600"))["updated"] == [f"{place}/d/f"]
    assert stat.S_IMODE((place / "d/f").stat().st_mode) == 0o600


def test_what_others_changed_is_put_right(place: Path) -> None:
    """Owner, mode and group too."""
    walk(wanted(place))
    os.chown(place / "d/f", 65534, 65534)
    assert walk(wanted(place))["updated"] == [f"{place}/d/f"] and (place / "d/f").stat().st_uid == 0
    (place / "d").chmod(0o777)
    (place / "d/f").write_text("x")
    assert walk(wanted(place))["updated"] == [f"{place}/d", f"{place}/d/f"]


def test_a_group_that_does_not_exist_yet_is_predicted_and_then_required(place: Path) -> None:
    """In check mode the task that makes it has not run."""
    assert run(wanted(place, group="nosuchgroup"), dry_run=True).plan.changed
    with pytest.raises(InvalidInput) as caught:
        run(wanted(place, group="nosuchgroup"))
    assert "nosuchgroup" in one_sentence(caught.value.message) and list(place.iterdir()) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_without_a_directory_is_refused(place: Path, dry_run: bool) -> None:
    """Also in check mode, so that the prediction holds."""
    with pytest.raises(InvalidInput) as caught:
        run({"files": wanted(place)["files"]}, dry_run)
    assert f"{place}/d" in one_sentence(caught.value.message)


def test_links_and_swapped_kinds_are_refused(place: Path) -> None:
    """A link is not followed, a file is not made a directory."""
    (place / "real").mkdir()
    (place / "d").symlink_to(place / "real")
    with pytest.raises(GatewayError):
        run(wanted(place))
    (place / "d").unlink()
    (place / "d").write_text("a file")
    with pytest.raises(StateRefused):
        run(wanted(place))
    assert list((place / "real").iterdir()) == [] and (place / "d").read_text() == "a file"


SECRET = "TOKEN=s3cret-value\nOTHER=1\n"


def secret(place: Path, text: str = SECRET) -> Dict[str, List[Any]]:
    """A file that must not be shown."""
    return {"files": [{"path": f"{place}/env", "mode": "0600", "secret_content": text}]}


def test_a_secret_is_written_and_never_shown(place: Path) -> None:
    """Neither what stood there nor what comes; a diff still shows that something changes."""
    added = walk(secret(place))
    assert (place / "env").read_text() == SECRET and stat.S_IMODE((place / "env").stat().st_mode) == 0o600
    assert "file 0600 root:root\n  (2 secret lines, sha256 " in added["diff"]["after"]
    changed = walk(secret(place, "TOKEN=another\n"))
    assert changed["updated"] == [f"{place}/env"] and changed["diff"]["before"] != changed["diff"]["after"]
    for words in (str(added), str(changed), repr(ConfigFile.parse(secret(place)["files"][0]))):
        assert "s3cret" not in words and "another" not in words


@pytest.mark.parametrize("contents", [{}, {"content": "a", "secret_content": "b"}])
def test_a_file_has_one_content(contents: Dict[str, str]) -> None:
    """Not none, and not two."""
    said = refusal(Wish.parse, {"directories": [], "files": [{"path": "/etc/x", "mode": "0644", **contents}]})
    assert "files[0]." in said and "content" in said


def test_a_file_can_be_absent(place: Path) -> None:
    """What is named so goes; what is not there stays away."""
    walk(secret(place))
    gone = walk({"absent": [f"{place}/env", f"{place}/never"]})
    assert gone["removed"] == [f"{place}/env"] and list(place.iterdir()) == []
    assert "s3cret" not in str(walk(secret(place)))
    refusal(Wish.parse, {"directories": [], **secret(place), "absent": [f"{place}/env"]})
    refusal(Wish.parse, {"directories": [], "files": [], "absent": ["../x"]})

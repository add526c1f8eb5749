# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threat model names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGE = TOP / "collections/ansible_collections/edge/gateway/docs/docsite/rst/threat_model.rst"
NAMED = sorted(set(re.findall(r"``([\w/]+\.py)::(\w+)``", PAGE.read_text())))


def functions(file: str) -> set[str]:
    """The test functions of a file of the repository; none where it is not there."""
    path = TOP / file
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)} if path.is_file() else set()


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _file, name in NAMED])
def test_a_named_test_exists(file: str, name: str) -> None:
    """In that file, so that a reader finds it."""
    assert name.startswith("test_") and name in functions(file)


def test_every_defence_names_a_test() -> None:
    """Each row of the tables ends with at least one, written so that it was looked for above."""
    rows = PAGE.read_text().split("\n   * - ")[1:]
    shown = [row for row in rows if not row.startswith("Attack")]
    assert len(shown) > len(rows) / 2
    assert all(re.search(r"\n     - \| ``[\w/]+\.py::test_\w+``(\n|$)", row) for row in shown)


def test_the_check_notices() -> None:
    """A function that is not there, and a file that is not."""
    assert "test_nothing_of_that_name" not in functions("tests/unit/test_threat_model.py")
    assert functions("tests/unit/no_such_file.py") == set()

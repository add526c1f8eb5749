# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of sick hosts says what the cases of tests/chaos/sick.py prove, and names nothing that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Dict, List

import pytest
from chaos import sick
from contract.mesh import Controller

TOP = Path(__file__).parents[2]
PAGE = TOP / "collections/ansible_collections/edge/gateway/docs/docsite/rst/sick_hosts.rst"
ROWS = [" ".join(row.split()) for row in PAGE.read_text().split("\n   * - ")[2:]]
NAMED: Dict[str, List[str]] = {row: re.findall(r"``([\w/]+\.(?:py|yml)(?:::|: )[^`]+)``", row) for row in ROWS}
ANY = object()
CASES = {f"tests/chaos/sick.py: {name}": case for name, case in [
    *sick.ON_HOST.items(), *((name, make(ANY)) for name, make in sick.BESIDE_TRAEFIK.items()),     # type: ignore[arg-type]
    *((name, case) for name, (_joined, case) in sick.joining(Controller(""), "", "", "").items())]}


def is_there(name: str) -> bool:
    """Whether a case, a test or a step of a scenario exists."""
    file, sign, rest = re.split("(::|: )", name, maxsplit=1)
    path = TOP / file
    if name in CASES:
        return True
    if sign == ": ":
        return path.suffix == ".yml" and f"- name: {rest}\n" in path.read_text()
    return path.is_file() and rest in {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.partition(" - ")[0])
def test_a_row_names_its_proof(row: str) -> None:
    """Each has what you see, what goes on, what to do, and at least one proof that exists."""
    assert row.count(" - ") >= 4 and NAMED[row]
    assert [name for name in NAMED[row] if not is_there(name)] == []


def test_every_case_is_on_the_page() -> None:
    """Once, so that nothing is proven that nobody can read."""
    assert sorted(name for names in NAMED.values() for name in names if name in CASES) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_the_page_says_what_the_case_expects(name: str) -> None:
    """Its code, and the part of the health with its status."""
    case, row = CASES[name], next(row for row, names in NAMED.items() if name in names)
    assert not case.code or f"ode ``{case.code}``" in row
    part, status, _words = case.health
    assert not part or (f"``{part}``" in row and status in row)


@pytest.mark.parametrize("name", ["tests/chaos/sick.py: in good health", "tests/unit/test_sick_hosts.py::test_nothing", "x/y.py::test_z",
                                  "molecule/dnat_forward/vars/steps.yml: nothing of that name"])
def test_the_check_notices(name: str) -> None:
    assert not is_there(name)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions that tests/install/matrix.py lists are those that metadata, documentation and tools name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from install import matrix

TOP = Path(__file__).parents[2]
COLLECTION = TOP / "collections/ansible_collections/edge/gateway"
OLDEST = matrix.CORES[0].line


def test_the_collection_asks_for_the_oldest_line() -> None:
    """What ansible-galaxy and ansible-core look at."""
    assert yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["requires_ansible"] == f">={OLDEST}.0"


@pytest.mark.parametrize("path", sorted(COLLECTION.glob("roles/*/meta/main.yml")), ids=lambda path: path.parents[1].name)
def test_each_role_names_what_is_tested(path: Path) -> None:
    """The same line, and the suites that the lab can make hosts of."""
    told = yaml.safe_load(path.read_text())["galaxy_info"]
    assert told["min_ansible_version"] == OLDEST
    assert told["platforms"] == [{"name": "Debian", "versions": [suite.name for suite in matrix.SUITES]}]


@pytest.mark.parametrize("path", [TOP / "README.md", COLLECTION / "README.md"], ids=["repository", "collection"])
def test_the_documentation_shows_the_matrix(path: Path) -> None:
    """The table as it is, and the oldest versions in the text."""
    text = " ".join(path.read_text().split())
    assert " ".join(matrix.table().split()) in text
    assert f"ansible-core {OLDEST} or later" in text and f"Python {matrix.text(matrix.OLDEST_HOST_PYTHON)} or later" in text


def test_the_tools_are_of_a_line_that_is_tested() -> None:
    """So the default selection need not hold it; it holds the oldest."""
    tools = (TOP / "requirements.txt").read_text()
    assert [core for core in matrix.CORES if f"ansible-core=={core.release}\n" in tools]
    assert [cell.core.line for cell in matrix.chosen("few")] == [OLDEST]


def test_the_tools_are_locked() -> None:
    """In the version that is asked for, every one of them and of what they need with checksums; "make lock" mends it."""
    lock = (TOP / "requirements.lock").read_text()
    asked = [line for line in (TOP / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in asked if f"\n{line.lower()} \\\n" not in f"\n{lock}"] == []
    # a package begins a line and goes on with its first checksum
    packages, hashed = (len(re.findall(rf"^[a-z0-9].*{end}", lock, re.MULTILINE)) for end in ("$", r" \\\n    --hash=sha256:"))
    assert packages == hashed > 100


def test_a_selection() -> None:
    """Every supported pair is in the matrix, and a wish that nobody understands is refused by name."""
    assert len(matrix.chosen("all")) == len(matrix.CORES) * len(matrix.SUITES)
    assert {cell.name for cell in matrix.CELLS if not cell.supported} == {"2.16-trixie", "2.17-trixie"}
    assert [cell.name for cell in matrix.chosen("2.19-trixie,2.16-bookworm")] == ["2.16-bookworm", "2.19-trixie"]
    with pytest.raises(ValueError, match="2.15-bookworm is unknown"):
        matrix.chosen("2.15-bookworm,2.19-trixie")

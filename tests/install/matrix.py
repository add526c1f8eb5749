# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions there are: the one place that the documentation, the collection's metadata and the install test agree with.

The Pythons are those that each line of ansible-core says it supports, in ansible_test/_util/target/common/constants.py of its package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

# what the collection itself needs on a host; a line of ansible-core may need a later one
OLDEST_HOST_PYTHON = (3, 8)


def text(version: Tuple[int, int]) -> str:
    """A version as it is written: 3.11."""
    return "{}.{}".format(*version)


@dataclass(frozen=True)
class Core:
    """A line of ansible-core: the release that is tried, the Python it is tried with, and the Pythons of hosts that it supports."""

    release: str
    controller: Tuple[int, int]
    hosts: Tuple[Tuple[int, int], Tuple[int, int]]

    @property
    def line(self) -> str:
        """Its first two numbers."""
        return self.release.rpartition(".")[0]

    def supports(self, python: Tuple[int, int]) -> bool:
        """Whether hosts may have this Python."""
        return self.hosts[0] <= python <= self.hosts[1]


@dataclass(frozen=True)
class Suite:
    """A release of Debian that the lab can make hosts of, with its Python."""

    name: str
    number: int
    python: Tuple[int, int]


CORES = (
    Core("2.16.19", (3, 11), ((3, 6), (3, 12))),
    Core("2.17.14", (3, 11), ((3, 7), (3, 12))),
    Core("2.18.19", (3, 11), ((3, 8), (3, 13))),
    Core("2.19.14", (3, 11), ((3, 8), (3, 13))),
    Core("2.20.10", (3, 12), ((3, 9), (3, 14))),
    Core("2.21.5", (3, 13), ((3, 9), (3, 14))),
)
SUITES = (Suite("bookworm", 12, (3, 11)), Suite("trixie", 13, (3, 13)))


@dataclass(frozen=True)
class Cell:
    """One version of ansible-core and hosts of one suite."""

    core: Core
    suite: Suite

    @property
    def name(self) -> str:
        """As it is chosen: 2.16-bookworm."""
        return f"{self.core.line}-{self.suite.name}"

    @property
    def supported(self) -> bool:
        """Whether ansible-core supports the hosts' Python; where it does not, the collection promises nothing either."""
        return self.core.supports(self.suite.python)


CELLS = tuple(Cell(core, suite) for suite in SUITES for core in CORES)
# the oldest line: every other test of the repository runs with the newest one that Debian 12's Python can
FEW = ("2.16-bookworm",)


def chosen(wish: str) -> List[Cell]:
    """The cells of a wish: "few", "all", or names with commas between; ValueError names one that does not exist."""
    names = {"few": list(FEW), "all": [cell.name for cell in CELLS]}.get(wish, wish.split(","))
    unknown = sorted(set(names) - {cell.name for cell in CELLS})
    if unknown:
        raise ValueError(f"CELLS {', '.join(unknown)} is unknown; choose few, all, or of {', '.join(cell.name for cell in CELLS)}")
    return [cell for cell in CELLS if cell.name in names]


def table() -> str:
    """The matrix as the documentation shows it."""
    head = ["ansible-core", "its Python", *(f"Debian {suite.number} (Python {text(suite.python)})" for suite in SUITES), "Python of hosts"]
    rows = [[core.line, text(core.controller), *("tested" if core.supports(suite.python) else "not supported by it" for suite in SUITES),
             f"{text(max(core.hosts[0], OLDEST_HOST_PYTHON))} to {text(core.hosts[1])}"] for core in CORES]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]) + "\n"

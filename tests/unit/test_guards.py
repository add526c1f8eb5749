# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each guard that "make guards" breaks still stands where it is looked for, and its tests are still there."""

from __future__ import annotations

import pytest
from chaos.guards import GUARDS, PLUGINS, TOP, Guard


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name.replace(" ", "-"))
def test_it_stands(guard: Guard) -> None:
    """Once: a second place would go on guarding."""
    assert (TOP / PLUGINS / "module_utils" / guard.file).read_text().count(guard.line) == 1
    assert all((TOP / word).is_file() for word in guard.tests if word.startswith("tests/"))
    assert guard.broken != guard.line

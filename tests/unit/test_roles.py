# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role's defaults, argument specs and README agree; a missing file fails instead of being passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[2] / "collections/ansible_collections/edge/gateway/roles"
NAMES = ["firewall", "hub", "traefik", "upkeep", "wireguard"]


def load(role: str, part: str) -> Any:
    """One YAML file of a role."""
    return yaml.safe_load((ROLES / role / part).read_text())


def test_every_role_is_tested_here() -> None:
    assert sorted(path.name for path in ROLES.iterdir()) == NAMES


@pytest.mark.parametrize("role", NAMES)
def test_defaults_equal_argument_specs(role: str) -> None:
    """Same names, same values: what the documentation says is what applies."""
    options = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {name: option.get("default") for name, option in options.items()} == load(role, "defaults/main.yml")


@pytest.mark.parametrize("role", NAMES)
def test_readme_names_every_variable(role: str) -> None:
    """A reader of the README alone finds every variable."""
    readme = (ROLES / role / "README.md").read_text()
    assert not [name for name in load(role, "defaults/main.yml") if f"`{name}`" not in readme]


def test_shared_variables_have_one_default() -> None:
    """A variable that several roles take means the same in each."""
    values: dict[str, list[Any]] = {}
    for role in NAMES:
        for name, value in load(role, "defaults/main.yml").items():
            values.setdefault(name, []).append(value)
    assert not [name for name, found in values.items() if any(value != found[0] for value in found)]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of a route, by options, by a list, in JSON and in YAML: one sentence that names the option, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contract import hostile_routes, route_samples
from contract.edge_traefik import DYNAMIC, Traefik
from contract.hostile_routes import GOOD
from contract.route_refusals import call, faults
from unit.samples import one_sentence

pytestmark = pytest.mark.usefixtures("standing_routes")


@pytest.mark.parametrize("way", ["options", "list", "json", "yaml"])
def test_hostile_values(way: str, tmp_path: Path) -> None:
    """Each is refused by name, in check mode and for real, and the directory stays as it was."""
    cases = hostile_routes.cases()
    modes = (True, False) if way in ("options", "json") else (False,)
    wrong = faults(way, cases, tmp_path, modes)
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("way", ["json", "yaml"])
def test_values_of_wrong_types_in_a_file(way: str, tmp_path: Path) -> None:
    """A file does not pass through Ansible's argument checks: a truth value is no number, a number no text, a list no dictionary."""
    # a number with a point is a text in YAML: so 1.5 can be an id
    cases = [case for case in hostile_routes.type_cases() if way == "json" or "1.5" not in str(case) or "weight" in case]
    wrong = faults(way, cases, tmp_path, [False])
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("path, value", hostile_routes.only_traefik_knows())
def test_what_only_traefik_can_tell(traefik: Traefik, path: str, value: Any) -> None:
    """Go's regular expressions, the language of conditions: the run fails in Traefik's own words, and the directory is as it was."""
    traefik.wait_for(["mine", "secure", "stands"])
    before = {path.name: path.read_bytes() for path in DYNAMIC.iterdir()}
    changes = {**hostile_routes.suited(path, route_samples.holding(path, value)), "entrypoint": ["websecure"]}
    result = call(**{**GOOD, **changes}, wait=True, wait_timeout=3)
    assert result.get("failed") and result["code"] in ("verify_failed", "invalid_input"), result
    assert "new" in one_sentence(result["msg"]) or path.rsplit(".", maxsplit=1)[-1] in result["msg"]
    assert "seconds" not in result["msg"], "Traefik says why"
    assert {path.name: path.read_bytes() for path in DYNAMIC.iterdir()} == before
    traefik.wait_for(["mine", "secure", "stands"])

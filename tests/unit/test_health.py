# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement on each part of an edge."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models import health
from ansible_collections.edge.gateway.plugins.module_utils.models.health import DEGRADED, FAILED, OK, Part
from unit.samples import one_sentence


@pytest.mark.parametrize(("arguments", "status"), [
    (("wg0", False, False, None), FAILED),
    (("wg0", False, True, 5), FAILED),
    (("wg0", True, False, None), FAILED),
    (("wg0", True, True, None), FAILED),
    (("wg0", True, True, 0), OK),
    (("wg0", True, True, 180), OK),
    (("wg0", True, True, 181), DEGRADED),
])
def test_mesh(arguments: Tuple[Any, ...], status: str) -> None:
    """Joined, up, and a handshake within the three minutes that WireGuard itself gives a session."""
    part = health.mesh(*arguments)
    assert part.status == status
    assert "wg0" in one_sentence(part.message)
    assert bool(part.remedy) == (status != OK)


@pytest.mark.parametrize(("arguments", "status", "shown"), [
    ((0, [], [], False), OK, "0"),
    ((2, [], [], True), OK, "2"),
    ((2, ["vm-1"], [], True), FAILED, "vm-1"),
    ((2, ["(IPv4 forwarding)"], [], True), FAILED, "IPv4 forwarding"),
    ((2, [], ["chain FORWARD of table ip filter drops them; open it"], True), FAILED, "chain FORWARD"),
    ((2, [], [], False), DEGRADED, "reboot"),
    ((2, ["vm-1"], [], False), FAILED, "vm-1"),
])
def test_forwards(arguments: Tuple[Any, ...], status: str, shown: str) -> None:
    """In effect now and after a boot; what is not is named."""
    part = health.forwards(*arguments)
    assert part.status == status and shown in part.message
    assert bool(part.remedy) == (status != OK)


@pytest.mark.parametrize(("live", "running", "broken", "status", "shown"), [
    ({}, True, [], OK, "0"),
    ({}, False, [], FAILED, "Traefik"),
    ({"a": "enabled"}, True, [], OK, "1"),
    ({"a": "enabled", "b": "disabled"}, True, [], FAILED, "b"),
    ({"a": "enabled", "b": "missing"}, True, [], FAILED, "b"),
    ({"a": "unknown"}, False, [], FAILED, "1"),
    ({"a": "enabled"}, True, ["x.yml is a link to nothing"], DEGRADED, "x.yml"),
])
def test_routes(live: Dict[str, str], running: bool, broken: List[str], status: str, shown: str) -> None:
    """Served means that Traefik says so; a file that would cost all of them at the next start is told before that."""
    part = health.routes(live, running, broken)
    assert part.status == status and shown in part.message
    assert bool(part.remedy) == (status != OK)


@pytest.mark.parametrize(("arguments", "status", "shown"), [
    ((None, {}, [], []), OK, "3.7"),
    ((3, {}, [], []), OK, "3"),
    ((3, {"b.test": "no such order", "a.test": "the authority says no"}, [], []), DEGRADED, "a.test (and 1 more): the authority says no"),
    ((3, {"a.test": ""}, [], []), DEGRADED, "nothing is logged"),
    ((3, {}, [], ["the certificate of a.test ends in 3 days"]), DEGRADED, "3 days"),
    ((3, {"b.test": "x"}, ["the certificate of a.test has ended"], []), FAILED, "has ended"),
])
def test_certificates(arguments: Tuple[Any, ...], status: str, shown: str) -> None:
    """One that has ended is a failure; one that is missing or ends soon is told with the reason."""
    part = health.certificates(*arguments)
    assert part.status == status and shown in part.message
    assert bool(part.remedy) == (status != OK)


@pytest.mark.parametrize(("statuses", "worst"), [
    ([], OK), ([OK, OK], OK), ([OK, DEGRADED], DEGRADED), ([FAILED, DEGRADED, OK], FAILED),
])
def test_the_whole_is_its_worst_part(statuses: List[str], worst: str) -> None:
    """One failed part is a failed edge."""
    assert health.overall({str(number): Part(status, "x") for number, status in enumerate(statuses)}) == worst

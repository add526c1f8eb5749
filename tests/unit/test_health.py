# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement on each part of an edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models import health
from ansible_collections.edge.gateway.plugins.module_utils.models.health import DEGRADED, FAILED, OK, Part
from ansible_collections.edge.gateway.plugins.module_utils.models.mesh_state import (
    HUB,
    KEYS_OPEN,
    MEMBER,
    NONE,
    NOT_AT_BOOT,
    Clock,
    MeshState,
    Node,
)
from unit.samples import one_sentence

WELL = MeshState(MEMBER, running=True, handshake_age=12, starts_at_boot=True)
HUB_WELL = replace(WELL, role=HUB, handshake_age=None, peers=tuple(
    Node(f"node{age}", "10.50.0.3", "", age, 0, 0, connected=age < 180, pending=False) for age in (5, 7, 500)))
BACK = Clock("the clock went back: the last handshake lies 90 s in the future", wrong=True)


@pytest.mark.parametrize(("state", "status", "shown"), [
    (MeshState(NONE, running=False), FAILED, "not joined"),
    (MeshState(NONE, running=True, handshake_age=5), FAILED, "not joined"),
    (replace(WELL, running=False), FAILED, "wg0 is down"),
    (replace(WELL, handshake_age=None), FAILED, "never answered"),
    (replace(WELL, handshake_age=None, drift=("peer x is missing",)), FAILED, "never answered; wg0 is not as it was set up: peer x"),
    (replace(WELL, handshake_age=None, clock=BACK), FAILED, "never answered; the clock went back"),
    (replace(WELL, handshake_age=0), OK, "0 s ago"),
    (replace(WELL, handshake_age=180), OK, "180 s ago"),
    (replace(WELL, handshake_age=181), DEGRADED, "181 s ago"),
    (replace(WELL, drift=("the file was edited",)), DEGRADED, "the file was edited"),
    (replace(WELL, drift=("the file was edited", "route 10.50.0.0/24 is missing", "x")), DEGRADED, "edited (and 2 more)"),
    (replace(WELL, keys_closed=False, drift=(KEYS_OPEN,)), DEGRADED, "read by others"),
    (replace(WELL, clock=BACK), DEGRADED, "90 s in the future"),
    (replace(WELL, clock=Clock("the clock is not synchronized by NTP")), OK, "12 s ago; the clock is not"),
    (replace(WELL, starts_at_boot=False, drift=(NOT_AT_BOOT,)), DEGRADED, "boot"),
    (replace(WELL, starts_at_boot=None), OK, "12 s ago"),
    (HUB_WELL, OK, "2 of 3 nodes connected on wg0"),
    (replace(HUB_WELL, peers=()), OK, "0 of 0 nodes"),
    (replace(HUB_WELL, drift=("peer x is not ours",)), DEGRADED, "peer x is not ours"),
    (replace(HUB_WELL, running=False), FAILED, "wg0 is down"),
])
def test_mesh(state: MeshState, status: str, shown: str) -> None:
    """Joined, up, a handshake within the three minutes that WireGuard itself gives a session, and as a run would leave it."""
    part = health.mesh("wg0", state)
    assert part.status == status
    assert shown in one_sentence(part.message)
    assert bool(part.remedy) == (status != OK)


def test_a_fact_of_the_mesh_is_told_once() -> None:
    """Open keys and the boot have sentences of their own, and one remedy does for two troubles."""
    part = health.mesh("wg0", replace(WELL, drift=("the file was edited", NOT_AT_BOOT, KEYS_OPEN), starts_at_boot=False))
    assert part.message == "wg0 is not as it was set up: the file was edited; wg0 does not start at boot"
    assert part.remedy == "run site.yml, it repairs that"


@pytest.mark.parametrize(("arguments", "status", "shown"), [
    ((0, [], [], [], False), OK, "0"),
    ((2, [], [], [], True), OK, "2"),
    ((2, ["vm-1"], [], ["10.50.0.12"], True), FAILED, "vm-1"),
    ((2, ["(IPv4 forwarding)"], [], [], True), FAILED, "IPv4 forwarding"),
    ((2, [], ["chain FORWARD of table ip filter drops them; open it"], [], True), FAILED, "chain FORWARD"),
    ((2, [], [], ["10.50.0.12"], True), DEGRADED, "10.50.0.12 does not send answers to clients back through the mesh"),
    ((2, [], [], ["10.50.0.12", "fd50::12"], False), DEGRADED, "10.50.0.12 (and 1 more)"),
    ((2, [], [], [], False), DEGRADED, "reboot"),
    ((2, ["vm-1"], [], [], False), FAILED, "vm-1"),
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

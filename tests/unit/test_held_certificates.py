# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as Traefik's API lists them, and its log's reasons why one did not come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats.traefik_log import order_failures
from ansible_collections.edge.gateway.plugins.module_utils.models.held_certificate import DAY, Certificate, covering, troubles

DATA = Path(__file__).with_name("data")
# as GET /api/certificates of Traefik 3.7.15 gave it on 2026-11-25
ENTRY: Dict[str, Any] = {
    "name": "37005ddd", "sans": ["*.w.test", "c.test"], "notAfter": "2026-12-25T20:17:02Z", "notBefore": "2026-11-25T20:17:02Z",
    "serialNumber": "429531313761377939283261836825857458402216576066", "commonName": "c.test", "issuerCN": "Pebble CA", "version": "v3",
    "keyType": "RSA", "keySize": 2048, "status": "warning"}
END = 1798229822


def made(*names: str, after: int = 100 * DAY, before: int = 0) -> Certificate:
    """A certificate for these names."""
    return Certificate(frozenset(names), "CA", "1", before, after)


def test_an_entry_of_the_api() -> None:
    """Names, issuer, serial number and times; and what is shown of them."""
    found = Certificate.parse(ENTRY)
    assert found == Certificate(frozenset({"*.w.test", "c.test"}), "Pebble CA", ENTRY["serialNumber"], END - 30 * DAY, END)
    assert found.as_dict(END - 10 * DAY) == {
        "issuer": "Pebble CA", "serial": ENTRY["serialNumber"], "names": ["*.w.test", "c.test"], "not_after": "2026-12-25T20:17:02Z",
        "days_left": 10}


@pytest.mark.parametrize("change", [{"notAfter": None}, {"notAfter": "soon"}, {"notBefore": 5}])
def test_an_entry_that_is_none(change: Dict[str, Any]) -> None:
    """Another shape is passed over."""
    assert Certificate.parse({**ENTRY, **change}) is None


@pytest.mark.parametrize(("name", "covered"), [
    ("c.test", True), ("a.w.test", True), ("*.w.test", True), ("a.b.w.test", False), ("w.test", False), ("x.c.test", False),
    ("*.c.test", False),
])
def test_names_that_are_covered(name: str, covered: bool) -> None:
    """A wildcard stands for one label."""
    assert made("c.test", "*.w.test").covers(name) == covered


def test_the_best_of_several() -> None:
    """The exact one, then the one that lasts longest."""
    wild, old, new = made("*.a.test", after=200 * DAY), made("x.a.test", after=50 * DAY), made("x.a.test")
    assert covering([wild, old, new], "x.a.test") == new and covering([wild, old], "y.a.test") == wild and covering([old], "b.test") is None


@pytest.mark.parametrize(("now", "ended", "soon"), [
    (0, [], []), (86 * DAY - 1, [], []), (86 * DAY, [], ["the certificate of a.test ends in 14 days"]),
    (100 * DAY - 3600, [], ["the certificate of a.test ends in 1 hours"]), (100 * DAY, ["the certificate of a.test has ended"], []),
])
def test_the_end_of_a_certificate(now: int, ended: List[str], soon: List[str]) -> None:
    """Two weeks before."""
    assert troubles([made("b.test", "a.test")], now) == (ended, soon)


def test_the_end_of_a_short_lived_certificate() -> None:
    """Six days are not always near their end."""
    assert [bool(troubles([made("a.test", after=6 * DAY)], hours * 3600)[1]) for hours in (0, 100, 120)] == [False, False, True]


def test_reasons_of_a_real_log() -> None:
    """Of refused orders; certificates that came are none."""
    found = order_failures((DATA / "traefik-3.7.15-acme-journal-2026-11-25.txt").read_text())
    assert sorted(found) == ["blocked.edge.test", "elsewhere.edge.test"]
    assert 'forbidden by policy: "blocked.edge.test"' in found["blocked.edge.test"] and "connection refused" in found["elsewhere.edge.test"]


def test_reasons_of_other_troubles() -> None:
    """Renewals that fail, in both forms that Traefik writes; a page of HTML becomes one line."""
    found = order_failures((DATA / "traefik-3.7.15-acme-journal-troubles-2026-11-25.txt").read_text())
    assert {"http.edge.test", "dns.edge.test", "*.dns.edge.test", "*.wild.edge.test", "late.edge.test"} <= set(found)
    assert "could not determine solvers" in found["*.wild.edge.test"]
    assert all(reason.isprintable() and len(reason) <= 300 for reason in found.values())


def test_a_certificate_that_came_in_the_end() -> None:
    """The last word counts."""
    log = (DATA / "traefik-3.7.15-acme-journal-2026-11-25.txt").read_text()
    came = "2026-11-25T21:00:00Z INF Server responded with a certificate. domains=blocked.edge.test lib=lego\n"
    assert sorted(order_failures(log + came)) == ["elsewhere.edge.test"]
    assert sorted(order_failures(log + came.replace("=blocked.edge.test", '="x.test, blocked.edge.test"'))) == ["elsewhere.edge.test"]
    assert "blocked.edge.test" in order_failures(came + log)

# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Certificates that are due are renewed when Traefik starts, and served at once; others are left alone.

Traefik renews what ends within thirty days, and looks at its start and once a day; both follow from a certificate's
duration of ninety days, which it takes for granted. These live for twenty, so they are always due. The resolver
"bytls" is told so (certificatesDuration): its renewals begin two days before the end, and it looks every two hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest
from outside import FETCH_ROOT, ISSUER, Certificate, eventually, is_trusted, journal, shown
from reports import certificate
from testinfra.host import Host

DUE = ("http.edge.test", "dns.edge.test")
NOT_DUE = "tls.edge.test"


@dataclass(frozen=True)
class Story:
    """Certificates before and after a restart of Traefik."""

    before: dict[str, Certificate]
    after: dict[str, Certificate]


@pytest.fixture(scope="module")
def story(client: Host, edge: Host) -> Story:
    """Restart, and wait for new serial numbers."""
    client.check_output(FETCH_ROOT)
    before = {name: shown(client, name) for name in (*DUE, NOT_DUE)}
    edge.check_output("systemctl restart traefik")
    for name in DUE:
        eventually(f"a new certificate for {name}", partial(is_renewed, client, name, before[name]))
    return Story(before, {name: shown(client, name) for name in before})


def is_renewed(client: Host, name: str, before: Certificate) -> bool:
    """Issued since. The default certificate is new at each start, and no answer: it must not be taken for one."""
    now = shown(client, name)
    return now.issuer.startswith(ISSUER) and now.serial != before.serial


@pytest.mark.parametrize("name", DUE)
def test_a_certificate_that_is_due_is_renewed_and_served(story: Story, client: Host, name: str) -> None:
    """Another serial number for the same names, as trusted as before."""
    assert story.after[name].serial != story.before[name].serial
    assert story.after[name].names == story.before[name].names
    assert is_trusted(client, name)


@pytest.mark.parametrize("name", DUE)
def test_the_report_tells_of_the_new_certificate(story: Story, name: str) -> None:
    """Issuer, names, serial number and time are those of the one that is served now."""
    found = certificate(name)
    assert found["serial"] == str(int(story.after[name].serial, 16)) and set(found["names"]) == story.after[name].names
    assert found["issuer"].startswith("Pebble") and 18 <= found["days_left"] <= 20 and found["reason"] == ""


def test_a_certificate_that_is_not_due_stays(story: Story, client: Host) -> None:
    """It is read from acme.json: neither a restart nor a renewal of others costs an order."""
    assert story.after[NOT_DUE] == story.before[NOT_DUE]
    assert is_trusted(client, NOT_DUE)


def test_the_account_is_kept(story: Story, edge: Host) -> None:
    """Renewals are ordered by the account that ordered the first certificates."""
    lines = journal(edge, since_start=True)
    assert any(" INF Renewing ACME certificate: {Main:http.edge.test " in line for line in lines)
    assert not [line for line in lines if "Register" in line]

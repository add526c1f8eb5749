# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Each resolver's names are served with certificates that the ACME server has issued, after real validation."""

from __future__ import annotations

from functools import partial

import pytest
from outside import FETCH_ROOT, ISSUER, eventually, is_trusted, journal, shown, status
from testinfra.host import Host

NAMES = {
    "http.edge.test": {"http.edge.test"},
    "tls.edge.test": {"tls.edge.test"},
    "dns.edge.test": {"dns.edge.test", "*.dns.edge.test"},
    # no order ever named this one: the wildcard covers it
    "any.dns.edge.test": {"dns.edge.test", "*.dns.edge.test"},
}
CHALLENGES = [
    ("http.edge.test", "http-01"),
    ("tls.edge.test", "tls-alpn-01"),
    ("dns.edge.test", "dns-01"),
    ("*.dns.edge.test", "dns-01"),
]


@pytest.fixture(scope="module", autouse=True)
def issued(client: Host) -> None:
    """Every order is through; converge returns before, since a route is live without its certificate."""
    client.check_output(FETCH_ROOT)
    for name in NAMES:
        eventually(f"a trusted answer for {name}", partial(is_trusted, client, name))


@pytest.mark.parametrize("name", NAMES)
def test_the_certificate_is_the_names_own(client: Host, name: str) -> None:
    """Issued by Pebble, for the names of the route and no others."""
    certificate = shown(client, name)
    assert certificate.issuer.startswith(ISSUER)
    assert certificate.names == NAMES[name]


@pytest.mark.parametrize(("name", "challenge"), CHALLENGES)
def test_each_name_was_validated_by_its_resolvers_challenge(edge: Host, name: str, challenge: str) -> None:
    """The challenge of that kind and of no other kind was solved, and the server said so."""
    lines = journal(edge)
    solvers = {line.partition(" type=")[2] for line in lines if f" INF Use solver. domain={name} " in line}
    assert solvers == {challenge}
    assert any(f" INF The server validated our request. domain={name} " in line for line in lines)


def test_a_route_without_a_resolver_has_the_default_certificate(client: Host) -> None:
    """It answers, but not to somebody who trusts the ACME server alone: so that trust is what the others pass by."""
    assert status(client, "demo.edge.test") == "000"
    assert status(client, "demo.edge.test", "--insecure") == "200"


def test_keys_and_accounts_are_traefiks_alone(edge: Host) -> None:
    """Traefik would not use a file that others can read."""
    file = edge.file("/var/lib/traefik/acme.json")
    assert (file.user, file.group, oct(file.mode)) == ("traefik", "traefik", "0o600")


def test_the_password_of_the_dns_provider_is_nowhere_to_be_seen(edge: Host) -> None:
    """It did its work, for the provider refuses all others; neither systemd nor the journal shows it."""
    shown_to_all = edge.check_output("systemctl show traefik; journalctl --no-pager")
    assert "lab-dns-password" not in shown_to_all

# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Two orders that fail, one by the server's policy and one by its challenge: their routes live, and the journal says why."""

from __future__ import annotations

import re

import pytest
from outside import DEFAULT_ISSUER, eventually, journal, shown, status
from reports import certificate, module
from testinfra.host import Host

REFUSAL = re.compile(
    r'\S+ ERR Unable to obtain ACME certificate for domains error="(?P<reason>.*)" '
    r'ACME CA=\S+ acmeCA=\S+ domains=\["(?P<domains>.*)"\] providerName=(?P<resolver>\S+)\.acme '
    r"routerName=(?P<router>\S+)@file rule=.*"
)
REASONS = {
    "blocked": "urn:ietf:params:acme:error:rejectedIdentifier ::",
    "elsewhere": "urn:ietf:params:acme:error:connection ::",
}


def refusals(edge: Host) -> dict[str, re.Match[str]]:
    """The latest refusal of each route, by its id."""
    found = [match for line in journal(edge) if (match := REFUSAL.fullmatch(line))]
    return {match["router"]: match for match in found}


@pytest.mark.parametrize("name", REASONS)
def test_the_route_is_live_with_the_default_certificate(client: Host, name: str) -> None:
    """A name without its certificate is served all the same, to those who do not look."""
    assert status(client, f"{name}.edge.test", "--insecure") == "200"
    assert shown(client, f"{name}.edge.test").issuer == DEFAULT_ISSUER


@pytest.mark.parametrize("name", REASONS)
def test_the_journal_holds_the_reason(edge: Host, name: str) -> None:
    """One line names the route, the names, the resolver, and what the server said."""
    eventually(f"a refusal for {name}", lambda: name in refusals(edge))
    refusal = refusals(edge)[name]
    assert (refusal["domains"], refusal["resolver"]) == (f"{name}.edge.test", "byhttp")
    assert REASONS[name] in refusal["reason"]


@pytest.mark.parametrize("name", REASONS)
def test_the_routes_report_holds_the_reason(name: str) -> None:
    """No issuer, and what the server said, without looking into a journal."""
    eventually(f"a reason for {name}", lambda: certificate(f"{name}.edge.test")["reason"] != "")
    found = certificate(f"{name}.edge.test")
    assert found["issuer"] == "" and REASONS[name].rstrip(" :") in found["reason"]


def test_health_names_the_first_and_the_reason() -> None:
    """The edge serves, so it has not failed; but somebody has to look."""
    health = module("gateway_health")
    part = health["parts"]["certificates"]
    assert (health["status"], part["status"]) == ("degraded", "degraded")
    assert "none for blocked.edge.test (and 1 more): " in part["message"] and "rejectedIdentifier" in part["message"]


def test_a_run_that_waits_for_the_certificate_fails_with_the_reason() -> None:
    """In one sentence; the route stays as it is."""
    target = module("traefik_route_info")["details"]["blocked"]["servers"]
    result = module("traefik_route", "route_id=blocked hostname=blocked.edge.test certresolver=byhttp wait_certificate=1 "
                                     f"target_url={next(iter(target))}")
    assert result["failed"] and "blocked.edge.test has no certificate after 1 seconds" in result["msg"]
    assert "rejectedIdentifier" in result["msg"] and module("traefik_route_info")["live"]["blocked"] == "enabled"

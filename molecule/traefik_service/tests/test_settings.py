# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The role's settings, as somebody outside sees them; and that no secret among them is ever shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from certificates import fingerprint, pair
from edge_traefik_service import CURL, EDGE, NAME, applied, failed, process, role
from testinfra.host import Host

CLIENT, MESH_EDGE = "10.89.50.21", "10.50.0.2"
TOKEN = "s3cret $tok\"en 'with' \\all` of them"
ONE, TWO, RENEWED = pair(NAME), pair("two.edge.test"), pair(NAME)
SETTINGS: dict[str, Any] = {
    "edge_gateway_traefik_environment": {"DNS_API_TOKEN": TOKEN, "DNS_ZONE": 5},
    "edge_gateway_certificates": [{"name": "one", "default": True, **ONE}, {"name": "two", **TWO}],
    "edge_gateway_traefik_access_log": True,
    "edge_gateway_traefik_metrics": "mesh",
    "edge_gateway_traefik_http3": True,
    "edge_gateway_traefik_forwarded_headers_trusted_ips": [CLIENT],
    "edge_gateway_acme_staging": True,
    "edge_gateway_certificate_resolvers": {
        "plain": {"acme": {"email": "ops@edge.test", "httpChallenge": {"entryPoint": "web"}}},
        "own": {"acme": {"email": "ops@edge.test", "caServer": "https://192.0.2.1/directory", "tlsChallenge": {}}},
    },
}
SERVED = (
    "python3 -c \"import ssl,sys,socket,hashlib; c=ssl.create_default_context(); c.check_hostname=False; c.verify_mode=ssl.CERT_NONE; "
    f"s=c.wrap_socket(socket.create_connection(('{EDGE}',443),3),server_hostname=sys.argv[1]); "
    'print(hashlib.sha256(s.getpeercert(True)).hexdigest())" '
)


def certificates(*entries: dict[str, Any]) -> dict[str, Any]:
    """The settings with other certificates."""
    return {**SETTINGS, "edge_gateway_certificates": list(entries)}


def secrets() -> list[str]:
    """Each line of all keys, and the token in every notation of it."""
    lines = [line for item in (ONE, TWO, RENEWED) for line in item["private_key"].splitlines() if not line.startswith("-----")]
    return [*lines, TOKEN, "s3cret", "of them", json.dumps(TOKEN)[1:-1]]


@pytest.fixture(scope="module", name="set_up")
def all_settings() -> str:
    """Predict and apply all of them."""
    return applied(**SETTINGS).output


def test_secrets_are_never_shown(edge: Host, set_up: str) -> None:
    """Neither in a diff, nor with -vvv, nor by a refusal, nor in the unit, nor to Traefik's own user."""
    assert "/etc/traefik/traefik.env: file 0600 root:root\n+  (3 secret lines, sha256 " in set_up
    again = role("-vvv", **SETTINGS)
    assert again.returncode == 0 and again.count("changed") == 0, again.output
    assert "secret_content: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in again.output
    refused = role("-vvv", **{**SETTINGS, "edge_gateway_traefik_environment": {"DNS_API_TOKEN": TOKEN + "\n"}})
    assert refused.returncode == 2 and "edge_gateway_traefik_environment.DNS_API_TOKEN has a value with a newline" in refused.output
    unit = edge.check_output("systemctl show traefik.service; cat /etc/systemd/system/traefik.service")
    for text in (set_up, again.output, refused.output, unit):
        assert not [secret for secret in secrets() if secret in text]
    assert edge.run("runuser -u traefik -- cat /etc/traefik/traefik.env").rc != 0


def test_the_environment_arrives(edge: Host, set_up: str) -> None:
    """Character by character."""
    environment = edge.check_output(f"tr '\\0' '\\n' </proc/{process(edge)}/environ").splitlines()
    assert f"DNS_API_TOKEN={TOKEN}" in environment and "DNS_ZONE=5" in environment


def test_certificates_are_served_renewed_and_removed(edge: Host, client: Host, set_up: str) -> None:
    """Without a restart. The default one is served for every other name."""
    running = process(edge)
    assert client.check_output(f"{SERVED}{NAME}") == fingerprint(ONE["certificate"])
    assert client.check_output(f"{SERVED}two.edge.test") == fingerprint(TWO["certificate"])
    assert client.check_output(f"{SERVED}other.edge.test") == fingerprint(ONE["certificate"])
    renewed = applied(**certificates({"name": "one", "default": True, **RENEWED}))
    assert client.check_output(f"sleep 1; {SERVED}{NAME}") == fingerprint(RENEWED["certificate"])
    assert client.check_output(f"{SERVED}two.edge.test") == fingerprint(RENEWED["certificate"])
    assert edge.check_output("ls /etc/traefik/certs") == "one.crt\none.key"
    assert not [secret for secret in secrets() if secret in renewed.output]
    assert process(edge) == running


def test_a_key_of_another_certificate_is_refused(edge: Host, set_up: str) -> None:
    """Before anything is written."""
    look = "sha256sum /etc/traefik/certs/* /etc/traefik/dynamic/*"
    before = edge.check_output(look)
    entry = {"name": "one", "certificate": ONE["certificate"], "private_key": TWO["private_key"]}
    assert "private_key of one does not belong to its certificate" in failed(**certificates(entry))
    assert edge.check_output(look) == before


def test_the_access_log_is_rotated(edge: Host, client: Host, set_up: str) -> None:
    """And written to afterwards; it has no headers of requests."""
    request = f"{CURL} --header 'X-Private: of-no-concern' --output /dev/null"
    client.check_output(request)
    edge.check_output("logrotate --force /etc/logrotate.d/edge-gateway-traefik")
    client.check_output(f"sleep 0.5; {request}")
    files = [edge.check_output(f"cat /var/log/traefik/access.log{suffix}") for suffix in ("", ".1")]
    for text in files:
        line = json.loads(text.splitlines()[-1])
        assert (line["ClientHost"], line["RouterName"], line["DownstreamStatus"]) == (CLIENT, "demo@file", 200)
        assert "of-no-concern" not in text
    assert len(files[0].splitlines()) == 1


def test_metrics_are_for_the_mesh_alone(edge: Host, client: Host, node: Host, set_up: str) -> None:
    """Outside nothing answers."""
    assert "traefik_entrypoint_requests_total" in node.check_output(
        f"python3 -c \"import urllib.request as u; print(u.urlopen('http://{MESH_EDGE}:8082/metrics', timeout=5).read().decode())\""
    )
    assert client.run(f"curl --silent --max-time 3 http://{EDGE}:8082/metrics").rc != 0
    assert edge.check_output("ss -Hltn 'sport = :8082'").split()[3] == f"{MESH_EDGE}:8082"


def test_a_tunnel_that_is_down_keeps_no_route_down(edge: Host, client: Host, set_up: str) -> None:
    """The address of the metrics need not be there yet."""
    edge.check_output("systemctl stop wg-quick@wg0.service")
    try:
        edge.check_output("systemctl restart traefik.service")
        assert client.check_output(f"{CURL} --output /dev/null --write-out '%{{http_code}}'") == "502"
    finally:
        edge.check_output("systemctl start wg-quick@wg0.service")
    assert "hello from node1" in client.check_output(f"{CURL} --retry 9 --retry-all-errors --fail")


def test_http3_is_offered(edge: Host, client: Host, set_up: str) -> None:
    """On UDP port 443."""
    assert 'alt-svc: h3=":443"' in client.check_output(f"{CURL} --output /dev/null --dump-header -")
    assert edge.check_output("ss -Hlun 'sport = :443'") != ""


def test_only_named_proxies_are_believed(client: Host, set_up: str) -> None:
    """The client is one here."""
    assert f"X-Forwarded-For: 192.0.2.7, {CLIENT}" in client.check_output(f"{CURL} --header 'X-Forwarded-For: 192.0.2.7'")


def test_staging_certificates_are_kept_apart(edge: Host, set_up: str) -> None:
    """A resolver with an authority of its own is not redirected."""
    text = edge.check_output("cat /etc/traefik/traefik.yml")
    assert text.count("https://acme-staging-v02.api.letsencrypt.org/directory") == 1
    assert text.count("storage: /var/lib/traefik/acme-staging.json") == 1
    assert text.count("storage: /var/lib/traefik/acme.json") == 1


def test_a_resolver_has_one_challenge() -> None:
    """None and two are refused, in one sentence."""
    for acme in ({"email": "ops@edge.test"}, {"tlsChallenge": {}, "dnsChallenge": {"provider": "exec"}}):
        done = role(edge_gateway_certificate_resolvers={"le": {"acme": acme}})
        assert done.returncode == 2
        said = " ".join(done.stdout.split())
        assert "edge_gateway_certificate_resolvers.le must have exactly one of httpChallenge, tlsChallenge, dnsChallenge under" in said


def test_back_to_the_defaults(edge: Host, client: Host, set_up: str) -> None:
    """What was set is gone, and the client is no longer believed."""
    assert role().returncode == 0
    assert edge.check_output("ls -A /etc/traefik /etc/traefik/certs /etc/traefik/dynamic").split() == [
        *["/etc/traefik:", "certs", "dynamic", "traefik.yml", "/etc/traefik/certs:", "/etc/traefik/dynamic:", "demo.yml"]
    ]
    assert edge.check_output("ss -Hln 'sport = :8082'; ss -Hlun 'sport = :443'") == ""
    headers = client.check_output(f"{CURL} --dump-header - --header 'X-Forwarded-For: 192.0.2.7'")
    assert "alt-svc" not in headers and "192.0.2.7" not in headers and f"X-Forwarded-For: {CLIENT}" in headers

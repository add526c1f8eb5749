# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What a client outside sees of a name's certificate, with no trust but in the root of the ACME server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from testinfra.host import Host

EDGE = "10.89.50.11"
ROOT = "/root/acme-root.pem"
# Pebble makes its root at each start, and hands it out
FETCH_ROOT = f"curl -sSf --max-time 5 --cacert /usr/local/share/lab-acme-api-ca.pem --output {ROOT} https://10.89.50.2:15000/roots/0"
CURL = "curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}'"
ISSUER = "CN=Pebble Intermediate CA "
DEFAULT_ISSUER = "CN=TRAEFIK DEFAULT CERT"
# Pebble's first answer is "pending", and lego asks again after some seconds
SECONDS = 60.0


@dataclass(frozen=True)
class Certificate:
    """What the edge shows for a name."""

    issuer: str
    serial: str
    names: frozenset[str]


def status(client: Host, name: str, trust: str = f"--cacert {ROOT}") -> str:
    """The status of the answer over HTTPS; 000 when the certificate is not trusted."""
    return str(client.run(f"{CURL} {trust} --connect-to ::{EDGE}: https://{name}/").stdout)


def is_trusted(client: Host, name: str) -> bool:
    """Whether it answers with a certificate that the ACME server has issued for the name."""
    return status(client, name) == "200"


def shown(client: Host, name: str) -> Certificate:
    """The certificate, trusted or not."""
    text = client.check_output(
        f"timeout 5 openssl s_client -connect {EDGE}:443 -servername {name} </dev/null 2>/dev/null | "
        "openssl x509 -noout -nameopt RFC2253 -issuer -serial -ext subjectAltName"
    )
    found = re.fullmatch(r"issuer=(.*)\nserial=(.*)\nX509v3 Subject Alternative Name:.*\n\s+(DNS:.*)", text)
    assert found, text
    return Certificate(found[1], found[2], frozenset(found[3].replace("DNS:", "").split(", ")))


def eventually(what: str, holds: Callable[[], bool]) -> None:
    """Wait until it holds, for a limited time."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {SECONDS:.0f} s")
        time.sleep(0.5)


def journal(edge: Host, since_start: bool = False) -> list[str]:
    """Traefik's lines, of its present life or of all."""
    life = "_SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value traefik)" if since_start else ""
    return str(edge.check_output(f"journalctl --no-pager --output=cat --unit=traefik {life}")).splitlines()

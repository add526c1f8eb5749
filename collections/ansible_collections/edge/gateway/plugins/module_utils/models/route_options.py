# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nested options of a route. Names are Traefik's in snake case; tables say how they are parsed."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from . import fields, options
from .options import BOOL, COUNT, DURATION, FILE, HEADERS, HOSTNAME, NUMBER, PORT, REFERENCE, TOKEN, Kind, many, nested, one_of, word

VERSIONS = ("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13")
CLIENT_AUTH = ("RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
# two slashes would begin the name of another host
QUERY_PATH = word(r"/(?!/)[A-Za-z0-9._~@%+/?=&-]{0,255}", "is not a plain path; write it like /health")
COOKIE_NAME = word(r"[A-Za-z0-9_.-]{1,64}", "is not a plain name of a cookie; use letters, digits, '_', '.' and '-'")

MOMENT = Kind(fields.moment, {"type": "str"})

HEALTH_CHECK = nested({
    "path": QUERY_PATH, "interval": DURATION, "unhealthy_interval": DURATION, "timeout": DURATION, "port": PORT, "hostname": HOSTNAME,
    "scheme": one_of("http", "https"), "method": TOKEN, "status": options.STATUS, "headers": HEADERS, "follow_redirects": BOOL,
}, ("path",))

STICKY = nested({
    "cookie": nested({
        "name": COOKIE_NAME, "secure": BOOL, "http_only": BOOL, "same_site": one_of("none", "lax", "strict"),
        "max_age": NUMBER, "path": options.PATH, "domain": HOSTNAME,
    }),
}, ("cookie",))

SERVERS_TRANSPORT = nested({
    "server_name": HOSTNAME, "insecure_skip_verify": BOOL, "root_cas": many(FILE),
    "certificates": many(nested({"cert_file": FILE, "key_file": FILE}, ("cert_file", "key_file"))),
    "max_idle_conns_per_host": COUNT, "disable_http2": BOOL,
    "forwarding_timeouts": nested({
        "dial_timeout": DURATION, "response_header_timeout": DURATION, "idle_conn_timeout": DURATION,
        "read_idle_timeout": DURATION, "ping_timeout": DURATION,
    }),
})

TLS_OPTIONS = nested({
    "name": REFERENCE, "min_version": one_of(*VERSIONS), "max_version": one_of(*VERSIONS), "cipher_suites": many(TOKEN),
    "curve_preferences": many(TOKEN), "sni_strict": BOOL, "alpn_protocols": many(TOKEN),
    "client_auth": nested({"ca_files": many(FILE), "client_auth_type": one_of(*CLIENT_AUTH)}, ("client_auth_type",)),
})

# what only some routes have; an empty value counts as not given
EXTRAS: Mapping[str, Kind] = {
    "priority": options.whole(1, 2**31 - 1), "weight": many(options.whole(0, 1_000_000)),
    # Ansible takes the name for that of a password
    "pass_host_header": Kind(BOOL.parse, {**BOOL.spec, "no_log": False}),
    "health_check": HEALTH_CHECK, "sticky": STICKY, "servers_transport": SERVERS_TRANSPORT, "tls_options": TLS_OPTIONS,
    "passthrough": BOOL, "proxy_protocol": options.whole(1, 2), "expires": MOMENT,
}
# values that say what is so anyway
USUAL: Mapping[str, Any] = {"pass_host_header": True, "passthrough": False}


def extras(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The extras that are given and say more than what is usual, in canonical form."""
    found = {}
    for name, kind in EXTRAS.items():
        value = params.get(name)
        if value in (None, "") or value in ({}, []) and kind.spec["type"] in ("dict", "list"):
            continue
        parsed = kind.parse(name, value)
        if parsed != {} and (name not in USUAL or parsed != USUAL[name]):
            found[name] = parsed
    return found

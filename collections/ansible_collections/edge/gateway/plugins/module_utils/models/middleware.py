# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Middlewares of a route: what Traefik does with a request on its way. Names and options are Traefik's, in snake case."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Mapping, Tuple

from ..errors import MISSING, InvalidInput
from . import options
from .options import BOOL, COUNT, DURATION, FILE, HEADER_NAME, HEADERS, NETWORK, NUMBER, STATUS, TEXT, TOKEN, URL, Kind, Table

# one middleware as it is kept: {kind: {option: value}}, or {"name": "reference"}
Middleware = Dict[str, Any]
REFERENCE = "name"

# Ansible takes the name for that of a secret; it is a path
PLAIN_FILE = Kind(FILE.parse, {**FILE.spec, "no_log": False})
IP_STRATEGY = options.nested({"depth": NUMBER, "excluded_ips": options.many(NETWORK), "ipv6_subnet": options.whole(0, 128)})
SOURCE = options.nested({"ip_strategy": IP_STRATEGY, "request_header_name": HEADER_NAME, "request_host": BOOL})
UPSTREAM_TLS = options.nested({"ca": FILE, "cert": FILE, "key": PLAIN_FILE, "insecure_skip_verify": BOOL})
SECURITY = "security"

# kind -> its options, and those without which it does nothing
TABLES: Mapping[str, Tuple[Table, Tuple[str, ...]]] = {
    "redirect_scheme": ({"scheme": options.one_of("https", "http"), "port": options.PORT, "permanent": BOOL}, ("scheme",)),
    "redirect_regex": ({"regex": TEXT, "replacement": TEXT, "permanent": BOOL}, ("regex", "replacement")),
    "strip_prefix": ({"prefixes": options.many(options.PATH)}, ("prefixes",)),
    "add_prefix": ({"prefix": options.PATH}, ("prefix",)),
    "headers": ({
        "preset": options.one_of(SECURITY),
        "custom_request_headers": HEADERS, "custom_response_headers": HEADERS,
        "access_control_allow_credentials": BOOL, "access_control_allow_headers": options.many(TOKEN),
        "access_control_allow_methods": options.many(TOKEN), "access_control_allow_origin_list": options.many(TEXT),
        "access_control_expose_headers": options.many(TOKEN), "access_control_max_age": NUMBER, "add_vary_header": BOOL,
        "sts_seconds": NUMBER, "sts_include_subdomains": BOOL, "sts_preload": BOOL, "force_sts_header": BOOL,
        "frame_deny": BOOL, "custom_frame_options_value": TEXT, "content_type_nosniff": BOOL, "browser_xss_filter": BOOL,
        "content_security_policy": TEXT, "referrer_policy": TEXT, "permissions_policy": TEXT,
    }, ()),
    "basic_auth": ({"users": options.many(options.USER), "users_file": FILE, "realm": TEXT, "header_field": HEADER_NAME,
                    "remove_header": BOOL}, ()),
    "forward_auth": ({"address": URL, "trust_forward_header": BOOL, "auth_response_headers": options.many(HEADER_NAME),
                      "auth_request_headers": options.many(HEADER_NAME), "add_auth_cookies_to_response": options.many(TOKEN),
                      "header_field": HEADER_NAME, "preserve_request_method": BOOL, "tls": UPSTREAM_TLS}, ("address",)),
    "ip_allow_list": ({"source_range": options.many(NETWORK, 1000), "ip_strategy": IP_STRATEGY, "reject_status_code": STATUS},
                      ("source_range",)),
    "rate_limit": ({"average": COUNT, "period": DURATION, "burst": COUNT, "source_criterion": SOURCE}, ("average",)),
    "in_flight_req": ({"amount": COUNT, "source_criterion": SOURCE}, ("amount",)),
    "compress": ({"excluded_content_types": options.many(TOKEN), "included_content_types": options.many(TOKEN),
                  "min_response_body_bytes": NUMBER, "encodings": options.many(options.one_of("zstd", "br", "gzip"))}, ()),
    "retry": ({"attempts": options.whole(1, 100), "initial_interval": DURATION}, ("attempts",)),
    "circuit_breaker": ({"expression": TEXT, "check_period": DURATION, "fallback_duration": DURATION,
                         "recovery_duration": DURATION, "response_code": STATUS}, ("expression",)),
    "buffering": ({"max_request_body_bytes": NUMBER, "mem_request_body_bytes": NUMBER, "max_response_body_bytes": NUMBER,
                   "mem_response_body_bytes": NUMBER, "retry_expression": TEXT}, ()),
    "in_flight_conn": ({"amount": COUNT}, ("amount",)),
}
# those that Traefik has for connections, beside or instead of requests
OF_TCP = ("ip_allow_list", "in_flight_conn")
ONLY_TCP = ("in_flight_conn",)
EMPTY_MAKES_SENSE = ("compress",)

# what a browser should be told by a site that has no wish of its own; an option that is given wins
SECURITY_HEADERS: Mapping[str, Any] = {
    "sts_seconds": 31536000, "sts_include_subdomains": True, "frame_deny": True, "content_type_nosniff": True,
    "referrer_policy": "strict-origin-when-cross-origin", "permissions_policy": "camera=(), geolocation=(), microphone=()",
}

SPEC: Dict[str, Dict[str, Any]] = {
    REFERENCE: dict(options.REFERENCE.spec),
    **{kind: {"type": "dict", "options": options.spec_of(table, needed)} for kind, (table, needed) in TABLES.items()},
}


def parse(option: str, value: object, tcp: bool) -> Middleware:
    """One middleware: a dictionary with one kind, or with the name of one that stands elsewhere.

    Args:
        tcp: whether it is to stand before connections rather than requests.
    """
    given = {name: content for name, content in value.items() if content is not None} if isinstance(value, Mapping) else {}
    if len(given) != 1:
        raise InvalidInput(option, sorted(map(str, given)) or value, "is not one middleware; give a list, each with one kind, "
                                                                     "like {strip_prefix: {prefixes: [/api]}}")
    (kind, content), = given.items()
    if kind == REFERENCE:
        return {REFERENCE: options.REFERENCE.parse(f"{option}.{REFERENCE}", content)}
    if kind not in TABLES:
        raise InvalidInput(f"{option}.{kind}", MISSING, "is not a kind of middleware that is known here; choose one of "
                           f"{', '.join(TABLES)}, or give the {REFERENCE} of one that stands in another file")
    if tcp and kind not in OF_TCP or not tcp and kind in ONLY_TCP:
        raise InvalidInput(f"{option}.{kind}", MISSING, f"is not for {'TCP' if tcp else 'HTTP'} routes; "
                                                        + (f"those take {' and '.join(OF_TCP)}" if tcp else "take in_flight_req"))
    return {kind: _options(f"{option}.{kind}", kind, content)}


def _options(option: str, kind: str, value: object) -> Dict[str, Any]:
    table, needed = TABLES[kind]
    found = options.parse_table(option, value, table, needed)
    # Traefik turns off a route with headers of which none is set
    if not found and kind not in EMPTY_MAKES_SENSE or kind == "headers" and not any(found.values()):
        raise InvalidInput(option, MISSING, f"has no option and would do nothing; give some of {options.listed(table)}")
    if kind == "basic_auth" and ("users" in found) == ("users_file" in found):
        raise InvalidInput(option, MISSING, "needs users or users_file, one of the two")
    for names, where in ((("included_content_types", "excluded_content_types"), found),
                         (("ip_strategy", "request_header_name", "request_host"), found.get("source_criterion", {}))):
        given = [name for name in names if where.get(name)]
        if len(given) > 1:
            place = option if where is found else f"{option}.source_criterion"
            raise InvalidInput(place, MISSING, f"has both {given[0]} and {given[1]}, which Traefik refuses; leave one of them out")
    return found


def in_effect(middleware: Middleware) -> Dict[str, Any]:
    """The middleware as Traefik is told it: its preset spelt out."""
    headers = middleware.get("headers")
    if "port" in middleware.get("redirect_scheme", {}):
        # text to Traefik, which reports it so
        return {"redirect_scheme": {**middleware["redirect_scheme"], "port": str(middleware["redirect_scheme"]["port"])}}
    if headers is None or "preset" not in headers:
        return middleware
    return {"headers": {**SECURITY_HEADERS, **{name: value for name, value in headers.items() if name != "preset"}}}


def shown(middleware: Middleware) -> Middleware:
    """The middleware for output: names of users, and a fingerprint of their hashes."""
    users = middleware.get("basic_auth", {}).get("users")
    if users is None:
        return middleware
    digest = hashlib.sha256("\n".join(users).encode()).hexdigest()[:8]
    names: List[str] = [f"{entry.partition(':')[0]}:(hash hidden, sha256 of all {digest})" for entry in users]
    return {"basic_auth": {**middleware["basic_auth"], "users": names}}


MIDDLEWARE = Kind(lambda option, value: parse(option, value, False), {"type": "dict", "options": SPEC})

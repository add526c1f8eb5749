# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of routes offers, option by option, with values for each; the code is not asked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import yaml
from ansible_collections.edge.gateway.plugins.modules import traefik_route
from contract import world

Options = Dict[str, Any]
DOCUMENTED: Options = yaml.safe_load(traefik_route.DOCUMENTATION)["options"]
FILES = Path("/etc/traefik/samples")
HASHES = ["ann:$2y$05$Zj4Jgqr9iFWZwbBZLhDDOO0F5XX2GYDdV1qHZNQTLGq8Vcqp7NDTK", "bob:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00",
          "cid:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc="]
# texts that mean something else to a careless writer of YAML or to a template
AWKWARD = ["yes", "1e3", "0x1f", "null", "~", "2024-01-01", "=", "<<", "!tag x", "&a", "*a", "%x", "@x", "`x`", "#x", "a: b", "- a", "a #b",
           "'", '"', "\\", "\\n", "{", "}", "{a}", "{ {x} }", "[", "a,b", "?", "|", ">",
           "1_000", "007", "0", "a" * 300, "$1", "${x}", "%{x}",
           "default-src 'self'; img-src *", 'a="b"', "<a>", "&amp;", "a'b\"c\\d"]
HEADERS: List[Any] = [{"X-Real": value} for value in AWKWARD] + [
    {"X-One": "1", "X-Gone": ""}, {"X-Gone": ""}, {"123": "a"}, {"yes": "no", "X-Null": "null"}, {"X_y.z~!#$%&'*+-^|": "a"}]
DURATIONS = ["1s", "30s", "500ms", "1m", "1m30s", "2h"]
NETWORKS = [["127.0.0.1/32"], ["203.0.113.0/24", "2001:db8::/32"], ["198.51.100.7"], ["0.0.0.0/0", "::/0"]]
NAMES = [["X-One"], ["X-One", "Content-Type"]]
# lists and texts whose right values a type does not tell; whole numbers without an entry take NUMBERS
VALUES: Dict[str, List[Any]] = {
    "middlewares.redirect_scheme.port": [1, 443, 8443, 65535],
    "middlewares.redirect_regex.regex": ["^https?://old\\.test/(.*)$", "(a|b)+", "^http://x/[{](.*)[}]", "a{2}b"],
    "middlewares.redirect_regex.replacement": ["https://new.test/${1}", "https://new.test/$1", "https://new.test/a?b=c&d#e"],
    "middlewares.strip_prefix.prefixes": [["/api"], ["/api", "/v2/x"]],
    "middlewares.add_prefix.prefix": ["/x", "/a/b"],
    "middlewares.headers.custom_request_headers": HEADERS, "middlewares.headers.custom_response_headers": HEADERS,
    "middlewares.headers.access_control_allow_headers": [["*"], *NAMES], "middlewares.headers.access_control_expose_headers": NAMES,
    "middlewares.headers.access_control_allow_methods": [["GET", "PUT"], ["POST"]],
    "middlewares.headers.access_control_allow_origin_list": [["https://a.test"], ["*"], ["https://a.test", "https://b.test:8443"]],
    "middlewares.headers.access_control_max_age": [1, 600], "middlewares.headers.sts_seconds": [1, 31536000],
    "middlewares.headers.custom_frame_options_value": ["SAMEORIGIN"],
    "middlewares.headers.content_security_policy": ["default-src 'self'; img-src *", "default-src 'none'"],
    "middlewares.headers.referrer_policy": ["no-referrer", "same-origin"],
    "middlewares.headers.permissions_policy": ["camera=(), microphone=(self \"https://a.test\")"],
    "middlewares.basic_auth.users": [HASHES, HASHES[:1], HASHES[1:2], HASHES[2:]],
    "middlewares.basic_auth.users_file": [str(FILES / "users")],
    "middlewares.basic_auth.realm": ["Private area", "yes"], "middlewares.basic_auth.header_field": ["X-User"],
    "middlewares.forward_auth.address": ["http://10.50.0.30:9000/check", "http://10.50.0.30:9000/check?rd=https://auth.test", "https://auth.test/verify"],
    "middlewares.forward_auth.auth_response_headers": NAMES, "middlewares.forward_auth.auth_request_headers": NAMES,
    "middlewares.forward_auth.add_auth_cookies_to_response": [["session"], ["a", "b"]],
    "middlewares.forward_auth.header_field": ["X-User"],
    "middlewares.forward_auth.tls.ca": [str(FILES / "cert.pem")], "middlewares.forward_auth.tls.cert": [str(FILES / "cert.pem")],
    "middlewares.forward_auth.tls.key": [str(FILES / "key.pem")],
    "middlewares.ip_allow_list.source_range": NETWORKS, "middlewares.ip_allow_list.reject_status_code": [404, 401],
    "middlewares.rate_limit.period": DURATIONS, "middlewares.retry.attempts": [1, 5], "middlewares.retry.initial_interval": ["100ms", "1s"],
    "middlewares.compress.excluded_content_types": [["text/event-stream"], ["image/png", "image/jpeg"]],
    "middlewares.compress.included_content_types": [["text/html"], ["application/json", "text/plain"]],
    "middlewares.circuit_breaker.expression": [
        "NetworkErrorRatio() > 0.30", "LatencyAtQuantileMS(50.0) > 100 || ResponseCodeRatio(500, 600, 0, 600) > 0.25"],
    "middlewares.circuit_breaker.check_period": ["100ms", "1s"], "middlewares.circuit_breaker.fallback_duration": ["10s"],
    "middlewares.circuit_breaker.recovery_duration": ["10s"], "middlewares.circuit_breaker.response_code": [503, 429],
    "middlewares.buffering.retry_expression": ["IsNetworkError() && Attempts() < 2"],
    "health_check.path": ["/", "/health", "/h?a=b&c=d"], "health_check.interval": ["10s", "1m"],
    "health_check.unhealthy_interval": ["5s"], "health_check.timeout": ["3s", "500ms"], "health_check.port": [8081, 65535],
    "health_check.hostname": ["health.test"], "health_check.method": ["HEAD", "OPTIONS"], "health_check.status": [200, 204],
    "health_check.headers": [{"X-Check": "yes"}, {"X-A": "1", "X-B": "a: b"}],
    "sticky.cookie.name": ["lb", "edge_node"], "sticky.cookie.max_age": [60, 86400], "sticky.cookie.path": ["/", "/app"],
    "sticky.cookie.domain": ["example.test"],
    "servers_transport.server_name": ["backend.test"], "servers_transport.root_cas": [[str(FILES / "cert.pem")]],
    "servers_transport.certificates": [[{"cert_file": str(FILES / "cert.pem"), "key_file": str(FILES / "key.pem")}]],
    "tls_options.cipher_suites": [["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
                                  ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"]],
    "tls_options.curve_preferences": [["X25519"], ["CurveP256", "CurveP384"]],
    "tls_options.alpn_protocols": [["h2", "http/1.1"], ["http/1.1"]],
    "tls_options.client_auth.ca_files": [[str(FILES / "cert.pem")]],
}
NUMBERS = [1, 2, 50, 1000]
ANYWHERE: Dict[str, List[Any]] = {"depth": [1, 3], "ipv6_subnet": [64, 128],
                                  "excluded_ips": [["10.0.0.1"], ["10.0.0.0/8", "2001:db8::/32"]],
                                  "request_header_name": ["X-Key"], "cert_file": [str(FILES / "cert.pem")],
                                  "key_file": [str(FILES / "key.pem")]}


def make_files() -> None:
    """Files that options name: a certificate with its key, and a list of users."""
    FILES.mkdir(exist_ok=True)
    (FILES / "users").write_text("\n".join(HASHES) + "\n")
    world.sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
             "/CN=backend.test", "-addext", "subjectAltName=DNS:backend.test", "-keyout", str(FILES / "key.pem"), "-out",
             str(FILES / "cert.pem"))


def is_duration(path: str) -> bool:
    """Whether an option is a time."""
    return path.endswith(("_timeout", "interval", "period", "_duration", ".timeout"))


def values(path: str, option: Options) -> List[Any]:
    """Good values of an option that holds no others."""
    last = path.rsplit(".", maxsplit=1)[-1]
    if path in VALUES:
        return VALUES[path]
    if "choices" in option:
        choices: List[Any] = option["choices"]
        return [choices, choices[:1]] if option["type"] == "list" else choices
    if last in ANYWHERE:
        return ANYWHERE[last]
    if last.endswith("_timeout"):
        return DURATIONS
    return [True, False] if option["type"] == "bool" else NUMBERS


def draw(source: random.Random, path: str, option: Options, share: float) -> Any:
    """A value; of an option that holds others each that is required, and a share of the rest."""
    if "suboptions" not in option or option.get("elements") == "dict":
        return source.choice(values(path, option))
    return {name: draw(source, f"{path}.{name}", inner, share) for name, inner in option["suboptions"].items()
            if inner.get("required") or source.random() < share}


def plain(path: str, option: Options) -> Any:
    """The first good value, with nothing that is not required."""
    if "suboptions" not in option or option.get("elements") == "dict":
        return values(path, option)[0]
    return {name: plain(f"{path}.{name}", inner) for name, inner in option["suboptions"].items() if inner.get("required")}


KINDS: Options = {name: inner for name, inner in DOCUMENTED["middlewares"]["suboptions"].items() if name != "name"}
TCP_KINDS = ("ip_allow_list", "in_flight_conn")


def leaves(path: str = "", options: Options = DOCUMENTED) -> Iterator[Tuple[str, Options]]:
    """Every option below the ones of a route that are nested, with its path."""
    for name, option in options.items():
        inner = f"{path}.{name}" if path else name
        if inner in ("routes", "static"):
            continue
        if "suboptions" in option:
            yield from leaves(inner, option["suboptions"])
        elif path:
            yield inner, option


def holding(path: str, value: Any) -> Options:
    """The changes of a route that give this value to that option, with what else is required beside it."""
    first, *rest = path.split(".")
    built = _built(first, DOCUMENTED[first], rest, value)
    return {first: [built] if first == "middlewares" else built}


def _built(path: str, option: Options, rest: List[str], value: Any) -> Any:
    if not rest:
        return value
    found = {}
    for name, inner in option["suboptions"].items():
        if name == rest[0]:
            found[name] = _built(f"{path}.{name}", inner, rest[1:], value)
        elif inner.get("required"):
            found[name] = plain(f"{path}.{name}", inner)
    return [found] if option.get("elements") == "dict" and "." in path else found

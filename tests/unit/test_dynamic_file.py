# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of others in Traefik's directory, and its static configuration."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.formats.dynamic_file import Foreign, examine, simple_rule
from ansible_collections.edge.gateway.plugins.module_utils.formats.traefik_static import understand
from ansible_collections.edge.gateway.plugins.module_utils.models import route_rules
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from ansible_collections.edge.gateway.plugins.module_utils.models.route_rules import Claim
from unit.samples import refusal

GOOD = """http:
  routers:
    mine: {rule: "Host(`A.test`) && PathPrefix(`/x`)", service: s, entryPoints: [websecure], middlewares: [auth]}
    odd: {rule: "Host(`b.test`) && Method(`GET`)", service: s}
  services: {s: {loadBalancer: {servers: [{url: "http://10.0.0.1"}]}}}
  middlewares: {auth: {basicAuth: {usersFile: /x}}}
tcp:
  routers: {db: {rule: "HostSNI(`db.test`)", service: t, tls: {passthrough: true}}}
  services: {t: {loadBalancer: {servers: [{address: "10.0.0.1:5"}]}}}
tls:
  options: {strict: {minVersion: VersionTLS13}}
  certificates: [{certFile: /a, keyFile: /b}]
"""


def test_what_a_file_holds() -> None:
    """Names by kind, and the claims of rules that hold nothing but hosts and a path."""
    found = examine("mine.yml", GOOD.encode())
    assert (found.broken, found.doubtful, found.opaque) == ("", "", False)
    assert found.names["http routers"] == {"mine", "odd"} and found.names["http middlewares"] == {"auth"}
    assert found.names["tls options"] == {"strict"} and found.names["tcp services"] == {"t"}
    assert found.claims == (Claim("the file mine.yml", "websecure", "a.test", "/x"), Claim("the file mine.yml", "*", "db.test", None))


@pytest.mark.parametrize("text", ["http: [", "a: 1\na: 2", "- a", "5", "http:\n\trouters: 1", "a: \x00", "a: 'x", "[" * 50, "a: *x"])
def test_broken_for_any_traefik(text: str) -> None:
    """What no version can load."""
    assert examine("x.yml", text.encode()).broken


@pytest.mark.parametrize("data", [b"\x80a", "ä".encode("latin-1")])
def test_not_utf8(data: bytes) -> None:
    """Nor another encoding."""
    assert examine("x.yml", data).broken == "is not UTF-8"


@pytest.mark.parametrize("text", [
    "http: {routers: {}}", "http: {}", "http: {routers: }", "http: {routers: {a: {ruel: x, service: s}}}",
    "http: {rooters: {a: {}}}",
    "http: {services: {s: {loadBalancer: {}}}}", "http: {routers: {a: }}", "http: {routers: [a]}",
])
def test_doubtful_for_some_traefik(text: str) -> None:
    """What the one that was looked at refuses, and another may take."""
    found = examine("x.yml", text.encode())
    assert found.doubtful and not found.broken


@pytest.mark.parametrize("text", ["", "# nothing\n", "other: {a: 1}", "---\n", "http:", "tls: {options: {default: {}}}"])
def test_harmless(text: str) -> None:
    """Traefik loads these."""
    found = examine("x.yml", text.encode())
    assert not found.doubtful and not found.broken and not found.opaque


@pytest.mark.parametrize(("name", "text"), [("x.toml", "[http]"), ("x.yml", 'http: {{ env "X" }}'), ("x.yml", "a: !special 5")])
def test_opaque(name: str, text: str) -> None:
    """What cannot be understood here is not judged."""
    assert examine(name, text.encode()) == Foreign(opaque=True)


@pytest.mark.parametrize(("rule", "found"), [
    ("Host(`a.test`)", (["a.test"], "")), ("Host(`a.test`) || Host(`B.test`)", (["a.test", "b.test"], "")),
    ("(Host(`a.test`)||Host(`b.test`)) && PathPrefix(`/x`)", (["a.test", "b.test"], "/x")),
    ("Host(`a.test`) && PathPrefix(`/`)", (["a.test"], "")),
    ("HostSNI(`a.test`)", (["a.test"], "")), ("Host(`a.test`) && Header(`X`, `y`)", None), ("HostRegexp(`a`)", None),
    ("!Host(`a.test`)", None),
    ("PathPrefix(`/x`)", None), ("", None),
])
def test_simple_rules(rule: str, found: object) -> None:
    """Any other rule may match less, and is not judged."""
    assert simple_rule(rule) == found


STATIC: Dict[str, Any] = {
    "entryPoints": {"web": {"address": ":80"}, "websecure": {"address": ":443"}},
    "providers": {"file": {"directory": "/etc/traefik/dynamic", "watch": True}},
    "certificatesResolvers": {"le": {"acme": {"httpChallenge": {"entryPoint": "web"}}},
    "dns": {"acme": {"dnsChallenge": {"provider": "x"}}},
                              "ts": {"tailscale": {}}}}


def test_static_configuration() -> None:
    """Names of entrypoints and resolvers, the challenge of each, and what is loaded."""
    found = understand(STATIC)
    assert found.entrypoints == {"web", "websecure"} and found.resolvers == {"le": "http", "dns": "dns", "ts": ""}
    assert (found.directory, found.watched) == ("/etc/traefik/dynamic", True)
    assert understand({"providers": {"file": {"watch": False}}}) == route_rules.Static(frozenset({"http"}), {}, "", False)
    with pytest.raises(ValueError):
        understand(["x"])


def of(**changes: Any) -> Route:
    """A route that differs from a plain one in these options."""
    return Route.parse({"route_id": "web", "hostname": "a.test", "target_url": "http://10.50.0.12", **changes})


@pytest.mark.parametrize(("changes", "shown"), [
    ({"entrypoint": "nowhere"}, "entrypoint 'nowhere' of web is none of Traefik's entrypoints (web, websecure)"),
    ({"certresolver": "gone"}, "certresolver 'gone' of web is none of Traefik's certificate resolvers (dns, le, ts)"),
    ({"certresolver": "le", "hostname": "*.a.test"}, "wildcards need a resolver with dnsChallenge"),
])
def test_what_traefik_does_not_have(changes: Dict[str, Any], shown: str) -> None:
    """It would serve nothing, or the default certificate, and say so in its log alone."""
    assert shown in refusal(route_rules.check_static, of(**changes), understand(STATIC))


@pytest.mark.parametrize("changes", [{}, {"certresolver": "le"}, {"certresolver": "dns", "hostname": "*.a.test"},
    {"entrypoint": ["web", "websecure"]}])
def test_what_traefik_has(changes: Dict[str, Any]) -> None:
    """No objection."""
    route_rules.check_static(of(**changes), understand(STATIC))


@pytest.mark.parametrize(("claim", "shown"), [
    (Claim("the file mine.yml", "websecure", "a.test", ""), "already served by the file mine.yml"),
    (Claim("the file mine.yml", "websecure", "a.test", None), "already served by the file mine.yml"),
])
def test_clash_with_a_file_of_others(claim: Claim, shown: str) -> None:
    """A host and path, or all of a host's connections."""
    assert shown in refusal(route_rules.check_clashes, {"web": of()}, {}, [claim])
    route_rules.check_clashes({"web": of()}, {"web": of()}, [claim])


def test_no_clash_with_another_path_or_entrypoint() -> None:
    """Nor with TLS options that nobody knows."""
    others = [Claim("x", "websecure", "a.test", "/x"), Claim("x", "web", "a.test", ""), Claim("x", "websecure", "b.test", None)]
    route_rules.check_clashes({"web": of(tls_options={"min_version": "VersionTLS13"})}, {}, others)


@pytest.mark.parametrize(("other", "shown"), [
    ({"target_url": "tcp://10.50.0.12:5"}, "already served by web"),
    ({"path_prefix": "/x", "tls_options": {"min_version": "VersionTLS13"}}, "a host has one set of TLS options"),
])
def test_clash_of_two_routes(other: Dict[str, Any], shown: str) -> None:
    """Connections against requests, and options of TLS of one host."""
    late = of(route_id="zzz", **other)
    with pytest.raises(InvalidInput) as caught:
        route_rules.check_clashes({"web": of(), "zzz": late}, {"web": of()})
    assert shown in caught.value.message


@pytest.mark.parametrize(("found", "own", "shown"), [
    ([], [], "does not exist"), (["203.0.113.9"], ["203.0.113.1"], "points at 203.0.113.9, not at this edge (203.0.113.1)"),
    (["203.0.113.9", "203.0.113.1"], ["203.0.113.1"], ""), (["203.0.113.9"], [], ""),
])
def test_where_a_name_points(found: List[str], own: List[str], shown: str) -> None:
    """Told before an authority refuses; not told where it cannot be known."""
    words = route_rules.check_pointed("a.test", frozenset(found), frozenset(own))
    assert shown in words and bool(words) == bool(shown)


@pytest.mark.parametrize(("version", "old"), [
    ("3.6.15", True), ("v3.6.0", True), ("2.11.3", True), ("3.7.0", False), ("3.7.15", False), ("3.10.1", False), ("4.0.0-rc1", False),
    ("dev", False),
])
def test_versions_without_wildcards(version: str, old: bool) -> None:
    """A version that is unknown is trusted."""
    assert route_rules.knows_no_wildcards(version) == old


def test_public_addresses() -> None:
    """Those behind address translation are nobody's name's target."""
    assert route_rules.public(["10.0.0.1", "8.8.8.8", "fd00::1", "2606:4700::1", "127.0.0.1"]) == {"8.8.8.8", "2606:4700::1"}

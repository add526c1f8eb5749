# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route as a file of Traefik's, and back."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils.formats import route_file, traefik
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from unit.samples import one_sentence

GOOD: Dict[str, Any] = {"route_id": "web", "hostname": "a.test", "target_url": "http://10.50.0.12:8080"}


def of(**changes: Any) -> Route:
    """A route that differs from the good one in these options."""
    return Route.parse({**GOOD, **changes})


def http_of(route: Route) -> Dict[str, Any]:
    """What a YAML parser makes of the file."""
    document = yaml.safe_load(route_file.render(route))
    assert list(document) == ["http"]
    found: Dict[str, Any] = document["http"]
    return found


@pytest.mark.parametrize(("changes", "rule"), [
    ({}, "Host(`a.test`)"),
    ({"hostname": ["b.test", "a.test"]}, "Host(`b.test`) || Host(`a.test`)"),
    ({"hostname": "*.wild.test"}, "Host(`*.wild.test`)"),
    ({"hostname": "*.my-wild.test"}, "Host(`*.my-wild.test`)"),
    ({"hostname": "münchen.test"}, "Host(`xn--mnchen-3ya.test`)"),
    ({"path_prefix": "/api"}, "Host(`a.test`) && PathPrefix(`/api`)"),
    ({"hostname": ["a.test", "b.test"], "path_prefix": "/api"}, "(Host(`a.test`) || Host(`b.test`)) && PathPrefix(`/api`)"),
])
def test_rule(changes: Dict[str, Any], rule: str) -> None:
    """The rule in Traefik v3's syntax; the path binds to every host."""
    assert traefik.rule(of(**changes)) == rule
    assert http_of(of(**changes))["routers"]["web"]["rule"] == rule


def test_router_and_service() -> None:
    """One router and one service under the route's name, several servers share the load."""
    http = http_of(of(target_url=["http://10.50.0.12:8080", "h2c://[fd00::1]:9000"], entrypoint=["websecure", "internal"]))
    assert list(http["routers"]) == ["web"]
    assert http["routers"]["web"]["service"] == "web" and http["routers"]["web"]["entryPoints"] == ["websecure", "internal"]
    assert http["services"] == {"web": {"loadBalancer": {"servers": [{"url": "http://10.50.0.12:8080"},
    {"url": "h2c://[fd00::1]:9000"}]}}}


def test_two_routers_where_plain_and_tls_are_named() -> None:
    """A router serves one or the other; the second one has a name that no id can have."""
    made = http_of(of(entrypoint=["web", "websecure"], certresolver="le"))["routers"]
    assert {name: (entry["entryPoints"], entry.get("tls")) for name, entry in made.items()} == {
        "web": (["websecure"], {"certResolver": "le"}), "web-HTTP": (["web"], None)}
    assert {entry["service"] for entry in made.values()} == {"web"}


def rank(**changes: Any) -> int:
    """What Traefik ranks a route by: the priority in the file, else the length of the rule."""
    router = http_of(of(**changes))["routers"]["web"]
    return int(router.get("priority", len(router["rule"])))


@pytest.mark.parametrize(("winner", "loser"), [
    ({"hostname": "exact.wild.test"}, {"hostname": "*.wild.test"}),
    ({"hostname": "a.b"}, {"hostname": "*.b", "path_prefix": "/a/b/c/d/e/f/g/h/i/j/k"}),
    ({"hostname": "*.b", "path_prefix": "/api"}, {"hostname": "*.b"}),
    ({"hostname": "a.test", "path_prefix": "/api"}, {"hostname": ["a.test", "b.test", "c.test"]}),
    ({"hostname": ["a.test", "b.test"], "path_prefix": "/api"}, {"hostname": "a.test"}),
    ({"hostname": "a.test", "path_prefix": "/api/v2"}, {"hostname": ["a.test", "b.test"], "path_prefix": "/api"}),
])
def test_the_more_specific_route_wins(winner: Dict[str, Any], loser: Dict[str, Any]) -> None:
    """Exact name over wildcard, then the longer path, however many names a route has."""
    assert rank(**winner) > rank(**loser)


@pytest.mark.parametrize(("changes", "tls"), [
    ({}, {"options": "default"}),
    ({"certresolver": "le"}, {"certResolver": "le"}),
    ({"entrypoint": "web"}, None),
])
def test_tls(changes: Dict[str, Any], tls: object) -> None:
    """HTTPS by default, with the resolver's certificate when one is named; never an empty map, which Traefik refuses."""
    assert http_of(of(**changes))["routers"]["web"].get("tls") == tls


@pytest.mark.parametrize(("hostname", "domains"), [
    ("*.a.test", [{"main": "*.a.test"}]),
    (["*.a.test", "a.test"], [{"main": "*.a.test", "sans": ["a.test"]}]),
    (["b.test", "*.a.test", "*.b.test"], [{"main": "b.test", "sans": ["*.a.test", "*.b.test"]}]),
    # a certificate authority refuses an order for a name and the wildcard that covers it
    (["x.a.test", "*.a.test", "x.y.a.test"], [{"main": "*.a.test", "sans": ["x.y.a.test"]}]),
])
def test_the_names_of_a_wildcards_certificate(hostname: object, domains: object) -> None:
    """Traefik reads names out of Host(), not out of HostRegexp(): without this it would ask for no certificate at all."""
    wanted = {"certResolver": "le", "domains": domains}
    assert http_of(of(hostname=hostname, certresolver="le"))["routers"]["web"]["tls"] == wanted


@pytest.mark.parametrize("name", ["a.b_c-d", "0", "123", "1e3", "0x1f", "1.5", "null", "true", "no", "on", "2024-01-01", "1_000", "x" * 63])
def test_any_id_is_a_string_in_yaml(name: str) -> None:
    """A machine's number is a likely id; YAML must not read it as a number, a date or nothing."""
    http = http_of(of(route_id=name))
    assert list(http["routers"]) == [name] and list(http["services"]) == [name]


EVERYTHING: Dict[str, Any] = {
    "hostname": ["*.münchen.test", "b.test"], "path_prefix": "/a/b~c", "certresolver": "le", "entrypoint": ["web", "websecure"],
    "target_url": ["http://10.50.0.12", "https://[fd00::1]:8443"],
}


@pytest.mark.parametrize("changes", [{}, EVERYTHING])
def test_round_trip(changes: Dict[str, Any]) -> None:
    """A file of ours is read back as the route it was written for."""
    route = of(**changes)
    text = route_file.render(route)
    assert route_file.is_ours(text) and route_file.parse(text) == (route, route_file.header(route), True)
    assert route_file.render(route_file.parse(text)[0]) == text


def test_nothing_for_the_template_engine() -> None:
    """Traefik runs each file through Go's templates: no braces, not even in a comment."""
    text = route_file.render(of(**EVERYTHING))
    assert "{{" not in text and "}}" not in text and "\t" not in text and text.isascii() and text.endswith("\n")


LINES = route_file.render(of()).split("\n")
HEADER = LINES[1]


@pytest.mark.parametrize("header", [
    "", "# something else", HEADER.replace("schema 1", "schema 2"), HEADER[:-10], HEADER + "x", HEADER.replace('"a.test"',
    '"a.test`) || PathPrefix(`/"'),
    HEADER.replace('"web"', '"../web"'), HEADER.replace('"a.test"', '"{{ env }}"'), HEADER.replace("{", '{"hostname": ["b.test"], ', 1),
    HEADER.replace('"route_id"', '"other"'), HEADER.replace("http:", "file:"), HEADER.replace("{", "[", 1),
    HEADER.replace("{", '{"ip_allow_list": ["10.0.0.0/8"], ', 1),
])
def test_a_header_that_we_did_not_write_is_refused(header: str) -> None:
    """Tampered, truncated, newer, or with a field that this version would silently drop."""
    text = "\n".join([LINES[0], header, *LINES[2:]])
    assert route_file.is_ours(text)
    with pytest.raises(ValueError) as caught:
        route_file.parse(text)
    one_sentence(f"/etc/traefik/dynamic/web.yml {caught.value}")


@pytest.mark.parametrize("text", ["", "\n", "http:\n  routers: {}\n", "# by someone else\n" + "\n".join(LINES), " " + "\n".join(LINES)])
def test_a_file_without_our_mark_is_not_ours(text: str) -> None:
    """Such files are never changed or purged."""
    assert not route_file.is_ours(text)


def test_a_file_of_another_schema_is_ours_still() -> None:
    """It is refused, not taken for someone else's."""
    assert route_file.is_ours("\n".join([LINES[0], HEADER.replace("schema 1", "schema 9"), *LINES[2:]]))

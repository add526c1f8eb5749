# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of routes: one canonical form each, whatever order and words they were given in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils.formats import route_file, traefik
from ansible_collections.edge.gateway.plugins.module_utils.models import middleware, options, route_options
from ansible_collections.edge.gateway.plugins.module_utils.models.route import OPTIONS, Route
from unit.samples import refusal

COLLECTION = Path(__file__).parents[2] / "collections/ansible_collections/edge/gateway"
HASH = "u:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
PLAIN: Dict[str, Any] = {"route_id": "web", "hostname": "a.test", "target_url": "http://10.50.0.12:8080"}


def of(**changes: Any) -> Route:
    """A route that differs from the plain one in these options."""
    return Route.parse({**PLAIN, **changes})


@pytest.mark.parametrize(("given", "written"), [
    ("10s", "10s"), (10, "10s"), ("10", "10s"), ("90s", "1m30s"), ("1m30s", "1m30s"), ("1500ms", "1.5s"), ("0.5s", "500ms"),
    ("1h", "1h0m0s"),
    ("60m", "1h0m0s"), (0, "0s"), ("1h0m0.25s", "1h0m0.25s"),
])
def test_durations(given: object, written: str) -> None:
    """As Go writes them, since that is how Traefik reports them."""
    assert options.DURATION.parse("x", given) == written == options.DURATION.parse("x", written)


@pytest.mark.parametrize("given", ["", "s", "1d", "-1s", "1.0001s", "1 s", "1s\n", "١s", True, None, 1.5, "9" * 12, "1us", ["1s"]])
def test_what_is_no_duration(given: object) -> None:
    """Refused in one sentence."""
    refusal(options.DURATION.parse, "interval", given)


@pytest.mark.parametrize("text", ['{{ env "X" }}', "a}}", "a\nb", "a\x00", "", " ", "\u2028", "x" * 5000, 5, None])
def test_free_text_that_is_refused(text: object) -> None:
    """Templates are executed by Traefik, wherever they stand."""
    refusal(options.free_text, "realm", text)


@pytest.mark.parametrize("entry", [
    {}, {"compress": {}, "retry": {"attempts": 2}}, {"nonsense": {}}, {"strip_prefix": {}}, {"strip_prefix": {"prefixes": []}},
    {"strip_prefix": {"prefix": "/a"}}, {"headers": {}}, {"basic_auth": {"users": ["u:secret-password"]}},
    {"basic_auth": {"users": [HASH], "users_file": "/x"}}, {"basic_auth": {"realm": "x"}}, {"retry": {"attempts": 0}},
    {"retry": {"attempts": True}}, {"ip_allow_list": {"source_range": ["10.0.0.1/24"]}},
    {"headers": {"custom_request_headers": {"a b": "c"}}},
    {"headers": {"custom_request_headers": {"X-A": "ä"}}}, {"name": "x@internal"}, {"name": "x y"}, {"in_flight_conn": {"amount": 1}},
    "auth@file", ["compress"], None, {"forward_auth": {"address": "http://u:p@10.50.0.1/"}}, {"circuit_breaker": {"expression": "{{ x }}"}},
    {"rate_limit": {"average": 1, "source_criterion": {"nonsense": 1}}},
])
def test_middlewares_that_are_refused(entry: object) -> None:
    """In one sentence, which never shows what may be a password."""
    assert "secret-password" not in refusal(middleware.parse, "middlewares[0]", entry, False)


def test_names_of_options_are_traefiks() -> None:
    """In its own spelling."""
    made = traefik.camel({"root_cas": ["/a"], "custom_request_headers": {"x_y": "z"}, "ip_strategy": {"excluded_ips": ["10.0.0.1"]},
                          "disable_http2": True, "force_sts_header": True, "sts_include_subdomains": True, "headers": {"a_b": "c"}})
    assert made == {"rootCAs": ["/a"], "customRequestHeaders": {"x_y": "z"}, "ipStrategy": {"excludedIPs": ["10.0.0.1"]},
                    "disableHTTP2": True, "forceSTSHeader": True, "stsIncludeSubdomains": True, "headers": {"a_b": "c"}}


def test_the_security_preset() -> None:
    """An option beside it wins."""
    made = middleware.in_effect({"headers": {"preset": "security", "frame_deny": False}})["headers"]
    assert made["frame_deny"] is False and made["sts_seconds"] == 31536000 and "preset" not in made


def test_hashes_are_hidden() -> None:
    """In output and diff; a change of one still shows."""
    one, other = (of(middlewares=[{"basic_auth": {"users": [words]}}]) for words in (HASH, HASH[:-1] + "x"))
    for text in (str(one), str(one.shown())):
        assert "$apr1$" not in text and "u:(hash hidden" in text
    assert str(one) != str(other) and HASH in route_file.render(one)


EVERYTHING: Dict[str, Any] = {
    "hostname": ["a.test", "*.b.test"], "target_url": ["http://10.50.0.12", "http://10.50.0.13"], "weight": [3, 1], "priority": 7,
    "certresolver": "le", "pass_host_header": False, "health_check": {"path": "/h", "interval": 10, "headers": {"Host": "x", "no": "y"}},
    "sticky": {"cookie": {}}, "servers_transport": {"root_cas": "/a.pem", "forwarding_timeouts": {"dial_timeout": "5s"}},
    "tls_options": {"min_version": "VersionTLS13"},
    "middlewares": [{"headers": {"preset": "security"}}, {"basic_auth": {"users": HASH}}, {"name": "x@docker"}, {"compress": {}}],
}


def test_every_option_round_trip() -> None:
    """A file is read back as the route it was written for, by digest and, when that does not hold, by its header."""
    route = of(**EVERYTHING)
    text = route_file.render(route)
    assert route_file.restored([route_file.intact(text.encode()) or b""]) == [route]
    assert route_file.intact((text + "# by hand\n").encode()) is None
    assert route_file.parse(text + "# by hand\n") == (route, route_file.header(route))
    assert Route.parse(route.as_dict()) == route and "{{" not in text


def test_every_option_as_yaml() -> None:
    """What Traefik reads: names of ours, in its words."""
    document = yaml.safe_load(route_file.render(of(**EVERYTHING)))
    router = document["http"]["routers"]["web"]
    # behind the number stands a digest of the content
    names = router["middlewares"]
    assert [name[:6] for name in names] == ["web-M1", "web-M2", "x@dock", "web-M4"] and router["priority"] == 7
    assert router["tls"]["domains"] == [{"main": "a.test", "sans": ["*.b.test"]}]
    assert document["tls"]["options"][router["tls"]["options"]] == {"minVersion": "VersionTLS13"}
    balancer = document["http"]["services"]["web"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://10.50.0.12", "weight": 3}, {"url": "http://10.50.0.13", "weight": 1}]
    assert balancer["healthCheck"]["headers"] == {"Host": "x", "no": "y"} and balancer["sticky"] == {"cookie": {}}
    assert document["http"]["serversTransports"][balancer["serversTransport"]]["rootCAs"] == ["/a.pem"]
    assert document["http"]["middlewares"][names[3]] == {"compress": {}}


def test_a_route_of_connections() -> None:
    """Told apart by their TLS name; the transport carries the PROXY protocol."""
    document = yaml.safe_load(route_file.render(of(target_url="tcp://10.50.0.20:5432", passthrough=True, proxy_protocol=2)))
    assert list(document) == ["tcp"] and document["tcp"]["routers"]["web"]["rule"] == "HostSNI(`a.test`)"
    assert document["tcp"]["routers"]["web"]["tls"] == {"passthrough": True}
    transport = document["tcp"]["services"]["web"]["loadBalancer"]["serversTransport"]
    assert document["tcp"]["serversTransports"][transport] == {"proxyProtocol": {"version": 2}}


@pytest.mark.parametrize("changes", [
    {"passthrough": True}, {"proxy_protocol": 1}, {"weight": [1, 2]}, {"weight": [0]}, {"priority": 0}, {"priority": -1},
    {"target_url": ["tcp://10.50.0.1:5", "http://10.50.0.1"]}, {"target_url": "tcp://10.50.0.1"},
    {"target_url": "tcp://10.50.0.1:5", "path_prefix": "/x"}, {"target_url": "tcp://10.50.0.1:5", "entrypoint": "web"},
    {"target_url": "tcp://10.50.0.1:5", "passthrough": True, "certresolver": "le"},
    {"target_url": "tcp://10.50.0.1:5", "proxy_protocol": 3},
    {"target_url": "tcp://10.50.0.1:5", "middlewares": [{"compress": {}}]}, {"tls_options": {"name": "x", "sni_strict": True}},
    {"tls_options": {"min_version": "VersionTLS13", "max_version": "VersionTLS12"}}, {"tls_options": {"min_version": "TLS13"}},
    {"tls_options": {"sni_strict": True}, "entrypoint": "web"}, {"health_check": {"interval": "10s"}}, {"sticky": {"nonsense": 1}},
    {"middlewares": "compress"}, {"entrypoint": ["web", "web"]},
])
def test_combinations_that_make_no_sense(changes: Dict[str, Any]) -> None:
    """Refused in one sentence."""
    refusal(Route.parse, {**PLAIN, **changes})


def test_what_is_usual_is_not_kept() -> None:
    """So that saying it changes nothing."""
    assert of(pass_host_header=True, middlewares=[], weight=None, sticky={}, passthrough=None) == of()
    assert set(route_options.USUAL) <= set(route_options.EXTRAS)


@pytest.mark.parametrize(("found", "wanted", "held"), [
    ({"a": 1, "b": 2}, {"a": 1}, True), ({"a": 1}, {"a": 2}, False), ({}, {"a": False}, True), ({}, {"a": {}}, True), ({},
    {"a": {"b": 1}}, False),
    ({"a": [1, 2]}, {"a": [1, 2]}, True), ({"a": [1, 2]}, {"a": [1]}, False), ({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}, True),
    (None, {}, False),
    ({}, {"a": "x"}, False), ({}, {"a": ""}, True), ({"a": 5}, {"a": {"b": 1}}, False),
])
def test_what_a_report_must_hold(found: object, wanted: object, held: bool) -> None:
    """All that was written; Traefik adds its defaults, and leaves out what is empty."""
    assert traefik.holds(found, wanted) == held


def test_a_change_of_the_rendering_is_noticed() -> None:
    """Files that stand with an old rendering count as intact: whoever changes it raises route_file.RENDERING, and then this digest."""
    texts = [route_file.render(route) for route in (of(), of(**EVERYTHING), of(target_url="tcp://10.50.0.20:5432", proxy_protocol=2))]
    bodies = "".join(text.split("\n", 3)[3] for text in texts)
    assert (route_file.RENDERING, hashlib.sha256(bodies.encode()).hexdigest()[:12]) == (b"2", "96ee0d36db0e")


def test_the_playbook_carries_every_option() -> None:
    """It has to name each: one that it forgot would be ignored without a word."""
    play, = yaml.safe_load((COLLECTION / "playbooks/http_route.yml").read_text())
    assert set(play["tasks"][0]["edge.gateway.traefik_route"]) >= OPTIONS

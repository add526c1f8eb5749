# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One route, and the rules among several."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.models import route_rules as rules
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from unit.samples import refusal

GOOD: Dict[str, Any] = {"route_id": "web", "hostname": "a.test", "target_url": "http://10.50.0.12:8080"}


def of(**changes: Any) -> Route:
    """A route that differs from the good one in these options."""
    return Route.parse({**GOOD, **changes})


@pytest.mark.parametrize(("changes", "field", "canonical"), [
    ({}, "hostname", ["a.test"]),
    ({}, "entrypoint", ["websecure"]),
    ({"hostname": ["B.test", "a.test"]}, "hostname", ["b.test", "a.test"]),
    ({"hostname": "*.Wild.test"}, "hostname", ["*.wild.test"]),
    ({"hostname": "münchen.test"}, "hostname", ["xn--mnchen-3ya.test"]),
    ({"hostname": "*.münchen.test"}, "hostname", ["*.xn--mnchen-3ya.test"]),
    ({"target_url": ["http://10.50.0.12:80/", "https://n.test"]}, "target_url", ["http://10.50.0.12", "https://n.test"]),
    ({"target_url": "h2c://10.50.0.12:9000"}, "target_url", ["h2c://10.50.0.12:9000"]),
    ({"entrypoint": "web"}, "entrypoint", ["web"]),
    ({"entrypoint": None}, "entrypoint", ["websecure"]),
    ({"path_prefix": "/api/v1"}, "path_prefix", "/api/v1"),
    ({"path_prefix": "/"}, "path_prefix", ""),
    ({"path_prefix": None}, "path_prefix", ""),
    ({"certresolver": "le-prod_1"}, "certresolver", "le-prod_1"),
    ({"certresolver": None}, "certresolver", ""),
])
def test_parse(changes: Dict[str, Any], field: str, canonical: object) -> None:
    """Options become one canonical route, which is stable when parsed again."""
    item = of(**changes)
    assert item.as_dict()[field] == canonical
    assert Route.parse(item.as_dict()) == item


@pytest.mark.parametrize("name", ["route_id", "hostname", "target_url"])
@pytest.mark.parametrize("nothing", [None, "", []])
def test_missing_option_is_named(name: str, nothing: object) -> None:
    """Each of the three is needed; an empty list is none."""
    assert name in refusal(Route.parse, {**GOOD, name: nothing})


TEMPLATE = '{{ env "CF_DNS_API_TOKEN" }}'


@pytest.mark.parametrize("changes", [
    {"route_id": "../../cron.d/x"}, {"route_id": "x@docker"}, {"route_id": "api@internal"}, {"route_id": "Web"}, {"route_id": "a\n"},
    {"route_id": TEMPLATE}, {"hostname": "x.test`) || PathPrefix(`/"}, {"hostname": TEMPLATE + ".test"}, {"hostname": "p.test:8000"},
    {"hostname": " sp.test"}, {"hostname": "a.test,b.test"}, {"hostname": [""]}, {"hostname": ["a.test", None]},
    {"hostname": "a" * 64 + ".test"},
    {"hostname": "*"}, {"hostname": "*."}, {"hostname": "*.*.test"}, {"hostname": "a.*.test"}, {"hostname": "*a.test"},
    {"hostname": "**.test"},
    {"hostname": "*.10.50.0.1"}, {"hostname": "*.test\n"}, {"hostname": {"a.test": 1}}, {"hostname": 5}, {"hostname": ["a.test"] * 101},
    {"target_url": "http://10.50.0.12/x"}, {"target_url": "file:///etc/shadow"}, {"target_url": "http://u:p@10.50.0.12"},
    {"target_url": "http://good@127.0.0.1:8080"}, {"target_url": "http://127.1:8080"}, {"target_url": "http://h/" + TEMPLATE},
    {"target_url": "http://h:99999"}, {"target_url": [None]}, {"target_url": "http://[::ffff:127.0.0.1]:8080"},
    {"target_url": "api@internal"},
    {"target_url": ["http://10.50.0.12"] * 101}, {"entrypoint": "web secure"}, {"entrypoint": TEMPLATE}, {"entrypoint": "web\n"},
    {"entrypoint": ["web", ""]},
    {"entrypoint": "x@y"}, {"certresolver": "le prod"}, {"certresolver": TEMPLATE}, {"certresolver": "le\n"}, {"certresolver": ["le"]},
    {"path_prefix": "api"}, {"path_prefix": "/a b"}, {"path_prefix": "/a`"}, {"path_prefix": "/" + TEMPLATE}, {"path_prefix": "/a\n"},
    {"path_prefix": "/a?b"}, {"path_prefix": "/a#b"}, {"path_prefix": "//"}, {"path_prefix": "/a//b"}, {"path_prefix": "/%2e"},
    {"path_prefix": "/é"},
    {"path_prefix": 5}, {"path_prefix": ["/a"]},
])
def test_hostile_option_is_refused_and_named(changes: Dict[str, Any]) -> None:
    """A refusal names the entry of the list and the option."""
    (name, _value), = changes.items()
    with pytest.raises(InvalidInput) as caught:
        Route.parse({**GOOD, **changes}, "routes[3].")
    assert caught.value.option.startswith(f"routes[3].{name}")
    refusal(Route.parse, {**GOOD, **changes})


@pytest.mark.parametrize("names", [["a.test", "a.test"], ["a.test", "A.TEST"], ["münchen.test", "xn--mnchen-3ya.test"]])
def test_one_name_twice_is_refused(names: List[str]) -> None:
    """A name that is repeated in other letters is a mistake that is told, not written down twice."""
    assert "hostname" in refusal(Route.parse, {**GOOD, "hostname": names})


@pytest.mark.parametrize("other", [
    {}, {"hostname": ["b.test", "A.test"]}, {"entrypoint": ["web", "websecure"]}, {"hostname": "A.TEST"},
])
def test_clash_names_both_routes(other: Dict[str, Any]) -> None:
    """One host and path on one entrypoint has one owner."""
    pair = {"web": of(), "web2": of(route_id="web2", **other)}
    for owner, late in (("web", "web2"), ("web2", "web")):
        message = refusal(rules.check_clashes, pair, {owner: pair[owner]})
        assert f"of {late} is already served by {owner};" in message and "a.test" in message


@pytest.mark.parametrize("other", [
    {"hostname": "b.test"}, {"path_prefix": "/api"}, {"entrypoint": "web"}, {"hostname": "*.a.test"}, {"hostname": "*.test"},
])
def test_no_clash(other: Dict[str, Any]) -> None:
    """Another name, path or entrypoint is another route."""
    rules.check_clashes({"web": of(), "web2": of(route_id="web2", **other)}, {})


OWN = ["192.0.2.10", "10.50.0.5", "2001:db8::5"]


@pytest.mark.parametrize("target", [
    "http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:8080", "http://0.0.0.0:8080", "http://[::]:8080", "http://169.254.169.254",
    "http://[fe80::1]", "http://localhost:8080", "http://LocalHost", "http://x.localhost", "http://192.0.2.10:8080", "http://10.50.0.5",
    "http://[2001:DB8:0::5]:8080", "https://127.0.0.1", "h2c://127.0.0.1:8080",
])
def test_target_on_the_edge_itself_is_refused(target: str) -> None:
    """Traefik's own API, and the cloud's metadata, must not become public by a route."""
    message = refusal(rules.check_targets, of(target_url=["http://10.50.0.12", target]), OWN)
    assert "allow_local_target" in message and "web" in message


@pytest.mark.parametrize("target", [
    "http://[fd00:ec2::254]", "http://metadata.google.internal", "http://ip6-localhost:8080",
    "http://ip6-loopback:8080",
    "http://localhost.localdomain:8080",
])
def test_other_names_of_the_edge_and_of_metadata_are_refused(target: str) -> None:
    """Metadata of AWS over IPv6 and of Google, and the loopback names of Debian's and Red Hat's /etc/hosts."""
    refusal(rules.check_targets, of(target_url=target), OWN)


@pytest.mark.parametrize("target", ["http://10.50.0.12", "http://node.test", "http://192.0.2.11", "http://localhost.test", "http://[2001:db8::6]"])
def test_target_elsewhere_is_fine(target: str) -> None:
    """Mesh nodes and names are targets."""
    rules.check_targets(of(target_url=target), OWN)


def test_description_shows_everything_that_can_change() -> None:
    """A diff must show a difference in every option."""
    base = str(of())
    for change in ({"hostname": "b.test"}, {"target_url": "http://10.50.0.13"}, {"entrypoint": "web"}, {"certresolver": "le"},
    {"path_prefix": "/x"}):
        assert str(of(**change)) != base, change

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which route a request takes in the real Traefik."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from contract.edge_traefik import Backend, Traefik, entry, fetch, run

pytestmark = pytest.mark.usefixtures("no_routes")


def routes(backends: List[Backend], *changes: Dict[str, Any]) -> None:
    """A route to each backend."""
    run(routes=[entry(f"r{number}", **{"target_url": backend.url, **change}) for number, (backend, change) in enumerate(zip(backends,
    changes))])


def test_an_international_name(backends: List[Backend]) -> None:
    """Browsers ask for the A-label."""
    routes(backends, {"hostname": "münchen.test"})
    assert fetch("xn--mnchen-3ya.test") == (200, "one")


def test_letters_and_ports_of_a_request_do_not_matter(backends: List[Backend]) -> None:
    """As HTTP wants it."""
    routes(backends, {"hostname": "Web.Test"})
    assert fetch("WEB.test") == fetch("web.test:8000") == (200, "one")


def test_a_wildcard_serves_one_label(backends: List[Backend]) -> None:
    """Not the bare domain, not two labels, not another domain that looks alike."""
    routes(backends, {"hostname": "*.my-wild.test"})
    assert fetch("a.my-wild.test") == fetch("A.MY-WILD.test") == (200, "one")
    assert [fetch(name)[0] for name in ("my-wild.test", "a.b.my-wild.test", "a.my-wildxtest", "amy-wild.test",
    "a.my-wild.test.evil.test")] == [404] * 5


def test_an_exact_name_wins_over_a_wildcard(backends: List[Backend]) -> None:
    """Traefik itself ranks by the length of the rule, where the wildcard's is longer."""
    routes(backends, {"hostname": "*.wild.test"}, {"hostname": "exact.wild.test"})
    assert (fetch("exact.wild.test"), fetch("other.wild.test")) == ((200, "two"), (200, "one"))


def test_a_path_wins_over_its_host_however_many_names_that_has(backends: List[Backend]) -> None:
    """The same: four names make a long rule, a path a short one."""
    many = [f"name-number-{number}.test" for number in range(4)]
    routes(backends, {"hostname": many}, {"hostname": many[0], "path_prefix": "/api"}, {"hostname": many[0], "path_prefix": "/api/v2"})
    assert [fetch(many[0], path) for path in ("/", "/api", "/api/v2", "/api/v2/x")] == [(200, name) for name in ("one", "two", "three",
    "three")]
    assert fetch(many[1], "/api") == (200, "one")


def test_a_path_on_an_exact_name_wins_over_a_path_on_a_wildcard(backends: List[Backend]) -> None:
    """And the exact name as a whole over a wildcard's path: whose name it is decides first."""
    routes(backends, {"hostname": "*.wild.test", "path_prefix": "/api"}, {"hostname": "exact.wild.test"})
    assert (fetch("exact.wild.test", "/api"), fetch("other.wild.test", "/api")) == ((200, "two"), (200, "one"))


def test_several_targets_share_the_load(backends: List[Backend]) -> None:
    """Each gets its turn."""
    run(**entry("web", target_url=[backend.url for backend in backends]))
    assert {fetch("web.test")[1] for _ in range(6)} == {"one", "two", "three"}


@pytest.mark.parametrize("name", ["123", "0", "1e3", "0x1f", "1.5", "null", "true", "no", "on", "2024-01-01", "1_000", "a.b", "x" * 63])
def test_any_id_is_served(backends: List[Backend], name: str) -> None:
    """A machine's number is a likely id; two such routes do not get into each other's way."""
    run(routes=[entry(name, hostname="web.test", target_url=backends[0].url, wait_timeout=2), entry("7", target_url=backends[1].url)],
    wait_timeout=2)
    assert fetch("web.test") == (200, "one") and fetch("7.test") == (200, "two")


@pytest.mark.parametrize("entrypoint", [["websecure"], ["web"], ["web", "websecure"]])
def test_every_entrypoint_that_is_named_serves(backends: List[Backend], entrypoint: List[str]) -> None:
    """Plain HTTP on web, HTTPS on websecure, and both when both are named."""
    routes(backends, {"hostname": "web.test", "entrypoint": entrypoint})
    assert {"web": fetch("web.test")[0], "websecure": fetch("web.test", secure=True)[0]} == {
        name: 200 if name in entrypoint else 404 for name in ("web", "websecure")}


def test_traefik_started_anew_serves_the_same(traefik: Traefik, backends: List[Backend]) -> None:
    """Everything needed stands in the files."""
    routes(backends, {"hostname": "a.test"}, {"hostname": "b.test", "path_prefix": "/x"})
    traefik.restart()
    assert (fetch("a.test"), fetch("b.test", "/x"), fetch("b.test")[0]) == ((200, "one"), (200, "two"), 404)

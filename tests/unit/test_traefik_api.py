# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's API as the route module reads it, against a fake of it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any, Callable, Dict, Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import traefik_api
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, Unreachable, VerifyFailed
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from ansible_collections.edge.gateway.plugins.module_utils.models.target import Url
from unit.samples import one_sentence
from unit.servers import Handler, Server, replies, serving

ROUTE = Route.parse({"route_id": "web", "hostname": "a.test", "target_url": "http://10.50.0.12:8080"})
RULE = "Host(`a.test`)"
ENABLED: Dict[str, Any] = {"name": "web@file", "rule": RULE, "entryPoints": ["websecure"], "service": "web", "tls": {"options": "default"},
                           "priority": len(RULE), "status": "enabled", "provider": "file"}
SERVICE: Dict[str, Any] = {"name": "web@file", "loadBalancer": {"servers": [{"url": "http://10.50.0.12:8080"}], "passHostHeader": True},
                           "provider": "file"}


def api_of(server: Server) -> TraefikApi:
    """The client for a fake server."""
    return TraefikApi(Url("http", "127.0.0.1", server.port))


@contextlib.contextmanager
def answering(*documents: Any) -> Iterator[TraefikApi]:
    """An API that answers these documents, one after the other."""
    with serving(replies(*[(200, {}, json.dumps(document).encode()) for document in documents])) as server:
        yield api_of(server)


@contextlib.contextmanager
def serving_routes(*rounds: Any, services: Any = (SERVICE,)) -> Iterator[TraefikApi]:
    """An API whose routers change from one look at the route to the next; the last state stays."""
    looks: List[Any] = list(rounds)

    def react(handler: Handler, _number: int) -> None:
        _empty, _api, protocol, kind, name = handler.path.split("/")
        entries = list(services) if kind == "services" else looks[0] if protocol == "http" else []
        if (kind, name) == ("routers", "web@file") and len(looks) > 1:
            looks.pop(0)
        document = next((entry for entry in entries if entry["name"] == name), None)
        handler.reply(200 if document else 404, {}, json.dumps(document or {"message": "not found"}).encode())
    with serving(react) as server:
        yield api_of(server)


def unreachable(action: Callable[[], Any]) -> str:
    """An action that must be told to have found no Traefik."""
    with pytest.raises(Unreachable) as caught:
        action()
    message = one_sentence(caught.value.message)
    assert caught.value.option == "api_url" and "wait" in message
    return message


def test_version() -> None:
    """What the real one says."""
    with answering({"Version": "3.7.15", "Codename": "x"}) as api:
        assert api.version() == "3.7.15"


def test_one_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The health asks it for several of its parts."""
    monkeypatch.setattr(traefik_api, "ANSWER_SECONDS", 0.2)
    with serving(lambda _handler, _number: time.sleep(1)) as server:
        api = api_of(server)
        assert all("no complete answer" in unreachable(api.version) for _ask in range(3)) and len(server.seen) == 1


def test_routers_of_the_file_provider() -> None:
    """Internal routers, and those of other providers with the same name, are not ours."""
    disabled = {**ENABLED, "name": "bad@file", "status": "disabled", "error": ["no such entrypoint"]}
    with answering([ENABLED, disabled, {**ENABLED, "name": "api@internal"}, {**ENABLED, "name": "web@docker", "rule": "x"}]) as api:
        look = api.reports(["http"], ["routers"])
    assert [look(("http", "routers", name)) for name in ("web", "bad", "api")] == [ENABLED, disabled, None]


@pytest.mark.parametrize("reply", [
    (404, {}, b"404 page not found\n"), (404, {}, b"{}"), (401, {}, b"401 Unauthorized\n"), (401, {}, b'{"Version": "x"}'), (500, {},
    b"[]"), (500, {}, b"{}"),
    (302, {"Location": "http://elsewhere.test"}, b"{}"), (200, {}, b"<html>"), (200, {}, b""), (200, {}, b"{"), (200, {}, b"null"),
    (200, {}, b"5"),
    (200, {}, b'"x"'), (200, {}, b"[]"), (200, {}, b"{}"), (200, {}, b'{"Version": 5}'), (200, {}, b"\xff"), (200, {}, b"[" * 100_000),
])
def test_a_version_from_something_that_is_not_traefik(reply: Any) -> None:
    """Found out before a file is written: any other service on that port is 'does not answer'."""
    with serving(replies(reply)) as server:
        unreachable(api_of(server).version)


@pytest.mark.parametrize("document", [
    None, {}, {"error": "x"}, 5, "x", [1], [None], ["x"], [[]], [{**ENABLED, "error": None}], [{**ENABLED, "error": 5}], [{**ENABLED,
    "name": None}],
    [{"name": "web@file"}],
])
def test_routers_from_something_that_is_not_traefik(document: Any) -> None:
    """Another shape is told or ignored, never a crash."""
    with answering(document) as api:
        try:
            api.reports(["http"], ["routers"])
            assert isinstance(document, list)
        except GatewayError as problem:
            one_sentence(problem.message)


def test_nobody_listens() -> None:
    """Traefik is down."""
    with answering({}) as api:
        pass
    unreachable(api.version)
    unreachable(lambda: api.entry(("http", "routers", "web")))


def test_wait_returns_when_all_is_live_and_the_rest_gone() -> None:
    """The router first, with its old rule for a while; the removed one still there for a while."""
    old = {**ENABLED, "rule": "Host(`old.test`)"}
    leaving = {**ENABLED, "name": "gone@file"}
    with serving_routes([leaving], [old, leaving], [ENABLED, leaving], [ENABLED]) as api:
        api.wait([ROUTE], {"gone"}, 5)


def test_wait_for_nothing_asks_for_nothing_more_than_once() -> None:
    """A run that changes nothing must not cost a wait."""
    start = time.monotonic()
    with serving_routes([]) as api:
        api.wait([], set(), 5)
    assert time.monotonic() - start < 1


TROUBLE: List[Any] = [
    ([], "web"),
    ([{**ENABLED, "rule": "Host(`other.test`)"}], "web"),
    ([{**ENABLED, "status": "disabled", "error": ["entryPoint \"nope\" doesn't exist"]}], "doesn't exist"),
    ([{**ENABLED, "status": "disabled", "error": ["first\nsecond\tline", "third"]}], "first"),
    ([{**ENABLED, "status": "disabled", "error": ["x" * 5000]}], "xxx"),
    ([{**ENABLED, "name": "web@docker"}], "web"),
    ([ENABLED, {**ENABLED, "name": "gone@file"}], "gone"),
]


@pytest.mark.parametrize(("document", "shown"), TROUBLE)
def test_wait_ends_with_traefiks_own_reason(document: Any, shown: str) -> None:
    """After the time given, in one line."""
    start = time.monotonic()
    with serving_routes(document) as api, pytest.raises(VerifyFailed) as caught:
        api.wait([ROUTE], {"gone"}, 0.3, hints=["mine.yml"])
    assert shown in one_sentence(caught.value.message)
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("change", [
    {"rule": "Host(`b.test`)"}, {"entryPoints": ["web"]}, {"tls": {"certResolver": "le"}}, {"service": "other"},
])
def test_wait_looks_at_all_that_a_route_decides(change: Dict[str, Any]) -> None:
    """An old router with the same rule is still the old one; the file that may be in the way is named."""
    with serving_routes([{**ENABLED, **change}]) as api, pytest.raises(VerifyFailed) as caught:
        api.wait([ROUTE], (), 0.1, hints=["mine.yml"])
    assert "mine.yml" in caught.value.message


def test_wait_looks_at_the_targets() -> None:
    """The router is right at once when only the target changes; the service is not."""
    old = {**SERVICE, "loadBalancer": {"servers": [{"url": "http://10.50.0.13:8080"}]}}
    with serving_routes([ENABLED], services=[old]) as api, pytest.raises(VerifyFailed):
        api.wait([ROUTE], (), 0.1)


def test_wait_does_not_wait_for_what_traefik_has_refused() -> None:
    """It has read the route and says no: that will not change by itself."""
    start = time.monotonic()
    with serving_routes([{**ENABLED, "status": "disabled", "error": ["no"]}]) as api, pytest.raises(VerifyFailed, match="refuses"):
        api.wait([ROUTE], (), 10)
    assert time.monotonic() - start < 2


def test_wait_when_traefik_goes_away() -> None:
    """Down in the middle of a wait is told as such."""
    def react(handler: Handler, number: int) -> None:
        if number == 1:
            handler.reply(200, {}, b"[]")
    with serving(react) as server:
        unreachable(lambda: api_of(server).wait([ROUTE], set(), 5))

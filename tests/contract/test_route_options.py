# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each option does to real requests through the real Traefik, from the moment that the run returns."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from typing import Any, Iterator, List

import pytest
from contract import edge_traefik, route_samples, world
from contract.edge_traefik import API, DYNAMIC, Backend, entry, fetch, run
from contract.route_samples import Options
from contract.route_traffic import Answer, ask, backend, client_tls, route, url
from unit.servers import Handler, replies

PASSWORD = "open sesame"


def sha(password: str) -> str:
    """An entry for bob."""
    return "bob:{SHA}" + base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()


SHA = sha(PASSWORD)


@pytest.fixture(autouse=True)
def another_route(no_routes: None, backends: List[Backend]) -> Iterator[None]:
    """A route that has nothing to do with the change is served before and after it."""
    route_samples.make_files()
    run(**entry("stays", target_url=backends[0].url))
    yield
    assert fetch("stays.test") == (200, "one")


def test_prefixes() -> None:
    """Taken off and put on, in this order."""
    with backend() as server:
        route(server, {"strip_prefix": {"prefixes": ["/api", "/old"]}}, {"add_prefix": {"prefix": "/v2"}})
        assert [ask("web.test", path).seen["path"] for path in ("/api/x?a=b", "/old/", "/y")] == ["/v2/x?a=b", "/v2/", "/v2/y"]
        route(server, {"add_prefix": {"prefix": "/v2"}}, {"strip_prefix": {"prefixes": ["/api"]}})
        assert ask("web.test", "/api/x").seen["path"] == "/v2/api/x"


@pytest.mark.parametrize("options, status, location", [
    ({"redirect_scheme": {"scheme": "https"}}, 302, "https://web.test/x?y=z"),
    ({"redirect_scheme": {"scheme": "https", "port": 8443, "permanent": True}}, 301, "https://web.test:8443/x?y=z"),
    ({"redirect_regex": {"regex": "^http://web\\.test/(.*)$", "replacement": "https://new.test/${1}"}}, 302, "https://new.test/x?y=z"),
    ({"redirect_regex": {"regex": "/x", "replacement": "/w", "permanent": True}}, 301, "http://web.test/w?y=z"),
])
def test_redirects(options: Options, status: int, location: str) -> None:
    """To another scheme and port, and by a pattern; the backend is never asked."""
    with backend() as server:
        route(server, options)
        answer = ask("web.test", "/x?y=z")
        assert (answer.status, answer.headers["location"], server.seen) == (status, location, [])


def test_headers() -> None:
    """Set, replaced and removed, on the way there and back."""
    with backend() as server:
        route(server, {"headers": {"custom_request_headers": {"X-In": "a: 'b'", "X-Gone": "", "X-Kept": "ours"},
                                   "custom_response_headers": {"X-Out": "yes", "X-Powered-By": ""}}})
        answer = ask("web.test", X_Gone="secret", X_Kept="theirs")
        seen = answer.seen["headers"]
        assert (seen["x-in"], seen["x-kept"], "x-gone" in seen) == ("a: 'b'", "ours", False)
        assert answer.headers["x-out"] == "yes" and "x-powered-by" not in answer.headers


def test_the_security_preset() -> None:
    """What a browser should be told, with what is said beside it in its place; Strict-Transport-Security over TLS alone."""
    with backend() as server:
        route(server, {"headers": {"preset": "security", "referrer_policy": "no-referrer", "sts_preload": True}},
              entrypoint=["web", "websecure"])
        plain, secure = ask("web.test").headers, ask("web.test", context=client_tls()).headers
        assert (plain["x-frame-options"], plain["x-content-type-options"], plain["referrer-policy"]) == ("DENY", "nosniff", "no-referrer")
        assert "camera=()" in plain["permissions-policy"] and "strict-transport-security" not in plain
        assert secure["strict-transport-security"] == "max-age=31536000; includeSubDomains; preload"


def test_cors() -> None:
    """A preflight is answered for the origins that are listed."""
    with backend() as server:
        route(server, {"headers": {"access_control_allow_origin_list": ["https://a.test"], "access_control_allow_methods": ["GET", "PUT"]}})
        assert ask("web.test", Origin="https://a.test").headers["access-control-allow-origin"] == "https://a.test"
        assert "access-control-allow-origin" not in ask("web.test", Origin="https://b.test").headers


def credentials(name: str, password: str) -> str:
    """Value of the header."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_basic_auth() -> None:
    """Who is listed with that password, whatever the hash, and nobody else; the target learns the name and not the password."""
    apr1 = "ann:" + world.sh("openssl", "passwd", "-apr1", PASSWORD).strip()
    with backend() as server:
        route(server, {"basic_auth": {"users": [apr1, SHA], "realm": "Private", "header_field": "X-User", "remove_header": True}})
        assert [ask("web.test").status, *(ask("web.test", Authorization=credentials(*words)).status for words in (
            ("ann", PASSWORD), ("bob", PASSWORD), ("ann", "wrong"), ("eve", PASSWORD), ("ann", "")))] == [401, 200, 200, 401, 401, 401]
        assert 'realm="Private"' in ask("web.test").headers["www-authenticate"]
        seen = ask("web.test", Authorization=credentials("bob", PASSWORD), X_User="root").seen["headers"]
        assert seen["x-user"] == "bob" and "authorization" not in seen
        (DYNAMIC.parent / "users").write_text(SHA + "\n")
        route(server, {"basic_auth": {"users_file": str(DYNAMIC.parent / "users")}})
        assert (ask("web.test").status, ask("web.test", Authorization=credentials("bob", PASSWORD)).status) == (401, 200)


def test_hashes_are_shown_nowhere() -> None:
    """Not in what Ansible prints with -vvv and --diff, in check mode and really, nor by info; a changed hash still shows as a change."""
    wanted = entry("web", middlewares=[{"basic_auth": {"users": [SHA]}}], dynamic_dir=str(DYNAMIC), api_url=API)
    command = [str(world.REPO / ".venv/bin/ansible"), "localhost", "-i", "localhost,", "-c", "local", "-vvv", "--diff",
               "-e", "ansible_python_interpreter={{ ansible_playbook_python }}"]
    for more in (["--check"], []):
        printed = world.sh(*command, *more, "-m", "edge.gateway.traefik_route", "-a", json.dumps(wanted))
        assert SHA.split(":")[1] not in printed and "bob" in printed and "CHANGED" in printed
    info = json.dumps(world.module("traefik_route_info", dynamic_dir=str(DYNAMIC), api_url=API))
    assert SHA.split(":")[1] not in info and "bob" in info
    result = edge_traefik.module(**{**wanted, "middlewares": [{"basic_auth": {"users": [sha("another")]}}]})
    assert result["updated"] == ["web"] and result["diff"]["before"] != result["diff"]["after"]


def test_forward_auth() -> None:
    """Another service decides; its headers reach the target, its answer the client."""
    def judge(handler: Handler, _number: int) -> None:
        allowed = handler.headers.get("X-Pass") == "yes"
        handler.reply(200 if allowed else 403, {"X-User": "ann"}, b"" if allowed else b"no entry")

    with backend() as server, backend(judge) as other:
        route(server, {"forward_auth": {"address": url(other) + "/check?rd=https://a.test", "auth_response_headers": ["X-User"]}})
        refused, passed = ask("web.test", "/x"), ask("web.test", X_Pass="yes")
        assert (refused.status, refused.body, passed.status, passed.seen["headers"]["x-user"]) == (403, b"no entry", 200, "ann")
        assert other.seen[0][1] == "/check?rd=https://a.test" and len(server.seen) == 1


@pytest.mark.parametrize("ranges, more, status", [
    (["203.0.113.0/24"], {}, 403), (["203.0.113.0/24"], {"reject_status_code": 404}, 404), (["127.0.0.0/8", "203.0.113.7"], {}, 200),
    (["2001:db8::/32"], {}, 403), (["127.0.0.1"], {"ip_strategy": {"depth": 1}}, 403)])
def test_ip_allow_list(ranges: List[str], more: Options, status: int) -> None:
    """Who is not listed is refused; which address counts can be said."""
    with backend() as server:
        route(server, {"ip_allow_list": {"source_range": ranges, **more}})
        assert ask("web.test", X_Forwarded_For="203.0.113.9").status == status and len(server.seen) == (status == 200)


def test_rate_limit() -> None:
    """After the burst, 429; each client has its own count."""
    with backend() as server:
        route(server, {"rate_limit": {"average": 1, "period": "1m", "burst": 3, "source_criterion": {"request_header_name": "X-Key"}}})
        assert [ask("web.test", X_Key="a").status for _ in range(5)] == [200] * 3 + [429] * 2
        assert ask("web.test", X_Key="b").status == 200


def at_once(count: int) -> List[Answer]:
    """So many requests at the same time."""
    found: List[Answer] = []
    threads = [threading.Thread(target=lambda: found.append(ask("web.test"))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_in_flight() -> None:
    """No more than so many at the same time."""
    def slow(handler: Handler, _number: int) -> None:
        time.sleep(0.5)
        handler.reply(200, {}, b"")

    with backend(slow) as server:
        route(server, {"in_flight_req": {"amount": 2, "source_criterion": {"request_host": True}}})
        assert Counter(answer.status for answer in at_once(5)) == {200: 2, 429: 3}


def test_compress_and_buffering() -> None:
    """Answers are compressed for who asks for it; bodies that are too long never reach the target."""
    with backend(replies((200, {"Content-Type": "text/plain"}, b"x" * 5000))) as server:
        route(server, {"compress": {"encodings": ["gzip"]}}, {"buffering": {"max_request_body_bytes": 10}})
        packed = ask("web.test", Accept_Encoding="gzip, br")
        assert packed.headers["content-encoding"] == "gzip" and len(packed.body) < 500
        assert "content-encoding" not in ask("web.test").headers
        assert [ask("web.test", body=b"x" * size).status for size in (10, 11)] == [200, 413] and len(server.seen) == 3
        route(server, {"compress": {"excluded_content_types": ["text/plain"]}})
        assert "content-encoding" not in ask("web.test", Accept_Encoding="gzip").headers


def test_retry() -> None:
    """When a target cannot be reached, the next one is asked."""
    with backend() as server:
        targets = ["http://127.0.0.1:1", url(server)]
        route(targets)
        assert {ask("web.test").status for _ in range(4)} == {200, 502}
        route(targets, {"retry": {"attempts": 3, "initial_interval": "1ms"}})
        assert {ask("web.test").status for _ in range(6)} == {200}


def test_circuit_breaker() -> None:
    """A target that fails is left alone for a while."""
    with backend(replies((500, {}, b""))) as server:
        route(server, {"circuit_breaker": {"expression": "ResponseCodeRatio(500, 600, 0, 600) > 0.5", "check_period": "50ms",
                                           "fallback_duration": "10s", "response_code": 529}})
        end = time.monotonic() + 5
        while ask("web.test").status != 529 and time.monotonic() < end:
            time.sleep(0.06)
        asked = len(server.seen)
        assert ask("web.test").status == 529 and len(server.seen) == asked


def test_weights(backends: List[Backend]) -> None:
    """Three to one, and a target with nothing gets nothing."""
    run(**entry("web", target_url=[backend.url for backend in backends], weight=[3, 1, 0]))
    assert Counter(fetch("web.test")[1] for _ in range(40)) == {"one": 30, "two": 10}


def test_health_check(backends: List[Backend]) -> None:
    """A target that does not answer well is left out, and comes back."""
    state = {"status": 500}
    with backend(lambda handler, _number: handler.reply(state["status"], {}, b"sick")) as sick:
        run(**entry("web", target_url=[backends[0].url, url(sick)], health_check={"path": "/health", "interval": "100ms", "timeout": "90ms",
                                                                               "unhealthy_interval": "100ms"}))
        time.sleep(0.5)
        assert {fetch("web.test")[1] for _ in range(6)} == {"one"}
        state["status"] = 200
        time.sleep(0.5)
        assert {fetch("web.test")[1] for _ in range(6)} == {"one", "sick"}
        assert "/health" in {path for _method, path, _headers, _body in sick.seen}


def test_sticky(backends: List[Backend]) -> None:
    """Who brings the cookie back comes to the same target."""
    run(**entry("web", target_url=[backend.url for backend in backends], sticky={"cookie": {"name": "node", "http_only": True,
                                                                                         "same_site": "strict", "max_age": 60}}))
    first = ask("web.test")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("node=") and {"HttpOnly", "SameSite=Strict", "Max-Age=60"} <= set(cookie.split("; "))
    assert {ask("web.test", Cookie=cookie.split(";")[0]).body for _ in range(6)} == {first.body}
    assert len({ask("web.test").body for _ in range(6)}) == 3


@pytest.mark.parametrize("passed", [None, True, False])
def test_pass_host_header(passed: Any) -> None:
    """The target sees the client's name for it, or its own."""
    with backend() as server:
        route(server, pass_host_header=passed)
        assert ask("web.test").seen["headers"]["host"] == (f"127.0.0.1:{server.port}" if passed is False else "web.test")


def test_priority(backends: List[Backend]) -> None:
    """Of wildcards, names and paths that overlap, the highest rank wins, against what their length would say."""
    def both(first: Options, second: Options) -> str:
        run(routes=[entry("r1", target_url=backends[1].url, **first), entry("r2", target_url=backends[2].url, **second)])
        return fetch("a.w.test", "/api/x")[1]

    wild, exact = {"hostname": "*.w.test"}, {"hostname": "a.w.test"}
    assert both(wild, {**wild, "path_prefix": "/api"}) == "three"
    assert both({**wild, "priority": 100}, {**wild, "path_prefix": "/api", "priority": 99}) == "two"
    assert both({**wild, "priority": 1000}, {**exact, "path_prefix": "/api"}) == "two"
    assert both({**wild, "priority": 5}, {**exact, "priority": 4}) == "two"

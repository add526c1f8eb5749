# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live means live: when a run returns, the very next request is served as it was asked for, or the run has failed and says why."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, VerifyFailed
from contract import edge_traefik, route_reports, route_samples, world
from contract.edge_traefik import API, DYNAMIC, FOREIGN, STATIC, Backend, Traefik, entry, fetch, module, run
from contract.forwarding import invoke
from contract.route_samples import FILES, Options
from contract.route_traffic import ask, backend, client_tls, route, url
from contract.route_wishes import LENT, RouteWish
from unit.samples import one_sentence

SLOW = STATIC.replace("providersThrottleDuration: 0.1s", "providersThrottleDuration: 1s")


@pytest.fixture(name="traefik", scope="module")
def slow_traefik(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traefik]:
    """One that takes its time to load: who returns too early is found out."""
    with edge_traefik.started(tmp_path_factory.mktemp("traefik"), SLOW) as found:
        yield found


@pytest.fixture(autouse=True)
def empty(no_routes: None) -> None:
    """No routes, and the files that options name."""
    route_samples.make_files()


def test_a_directory_that_was_replaced(traefik: Traefik, backends: List[Backend]) -> None:
    """Its watch is lost for good: the run gets its routes loaded all the same, each time."""
    run(**entry("web", target_url=backends[0].url))
    old, new = DYNAMIC.with_name("old"), DYNAMIC.with_name("new")
    new.mkdir(mode=0o750)
    (new / "web.yml").write_bytes((DYNAMIC / "web.yml").read_bytes())
    (new / "web.yml").chmod(0o640)
    DYNAMIC.rename(old)
    new.rename(DYNAMIC)
    try:
        for number in (1, 2):
            run(wait_timeout=8, **entry("web", target_url=backends[number].url))
            assert fetch("web.test") == (200, backends[number].name)
    finally:
        for path in old.iterdir():
            path.unlink()
        old.rmdir()
        for path in DYNAMIC.iterdir():
            path.unlink()
        traefik.stop()
        traefik.start()


@contextlib.contextmanager
def other_traefik(traefik: Traefik, folder: Path, static: str, name: str) -> Iterator[Traefik]:
    """Another Traefik in place of the one that runs."""
    traefik.stop()
    try:
        with edge_traefik.started(folder, static, name=name) as other:
            yield other
    finally:
        for path in DYNAMIC.iterdir():
            path.unlink()
        traefik.start()


@pytest.mark.parametrize("name", ["traefik", "proxy"])
def test_watch_is_off(traefik: Traefik, tmp_path: Path, backends: List[Backend], name: str) -> None:
    """Traefik is made to look by a signal. One under another name cannot be found: then the run fails in time, says that watch is
    off, and leaves the directory as it was."""
    static = STATIC.replace("watch: true", "watch: false")
    with other_traefik(traefik, tmp_path, static, name):
        before, start = world.files(DYNAMIC), time.monotonic()
        result = module(static=yaml.safe_load(static), wait_timeout=4, **entry("web", target_url=backends[0].url))
        assert time.monotonic() - start < 7
        if name == "traefik":
            assert result["live"] == {"web": "enabled"} and fetch("web.test") == (200, "one")
        else:
            assert result["failed"] and "watch is off" in one_sentence(result["msg"]) and world.files(DYNAMIC) == before, result


def test_a_change_holds_for_the_first_request(traefik: Traefik) -> None:
    """An allow-list that got narrower, TLS options that got stricter, a transport that got careful, and each taken away again."""
    with backend() as server, backend(secure=True) as secure:
        def status(**more: Any) -> int:
            return ask("web.test", **more).status

        for ranges, expected in ((["127.0.0.0/8", "10.0.0.0/8"], 200), (["10.0.0.0/8"], 403), (["127.0.0.1"], 200), (["127.0.0.2"], 403)):
            route(server, {"ip_allow_list": {"source_range": ranges}})
            assert status() == expected
        route(server)
        assert status() == 200
        old = client_tls(ssl.TLSVersion.TLSv1_2)
        for options, works in ((None, True), ({"min_version": "VersionTLS13"}, False), ({"min_version": "VersionTLS12"}, True)):
            route(server, entrypoint="websecure", tls_options=options)
            assert works_with(old) is works
        for transport, expected in (({"insecure_skip_verify": True}, 200), ({"server_name": "backend.test"}, 500), (None, 500),
                                    ({"server_name": "backend.test", "root_cas": [str(FILES / "cert.pem")]}, 200), (None, 500)):
            run(**entry("web", target_url=url(secure, "https"), servers_transport=transport))
            assert status() == expected, transport


def works_with(context: ssl.SSLContext) -> bool:
    """Whether there is a handshake and an answer."""
    try:
        return ask("web.test", context=context).status == 200
    except OSError:
        return False


def everything() -> Dict[str, Any]:
    """All that Traefik reports, but for what it measures."""
    found = route_reports.Reports(DYNAMIC).kinds
    return {kind: {name: {part: value for part, value in entry.items() if part != "serverStatus"} for name, entry in entries.items()}
            for kind, entries in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_happens_after_a_run_has_returned(traefik: Traefik, seed: int) -> None:
    """Options that come and go at random: what Traefik reports when the run returns is what it reports later."""
    (DYNAMIC / "lent.yml").write_text(LENT)
    wish = RouteWish(100 + seed)
    source = wish.random
    routes = [wish.route() for _ in range(12)]
    run(wait_timeout=15, routes=routes)
    for number in range(3):
        routes = [thinner(source, item) if source.random() < 0.6 else item for item in routes]
        run(wait_timeout=15, routes=routes)
        returned = everything()
        time.sleep(1.3)
        assert returned == everything(), f"seed {seed}, step {number}"


def thinner(source: Any, item: Options) -> Options:
    """A route with one option less, or with one option of a middleware less."""
    spare = [name for name in item if name not in ("route_id", "hostname", "target_url", "weight", "entrypoint", "passthrough")]
    nested = [(number, kind) for number, middleware in enumerate(item.get("middlewares", ())) for kind, options in middleware.items()
              if kind == "headers" and len(options) > 1]
    if nested and source.random() < 0.5:
        number, kind = source.choice(nested)
        middlewares = json.loads(json.dumps(item["middlewares"]))
        del middlewares[number][kind][sorted(middlewares[number][kind])[0]]
        middlewares[number][kind]["frame_deny"] = True
        return {**item, "middlewares": middlewares}
    gone = source.choice(spare) if spare else ""
    return {name: value for name, value in item.items() if name != gone}


def test_a_middleware_of_someone_else_that_goes_away(traefik: Traefik, backends: List[Backend]) -> None:
    """Whoever names it is refused while it is missing, a run about another route is not, and the trouble shows under live."""
    (DYNAMIC / "lent.yml").write_text(LENT)
    wanted = entry("web", target_url=backends[0].url, middlewares=[{"name": "auth"}])
    run(**wanted)
    (DYNAMIC / "lent.yml").unlink()
    end = time.monotonic() + 5
    while Traefik.reported("http/routers")["web@file"]["status"] == "enabled" and time.monotonic() < end:
        time.sleep(0.05)
    result = module(wait_timeout=2, **entry("other", target_url=backends[1].url))
    assert result["changed"] and result["live"] == {"other": "enabled", "web": "disabled"} and fetch("other.test") == (200, "two")
    for changes in ({}, {"path_prefix": "/x"}):
        result = module(wait_timeout=2, **{**wanted, **changes})
        assert result["failed"] and "auth" in one_sentence(result["msg"]), result["msg"]
    result = module(**{**wanted, "middlewares": []})
    assert result.get("live") == {"other": "enabled", "web": "enabled"} and fetch("web.test") == (200, "one"), result


def test_a_bad_rule_of_someone_else(traefik: Traefik, backends: List[Backend]) -> None:
    """Only that router is lost."""
    (DYNAMIC / "mine.yml").write_text(FOREIGN.replace("Host(`foreign.test`)", "Host("))
    assert module(**entry("web", target_url=backends[0].url))["live"] == {"web": "enabled"} and fetch("web.test") == (200, "one")


def test_a_thousand_routes(traefik: Traefik, tmp_path: Path, backends: List[Backend]) -> None:
    """By a file, in one run: all are live, only what changed is written, and what is not listed goes."""
    entries = [entry(f"r{number}", target_url=backends[0].url) for number in range(1000)]
    source = tmp_path / "routes.json"

    def handed_in(found: List[Options]) -> Options:
        source.write_text(json.dumps(found))
        return invoke("traefik_route", src=str(source), remote_src=True, purge=True, summary=True, dynamic_dir=str(DYNAMIC), api_url=API,
                      allow_local_target=True, wait_timeout=15)

    (DYNAMIC / "mine.yml").write_text(FOREIGN)
    result = handed_in(entries)
    assert result["count"] == 1000 and result["live"] == {}, result.get("msg")
    assert [fetch(f"r{number}.test")[1] for number in (0, 500, 999)] == ["one"] * 3
    before = world.files(DYNAMIC)
    assert not handed_in(entries)["changed"] and world.files(DYNAMIC) == before
    entries[7] = entry("r7", target_url=backends[1].url)
    result = handed_in([*entries[:998], entry("new", target_url=backends[2].url)])
    assert (result["added"], result["updated"], result["removed"]) == (["new"], ["r7"], ["r998", "r999"])
    after = world.files(DYNAMIC)
    assert {name for name in after if after[name] != before.get(name)} == {"r7.yml", "new.yml"} and "mine.yml" in after
    assert [fetch(f"{name}.test")[0:2] for name in ("r7", "new")] == [(200, "two"), (200, "three")] and fetch("r999.test")[0] == 404


def test_runs_at_the_same_time(traefik: Traefik, backends: List[Backend]) -> None:
    """Each gets its routes, none loses another's, and all return with theirs served."""
    running = [world.start_module("traefik_route", dynamic_dir=str(DYNAMIC), api_url=API, allow_local_target=True, wait_timeout=15, routes=[
        entry(f"r{number}-{part}", target_url=backends[number % 3].url) for part in range(5)]) for number in range(4)]
    for number, process in enumerate(running):
        out, err = process.communicate(timeout=60)
        result = json.loads(out.strip().splitlines()[-1])
        assert result["added"] == [f"r{number}-{part}" for part in range(5)], err
    assert {fetch(f"r{number}-{part}.test") for number in range(4) for part in range(5)} == {(200, each.name) for each in backends}


def test_what_stood_is_back_after_a_failure(traefik: Traefik, backends: List[Backend]) -> None:
    """Of a list in which Traefik refuses one, nothing stays; what stood is served as before, in content and in effect."""
    run(**entry("web", target_url=backends[0].url))
    before = {path.name: path.read_bytes() for path in DYNAMIC.iterdir()}
    bad = {"middlewares": [{"redirect_regex": {"regex": "(", "replacement": "/"}}]}
    with pytest.raises(VerifyFailed) as caught:
        run(wait_timeout=6, routes=[*(entry(name, target_url=backends[1].url) for name in ("web", "good")), entry("bad", **bad)])
    assert "bad" in one_sentence(caught.value.message) and {path.name: path.read_bytes() for path in DYNAMIC.iterdir()} == before
    served_again((200, "one"))
    with pytest.raises(GatewayError):
        run(wait_timeout=2, **entry("web", entrypoint="nope"))
    served_again((200, "one"))


def served_again(expected: Tuple[int, str]) -> None:
    """As soon as Traefik has loaded what was put back."""
    end = time.monotonic() + 4
    while fetch("web.test") != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert fetch("web.test") == expected

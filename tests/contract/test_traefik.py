# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes in the real Traefik: what is written is served, and one bad file of anyone never costs the rest."""

from __future__ import annotations

import stat
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, InvalidInput, StateRefused, Unreachable, VerifyFailed
from contract import edge_traefik as tr
from contract import world
from contract.edge_traefik import DYNAMIC, Backend, Traefik, entry, fetch, run, walk

pytestmark = pytest.mark.usefixtures("no_routes")


def names() -> List[str]:
    """Files in the directory."""
    return sorted(path.name for path in DYNAMIC.iterdir())


def test_life_of_a_route(traefik: Traefik, backends: List[Backend]) -> None:
    """Create, change, delete; predicted exactly, repeated without effect, and served each time the run returns."""
    first, second = backends[0].url, backends[1].url
    assert walk(**entry("web", target_url=first))["added"] == ["web"]
    assert fetch("web.test") == (200, "one")
    assert walk(**entry("web", target_url=second))["updated"] == ["web"]
    assert fetch("web.test") == (200, "two")
    assert walk(**entry("web", hostname=["new.test", "other.test"], target_url=second))["updated"] == ["web"]
    assert (fetch("new.test"), fetch("other.test"), fetch("web.test")[0]) == ((200, "two"), (200, "two"), 404)
    assert walk(route_id="web", state="absent")["removed"] == ["web"]
    assert fetch("new.test")[0] == 404 and names() == []


def test_a_changed_target_is_served_when_the_run_returns(traefik: Traefik, backends: List[Backend]) -> None:
    """The rule stays the same, so the router alone cannot tell whether Traefik has read the file."""
    for number in (0, 1, 0, 1, 2):
        run(**entry("web", target_url=backends[number].url))
        assert fetch("web.test") == (200, backends[number].name)


def test_a_list_with_purge(traefik: Traefik, backends: List[Backend]) -> None:
    """Several at once; what is not listed goes, foreign files stay."""
    (DYNAMIC / "mine.yml").write_text(tr.FOREIGN)
    walk(routes=[entry("a"), entry("b"), entry("c")])
    result = walk(routes=[entry("b", path_prefix="/x"), entry("d")], purge=True)
    assert (result["added"], result["updated"], result["removed"]) == (["d"], ["b"], ["a", "c"])
    assert names() == ["b.yml", "d.yml", "mine.yml"] and (DYNAMIC / "mine.yml").read_text() == tr.FOREIGN


def test_modes_and_group(traefik: Traefik) -> None:
    """0640 with the directory's group: a file that Traefik cannot read stops all loading."""
    world.sh("chgrp", "65534", str(DYNAMIC))
    try:
        run(**entry("web"))
        status = (DYNAMIC / "web.yml").stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, 0, 65534)
        (DYNAMIC / "web.yml").chmod(0o600)
        assert walk(**entry("web"))["repaired"] == ["web"]
        assert stat.S_IMODE((DYNAMIC / "web.yml").stat().st_mode) == 0o640
    finally:
        world.sh("chgrp", "0", str(DYNAMIC))


def test_unchanged_files_are_left_alone(traefik: Traefik) -> None:
    """Each event makes Traefik parse the whole directory."""
    run(routes=[entry("a"), entry("b")])
    before = world.files(DYNAMIC)
    run(**entry("c"))
    run(**entry("b", path_prefix="/x"))
    after = world.files(DYNAMIC)
    assert after["a.yml"] == before["a.yml"] and after["b.yml"] != before["b.yml"]


@pytest.mark.parametrize("damage", [
    lambda text: text.replace("Host(`web.test`)", "Host(`evil.test`)"), lambda text: text + "# note\n",
    lambda text: text.replace("\nhttp:", "\nhttq:"),
    lambda text: "\n".join(text.split("\n")[:4]) + "\n",
])
def test_a_file_of_ours_edited_by_hand_is_repaired(traefik: Traefik, damage: Any) -> None:
    """What was asked for stands in its header."""
    run(**entry("web"))
    path = DYNAMIC / "web.yml"
    good = path.read_text()
    path.write_text(damage(good))
    result = walk(**entry("web"))
    assert result["repaired"] == ["web"] and result["diff"]["before"] != result["diff"]["after"] and path.read_text() == good


def test_an_unknown_entrypoint_fails_in_traefiks_words(traefik: Traefik) -> None:
    """The old files are back, in content and in effect; a new route is gone."""
    run(**entry("web"))
    before = (DYNAMIC / "web.yml").read_bytes()
    for name in ("web", "new"):
        with pytest.raises(VerifyFailed) as caught:
            run(wait_timeout=1, **entry(name, entrypoint="nope"))
        assert "nope" in caught.value.message and name in caught.value.message and "\n" not in caught.value.message
    assert names() == ["web.yml"] and (DYNAMIC / "web.yml").read_bytes() == before
    traefik.wait_for(["web"])


BROKEN = {
    "broken.yml": "http: [\n", "unknown.yaml": "http:\n  servise: {}\n", "template.yml": "# {{ x }}\n", "empty.toml": "[http\n",
    ".hidden.yml": "http: [\n",
}


# what any YAML parser sees, so that nobody has to ask Traefik
CERTAIN = ("broken.yml", ".hidden.yml")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_of_someone_else_is_told_and_left_alone(traefik: Traefik, name: str) -> None:
    """Traefik loads nothing at all then: the run fails, names the file, and leaves the directory as it was, at once where it is certain."""
    (DYNAMIC / name).write_text(BROKEN[name])
    for dry in (True, False) if name in CERTAIN else (False,):
        with pytest.raises(StateRefused if name in CERTAIN else VerifyFailed) as caught:
            run(dry, wait_timeout=1, **entry("web"))
        assert name in caught.value.message
        assert names() == [name] and (DYNAMIC / name).read_text() == BROKEN[name]
    (DYNAMIC / name).unlink()
    assert run(**entry("web")).plan.changed


def test_what_stands_is_served_beside_a_broken_file(traefik: Traefik, backends: List[Backend]) -> None:
    """A run that has nothing to change succeeds, and warns of the file by name; one that would fails at once, and nothing is lost."""
    wanted = entry("web", target_url=backends[0].url)
    run(**wanted)
    (DYNAMIC / "broken.yml").write_text(BROKEN["broken.yml"])
    before = world.files(DYNAMIC)
    result = tr.module(**wanted)
    assert not result["changed"] and result["live"] == {"web": "enabled"}, result
    assert any("broken.yml" in str(warning) for warning in result["warnings"]), result["warnings"]
    result = tr.module(**{**wanted, "path_prefix": "/x"})
    assert result["failed"] and "broken.yml" in result["msg"] and world.files(DYNAMIC) == before
    assert fetch("web.test") == (200, "one")


def test_a_router_of_the_same_name_in_another_file_is_told(traefik: Traefik) -> None:
    """Traefik takes the first file and skips ours without a word."""
    (DYNAMIC / "aaa.yml").write_text(tr.FOREIGN.replace("mine", "web"))
    traefik.wait_for(["web"])
    with pytest.raises(GatewayError) as caught:
        run(wait_timeout=1, **entry("web"))
    assert "web" in caught.value.message and names() == ["aaa.yml"]


@pytest.mark.parametrize("text", [tr.FOREIGN, "", "# mine\n"])
def test_a_foreign_file_of_our_name_is_refused(traefik: Traefik, text: str) -> None:
    """Neither replaced nor deleted, nor purged."""
    (DYNAMIC / "mine.yml").write_text(text)
    for dry in (True, False):
        with pytest.raises(InvalidInput) as caught:
            run(dry, **entry("mine"))
        assert caught.value.option == "route_id"
    run(route_id="mine", state="absent")
    run(routes=[], purge=True)
    assert (DYNAMIC / "mine.yml").read_text() == text


def test_a_header_of_a_newer_version_is_refused(traefik: Traefik) -> None:
    """Not rewritten by an older one, not even by a purge."""
    run(**entry("web"))
    path = DYNAMIC / "web.yml"
    newer = path.read_text().replace("schema 1", "schema 2")
    path.write_text(newer)
    changes: List[Dict[str, Any]] = [entry("other"), {"routes": [], "purge": True}]
    for params in changes:
        with pytest.raises(StateRefused) as caught:
            run(**params)
        assert "web.yml" in caught.value.message
    assert path.read_text() == newer and names() == ["web.yml"]


def test_leftovers_of_a_killed_run_are_cleaned(traefik: Traefik) -> None:
    """And no one else's temporary files."""
    for name in (".edge-gateway-0123456789ab.tmp", "someone.tmp"):
        (DYNAMIC / name).write_text("half")
    run(**entry("web"))
    assert names() == ["someone.tmp", "web.yml"]


def test_traefik_down_is_told_before_anything_is_written() -> None:
    """With wait; without it the file is written, and 'live' tells that nobody knows."""
    with pytest.raises(Unreachable) as caught:
        run(api_url="http://127.0.0.1:1", **entry("web"))
    assert "wait" in caught.value.message and names() == []
    result = tr.module(wait=False, api_url="http://127.0.0.1:1", **entry("web"))
    assert result["changed"] and result["live"] == {"web": "unknown"} and names() == ["web.yml"]


def test_a_service_that_is_not_traefik_is_told_before_anything_is_written(backends: List[Backend]) -> None:
    """The wrong port in api_url."""
    with pytest.raises(Unreachable):
        run(api_url=backends[0].url, wait_timeout=1, **entry("web"))
    assert names() == []


def test_a_missing_directory_is_refused(traefik: Traefik) -> None:
    """Made by the role before Traefik starts: made later, Traefik never sees it."""
    with pytest.raises(StateRefused) as caught:
        run(dynamic_dir=f"{DYNAMIC}-nowhere", **entry("web"))
    assert "dynamic_dir" in caught.value.message


def test_results_of_the_module_and_of_info(traefik: Traefik, backends: List[Backend]) -> None:
    """The contract's return values."""
    result = tr.module(**entry("web", target_url=backends[0].url))
    assert {"changed", "routes", "added", "updated", "removed", "live", "diff"} <= set(result)
    assert result["live"] == {"web": "enabled"} and [item["route_id"] for item in result["routes"]] == ["web"]
    info = world.module("traefik_route_info", dynamic_dir=str(DYNAMIC), api_url=tr.API)
    assert (info["changed"], info["routes"], info["live"]) == (False, result["routes"], result["live"])

# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept and told between runs: points in time, the history, metrics, the program, and the script that takes a change back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import health as looking
from ansible_collections.edge.gateway.plugins.module_utils.engines import program
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import prometheus
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields, health
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import Wish
from ansible_collections.edge.gateway.plugins.module_utils.models.health import DEGRADED, FAILED, OK, Part
from ansible_collections.edge.gateway.plugins.module_utils.models.history import KEPT_CHANGES, NAMED_IDS, History
from unit.samples import refusal

NOW = "2027-01-31T18:00:00Z"
IDS: Dict[str, Any] = {"added": ["a"], "updated": [], "removed": ["b"], "repaired": []}


@pytest.mark.parametrize(("given", "expected"), [
    (NOW, NOW), ("2027-01-31T19:00:00+01:00", NOW), ("2027-01-31 18:00:00+00:00", NOW), ("2027-01-31T18:00:00.999Z", NOW),
    ("2027-01-31T12:30:00-05:30", NOW)])
def test_moment(given: str, expected: str) -> None:
    """One form for one point in time, so that texts compare as times do."""
    assert fields.moment("expires", given) == expected
    assert fields.moment_of(fields.seconds(expected)) == expected


@pytest.mark.parametrize("given", [
    "", "tomorrow", "2027-01-31", "2027-01-31T18:00:00", "2027-02-30T18:00:00Z", "2027-01-31T25:00:00Z", f"{NOW}\n", "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-01:00", "2027-01-31T18:00Z", "\uff12027-01-31T18:00:00Z"])
def test_no_moment(given: str) -> None:
    assert "write it like 2027-01-31T18:00:00Z" in refusal(fields.moment, "expires", given)


def test_history() -> None:
    """The newest first, not for ever, and of many ids the number."""
    known = History()
    for number in range(KEPT_CHANGES + 5):
        known = known.with_run(fields.moment_of(number), "dnat_forward", {**IDS, "added": [f"f-{n}" for n in range(number)]}, True)
    assert len(known.changes) == KEPT_CHANGES and known.changes[0].counts[0] == KEPT_CHANGES + 4
    assert len(known.changes[0].names[0]) == NAMED_IDS and History.parse(known.as_dict()) == known
    assert known.with_run(NOW, "wg_join", IDS, False) == known._replace(runs={**known.runs, "wg_join": NOW})


@pytest.mark.parametrize("content", [
    "", "{", "[]", '{"runs": 5, "changes": []}', '{"runs": {}, "changes": [5]}', '{"runs": {"x": "y"}, "changes": []}'])
def test_a_damaged_history_begins_anew(tmp_path: Path, content: str) -> None:
    """It decides nothing, so no run fails for it."""
    (tmp_path / "history.json").write_text(content)
    chronicle = Chronicle(Host(), str(tmp_path), "dnat_forward")
    assert chronicle.load() == History()
    chronicle.note(IDS, True)
    assert chronicle.load().changes[0].names == (("a",), (), ("b",), ())


@pytest.mark.parametrize(("part", "status", "shown"), [
    (health.forwarding([4], []), OK, "IPv4"), (health.forwarding([], []), OK, "not needed"),
    (health.forwarding([4, 6], [6]), FAILED, "IPv6"), (health.forwarding([4], [], (89, 100)), OK, "IPv4"),
    (health.forwarding([4], [], (90, 100)), DEGRADED, "nearly full (90 of 100)"),
    (health.forwarding([], [], (100, 100)), FAILED, "full: new ones are dropped (100 of 100)"),
    (health.forwards(2, [], [], [], True, gone="nft is not there; install it"), DEGRADED, "2 in effect, but nft is not there: nothing"),
    (health.traefik("3.7.15", True), OK, "3.7.15 runs"), (health.traefik("3.7.15", None), OK, "3.7.15 runs"),
    (health.traefik("", False), FAILED, "is not running"), (health.traefik("", True), FAILED, "does not answer"),
    (health.traefik("3.7.15", False), DEGRADED, "not what runs it"),
    (health.disk(2**40, 2**41, "/x"), OK, "free below /x"), (health.disk(100 * 2**20, 2**41, "/x"), DEGRADED, "100 MiB"),
    (health.disk(5 * 2**20, 2**41, "/x"), FAILED, "5 MiB"), (health.disk(2**40, 2**41, "/x", ["/y", "/x"]), FAILED, "changed: /y, /x"),
    (health.converged({}, None, 0), OK, "no run"), (health.converged({}, None, 60), DEGRADED, "no run"),
    (health.converged({"a": NOW, "b": "2026"}, 61, 0), OK, "61 s ago (a)"), (health.converged({"a": NOW}, 8000, 7200), DEGRADED, "2 h ago"),
    (health.converged({"a": NOW}, 5, 0, "a change waits"), DEGRADED, "a change waits"),
    (health.converged({"a": NOW}, -61, 0), DEGRADED, "went back: the last run lies 61 s"),
    (health.converged({"a": NOW}, -60, 0), OK, "0 s ago"),
    (health.expiry([], 0, False), OK, "nothing ends"), (health.expiry([], 2, True), OK, "2 will end"),
    (health.expiry([], 2, False), DEGRADED, "timer does not run"), (health.expiry(["a"], 1, True), FAILED, "still open"),
    (health.routes({"a": "enabled"}, True, [], ["a"]), DEGRADED, "altered by somebody: a"),
])
def test_parts(part: Part, status: str, shown: str) -> None:
    """Each tells what is wrong and what to do; a part that is well has nothing to do."""
    assert part.status == status and shown in part.message and "\n" not in part.message
    assert bool(part.remedy) == (status != OK)


@pytest.mark.parametrize(("seconds", "words"), [
    (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")])
def test_duration(seconds: int, words: str) -> None:
    assert health.duration(seconds) == words


def test_every_part_is_looked_at() -> None:
    """A part that cannot be looked at has failed, and the others are told all the same."""
    class Nothing(Host):
        def read(self, *arguments: object, **options: object) -> bytes | None:
            raise StateRefused("nothing can be read; mend it")

    places = looking.Places("wg0", "/nowhere", "/nowhere", "/nowhere", None)     # type: ignore[arg-type]
    parts = looking.examine(Nothing(), places)
    assert list(parts) == ["mesh", "forwarding", "forwards", "traefik", "routes", "certificates", "expiry", "disk", "converge"]
    assert parts["forwards"].status == FAILED and parts["disk"].figures["total_bytes"] > 0


def test_metrics() -> None:
    """One family for each figure, with help and type, and a stamp by which a stale file is noticed."""
    text = prometheus.render({"mesh": Part(OK, "m", "", {"handshake_age_seconds": 3}), "disk": Part(FAILED, "d", "r")}, 1795)
    lines = text.splitlines()
    assert "edge_gateway_status 2" in lines and 'edge_gateway_part_status{part="mesh"} 0' in lines
    assert "edge_gateway_mesh_handshake_age_seconds 3" in lines and lines[-1] == "edge_gateway_checked_timestamp_seconds 1795"
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) and text.endswith("\n")


def test_the_program_runs_from_its_files_alone(tmp_path: Path) -> None:
    """Nothing of Ansible, nothing of this repository: what would be installed is enough."""
    for path, item in program.beside(Wish({})).wanted.items():
        target = tmp_path / path.lstrip("/")
        if item.content is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.write_text(item.content.replace(program.ROOT, str(tmp_path) + program.ROOT))
    done = subprocess.run([sys.executable, "-I", "-S", str(tmp_path) + program.PROGRAM, "expire", f"--state-dir={tmp_path}/none",
                           f"--dynamic-dir={tmp_path}/none"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "ansible" not in {name.split(".")[0] for text in (tmp_path / program.PACKAGE.lstrip("/")).rglob("*.py")
                             for line in text.read_text().splitlines() if line.startswith(("import ", "from "))
                             for name in [line.split()[1]]}

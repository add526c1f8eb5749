# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many runs at once, and runs that are killed: nothing is lost, nothing is there twice, and the next run mends what was left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import random
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from contract import world
from contract.forwarding import IPV6_FORWARDING, SYSCTL_DIR, invoke, run
from contract.test_forward_property import boot_host, booted, rebuilt, same, table  # noqa: F401  (boot_host is a fixture)
from contract.world import STATE_DIR, sh

Options = Dict[str, Any]
LOCK = Path("/run/edge-gateway/lock")


@pytest.fixture(autouse=True)
def switches() -> Iterator[None]:
    """Forwarding as on a new host."""
    IPV6_FORWARDING.write_text("0")
    for path in SYSCTL_DIR.glob("*edge*"):
        path.unlink()
    yield
    IPV6_FORWARDING.write_text("0")


def of_all_kinds(number: int) -> Options:
    """One forward of five kinds that share lists, ranges and IP versions with their neighbours."""
    base = {"forward_id": f"f-{number}", "public_port": str(20000 + 20 * number), "target_ip": "10.50.0.12"}
    kinds: List[Options] = [
        {}, {"public_port": f"{20000 + 20 * number}-{20010 + 20 * number}", "proto": "both", "source_ranges": ["198.51.100.0/24"]},
        {"public_port": f"{20000 + 20 * number}-{20005 + 20 * number}", "target_port": 1000, "hairpin": True},
        {"target_ip": "fd50::12", "proto": "udp", "source_ranges": ["2001:db8::/32"]},
        {"source_nat": "none", "source_ranges": ["198.51.100.0/24", "203.0.113.0/24"]},
    ]
    return {**base, **kinds[number % 5]}


def results_of(runs: List[Any]) -> List[Options]:
    """What processes returned."""
    found = []
    for process in runs:
        out, err = process.communicate(timeout=90)
        assert out.strip(), err
        found.append(json.loads(out.strip().splitlines()[-1]))
    return found


def kept() -> List[str]:
    """Ids in the state file, as often as they are there."""
    return [item["forward_id"] for item in json.loads((STATE_DIR / "forwards.json").read_text())["forwards"]]


def test_twenty_runs_of_all_kinds_at_once() -> None:
    """All twenty are there, once, and the kernel is as if they had come one after the other."""
    results = results_of([world.start_module("dnat_forward", **of_all_kinds(number)) for number in range(20)])
    for number, result in enumerate(results):
        assert not result.get("failed") and result["changed"] and result["added"] == [f"f-{number}"], result
    assert sorted(kept()) == sorted(world.ids(20))
    assert not run(forwards=[]).as_dict()["changed"]
    same(table(), rebuilt())
    same(table(), booted(""))


def test_additions_removals_checks_and_info_at_once() -> None:
    """What was to go is gone, what was to come is there, what nobody touched stays; those who only look fail on nothing."""
    invoke(forwards=[of_all_kinds(number) for number in range(12)])
    runs = []
    for number in range(6):
        runs += [
            world.start_module("dnat_forward", **of_all_kinds(20 + number)),
            world.start_module("dnat_forward", forward_id=f"f-{number}", state="absent"),
            world.start_module("dnat_forward", **{**of_all_kinds(6 + number), "comment": "changed"}),
        ]
        runs.append(world.start_module("dnat_forward_info") if number % 2 else
                    world.start_module("dnat_forward", forwards=[], purge=True, _ansible_check_mode=True))
    results = results_of(runs)
    assert not [result for result in results if result.get("failed")]
    assert all(item["active"] for result in results if "changed" not in result or not result["changed"]
               for item in result.get("forwards", []) if "active" in item)
    assert sorted(kept()) == sorted(f"f-{number}" for number in (*range(6, 12), *range(20, 26)))
    found = invoke("dnat_forward_info")["forwards"]
    assert {item["forward_id"] for item in found if item["comment"] == "changed"} == {f"f-{number}" for number in range(6, 12)}
    assert all(item["active"] for item in found) and not run(forwards=[]).as_dict()["changed"]
    same(table(), rebuilt())


def test_the_same_forward_from_ten_runs_at_once() -> None:
    """One adds it, the others find it there; ten that want the same port for themselves: one gets it, nine are told who has it."""
    results = results_of([world.start_module("dnat_forward", **of_all_kinds(1)) for _ in range(6)])
    assert sorted(bool(result["changed"]) for result in results) == [False] * 5 + [True], results
    results = results_of([world.start_module("dnat_forward", **{**of_all_kinds(2), "forward_id": name}) for name in world.ids(6)])
    winners = [(result["added"] or result["updated"])[0] for result in results if not result.get("failed")]
    assert len(winners) == 1 and all(winners[0] in result["msg"] for result in results if result.get("failed"))
    assert sorted(kept()) == sorted(["f-1", *winners]) or winners == ["f-1"]


def kill_within(process: Any, seconds: float, after_the_state: float) -> None:
    """Kill a run after so long, or so long after it has written the state: between the two lies what a kill can tear apart."""
    path, end = STATE_DIR / "forwards.json", time.monotonic() + seconds
    before = path.stat().st_ino
    while time.monotonic() < end:
        if path.stat().st_ino != before:
            time.sleep(after_the_state)
            break
        time.sleep(0.0003)
    process.kill()
    process.communicate()
    while programs("nft"):
        time.sleep(0.001)


def programs(name: str) -> List[int]:
    """Processes of a program in our namespace."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            found += [int(path.parent.name)] if path.read_text().strip() == name else []
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_runs_are_mended_by_the_next(seed: int) -> None:
    """Each run replaces ranges, lists and single ports at once and is killed somewhere on its way: the state is whole, old or new,
    and one run brings kernel, boot file and switches to it. Thirty kills in all."""
    draw = random.Random(seed)
    both = [[{**of_all_kinds(number), "comment": comment, "source_ranges": networks} for number in range(200) if number % 5 != 3]
            for comment, networks in (("old", ["198.51.100.0/24"]), ("new", []))]
    invoke(forwards=both[0], purge=True)
    started = time.monotonic()
    assert world.module("dnat_forward", forwards=both[1], purge=True, summary=True)["changed"]
    usual = time.monotonic() - started
    now, torn = "new", 0
    for attempt in range(15):
        wanted = {"old": "new", "new": "old"}[now]
        process = world.start_module("dnat_forward", forwards=both[wanted == "new"], purge=True, summary=True)
        kill_within(process, usual * draw.uniform(0.3, 0.9) if attempt % 3 == 0 else usual, draw.uniform(0, 0.06))
        comments = {item["comment"] for item in json.loads((STATE_DIR / "forwards.json").read_text())["forwards"]}
        assert comments in ({"old"}, {"new"}) and len(kept()) == 160, f"seed {seed}, attempt {attempt}"
        predicted, mended = run(True, forwards=[]), run(forwards=[])
        assert world.report(predicted) == world.report(mended), f"seed {seed}, attempt {attempt}"
        torn += mended.as_dict()["changed"]
        assert {item.comment for item in mended.items} == comments
        assert not run(forwards=[]).as_dict()["changed"], f"seed {seed}, attempt {attempt}"
        now = comments.pop()
        if attempt % 5 == 4:
            same(table(), rebuilt())
            same(table(), booted(""))
    # a run of the module notes that it was here, though it has nothing to do: what killed ones have staged is swept away then
    assert not world.module("dnat_forward", forwards=[])["changed"]
    assert not [path.name for path in (*STATE_DIR.iterdir(), *world.CONFIG_DIR.iterdir()) if path.name.endswith(".tmp")]
    print(f"{torn} of 15 kills left something to mend")


def test_what_a_killed_run_has_started_keeps_the_lock() -> None:
    """Its nft goes on writing to the kernel after it: until that has ended, no other run may read what it is about to change."""
    many = [{**of_all_kinds(number), "target_ip": "10.50.0.12", "source_ranges": []} for number in range(2000) if number % 5 < 2]
    for item, port in zip(many, range(1, 65000, 60)):
        item["public_port"] = f"{port}-{port + 40}" if number_of(item) % 2 else str(port)
        item["target_port"] = 100 if number_of(item) % 2 else 80
    process = world.start_module("dnat_forward", forwards=many, summary=True)
    path, end = LOCK, time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        if path.exists() and any(b"-f" in cmdline(number) for number in programs("nft")):
            break
        time.sleep(0.0005)
    process.kill()
    process.communicate()
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        assert not [number for number in programs("nft") if b"-f" in cmdline(number)]


def number_of(item: Options) -> int:
    """Its number."""
    return int(item["forward_id"].split("-")[1])


def cmdline(number: int) -> bytes:
    """Words of a process; none when it has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_bytes()
    return b""


def test_a_run_that_waits_for_a_dead_one() -> None:
    """The lock of a killed process is not in the way."""
    process = world.start_module("dnat_forward", **of_all_kinds(1))
    time.sleep(0.05)
    process.kill()
    process.communicate()
    started = time.monotonic()
    assert not world.module("dnat_forward", **of_all_kinds(2)).get("failed")
    assert time.monotonic() - started < 5
    assert sh("nft", "list", "table", "inet", "edge_gateway")

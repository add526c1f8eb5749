# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random forwards, changed at random and damaged at random: the kernel always ends up as if it had been built from nothing.

EDGE_TEST_SEED=<number> runs one more seed of your choice; a failure names its seed, its step and what that step asked for.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from contract import world
from contract.forwarding import IP_FORWARD, IPV6_FORWARDING, SYSCTL_DIR, invoke, run, snapshot, walk
from contract.vandal import TABLE, Vandal
from contract.wishes import Options, Wish, ports_of, version_of
from contract.world import inside, nft, sh

SEEDS = [1, 2, 3, *([int(os.environ["EDGE_TEST_SEED"])] if "EDGE_TEST_SEED" in os.environ else [])]
BOOT_FILE = world.CONFIG_DIR / "forwards.nft"
@pytest.fixture(autouse=True)
def boot_host() -> Iterator[None]:
    """A second, empty kernel, in which boot files are tried out."""
    IPV6_FORWARDING.write_text("0")
    for path in SYSCTL_DIR.glob("*edge*"):
        path.unlink()
    world.add_namespace("boot")
    yield
    world.remove_namespaces("boot")
    IPV6_FORWARDING.write_text("0")


def plain(listing: str) -> List[str]:
    """A listed table without counts, and with elements and blocks in a fixed order; rules keep theirs."""
    def ordered(match: re.Match[str]) -> str:
        return "elements = " + " | ".join(sorted(" ".join(element.split()) for element in match[1].split(",")))
    text = re.sub(r"counter packets \d+ bytes \d+ ?", "", listing)
    text = re.sub(r"elements = \{([^}]*)\}", ordered, text)
    # without the line that names the table and the brace that ends it: the first block and the last are no others
    return sorted(block.strip("\n") for block in "\n".join(text.rstrip().split("\n")[1:-1]).split("\n\n"))


def same(first: List[str], second: List[str]) -> None:
    """Two tables are equal; if not, only the difference is of interest."""
    assert first == second, "\n".join(difflib.unified_diff("\n".join(first).split("\n"), "\n".join(second).split("\n"), lineterm="", n=0))


def table() -> List[str]:
    """Our table in the kernel we are in."""
    return plain(sh("nft", "list", "table", *TABLE))


def booted(before: str) -> List[str]:
    """The table that the boot file makes in a kernel in which something is already."""
    with inside("boot"):
        nft("flush ruleset\n" + before)
        sh("nft", "-f", str(BOOT_FILE))
        sh("nft", "-f", str(BOOT_FILE))
        return table()


def rebuilt() -> List[str]:
    """The table that a run makes from the state alone, in an empty kernel."""
    with inside("boot"):
        sh("nft", "flush", "ruleset")
        IP_FORWARD.write_text("0")
        boot = BOOT_FILE.read_bytes()
        assert run(forwards=[]).as_dict()["changed"]
        assert BOOT_FILE.read_bytes() == boot
        return table()


def asked(options: Options) -> Options:
    """How a forward is returned: nothing left open, networks as a sorted set of the ones of its IP version."""
    return {**options, "target_port": options["target_port"] or ports_of(options)[0], "comment": options["comment"].strip(),
            "source_ranges": set(options["source_ranges"])}


def returned() -> Dict[str, Options]:
    """All forwards as the info module tells them."""
    found = invoke("dnat_forward_info")["forwards"]
    assert all(item["active"] for item in found)
    return {item["forward_id"]: {name: set(value) if name == "source_ranges" else value for name, value in item.items()} for item in found}


@contextlib.contextmanager
def told(seed: int, step: int, asked_for: Any) -> Iterator[None]:
    """A failure says how to get it again."""
    try:
        yield
    except Exception as problem:
        raise AssertionError(f"seed {seed}, step {step}: {json.dumps(asked_for)}: {type(problem).__name__}: {problem}") from problem


def names_in(outcome: Options, before: Dict[str, Options], after: Dict[str, Options]) -> None:
    """The ids that a run reports are those that differ."""
    assert outcome["added"] == sorted(set(after) - set(before)) and outcome["removed"] == sorted(set(before) - set(after))
    assert outcome["repaired"] == []
    possible = {name for name in set(before) & set(after) if before[name] != after[name]}
    assert set(outcome["updated"]) <= possible
    must = {name for name in possible if asked(before[name]) != asked(after[name])}
    assert must <= set(outcome["updated"])


@pytest.mark.parametrize("seed", SEEDS)
def test_random_changes(seed: int) -> None:
    """Every step is predicted, done, and done for good; info tells what was asked; after all of them, and now and then on the way,
    the table is the one that the boot file and a run from nothing make."""
    wish = Wish(seed)
    for number in range(30):
        before = dict(wish.forwards)
        params = wish.step()
        with told(seed, number, params):
            names_in(walk(**params), before, wish.forwards)
            found = returned()
            assert set(found) == set(wish.forwards)
            for name, options in wish.forwards.items():
                expected = asked(options)
                for fact in ("active", "connections", "open_connections", "blocked_by"):
                    found[name].pop(fact)
                other = {item for item in expected["source_ranges"] if (":" in item) != (version_of(options) == 6)}
                # networks of the other IP version may be kept or dropped: they match nobody
                assert {**found[name], "source_ranges": found[name]["source_ranges"] - other} == {
                    **expected, "source_ranges": expected["source_ranges"] - other}
            if number % 6 == 5:
                same(table(), booted(""))
                same(table(), rebuilt())
    same(table(), booted("table inet edge_gateway {\n chain other { type filter hook input priority 5; drop; }\n}\n"))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_damage(seed: int) -> None:
    """Whatever was done to the table by hand is told, foretold and put right; a forward that lost an element is named. Sometimes the
    run that finds it also changes something."""
    wish = Wish(1000 + seed)
    for number in range(25):
        while len(wish.forwards) < 6:
            walk(**wish.step())
        vandal = Vandal(wish.random)
        before = table()
        script = vandal.act()
        with told(seed, number, script):
            assert table_or_nothing() != before, "the damage shows"
            if vandal.foreign:
                strangers_are_named()
                continue
            found = walk(forwards=[])
            assert found["changed"] and found["diff"]["before"] != found["diff"]["after"]
            # what bears the id of a forward that nobody asked for is removed under that name
            assert not found["added"] and not found["updated"] and not set(found["removed"]) & set(wish.forwards)
            assert set(found["repaired"]) <= set(wish.forwards)
            assert not vandal.hurt or vandal.hurt in found["repaired"]
            same(table(), before)
            same(table(), booted("table inet other {\n}\n"))
        if number % 5 == 4:
            vandal = Vandal(wish.random)
            script = vandal.act()
            if vandal.foreign:
                strangers_are_named()
                continue
            params = wish.step()
            with told(seed, number, [script, params]):
                walk(**params)
                assert set(returned()) == set(wish.forwards)
                same(table(), rebuilt())


def strangers_are_named() -> None:
    """What others put into our table is not thrown away in silence, nor left where it may open a port: nothing is done, and it is named."""
    before = snapshot()
    for dry in (True, False):
        with pytest.raises(StateRefused) as caught:
            run(dry, forwards=[])
        assert "edge_gateway" in caught.value.message and "not ours" in caught.value.message
    assert snapshot() == before
    nft("delete table inet edge_gateway\n")
    run(forwards=[])


def table_or_nothing() -> List[str]:
    """The table, if it is still there."""
    return plain(sh("nft", "list", "table", *TABLE, check=False))


@pytest.mark.parametrize("seed", SEEDS)
def test_other_tables_are_never_touched(seed: int) -> None:
    """Of a firewall beside ours every rule and handle stays through changes and repairs."""
    nft("table inet admin {\n set s { type inet_service; elements = { 22 }; }\n chain input { type filter hook input priority 0; "
        "tcp dport @s accept comment \"edge_gateway\"; }\n}\ntable ip edge_gateway {\n chain c { }\n}\n")
    before = [sh("nft", "-a", "list", "table", *words) for words in (("inet", "admin"), ("ip", "edge_gateway"))]
    wish = Wish(2000 + seed)
    for number in range(10):
        params = wish.step()
        with told(seed, number, params):
            run(**params)
            if number % 3 == 2:
                nft("flush table inet edge_gateway\n")
                run(forwards=[])
            assert before == [sh("nft", "-a", "list", "table", *words) for words in (("inet", "admin"), ("ip", "edge_gateway"))]
    assert Path(BOOT_FILE).read_text().count("admin") == 0

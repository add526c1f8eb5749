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
import random
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from contract import world
from contract.forwarding import IP_FORWARD, IPV6_FORWARDING, SYSCTL_DIR, invoke, run, snapshot, walk
from contract.world import inside, nft, sh

SEEDS = [1, 2, 3, *([int(os.environ["EDGE_TEST_SEED"])] if "EDGE_TEST_SEED" in os.environ else [])]
BOOT_FILE = world.CONFIG_DIR / "forwards.nft"
TABLE = ("inet", "edge_gateway")
NETWORKS = {
    4: ["198.51.100.0/24", "198.51.100.0/25", "198.51.100.128/25", "203.0.113.7/32", "203.0.113.6/32", "10.0.0.0/8", "0.0.0.0/1",
        "128.0.0.0/1", "255.255.255.255/32", "0.0.0.0/0"],
    6: ["2001:db8::/32", "2001:db8::/33", "2001:db8:8000::/33", "2001:db8::7/128", "2001:db8::6/128", "::/1", "8000::/1", "::/0",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"],
}
LETTERS = "abcXYZ019 ._:/#@-"
Options = Dict[str, Any]


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


def version_of(options: Options) -> int:
    """4 or 6."""
    return 6 if ":" in options["target_ip"] else 4


def ports_of(options: Options) -> range:
    """Its public ports."""
    first, _, last = options["public_port"].partition("-")
    return range(int(first), int(last or first) + 1)


def keys_of(options: Options) -> Set[Tuple[str, int, int]]:
    """What it takes: protocol, IP version, port."""
    protos = ("tcp", "udp") if options["proto"] == "both" else (options["proto"],)
    return {(proto, version_of(options), port) for proto in protos for port in ports_of(options)}


class Wish:
    """What was asked for so far, and a source of valid things to ask for next."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.forwards: Dict[str, Options] = {}
        self.number = 0

    def ports(self) -> str:
        """A port or a range, crowded so that neighbours happen, and sometimes at the edges of what there is."""
        draw = self.random
        first = draw.choice([1, 65535, 65000, draw.randint(20000, 20120), draw.randint(20000, 20120), draw.randint(20000, 30000)])
        size = draw.choice([1, 1, 1, 2, 3, 10, draw.randint(2, 300)])
        last = min(first + size - 1, 65535)
        return str(first) if first == last else f"{first}-{last}"

    def networks(self, version: int) -> List[str]:
        """A list that may be empty, overlap, repeat itself or mix the IP versions."""
        draw = self.random
        if draw.random() < 0.5:
            return []
        found = draw.choices(NETWORKS[version], k=draw.randint(1, 4))
        return [*found, *draw.sample(NETWORKS[10 - version], draw.choice([0, 0, 1]))]

    def options(self, name: str) -> Options:
        """All options of a forward."""
        draw = self.random
        version, port = draw.choice([4, 4, 6]), self.ports()
        first = int(port.split("-")[0])
        size = len(ports_of({"public_port": port}))
        target = draw.choice([None, first, draw.randint(1, 65536 - size), min(first + 1, 65536 - size)])
        nat = draw.choice(["masquerade", "masquerade", "none"])
        return {
            "forward_id": name, "public_port": port, "target_ip": draw.choice(["10.50.0.12", "10.50.0.13"]) if version == 4 else
            draw.choice(["fd50::12", "fd50::13"]), "target_port": target, "proto": draw.choice(["tcp", "udp", "both"]),
            "source_ranges": self.networks(version), "source_nat": nat, "hairpin": nat == "masquerade" and draw.random() < 0.4,
            "comment": "".join(draw.choices(LETTERS, k=draw.choice([0, 0, 5, 64]))),
        }

    def new(self, others: List[Options], name: str = "") -> Optional[Options]:
        """A forward that fits beside others; none when chance found none."""
        taken = {key for item in others for key in keys_of(item)}
        if not name:
            self.number += 1
            name = f"r-{self.number}"
        return next((found for found in (self.options(name) for _ in range(20)) if not keys_of(found) & taken), None)

    def changed(self, options: Options, others: List[Options]) -> Options:
        """One or more of its options anew."""
        fresh = self.new(others, options["forward_id"])
        if fresh is None or self.random.random() < 0.3:
            return {**options, "comment": "".join(self.random.choices(LETTERS, k=9)), "source_ranges": self.networks(version_of(options))}
        if self.random.random() < 0.5:
            return fresh
        if version_of(fresh) != version_of(options):
            return options
        return {**options, **{name: fresh[name] for name in ("source_nat", "hairpin", "source_ranges")}}

    def step(self) -> Options:
        """The next thing to ask for; what it leads to is written down as if it had been done."""
        draw = self.random
        kind = draw.choice(["add", "add", "change", "delete", "list", "list", "purge", "nothing"])
        names = sorted(self.forwards)
        if kind == "nothing":
            return {"forwards": []}
        if kind == "add" or not names:
            found = self.new(list(self.forwards.values()))
            if found is None:
                return {"forwards": []}
            self.forwards[found["forward_id"]] = found
            return found
        if kind == "delete":
            name = draw.choice(names)
            del self.forwards[name]
            return {"forward_id": name, "state": "absent"}
        if kind == "change":
            name = draw.choice(names)
            self.forwards[name] = self.changed(self.forwards[name], [self.forwards[other] for other in names if other != name])
            return self.forwards[name]
        return self.many(kind == "purge")

    def many(self, purge: bool) -> Options:
        """A list with additions, changes, removals and repetitions in any order."""
        draw, entries = self.random, []
        for name in draw.sample(sorted(self.forwards), draw.randint(0, len(self.forwards))):
            fate = draw.choice(["keep", "change", "remove"])
            if fate == "remove":
                del self.forwards[name]
                entries.append({"forward_id": name, "state": "absent"})
                continue
            if fate == "change":
                others = [item for other, item in self.forwards.items() if other != name]
                self.forwards[name] = self.changed(self.forwards[name], others)
            entries.append(self.forwards[name])
        if purge:
            listed = {entry["forward_id"] for entry in entries}
            self.forwards = {name: item for name, item in self.forwards.items() if name in listed}
        for _ in range(draw.randint(0, 8)):
            found = self.new(list(self.forwards.values()))
            if found is not None:
                self.forwards[found["forward_id"]] = found
                entries.append(found)
        draw.shuffle(entries)
        return {"forwards": entries, "purge": purge}


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


def objects() -> List[Tuple[str, Options]]:
    """What our table consists of, as nft tells programs."""
    listing = json.loads(sh("nft", "-j", "-a", "list", "table", *TABLE))["nftables"]
    return [(kind, body) for item in listing for kind, body in item.items()]


def written(value: Any) -> str:
    """An element's key or data in nft's language."""
    if not isinstance(value, dict):
        return str(value)
    (kind, body), = value.items()
    forms: Dict[str, Callable[[], str]] = {
        "elem": lambda: written(body["val"]), "range": lambda: f"{body[0]}-{body[1]}", "prefix": lambda: f"{body['addr']}/{body['len']}",
        "concat": lambda: " . ".join(map(written, body)), "jump": lambda: f"jump {body['target']}",
    }
    return forms[kind]()


def comment_of(element: Any) -> str:
    """Id of the forward that an element belongs to."""
    key = element[0] if isinstance(element, list) else element
    return str(key["elem"].get("comment", "")).split(" ", maxsplit=1)[0] if isinstance(key, dict) and "elem" in key else ""


class Vandal:
    """Damages our table by nft's own commands."""

    def __init__(self, draw: random.Random) -> None:
        self.random = draw
        self.objects = objects()
        self.sets = [body for kind, body in self.objects if kind in ("set", "map") and body.get("elem")]
        self.hurt = ""
        self.foreign = False

    def act(self) -> str:
        """Do one thing and tell it; the id of the forward whose element was hit is kept."""
        works: List[Callable[[], str]] = [
            self.delete_element, self.delete_element, self.delete_element, self.retarget, self.retarget, self.add_element, self.add_element,
            self.flush_set, self.flush_chain, self.delete_rule, self.add_rule, self.add_chain, self.add_set,
            lambda: "delete table inet edge_gateway", lambda: "flush ruleset", lambda: "flush table inet edge_gateway",
            lambda: "add table inet edge_gateway { flags dormant; }",
        ]
        script = self.random.choice(works)()
        nft(script + "\n")
        return script

    def _pick(self) -> Tuple[Options, Any]:
        body = self.random.choice(self.sets)
        return body, self.random.choice(body["elem"])

    def delete_element(self) -> str:
        """Of a map, a set, or an allow-list."""
        body, element = self._pick()
        self.hurt = comment_of(element)
        key = element[0] if isinstance(element, list) else element
        return f"delete element inet edge_gateway {body['name']} {{ {written(key)} }}"

    def retarget(self) -> str:
        """Another data for a key, under the same comment."""
        maps = [body for body in self.sets if isinstance(body["elem"][0], list) and "concat" in str(body["elem"][0][1])
                or str(body.get("map", "")).startswith("ip")]
        if not maps:
            return self.delete_element()
        body = self.random.choice(maps)
        element = self.random.choice(body["elem"])
        self.hurt = comment_of(element)
        key, data = map(written, element)
        other = data.replace("10.50.0.1", "10.66.6.").replace("fd50::", "fd66::")
        if " . " in data and self.random.random() < 0.5:
            address, _, port = data.partition(" . ")
            other = f"{address} . {int(port) % 65535 + 1}"
        note = element[0].get("elem", {}).get("comment") if isinstance(element[0], dict) else None
        remark = f' comment "{note}"' if note else ""
        return (f"delete element inet edge_gateway {body['name']} {{ {key} }}\n"
                f"add element inet edge_gateway {body['name']} {{ {key}{remark} : {other} }}")

    def add_element(self) -> str:
        """A port or a network that nobody asked for."""
        body, element = self._pick()
        note = self.random.choice(["", ' comment "stranger"', ' comment "r-1"', ' comment "r-5 words"'])
        self.foreign = not note and (isinstance(element, list) or body["type"] == "inet_service")
        if isinstance(element, list):
            return f"add element inet edge_gateway {body['name']} {{ 64999{note} : {written(element[1])} }}"
        if body["type"] == "inet_service":
            return f"add element inet edge_gateway {body['name']} {{ 64999{note} }}"
        stranger = "192.0.2.77" if body["type"] == "ipv4_addr" else "3fff::77"
        if any("/0" in written(item) or "/1" in written(item) for item in body["elem"]) or "0.0.0.0" in str(body["elem"]):
            return self.delete_element()
        return f"add element inet edge_gateway {body['name']} {{ {stranger} }}"

    def flush_set(self) -> str:
        """All elements at once."""
        body = self.random.choice(self.sets)
        return f"flush {'map' if 'map' in body else 'set'} inet edge_gateway {body['name']}"

    def _chain(self) -> str:
        return str(self.random.choice([body["chain"] for kind, body in self.objects if kind == "rule"]))

    def flush_chain(self) -> str:
        """All rules of a chain."""
        return f"flush chain inet edge_gateway {self._chain()}"

    def delete_rule(self) -> str:
        """One rule."""
        body = self.random.choice([body for kind, body in self.objects if kind == "rule"])
        return f"delete rule inet edge_gateway {body['chain']} handle {body['handle']}"

    def add_rule(self) -> str:
        """A rule of someone else's in our chain."""
        self.foreign = True
        word = self.random.choice(["add", "insert"])
        return f"{word} rule inet edge_gateway {self._chain()} {self.random.choice(['accept', 'counter', 'ip saddr 192.0.2.1 drop'])}"

    def add_chain(self) -> str:
        """A chain that hooks in, and one that does not."""
        self.foreign = True
        hook = self.random.choice(["", "type filter hook input priority 7; policy accept;"])
        return f"add chain inet edge_gateway foreign {{ {hook} }}"

    def add_set(self) -> str:
        """A set that is not ours."""
        self.foreign = True
        return "add set inet edge_gateway foreign { type inet_service; }"


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

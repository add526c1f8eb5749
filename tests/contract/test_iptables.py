# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards in the real kernel by both variants of iptables: what is written is read back, and nothing of others is touched."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from contract import world
from contract.iptables_host import (
    FOREIGN,
    MASQUERADE,
    NAMES,
    Watched,
    apply,
    backend,
    boot,
    holds,
    kinds,
    listing,
    load,
    others,
)
from contract.world import sh


def chance(rng: random.Random, slot: int) -> Forward:
    """Any forward at all, whose ports no other slot has."""
    family, first = rng.choice((4, 4, 6)), 1000 + 20 * slot
    last = first + rng.choice((0, 0, rng.randint(1, 19)))
    networks = {4: ["0.0.0.0/0", "198.51.100.0/24", "198.51.100.7/32", "198.51.101.0/24", "10.0.0.0/8"],
                6: ["::/0", "2001:db8::/32", "2001:db8::7/128", "2001:db8:8000::/33", "::102:0/112"]}
    targets = {4: ["10.50.0.12", "10.50.3.4"], 6: ["fd50::12", "fd50:0:1::2", "2001:db8:0:0:1:0:0:1"]}
    sources = rng.sample(networks[family], rng.randint(1, 4)) + rng.sample(networks[10 - family], rng.randint(0, 2))
    nat = rng.choice(("masquerade", "masquerade", "none"))
    return Forward.parse({
        "forward_id": f"{rng.choice('a0')}{slot}" + "._-x" * rng.randint(0, 3), "target_ip": rng.choice(targets[family]),
        "public_port": str(first) if first == last else f"{first}-{last}",
        "target_port": rng.choice((first, first + rng.randint(1, 5000))), "proto": rng.choice(("tcp", "udp", "both")),
        "source_ranges": rng.choice(([], sources)), "source_nat": nat, "hairpin": nat != "none" and rng.random() < 0.4,
        "comment": "".join(rng.choice("abcXYZ019 ._:/#@-") for _ in range(rng.choice((0, 5, 64)))).strip(" ")})


def next_state(rng: random.Random, now: Forwards) -> Forwards:
    """Some forwards added, changed and deleted."""
    slots = {(item.first_port - 1000) // 20: item for item in now.values()}
    for slot in rng.sample(range(12), rng.randint(1, 5)):
        if slot in slots and rng.random() < 0.5:
            del slots[slot]
        else:
            slots[slot] = chance(rng, slot)
    if rng.random() < 0.15:
        slots = {}
    return {item.forward_id: item for item in slots.values()}


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_changes_is_read_back_exactly(variant: str, seed: int) -> None:
    """Apply and boot script alike, from any state to any other; others' rules stay byte for byte; the same again loads nothing."""
    rng = random.Random(seed)
    for name in NAMES:
        load(FOREIGN, name)
    before = others()
    now: Forwards = {}
    for step in range(7):
        now = next_state(rng, now)
        (boot if rng.random() < 0.3 else apply)(now)
        holds(now)
        assert others() == before, step
        again = Watched()
        backend(again).apply(now)
        assert again.loaded == []
        boot(now)
        holds(now)
        assert others() == before, step
    backend().clear()
    assert not any("EDGE" in line for name in NAMES for line in listing(name) if "not ours" not in line and "f-1" not in line)
    assert others() == before and MASQUERADE not in listing()


@pytest.mark.parametrize("seed", range(4))
def test_the_boot_script_alone_makes_the_same_rules(variant: str, seed: int) -> None:
    """In an empty kernel, once and twice, line by line what apply makes there."""
    now = next_state(random.Random(seed), {}) if seed else kinds()
    found = []
    for make in (apply, boot):
        world.add_namespace("second")
        with world.inside("second"):
            make(now)
            found.append([listing(name) for name in NAMES])
            make(now)
            assert [listing(name) for name in NAMES] == found[-1]
            holds(now)
        world.remove_namespaces("second")
    assert [[sorted(lines) for lines in state] for state in found[:1]] == [[sorted(lines) for lines in state] for state in found[1:]]


def test_every_kind_of_forward(variant: str) -> None:
    """All at once, each alone, and none."""
    apply(kinds())
    holds(kinds())
    for number in range(8):
        apply(kinds(number))
        holds(kinds(number))
    apply({})
    holds({})


def test_what_users_look_for(variant: str) -> None:
    """The seed's command prints the seed's line; with source_nat none the exemption stands before it."""
    apply(kinds(0))
    printed = [line for line in sh("iptables", "-t", "nat", "-S", "POSTROUTING").splitlines() if "wg0" in line]
    assert printed == [MASQUERADE]
    apply(kinds(0, 4))
    printed = [line for line in sh("iptables", "-t", "nat", "-S", "POSTROUTING").splitlines() if "wg0" in line]
    assert len(printed) == 2 and printed[0].endswith("-j EDGE-GATEWAY-KEEP") and printed[1] == MASQUERADE


def test_the_last_forward_takes_the_rest_away_and_leaves_the_guard(variant: str) -> None:
    """No masquerade, no chain and no jump in nat; the mesh stays closed, in both IP versions."""
    apply(kinds())
    apply({})
    for name in NAMES:
        assert [line for line in listing(name) if line.startswith("-A") and "EDGE-GATEWAY" not in line] == []
        assert sum(line.endswith("-j DROP") for line in listing(name)) == 4
        assert not any("EDGE-GATEWAY" in line for line in sh(f"{name}-save", "-t", "nat").splitlines())


def test_looking_brings_no_table_up(variant: str) -> None:
    """Neither reading, nor clearing, nor the boot script's look: tables of nobody stay away."""
    host = Watched()
    backend(host).read()
    backend(host).clear()
    assert host.ran and not any("legacy" in program for program in host.ran) and not host.loaded
    assert sh("nft", "list", "tables") == ""
    assert Path("/proc/net/ip_tables_names").read_text() == Path("/proc/net/ip6_tables_names").read_text() == ""
    if variant == "nft":
        apply(kinds())
        assert Path("/proc/net/ip_tables_names").read_text() == ""
    else:
        apply(kinds())
        assert sh("nft", "list", "tables") == ""


def test_a_change_of_one_forward_keeps_the_counters_of_others(variant: str) -> None:
    """Packets are counted by forward, over all rules of one; a change elsewhere does not start them anew."""
    apply(kinds())
    text = sh("iptables-save", "-c", "-t", "nat")
    seen = {"--dport 22015": "[3:180]", "-p tcp -m tcp --dport 6000:6010": "[4:200]", "-p udp -m udp --dport 6000:6010": "[1:40]"}
    for old, new in seen.items():
        text = re.sub(rf"\[0:0\] (-A EDGE-GATEWAY-DNAT .*{old} )", rf"{new} \1", text)
    sh("iptables-restore", "-c", stdin=text)
    apply({**kinds(), "listed": Forward("listed", 443, 443, "10.50.0.99", 8443)})
    live = backend()
    live.read()
    assert {name: live.counts()[name] for name in ("plain", "range", "listed")} == {
        "plain": (3, 180), "range": (5, 240), "listed": (0, 0)}

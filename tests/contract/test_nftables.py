# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards in the real kernel: what is written is read back, and nothing of anyone else's is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines.nftables import BOOT_FILE, NftablesBackend
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats.nftables import Table
from ansible_collections.edge.gateway.plugins.module_utils.formats.nftables_text import Layout
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from contract import world
from contract.forwarding import IP_FORWARD, entry, forwards, run, walk
from contract.world import STATE_DIR, nft, ruleset, sh

OURS = ("inet", "edge_gateway")


def kernel() -> Table:
    """Our table as the kernel has it."""
    return NftablesBackend(Host(), "wg0").read()


def handles() -> List[Any]:
    """Kind, name and handle of everything in our table; a replaced table has others."""
    listing = json.loads(sh("nft", "-j", "-a", "list", "table", *OURS))["nftables"]
    return [(kind, body.get("name", body.get("chain")), body["handle"]) for item in listing for kind,
    body in item.items() if kind != "metainfo"]


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_what_is_loaded_is_what_was_wanted(count: int) -> None:
    """Render, load, list, parse: the same table."""
    wanted = Layout(forwards(count), "wg0")
    nft(wanted.text)
    assert kernel() == wanted.table


def test_the_longest_names_fit() -> None:
    """Id of 63 and comment of 64 characters, with every character that is allowed."""
    comment = "abcXYZ019 ._:/#@-" + "x" * 47
    walk(forward_id="a" * 63, public_port="1", target_ip="10.50.0.12", proto="both", comment=comment)
    assert {item.note for item in kernel().elements["a" * 63]} == {f"{'a' * 63} {comment}"}


def test_life_of_a_forward() -> None:
    """Create, change, change the protocol, delete; each predicted exactly, each repeated without effect."""
    assert walk(**entry(1))["added"] == ["f-1"]
    assert walk(**entry(1, target_ip="10.50.0.99"))["updated"] == ["f-1"]
    assert walk(**entry(1, proto="udp"))["updated"] == ["f-1"]
    assert walk(**entry(1, proto="both", comment="now both"))["updated"] == ["f-1"]
    assert {item.holder for item in kernel().elements["f-1"]} == {"tcp4", "udp4"}
    assert walk(**entry(2))["added"] == ["f-2"]
    assert walk(forward_id="f-1", state="absent")["removed"] == ["f-1"]
    assert sorted(kernel().elements) == ["f-2"]


def test_a_list_is_one_change() -> None:
    """Added, changed and removed at once; two forwards swap their ports; purge removes what is not listed."""
    walk(forwards=[entry(1), entry(2), entry(3)])
    swapped = [entry(1, public_port="20002"), entry(2, public_port="20001"), {"forward_id": "f-3", "state": "absent"}, entry(4)]
    result = walk(forwards=swapped)
    assert (result["added"], result["updated"], result["removed"]) == (["f-4"], ["f-1", "f-2"], ["f-3"])
    assert walk(forwards=[entry(4)], purge=True)["removed"] == ["f-1", "f-2"]
    assert walk(forwards=[], purge=True)["removed"] == ["f-4"]


def test_a_change_of_elements_leaves_the_structure_alone() -> None:
    """Chains, rules and maps keep their handles; a counter of someone who watches would go on."""
    walk(forwards=[entry(number) for number in range(5)])
    before = handles()
    walk(**entry(5))
    walk(**entry(1, target_port=81))
    walk(forward_id="f-0", state="absent")
    sh("nft", "delete", "element", *OURS, "tcp4", "{ 20003 }")
    walk(**entry(3))
    assert handles() == before


@pytest.mark.parametrize("damage", [
    "delete chain inet edge_gateway prerouting", "flush chain inet edge_gateway forward",
    "add chain inet edge_gateway forward { policy drop; }",
])
def test_a_damaged_structure_is_mended(damage: str) -> None:
    """Chains or rules of ours that are missing or altered: the whole table is put right."""
    walk(**entry(1))
    nft(damage)
    result = walk(**entry(1))
    assert result["changed"] and result["diff"]["before"] != result["diff"]["after"]
    assert kernel() == Layout({"f-1": Forward.parse(entry(1))}, "wg0").table


def test_a_table_switched_off_is_switched_on() -> None:
    """'flags dormant' leaves every rule in place and none in effect."""
    walk(**entry(1))
    nft("add table inet edge_gateway { flags dormant; }")
    assert walk(**entry(1))["changed"]
    assert "dormant" not in ruleset()


FOREIGN_PARTS = {
    "rule": "add rule inet edge_gateway forward accept",
    "rule with a comment": 'add rule inet edge_gateway forward accept comment "mine"',
    "rule in front": 'insert rule inet edge_gateway prerouting tcp dport 22 accept comment "mine"',
    "chain": "add chain inet edge_gateway mine",
    "base chain": "add chain inet edge_gateway mine { type filter hook input priority 5; }",
    "set": "add set inet edge_gateway mine { type ipv4_addr; }",
    "map": "add map inet edge_gateway mine { type inet_service : ipv4_addr; }",
    "element": "add element inet edge_gateway tcp4 { 7777 : 10.50.0.9 . 7777 }",
    "element with odd comment": 'add element inet edge_gateway tcp4 { 7777 comment "(mine)" : 10.50.0.9 . 7777 }',
    "counter": "add counter inet edge_gateway mine",
}


@pytest.mark.parametrize(("part", "count"), [
    (part, count) for part, text in FOREIGN_PARTS.items() for count in (0, 1) if count or not ("prerouting" in text or "element" in text)
])
def test_a_foreign_part_in_our_table_is_an_error_and_stays(part: str, count: int) -> None:
    """Named, refused, and nothing is changed: neither the kernel nor the state."""
    walk(forwards=[entry(number) for number in range(count)])
    nft(FOREIGN_PARTS[part])
    before = (ruleset(), world.files(STATE_DIR), world.files(world.CONFIG_DIR))
    for dry in (True, False):
        with pytest.raises(StateRefused) as caught:
            run(dry, **entry(9))
        assert "edge_gateway" in caught.value.message and "\n" not in caught.value.message
    assert before == (ruleset(), world.files(STATE_DIR), world.files(world.CONFIG_DIR))


def test_an_element_of_ours_that_nobody_asked_for_is_told_and_removed() -> None:
    """An interrupted run may leave it: it is listed as removed, never dropped in silence."""
    walk(**entry(1, proto="both"))
    nft('add element inet edge_gateway udp4 { 7777 comment "stray" : 10.50.0.9 . 7777 }')
    result = walk(**entry(1, proto="both"))
    assert result["removed"] == ["stray"] and "stray" in result["diff"]["before"]
    assert sorted(kernel().elements) == ["f-1"]


def test_foreign_tables_are_never_touched() -> None:
    """Byte for byte, handles and counters included, through a whole life with repairs."""
    nft("""table ip filter {
             set s { type ipv4_addr; elements = { 192.0.2.1 }; }
             chain FORWARD { type filter hook forward priority 0; policy drop; ip saddr @s counter packets 5 bytes 500 accept; }
           }
           table inet edge_gateway_in {
             chain input { type filter hook input priority 5; tcp dport 22 accept comment "edge_gateway"; }
           }
           table ip6 edge_gateway {
             chain x { }
           }
        """)
    tables = [("ip", "filter"), ("inet", "edge_gateway_in"), ("ip6", "edge_gateway")]
    before = [sh("nft", "-a", "list", "table", *table) for table in tables]
    walk(forwards=[entry(1), entry(2)])
    walk(**entry(1, target_port=81))
    nft("flush chain inet edge_gateway forward")
    walk(**entry(1, target_port=81))
    walk(forwards=[], purge=True)
    assert before == [sh("nft", "-a", "list", "table", *table) for table in tables]


@pytest.mark.parametrize("count", [0, 3])
def test_the_boot_file_restores_everything(count: int) -> None:
    """Loaded by plain nft into an empty kernel, and over a standing table: the same table as before."""
    walk(forwards=[entry(number) for number in range(count)])
    before = sh("nft", "list", "table", *OURS)
    assert oct(Path(BOOT_FILE).stat().st_mode & 0o777) == "0o600"
    nft("flush ruleset")
    for _ in range(2):
        sh("nft", "-f", BOOT_FILE)
        assert sh("nft", "list", "table", *OURS) == before
    assert not run(forwards=[]).plan.changed


def test_a_flushed_kernel_is_repaired() -> None:
    """'nft flush ruleset' by someone else: every id is named."""
    walk(forwards=[entry(1), entry(2)])
    nft("flush ruleset")
    result = walk(forwards=[])
    assert result["changed"] and result["repaired"] == ["f-1", "f-2"]
    assert sorted(kernel().elements) == ["f-1", "f-2"]


@pytest.mark.parametrize("damage", [
    "delete element inet edge_gateway tcp4 { 20001 }",
    'delete element inet edge_gateway tcp4 { 20001 }\nadd element inet edge_gateway tcp4 { 20001 comment "f-1" : 10.66.6.6 . 80 }',
])
def test_a_damaged_element_is_repaired(damage: str) -> None:
    """Deleted or altered by hand: this id is named and no other; so it is while another forward is added."""
    changes: List[Dict[str, Any]] = [{"forwards": []}, entry(3)]
    for params in changes:
        walk(forwards=[entry(1), entry(2)])
        nft(damage)
        result = walk(**params)
        assert result["repaired"] == ["f-1"] and "f-1" in result["diff"]["before"]
        assert kernel().elements["f-1"][0].value == "10.50.0.2 . 80"


@pytest.mark.parametrize("gone", ["boot file", "ip_forward"])
def test_what_stands_beside_the_kernel_is_repaired(gone: str) -> None:
    """The boot file and forwarding are part of a forward that works."""
    walk(**entry(1))
    if gone == "boot file":
        Path(BOOT_FILE).unlink()
    else:
        IP_FORWARD.write_text("0")
    result = walk(**entry(1))
    assert result["changed"] and result["diff"]["before"] != result["diff"]["after"]
    assert Path(BOOT_FILE).exists() and IP_FORWARD.read_text() == "1\n"


def test_the_last_forward_takes_the_rest_away_and_leaves_the_guard() -> None:
    """No masquerade, no DNAT, no NAT hook; the mesh stays closed."""
    walk(**entry(1))
    assert "masquerade" in ruleset() and "hook prerouting" in ruleset()
    walk(forward_id="f-1", state="absent")
    assert "masquerade" not in ruleset() and "type nat" not in ruleset()
    assert ruleset().count("drop comment") == 2


def test_another_interface_moves_the_guard() -> None:
    """A renamed mesh interface is a change of structure, predicted and done."""
    walk(**entry(1))
    assert walk(interface="mesh0", **entry(1))["changed"]
    assert "wg0" not in ruleset() and "mesh0" in ruleset()



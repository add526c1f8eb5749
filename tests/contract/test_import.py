# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real rules forward, our forwards forward too, once the import has found and a person has reviewed them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils.engines.imports import look
from ansible_collections.edge.gateway.plugins.module_utils.formats import import_file
from contract import iptables_host, test_seed_import, world
from contract import test_forward_options as options
from contract.forwarding import IP_FORWARD, invoke
from contract.iptables_host import Watched
from contract.talk import Echo, dial, say
from contract.test_forward_options import CLIENT, EDGE, EDGE_MESH, FAR, HALF, NEAR, NODE, VERSIONS, from_client
from contract.world import inside, nft, sh

# fixtures of the sibling: client -- edge -- node, with both IP versions
network, start_servers, quiet_servers, clean_edge = options.network, options.start_servers, options.quiet_servers, options.clean_edge

# (protocol, public port, source, whether somebody answers): asked before and after
Ask = Tuple[str, int, Dict[int, str]]
SHAPES: Dict[str, Tuple[str, List[Ask]]] = {
    "single": ("-p tcp --dport 22015 -j DNAT --to-destination {host}:8080", [("tcp", 22015, CLIENT), ("udp", 22015, CLIENT)]),
    "udp": ("-p udp -m udp --dport 22016 -m comment --comment vm-1 -j DNAT --to-destination {host}:8080",
            [("udp", 22016, CLIENT), ("tcp", 22016, CLIENT)]),
    "range": ("-p tcp --dport 6000:6010 -j DNAT --to-destination {host}:6000-6010", [("tcp", 6000, NEAR), ("tcp", 6010, CLIENT)]),
    "same ports": ("-p udp -m multiport --dports 5999,6003:6005 -j DNAT --to-destination {bare}",
                   [("udp", 5999, CLIENT), ("udp", 6005, CLIENT), ("udp", 6002, CLIENT)]),
    "shifted": ("-p udp --dport 7000:7010 -j DNAT --to-destination {host}:6000-6010/7000", [("udp", 7000, CLIENT), ("udp", 7007, NEAR)]),
    "some sources": ("-s {half} -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 2222 -j DNAT --to-destination {host}:8080",
                     [("tcp", 2222, CLIENT), ("tcp", 2222, NEAR), ("tcp", 2222, FAR)]),
}


def rules(variant: str, version: int) -> None:
    """The rules of somebody, with a masquerade into the mesh."""
    program = f"{iptables_host.NAMES[version == 6]}-{variant}"
    host = NODE[version] if version == 4 else f"[{NODE[version]}]"
    for text, _asks in SHAPES.values():
        sh(program, "-t", "nat", "-A", "PREROUTING", *text.format(host=host, bare=NODE[version], half=HALF[version]).split())
    sh(program, "-t", "nat", "-A", "POSTROUTING", "-o", "wg0", "-j", "MASQUERADE")


def wipe() -> None:
    """No rules of anybody."""
    for name in iptables_host.NAMES:
        sh(f"{name}-legacy", "-t", "nat", "-F")
    sh("nft", "flush", "ruleset")


def talked() -> Dict[str, List[str]]:
    """What clients are told by each shape, in both IP versions."""
    return {f"{name}/{version}": [from_client(proto, port, source[version], version) for proto, port, source in asks]
            for version in VERSIONS for name, (_text, asks) in SHAPES.items()}


def reviewed(**params: Any) -> Dict[str, Any]:
    """The variables that the file of an import holds."""
    found = world.module("gateway_import", **params)
    assert found["changed"] is False, found
    loaded: Dict[str, Any] = yaml.safe_load(import_file.render(found, "edge1"))
    return {**loaded, "notes": found["notes"]}


@pytest.fixture(name="routed")
def routing_edge(servers: Dict[str, Echo]) -> None:
    """The edge forwards packets, as whoever made those rules had to see to."""
    with inside("gateway"):
        wipe()
        IP_FORWARD.write_text("1")
        (options.SYSCTL / "all/forwarding").write_text("1")


@pytest.mark.parametrize("variant", iptables_host.VARIANTS)
def test_the_same_traffic_before_and_after(routed: None, variant: str) -> None:
    """Every shape reaches the same port of the same node, seen as the same peer; who was refused still is."""
    with inside("gateway"):
        for version in VERSIONS:
            rules(variant, version)
    before = talked()
    assert before["some sources/4"] == [f"8080 {EDGE_MESH[4]}"] * 2 + [""] and before["shifted/6"][1] == f"6007 {EDGE_MESH[6]}"
    with inside("gateway"):
        found = reviewed()
        assert not found["notes"] and len(found["edge_gateway_forwards"]) == 2 * (len(SHAPES) + 1)
        wipe()
        result = invoke(forwards=found["edge_gateway_forwards"], allow_outside_mesh=True)
        assert len(result["added"]) == 2 * (len(SHAPES) + 1), result
    assert talked() == before


NFT = """table {family} own {{
 set office {{ type {type}; flags interval; elements = {{ {half} }}; }}
 chain before {{ type nat hook prerouting priority dstnat; iifname wg0 return; jump mine; }}
 chain mine {{
  fib daddr type local tcp dport 22015 counter dnat to {host}:8080 comment "vm-1"
  udp dport {{ 5999, 6003-6005 }} dnat to {bare}
  {ip} saddr {half} tcp dport 2222 dnat to {host}:8080
  {ip} saddr @office tcp dport 2223 dnat to {host}:8080
  tcp dport 2224 dnat to {host}:8080 random
 }}
 chain after {{ type nat hook postrouting priority srcnat; {masquerade}; }}
}}
"""


@pytest.mark.parametrize("hides", [True, False])
def test_rules_of_nftables_own_language(routed: None, hides: bool) -> None:
    """The same, and whether the node sees its clients; sets that have a name and chance are told, not taken."""
    with inside("gateway"):
        for version, family, kind in ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr")):
            host = NODE[version] if version == 4 else f"[{NODE[version]}]"
            nft(NFT.format(family=family, type=kind, half=HALF[version], host=host, bare=NODE[version], ip=family,
                           masquerade='oifname "wg0" masquerade' if hides else "counter"))
        found = reviewed()
    before = talked()
    assert before["single/6"][0] == f"8080 {EDGE_MESH[6] if hides else CLIENT[6]}"
    assert [item.get("source_nat") for item in found["edge_gateway_forwards"]] == [None if hides else "none"] * 8
    assert len(found["notes"]) == 4 and all("2223" in note or "2224" in note for note in found["notes"])
    with inside("gateway"):
        wipe()
        invoke(forwards=found["edge_gateway_forwards"], allow_outside_mesh=True)
    assert talked() == before


@pytest.mark.parametrize(("variant", "version"), [("nft", 4), ("legacy", 6)])
def test_taken_over_under_an_open_connection(routed: None, variant: str, version: int) -> None:
    """Rules are listed until their removal is asked for; then exactly those go that were imported; the connection stays open."""
    program = f"{iptables_host.NAMES[version == 6]}-{variant}"
    with inside("gateway"):
        rules(variant, version)
        sh(program, *["-t", "nat", "-A", "PREROUTING", "-i", "up0", "-p", "tcp", "--dport", "9999", "-j", "DNAT", "--to"], NODE[version])
        found = reviewed()["edge_gateway_forwards"]
    with inside("client"):
        connection = dial(EDGE[version], 22015)
    assert connection is not None and say(connection) == f"8080 {EDGE_MESH[version]}"
    with connection:
        first = take_over(found[1:], len(found) - 1)
        # not the one that was struck out in review
        assert len(first["doubled_rules"]) == len(SHAPES) - 1 and not first["removed_rules"]
        second = take_over(found, 1, remove_rules=True)
        assert len(second["removed_rules"]) == len(SHAPES) and not second["doubled_rules"]
        assert say(connection) == f"8080 {EDGE_MESH[version]}"
    with inside("gateway"):
        left = [line.split()[-1] for line in iptables_host.listing(program) if line.startswith("-A")]
        assert left == [NODE[version], "MASQUERADE"]
        again = invoke("seed_import", forwards=found, remove_rules=True, allow_outside_mesh=True)
        assert not again["changed"], again
    assert from_client("tcp", 22015, version=version) == f"8080 {EDGE_MESH[version]}"
    assert from_client("tcp", 2222, FAR[version], version) == ""


def take_over(forwards: List[Dict[str, Any]], added: int, **params: Any) -> Dict[str, Any]:
    """Check mode, which must foretell all, and the real run."""
    params = {"forwards": forwards, "allow_outside_mesh": True, "_ansible_diff": True, **params}
    with inside("gateway"):
        programs = [f"{name}-{variant}" for name in iptables_host.NAMES for variant in iptables_host.VARIANTS]
        before = [world.ruleset(), *map(iptables_host.listing, programs)]
        predicted = invoke("seed_import", **params, _ansible_check_mode=True)
        assert before == [world.ruleset(), *map(iptables_host.listing, programs)]
        real = invoke("seed_import", **params)
    for name in (*world.PREDICTED, "removed_rules", "doubled_rules"):
        assert predicted[name] == real[name], name
    assert len(real["added"]) == added
    return real


def test_a_changed_forward_leaves_the_rule_and_tells(routed: None) -> None:
    """Who points it elsewhere in review keeps the old rule, which is not the same any more, and is told of it."""
    with inside("gateway"):
        rules("nft", 4)
        first = reviewed()["edge_gateway_forwards"][0]
    result = take_over([{**first, "target_ip": options.SECOND[4]}], 1, remove_rules=True)
    assert result["removed_rules"] == [] and len(result["doubled_rules"]) == 1
    # the masquerade is still needed, and is nobody's but theirs
    result = take_over([{**first, "source_ranges": [HALF[4]]}], 0, remove_rules=True)
    assert len(result["removed_rules"]) == 1 and result["doubled_rules"] == []
    assert from_client("tcp", 22015, FAR[4]) == "" and from_client("udp", 22016) == f"8080 {EDGE_MESH[4]}"


def test_the_older_agents_rules_without_its_state(tmp_path: Path) -> None:
    """Give the same forwards as seed_import takes from its state, but for their names; without iptables that is told."""
    (tmp_path / "state.json").write_text(json.dumps({"tcp_forwards": test_seed_import.FORWARDS}))
    test_seed_import.rules("iptables-nft")
    found = invoke("gateway_import")
    taken = invoke("seed_import", seed_dir=str(tmp_path), allow_outside_mesh=True, _ansible_check_mode=True)
    imported, _routes = look(Watched(missing=["iptables-save", "iptables-nft-save"]), "wg0", None, None, rules=True)
    assert [{**item, "forward_id": ""} for item in found["forwards"]] == [{**item, "forward_id": ""} for item in taken["forwards"]]
    assert not found["notes"] and not imported.forwards and "install the package iptables" in imported.notes[0]

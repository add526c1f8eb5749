# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forward modules as processes: many at once, the host's own ports, and what info tells."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Dict, List

import pytest
from contract import world
from contract.world import STATE_DIR, nft, ruleset, sh

GOOD: Dict[str, Any] = {"forward_id": "vm-1", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 80}


def kept() -> List[str]:
    """Ids in the state file."""
    return sorted(item["forward_id"] for item in json.loads((STATE_DIR / "forwards.json").read_text())["forwards"])


def test_twenty_runs_at_once_lose_nothing() -> None:
    """Read, change and write happen under one lock."""
    runs = [world.start_module("dnat_forward", forward_id=name, public_port=str(21000 + number), target_ip="10.50.0.12")
            for number, name in enumerate(world.ids(20))]
    results = [json.loads(run.communicate(timeout=60)[0].strip().splitlines()[-1]) for run in runs]
    assert all(result.get("changed") and not result.get("failed") for result in results), results
    assert kept() == sorted(world.ids(20))
    assert ruleset().count(' comment "f-') == 20


def test_results_of_the_module_and_of_info() -> None:
    """The contract's return values; public_port is a string; info changes nothing and says the same."""
    result = world.module("dnat_forward", **GOOD, _ansible_diff=True)
    assert {"changed", "backend", "forwards", "added", "updated", "removed", "repaired", "diff"} <= set(result)
    assert result["backend"] == "nftables" and result["added"] == ["vm-1"]
    whole = {**GOOD, "proto": "tcp", "source_ranges": [], "source_nat": "masquerade", "hairpin": False, "comment": "", "expires": ""}
    assert result["forwards"] == [whole] and result["count"] == 1
    before = (ruleset(), world.files(STATE_DIR))
    info = world.module("dnat_forward_info")
    assert info["changed"] is False and info["count"] == 1
    assert info["forwards"] == [{**whole, "active": True, "connections": 0, "open_connections": 0, "blocked_by": []}]
    assert before == (ruleset(), world.files(STATE_DIR))


@pytest.mark.parametrize("damage", [
    "flush ruleset", "delete element inet edge_gateway tcp4 { 22015 }", "delete chain inet edge_gateway prerouting",
    "flush chain inet edge_gateway postrouting",
    "add table inet edge_gateway { flags dormant; }", "sysctl",
])
def test_info_does_not_call_a_dead_forward_active(damage: str) -> None:
    """Without its rules, its shared chains or ip_forward it carries no traffic."""
    world.module("dnat_forward", **GOOD)
    if damage == "sysctl":
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
    else:
        nft(damage)
    assert [item["active"] for item in world.module("dnat_forward_info")["forwards"]] == [False]


@pytest.mark.parametrize(("family", "kind", "address", "proto"), [
    (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", "tcp"), (socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0", "udp"), (socket.AF_INET6,
    socket.SOCK_STREAM, "::", "both"),
])
def test_a_port_that_the_host_listens_on_is_refused(family: int, kind: int, address: str, proto: str) -> None:
    """Or that service would be lost."""
    with socket.socket(family, kind) as server:
        server.bind((address, 22015))
        if kind == socket.SOCK_STREAM:
            server.listen()
        result = world.module("dnat_forward", **GOOD, proto=proto)
    assert result["failed"] and result["code"] == "invalid_input" and result["option"] == "public_port" and "22015" in result["msg"]
    assert not (STATE_DIR / "forwards.json").exists() and ruleset() == ""


def test_a_port_on_loopback_or_of_the_other_protocol_is_free() -> None:
    """Nobody outside reaches it anyway."""
    with socket.socket() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        server.bind(("127.0.0.1", 22015))
        server.listen()
        other.bind(("0.0.0.0", 22015))
        assert world.module("dnat_forward", **GOOD)["changed"]


def test_the_way_in_is_never_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port of this very SSH connection, even when the socket belongs to another namespace."""
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.7 50000 192.0.2.10 22015")
    result = world.module("dnat_forward", **GOOD)
    assert result["failed"] and "22015" in result["msg"]


def test_reserved_ports_of_the_roles_are_refused() -> None:
    """Traefik's ports stay its own while it is down."""
    (world.CONFIG_DIR / "gateway.json").write_text(json.dumps({"schema": 1, "reserved_ports": [{"port": 443, "used_by": "traefik"}]}))
    result = world.module("dnat_forward", **{**GOOD, "public_port": "443"})
    assert result["failed"] and "traefik" in result["msg"]
    assert world.module("dnat_forward", **{**GOOD, "public_port": "443", "proto": "udp"})["changed"]


@pytest.mark.parametrize("text", [
    "", "{}", "[]", '{"schema": 2}', '{"schema": 1, "reserved_ports": null}', '{"schema": 1, "reserved_ports": 5}', "{" * 5000,
])
def test_a_broken_gateway_json_is_refused(text: str) -> None:
    """Not ignored: it holds ports that must not be forwarded; one line that names the file."""
    (world.CONFIG_DIR / "gateway.json").write_text(text)
    result = world.module("dnat_forward", **GOOD)
    assert result["failed"] and result["code"] == "state_refused" and "gateway.json" in result["msg"] and "\n" not in result["msg"]
    assert ruleset() == "" and not (STATE_DIR / "forwards.json").exists()


def test_targets_outside_the_joined_mesh() -> None:
    """Only behind the tunnel, unless that is meant."""
    answer = {"node_ip": "10.50.0.5", "controller_pubkey": "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "endpoint": "203.0.113.7:1",
    "allowed_ips": ["10.50.0.0/24"]}
    member = {"interface": "wg0", "node_id": "edge", "answer": answer}
    (STATE_DIR / "join.json").write_text(json.dumps({"schema": 1, "memberships": [member]}))
    (STATE_DIR / "join.json").chmod(0o600)
    outside = {**GOOD, "target_ip": "192.168.7.7"}
    refused = world.module("dnat_forward", **outside)
    assert refused["failed"] and refused["option"] == "target_ip" and "allow_outside_mesh" in refused["msg"]
    assert world.module("dnat_forward", **outside, allow_outside_mesh=True)["changed"]
    assert world.module("dnat_forward", **{**GOOD, "forward_id": "vm-2", "public_port": "1"})["changed"]


def test_a_host_without_nft_is_told_so_before_anything_happens() -> None:
    """The package is named (where there is no iptables either, or nftables is asked for); check mode can still predict."""
    sh("mount", "--bind", "/dev/null", sh("realpath", "/usr/sbin/nft").strip())
    try:
        result = world.module("dnat_forward", **GOOD, backend="nftables")
        predicted = world.module("dnat_forward", **GOOD, backend="nftables", _ansible_check_mode=True)
    finally:
        sh("umount", sh("realpath", "/usr/sbin/nft").strip())
    assert result["failed"] and "nftables" in result["msg"] and predicted.get("changed")
    assert not (STATE_DIR / "forwards.json").exists()

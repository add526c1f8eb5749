# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""playbooks/plan.yml: what it says, line by line, is what the run then does; contradictions are found before a host is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runs import playbook, run
from testinfra.host import Host

MIXED = {
    "edge_gateway_forwards": [
        {"forward_id": "demo-echo", "public_port": 22000, "target_ip": "10.50.0.12", "target_port": 32216,
         "comment": "lab echo service"},
        {"forward_id": "flows", "public_port": 22030, "target_ip": "10.50.0.12", "target_port": 32217, "proto": "udp"},
        {"forward_id": "voice", "public_port": "5000-5010", "target_ip": "10.50.0.12", "proto": "udp",
         "source_ranges": ["203.0.113.0/24"]}],
    "edge_gateway_routes": [
        {"route_id": "demo", "hostname": "demo.edge.test", "target_url": "http://10.50.0.13:8080"},
        {"route_id": "new", "hostname": ["a.edge.test", "b.edge.test"], "target_url": "http://10.50.0.12:8080", "path_prefix": "/api"}],
    "edge_gateway_forwards_purge": True, "edge_gateway_routes_purge": True,
    "edge_gateway_traefik_log_level": "WARN",
}
UNDONE = {"forward_id": "undone", "public_port": 22031, "target_ip": "10.50.0.12", "target_port": 32215}
FLOWS = {"forward_id": "flows", "public_port": 22030, "target_ip": "10.50.0.12", "target_port": 32215, "proto": "udp"}


@pytest.fixture
def standing(edge: Host, client: Host) -> Iterator[None]:
    """Beside what the inventory wants, a forward that goes, one that has live flows, and a rule that somebody has taken away."""
    assert playbook("playbooks/tcp_forward.yml", "-e", json.dumps({"forwards": [UNDONE, FLOWS]})).returncode == 0
    beat = "for beat in $(seq 90); do echo x; sleep 1; done | timeout 95 socat -u - UDP:10.89.50.11:22030"
    client.check_output(f"for flow in 1 2; do ({beat}) >/dev/null 2>&1 & done")
    yield
    done = playbook("site.yml", "-e", '{"edge_gateway_forwards_purge": true, "edge_gateway_routes_purge": true}')
    assert done.returncode == 0, done.output


def answer(name: str, *arguments: str) -> dict[str, Any]:
    """A run's document."""
    done = run("ansible-playbook", name, *arguments, more={"ANSIBLE_STDOUT_CALLBACK": "edge.gateway.api"})
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ok"], done.output
    return found


def test_the_plan_is_what_the_run_does(standing: None, tmp_path: Path) -> None:
    """As a document, as text and as Markdown; and while planning nothing is changed."""
    change = tmp_path / "change.json"
    change.write_text(json.dumps(MIXED))
    foreseen = answer("playbooks/plan.yml", "-e", f"@{change}", "-e", f"edge_gateway_plan_file={tmp_path}/plan.md")
    assert not answer("site.yml", "--check", "-e", "edge_gateway_forwards_purge=false")["changed"], "planning changed something"
    planned = foreseen["hosts"]["edge1"]["results"]["fleet_plan"]
    lines = [line for found in planned["edges"]["edge1"]["changes"].values() for line in found]
    done = answer("site.yml", "-e", f"@{change}")["hosts"]["edge1"]["results"]
    modules = ("wg_join", "gateway_program", "config_files", "dnat_forward", "traefik_service", "traefik_certificates", "traefik_route")
    assert lines == [line for module in modules for line in done[module]["changes"]]
    assert lines == [
        "demo-echo: tcp 22000 moves from 10.50.0.12:32215 to 10.50.0.12:32216",
        "flows: udp 22030 moves from 10.50.0.12:32215 to 10.50.0.12:32217; cuts 2 live flows",
        "undone: closes tcp 22031 to 10.50.0.12:32215 for anyone",
        "voice: opens udp 5000-5010 to 10.50.0.12 for 203.0.113.0/24",
        "changes /etc/traefik/traefik.yml",
        "demo: hostname demo.edge.test moves from http://10.50.0.12:8080 to http://10.50.0.13:8080",
        "new: serves a.edge.test/api, b.edge.test/api from http://10.50.0.12:8080",
    ]
    assert [line.strip() for line in planned["text"].splitlines() if line.startswith("    ")] == lines
    assert (tmp_path / "plan.md").read_text() == planned["markdown"]
    assert [line[2:].replace("\\", "") for line in planned["markdown"].splitlines() if line.startswith("- ")] == lines


def test_a_contradiction_stops_before_any_host() -> None:
    """Two edges, one of which does not even exist, that lead one hostname to two places."""
    routes = ("[{'route_id': 'a', 'hostname': 'x.edge.test', "
              "'target_url': 'http://10.50.0.' ~ (12 if inventory_hostname == 'edge1' else 13)}]")
    done = playbook("playbooks/plan.yml", "-i", "inventory/lab.yml", "-i", "edge1,edge2,", "-e", "edge_gateway_hosts=edge1,edge2", "-e",
                    "edge_gateway_node_id={{ inventory_hostname }}", "-e", json.dumps({"edge_gateway_routes": "{{ " + routes + " }}"}))
    assert done.returncode == 2, done.output
    assert "hostname x.edge.test leads to http://10.50.0.12" in done.stdout and "edge2" in done.stdout
    assert "Ask each edge" not in done.stdout and "UNREACHABLE" not in done.stdout

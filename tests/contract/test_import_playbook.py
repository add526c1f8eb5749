# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of an older system into an inventory, by ansible-playbook itself: written down, looked through, taken over."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest
import yaml
from contract import world
from contract.edge_traefik import API, DYNAMIC, Traefik
from contract.iptables_host import listing
from contract.world import ruleset, sh

FORWARD = {"forward_id": "vm-123-ssh", "public_port": 22015, "target_ip": "10.50.0.12", "target_port": 32215, "proto": "tcp"}
ROUTE = {"route_id": "vm-123", "hostname": "vm-123.service.com", "target_url": "http://10.50.0.12:8080", "entrypoint": "websecure",
         "certresolver": "dnsresolver"}
# as the older system's agent wrote it
ROUTE_FILE = """http:
  routers:
    vm-123:
      rule: "Host(`vm-123.service.com`)"
      entryPoints: ["websecure"]
      tls:
        certResolver: "dnsresolver"
      service: vm-123-svc

  services:
    vm-123-svc:
      loadBalancer:
        servers:
          - url: "http://10.50.0.12:8080"
"""
# become of everybody's variables must not reach the control node, where nobody may be root
INVENTORY = {"all": {
    "vars": {"ansible_become": True, "ansible_become_method": "nobody.has.this"},
    "children": {"edge": {"hosts": {"edge1": {"ansible_connection": "local", "ansible_become": False,
                                              "ansible_python_interpreter": sys.executable}}}}}}


@pytest.fixture(name="folder")
def older_host(tmp_path: Path) -> Path:
    """Where the playbook is called from; below it what the older system left, whose rules stand, and one of somebody else."""
    (tmp_path / "seed/agent-data").mkdir(parents=True)
    (tmp_path / "seed/traefik/dynamic").mkdir(parents=True)
    (tmp_path / "seed/agent-data/state.json").write_text(json.dumps(
        {"http_routes": {"vm-123": ROUTE}, "tcp_forwards": {"vm-123-ssh": FORWARD}}))
    (tmp_path / "seed/traefik/dynamic/vm-123.yml").write_text(ROUTE_FILE)
    (tmp_path / "inventory.yml").write_text(json.dumps(INVENTORY))
    for text in ("-t nat -A PREROUTING -p tcp --dport 22015 -j DNAT --to-destination 10.50.0.12:32215",
                 "-A FORWARD -p tcp -d 10.50.0.12 --dport 32215 -j ACCEPT", "-t nat -A POSTROUTING -o wg0 -j MASQUERADE",
                 "-t nat -A PREROUTING -p udp --dport 53 -m comment --comment dns -j DNAT --to-destination 10.50.0.13"):
        sh("iptables-nft", *text.split())
    return tmp_path


def play(folder: Path, *words: str, name: str = "import_seed", fails: str = "") -> str:
    """Run the playbook there; what it printed."""
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory.yml", f"edge.gateway.{name}", "--diff",
               "-e", json.dumps({"seed_dir": str(folder / "seed/agent-data"), "edge_gateway_traefik_api_address": API.partition("//")[2]})]
    environment: Dict[str, str] = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": f"{world.REPO}/collections", "PWD": str(folder)}
    done = subprocess.run([*command, *(part for word in words for part in (("-e", word) if "=" in word else (word,)))],
                          cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    printed = done.stdout + done.stderr
    assert bool(done.returncode) == bool(fails) and fails in printed, printed
    return printed


@pytest.mark.usefixtures("no_routes")
def test_from_the_older_system_to_ours(folder: Path, traefik: Traefik) -> None:
    """Nothing changes until it was reviewed; what was edited is kept; then ours stand, the agent's rules are gone, others are told."""
    before = [ruleset(), *listing("iptables-nft")]
    file = folder / "imported/edge1.yml"
    assert "+  - forward_id: vm-123-ssh" in play(folder, "--check", name="import_iptables") and not file.parent.exists()
    play(folder, "apply=true", fails="imported/edge1.yml does not exist")
    play(folder)
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert before == [ruleset(), *listing("iptables-nft")]
    assert yaml.safe_load(text) == {
        "edge_gateway_forwards": [{name: value for name, value in FORWARD.items() if name != "proto"},
                                  {"forward_id": "dns", "public_port": 53, "target_ip": "10.50.0.13", "target_port": 53, "proto": "udp",
                                   "comment": "dns"}],
        "edge_gateway_routes": [{name: value for name, value in ROUTE.items() if name != "entrypoint"}]}
    # this Traefik has no resolver, and the name server is to be another one
    edited = text.replace("    certresolver: dnsresolver\n", "").replace("10.50.0.13\n", "10.50.0.14\n")
    file.write_text(edited)
    play(folder, fails="has been edited since it was written; move it away, or overwrite it with edge_gateway_import_force")
    assert file.read_text() == edited
    printed = play(folder, "apply=true", "edge_gateway_import_remove_rules=true")
    assert file.read_text() == edited and ruleset().count('comment "vm-123-ssh"') == 1
    # what was changed in review is not the imported rule any more: it is shown, and stays
    left, = (line for line in listing("iptables-nft") if line.startswith("-A"))
    assert f"iptables-nft -t nat {left}" in printed.replace("\\", "") and "10.50.0.13" in left
    assert traefik.routers() == ["vm-123"] and (DYNAMIC / "vm-123.yml").exists()
    play(folder, "edge_gateway_import_force=true", "edge_gateway_import_rules=false")
    assert "certresolver" in file.read_text() and "forward_id: dns" not in file.read_text()

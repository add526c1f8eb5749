# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Playbooks and ad-hoc calls on the lab with a hub of its own."""

from __future__ import annotations

import json
from typing import Any

from runs import Run, run
from testinfra.host import Host

INVENTORY = ("--inventory", "inventory/lab.yml", "--inventory", "inventory/lab-hub.yml")
EDGE, CLIENT, NODE = "10.89.50.11", "10.89.50.21", "10.50.0.12"


def playbook(name: str, *arguments: str) -> Run:
    """Run a playbook."""
    return run("ansible-playbook", *INVENTORY, name, *arguments)


def call(host: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """An ad-hoc call; what the module returned."""
    done = run("ansible", *INVENTORY, host, "--one-line", "-m", f"edge.gateway.{module}", "-a", json.dumps(arguments))
    assert " => " in done.stdout, done.output
    result: dict[str, Any] = json.loads(done.stdout.partition(" => ")[2])
    return result


def hub_peers(hub: Host) -> dict[str, set[str]]:
    """The hub's peers: key to networks."""
    lines = hub.check_output("wg show wg0 allowed-ips").splitlines()
    return {key: set(networks.split()) for key, networks in (line.split("\t", 1) for line in lines)}

# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What the tests of this scenario do over and over: apply the role, look from outside, run the watch."""

from __future__ import annotations

import json
from typing import Any

from runs import TOP, Run, playbook, run
from testinfra.host import Host

EDGE = "10.89.50.11"
FORWARD = "tcp:22000"
ROLE = "molecule/firewalls/role.yml"
WATCH = "edge-gateway-forwards-watch.service"
PROBE = (TOP / "molecule/shared/files/probe.py").read_text()
# the timer brings things back within a minute, whoever else has failed to
QUIET: dict[str, Any] = {"edge_gateway_forwards_watch": False}


def role(*arguments: str, **variables: Any) -> Run:
    """Apply the firewall role with these variables; it must succeed."""
    done = playbook(ROLE, "--diff", "-e", json.dumps({**QUIET, **variables}), *arguments)
    assert done.returncode == 0, done.output
    return done


def apply_twice(**variables: Any) -> Run:
    """Apply the role, which changes something, and again, which changes nothing; returns the second run."""
    first = role(**variables)
    assert first.count("changed") > 0, first.output
    again = role(**variables)
    assert again.count("changed") == 0, again.output
    return again


def repair() -> Run:
    """A run that asks for nothing new, as an ad-hoc call."""
    done = run("ansible", "edge", "-m", "edge.gateway.dnat_forward", "-a", json.dumps({"forwards": []}))
    assert done.returncode == 0, done.output
    return done


def health() -> Run:
    """What a monitor runs."""
    return playbook("playbooks/health.yml")


def one_line(text: str) -> str:
    """Text as it was before it was wrapped for a terminal."""
    return " ".join(text.split())


def gets_through(client: Host, seconds: int) -> bool:
    """Whether a client outside reaches the node through the forward, or comes to do so within this time."""
    return bool(client.run(f"timeout {seconds} python3 -c %s {EDGE} {FORWARD}=open", PROBE).rc == 0)


def watch(edge: Host) -> None:
    """What the timer does every minute."""
    result = edge.run(f"systemctl start {WATCH}")
    assert result.rc == 0, edge.run(f"journalctl --no-pager --lines=20 --unit={WATCH}").stdout


def exposure(edge: Host, unit: str) -> float:
    """What systemd-analyze security says at its end."""
    last: str = edge.check_output(f"systemd-analyze security --no-pager {unit}").splitlines()[-1]
    return float(last.partition(": ")[2].split()[0])


def complaints(edge: Host) -> list[str]:
    """Lines of our units' journal that tell of something that did not work."""
    lines = edge.check_output("journalctl --no-pager --output=cat --boot --unit='edge-gateway-forwards*'").splitlines()
    words = ("denied", "fail", "error", "not permitted", "read-only")
    return [line for line in lines if any(word in line.lower() for word in words)]

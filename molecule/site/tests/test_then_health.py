# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""playbooks/health.yml: its exit code serves a monitor, its text the person whom the monitor wakes."""

from __future__ import annotations

from runs import playbook
from testinfra.host import Host

HEALTH = "playbooks/health.yml"


def test_a_healthy_edge() -> None:
    """Every part is fine, and nothing was changed to find out."""
    health = playbook(HEALTH)
    assert health.returncode == 0, health.output
    assert health.count("changed") == 0
    assert "edge1 is ok" in health.stdout
    assert "1 in effect" in health.stdout
    assert "1 served" in health.stdout


def test_traefik_is_down(edge: Host) -> None:
    """It fails, and says what to do."""
    edge.check_output("systemctl stop traefik")
    try:
        health = playbook(HEALTH)
    finally:
        edge.check_output("systemctl start traefik")
    assert health.returncode == 2, health.output
    assert "Traefik does not answer" in health.stdout
    assert "see journalctl -u traefik" in health.stdout
    assert "edge1 has failed" in health.stdout

# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The forwards move to iptables, live there, outlive a reboot, and move back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from edge_firewall import WATCH, complaints, exposure, gets_through, health, role, watch
from runs import Run, run
from testinfra.host import Host

UNITS = ("edge-gateway-forwards.service", WATCH)
RULES = "{ iptables-save; ip6tables-save; } | grep ^-A"
EMPTY = "".join(rf"*{table}\nCOMMIT\n" for table in ("mangle", "nat", "filter"))
# somebody cleans up, thoroughly or not; any part that is missing cuts the forwards or opens the mesh
WIPES = [
    f"printf '{EMPTY}' | iptables-restore",
    "iptables -t nat -F POSTROUTING",
    "iptables -t nat -F PREROUTING",
    "iptables -F",
    "iptables -t mangle -F FORWARD",
    "ip6tables -F FORWARD",
]


@dataclass(frozen=True)
class Move:
    """The runs that moved the forwards, and what the units were exposed to before."""

    exposure: list[float]
    predicted: Run
    done: Run
    again: Run
    rules: str


@pytest.fixture(scope="module")
def move(edge: Host) -> Move:
    """From nftables to iptables."""
    role()
    before = [exposure(edge, unit) for unit in UNITS]
    predicted = role("--check", edge_gateway_backend="iptables")
    done = role(edge_gateway_backend="iptables")
    again = role(edge_gateway_backend="iptables")
    return Move(before, predicted, done, again, edge.check_output(RULES))


def test_check_mode_has_told_it(move: Move) -> None:
    """Word by word."""
    assert move.predicted.tasks == move.done.tasks
    assert move.done.count("changed") > 0
    assert move.again.count("changed") == 0, move.again.output


def test_the_rules_stand_where_users_look(move: Move, edge: Host) -> None:
    """The older system's users know this line."""
    assert edge.check_output("iptables -t nat -S POSTROUTING | grep wg0") == "-A POSTROUTING -o wg0 -j MASQUERADE"
    assert "edge_gateway" not in edge.check_output("nft list tables")
    assert not edge.file("/etc/edge-gateway/forwards.nft").exists


def test_traffic_flows(move: Move, client: Host) -> None:
    """And the health says so."""
    assert gets_through(client, 10)
    assert health().returncode == 0


@pytest.mark.parametrize("wipe", WIPES)
def test_the_watch_repairs(move: Move, edge: Host, client: Host, wipe: str) -> None:
    """Everything stands again after one look, and a second look leaves it alone."""
    edge.check_output(wipe)
    watch(edge)
    assert sorted(edge.check_output(RULES).splitlines()) == sorted(move.rules.splitlines())
    assert gets_through(client, 10)


def test_the_units_work_in_their_sandbox(move: Move, edge: Host) -> None:
    """Neither is exposed much, and neither was kept from its work; many looks within a second are no fault either."""
    assert max(move.exposure) <= 2.0
    assert max(exposure(edge, unit) for unit in UNITS) <= 3.0
    edge.check_output(" && ".join([f"systemctl start {WATCH}"] * 8))
    edge.check_output(f"systemctl restart {UNITS[0]} && systemctl reload {UNITS[0]}")
    assert edge.check_output(RULES) == move.rules
    assert complaints(edge) == []


def test_a_change_is_taken_back(move: Move, edge: Host) -> None:
    """In its sandbox the unit can do with iptables what it can with nft: rules, files and switches come back."""
    done = run("ansible", "edge", "-m", "edge.gateway.gateway_confirm", "-a", "state=armed timeout=600")
    assert done.returncode == 0, done.output
    edge.check_output("iptables -t nat -F && rm /etc/edge-gateway/forwards.rules && echo 0 >/proc/sys/net/ipv4/ip_forward && "
                      "chown traefik /etc/edge-gateway/gateway.json")
    edge.check_output("systemctl start edge-gateway-rollback.service && systemctl stop edge-gateway-rollback.timer")
    assert sorted(edge.check_output(RULES).splitlines()) == sorted(move.rules.splitlines())
    assert edge.check_output("cat /proc/sys/net/ipv4/ip_forward; stat -c %U /etc/edge-gateway/gateway.json").split() == ["1", "root"]


def test_a_reboot_brings_it_back(move: Move, edge: Host, client: Host) -> None:
    """Without a run of Ansible, and without the timer."""
    reboot = "reboot_timeout=60 test_command='systemctl is-system-running --wait'"
    done = run("ansible", "edge", "-m", "ansible.builtin.reboot", "-a", reboot)
    assert done.returncode == 0, done.output
    assert gets_through(client, 20)
    assert sorted(edge.check_output(RULES).splitlines()) == sorted(move.rules.splitlines())
    assert complaints(edge) == []


def test_it_moves_back(move: Move, edge: Host, client: Host) -> None:
    """No chain of ours stays behind, in either variant, nor the file for the boot."""
    done, again = role(), role()
    assert done.count("changed") > 0
    assert again.count("changed") == 0, again.output
    left = edge.check_output("for program in iptables ip6tables; do $program-save; $program-legacy-save; done 2>/dev/null")
    assert "EDGE-GATEWAY" not in left
    assert "MASQUERADE" not in left
    assert not edge.file("/etc/edge-gateway/forwards.rules").exists
    assert gets_through(client, 10)
    assert complaints(edge) == []

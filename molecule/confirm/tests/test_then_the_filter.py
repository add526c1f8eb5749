# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The inbound filter: closed but for what an edge is for, never for Ansible, and back after a reboot or a flush."""

from __future__ import annotations

import json

from runs import Run, eventually, playbook, run
from testinfra.host import Host

EDGE = "10.89.50.11"
WITH = ("-e", "edge_gateway_inbound_filter=true")
LISTENER = "systemd-run --unit lab-listener python3 -m http.server 9999"


def reached(client: Host, port: int) -> bool:
    """Whether a port can be reached from outside."""
    return bool(client.run(f"timeout 3 bash -c 'exec 3<>/dev/tcp/{EDGE}/{port}'").rc == 0)


def by_hand(entries: list[dict[str, object]], *options: str) -> Run:
    """The module alone, with this list of open ports."""
    return run("ansible", "edge", "-m", "edge.gateway.inbound_filter", "-a", json.dumps({"open": entries, "mesh": "wg0"}), *options)


def test_the_filter(edge: Host, client: Host) -> None:
    """A service that nobody thought of is closed and named; everything that the edge is for stays open."""
    edge.check_output(LISTENER)
    eventually(edge, "cat /proc/net/tcp", "270F")
    assert reached(client, 9999)
    foreseen = by_hand([{"port": 443}], "--check", "--diff")
    assert "closed but for" in foreseen.stdout and "this SSH connection" in foreseen.stdout and reached(client, 9999), foreseen.output
    done = playbook("site.yml", *WITH)
    assert done.returncode == 0 and "something listens on tcp 9999" in done.output, done.output
    assert [reached(client, port) for port in (9999, 22, 80, 443, 22000)] == [False, True, True, True, True]
    again = playbook("site.yml", *WITH)
    assert again.returncode == 0 and again.count("changed") == 0, again.output
    opened = by_hand([{"port": 9999, "source_ranges": ["10.89.50.0/24"]}, {"port": 443}])
    assert opened.returncode == 0 and [reached(client, port) for port in (9999, 22, 80, 443)] == [True, True, False, True], opened.output
    edge.check_output("systemctl restart nftables")
    assert not reached(client, 80), "a flush of everything opens the host"


def test_a_list_that_leaves_us_out(edge: Host) -> None:
    """Refused with the option's name, and nothing changed."""
    refused = by_hand([{"port": 22, "source_ranges": ["192.0.2.0/24"]}])
    assert refused.returncode == 2 and "where this SSH connection" in refused.stdout, refused.output
    assert "192.0.2" not in edge.check_output("nft list table inet edge_gateway_inbound")


def test_after_a_reboot_and_off(edge: Host, client: Host) -> None:
    """It is back before the network is; and when it is not wanted any more, everything is open."""
    boot = edge.check_output("cat /proc/sys/kernel/random/boot_id")
    edge.run("systemd-run --on-active=1 systemctl reboot")
    eventually(edge, f"grep -v {boot} /proc/sys/kernel/random/boot_id && systemctl is-active edge-gateway-forwards", "active", seconds=60)
    assert not reached(client, 80) and reached(client, 443)
    off = playbook("site.yml")
    assert off.returncode == 0, off.output
    assert "edge_gateway_inbound" not in edge.check_output("nft list tables") and reached(client, 80)

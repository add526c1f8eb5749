# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What happens between two runs: what has expired is closed without Ansible, and the health is written as metrics."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone

from runs import eventually, playbook
from testinfra.host import Host

PROM = "/var/lib/prometheus/edge_gateway.prom"


def moment(seconds: int) -> str:
    """So many seconds from now."""
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_has_expired_is_closed(edge: Host) -> None:
    """Forward and route, in the kernel, for the next boot, and in the list of changes; until then nothing is touched."""
    until = moment(10)
    forward = {"forward_id": "short", "public_port": 22040, "target_ip": "10.50.0.12", "target_port": 32215, "proto": "both"}
    route = {"route_id": "short", "hostname": "short.edge.test", "target_url": "http://10.50.0.12:8080"}
    assert playbook("playbooks/tcp_forward.yml", "-e", json.dumps({**forward, "expires": until})).returncode == 0
    assert playbook("playbooks/http_route.yml", "-e", json.dumps({**route, "expires": until})).returncode == 0
    shown = playbook("playbooks/tcp_forwards.yml").stdout + playbook("playbooks/http_routes.yml").stdout
    assert shown.count(f"expires: '{until}'") == 2
    edge.check_output("systemctl start edge-gateway-expire.service")
    assert edge.run("systemctl show edge-gateway-expire --property=Result").stdout.strip() in ("Result=exec-condition", "Result=success")
    assert edge.check_output("systemctl is-active edge-gateway-expire.timer; systemctl is-enabled edge-gateway-expire.timer").split() == [
        "active", "enabled"]
    while moment(0) <= until:
        time.sleep(0.5)
    # as the timer does once a minute
    edge.check_output("systemctl start edge-gateway-expire.service")
    assert edge.run("nft list table inet edge_gateway | grep -c 22040").stdout.strip() == "0"
    eventually(edge, "ls -A /etc/traefik/dynamic | tr '\\n' ' '", "demo.yml ", seconds=5)
    assert not edge.file("/etc/traefik/dynamic/short.yml").exists
    assert "short" not in edge.check_output("cat /etc/edge-gateway/forwards.nft /var/lib/edge-gateway/forwards.json")
    assert "forward short has ended" in edge.check_output("journalctl --unit edge-gateway-expire --no-pager")
    health = playbook("playbooks/health.yml")
    assert health.returncode == 0 and "nothing ends by itself" in health.stdout and "last run" in health.stdout, health.output
    # nothing is left for a run to do
    again = playbook("site.yml")
    assert again.returncode == 0 and again.count("changed") == 0, again.output


def test_a_host_that_was_off_at_that_time(edge: Host) -> None:
    """The boot loads what has expired meanwhile; seconds later it is closed."""
    until = moment(8)
    body = {"forward_id": "short", "public_port": 22040, "target_ip": "10.50.0.12", "expires": until}
    assert playbook("playbooks/tcp_forward.yml", "-e", json.dumps(body)).returncode == 0
    edge.check_output("systemctl stop edge-gateway-expire.timer")
    while moment(0) <= until:
        time.sleep(0.5)
    late = playbook("playbooks/health.yml", "-e", "edge_gateway_hosts=edge1")
    assert "22040" in edge.check_output("nft list table inet edge_gateway"), late.output
    boot = edge.check_output("cat /proc/sys/kernel/random/boot_id")
    edge.run("systemd-run --on-active=1 systemctl reboot")
    eventually(edge, f"grep -v {boot} /proc/sys/kernel/random/boot_id && nft list table inet edge_gateway | grep -c 22040", "0", seconds=60)


def test_metrics(edge: Host) -> None:
    """As the textfile collector wants them, kept fresh by a timer, within the unit's sandbox; off takes the timer away."""
    edge.check_output("mkdir -p /var/lib/prometheus")
    done = playbook("site.yml", "-e", json.dumps({"edge_gateway_metrics_textfile": PROM, "edge_gateway_metrics_interval": 2}))
    assert done.returncode == 0, done.output
    text = eventually(edge, f"cat {PROM}", "edge_gateway_checked_timestamp_seconds")
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples["edge_gateway_status"] in ("0", "1") and samples['edge_gateway_part_status{part="forwards"}'] == "0", text
    assert samples["edge_gateway_forwards_count"] == "1" and int(samples["edge_gateway_disk_free_bytes"]) > 0
    edge.check_output("systemctl stop traefik")
    try:
        eventually(edge, f"cat {PROM}", 'edge_gateway_part_status{part="traefik"} 2')
    finally:
        edge.check_output("systemctl start traefik")
    assert edge.check_output(f"stat -c '%a %U' {PROM}") == "644 root"
    off = playbook("site.yml")
    assert off.returncode == 0, off.output
    assert edge.run("systemctl is-active edge-gateway-metrics.timer").stdout.strip() == "inactive"

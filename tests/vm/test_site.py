# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""A mesh on machines with a kernel of their own: what a container cannot show, since it has neither a WireGuard module nor a boot.

Each test is a step that goes on where the one before has ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import runs
from runs import TOP, Run

from vm.disk import NAMES
from vm.machines import ssh

EDGE, CLIENT, NODE = "10.89.50.11", "10.89.50.21", "10.50.0.12"
INVENTORIES = ("-i", "inventory/lab.yml", "-i", "inventory/lab-hub.yml", "-i", "tests/vm/inventory.yml")
SAFELY = ("-e", "edge_gateway_confirm=true", "-e", "edge_gateway_confirm_timeout=900")
SERVED = ("tcp:22000=open", "udp:22000=open", "https://demo.edge.test/=200")
BULK = Path(__file__).with_name("bulk.py")


def play(*arguments: str) -> Run:
    """Run a playbook on the machines; it must succeed."""
    done = runs.playbook(*INVENTORIES, *arguments)
    assert done.returncode == 0, done.output
    return done


def call(name: str, module: str, options: object) -> None:
    """Run one module on one machine."""
    done = runs.run("ansible", *INVENTORIES, name, "-m", module, "-a", json.dumps(options))
    assert done.returncode == 0, done.output


def shell(name: str, command: str) -> str:
    """What a command on a machine prints; it must succeed. No Ansible is in it."""
    done = ssh(name, command)
    assert done.returncode == 0, f"{name}: {command}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def outside(program: Path, *arguments: str) -> str:
    """What a program prints on the client, outside the mesh."""
    command = ["ip", "netns", "exec", "client", sys.executable, str(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def look_from_outside() -> None:
    """Everything that is forwarded and served; a node sees the edge or the client, as the forward says."""
    for port, seen in (("22000", "10.50.0.2"), ("22001", CLIENT)):
        assert outside(TOP / "molecule/hub/files/who_am_i.py", EDGE, port).splitlines() == [f"you are {seen}"] * 2
    outside(TOP / "molecule/shared/files/probe.py", EDGE, *SERVED)


def changes(done: Run) -> list[tuple[str, str]]:
    """Which task has changed which host; systemd is told by a handler, and packages come by the first or the second of two tasks."""
    tasks = re.split(r"^TASK \[(.*)\] \*+$", re.sub(r"(?ms)^RUNNING HANDLER .*?^$", "", done.tasks), flags=re.MULTILINE)[1:]
    return [(name.removesuffix(" with new package lists"), host) for name, text in zip(tasks[::2], tasks[1::2], strict=True)
            for host in re.findall(r"^changed: \[(\w+)", text, re.MULTILINE)]


def test_the_prediction_comes_true() -> None:
    """On bare machines, where every package is missing; and the edge lets nobody take its way in, however slow it is."""
    predicted = play("site.yml", "--check", "--diff")
    applied = play("site.yml", "--diff", *SAFELY)
    assert changes(predicted) == changes(applied)
    assert {host for _task, host in changes(applied)} == set(NAMES)
    assert ssh("edge1", "ls /var/lib/edge-gateway/rollback/armed").returncode != 0


def test_a_second_run_changes_nothing() -> None:
    """Whatever the kernel, or a slow machine, makes of what was written."""
    assert changes(play("site.yml", "--diff")) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_kernels_own_wireguard(name: str) -> None:
    """Not the program that stands in for it in containers; and the handshake is of now."""
    assert shell(name, "ls -d /sys/module/wireguard; pgrep -c wireguard-go || true").split() == ["/sys/module/wireguard", "0"]
    assert "wireguard" in shell(name, "ip -details link show wg0")
    now, *handshakes = shell(name, "date +%s; wg show wg0 latest-handshakes | cut -f 2").split()
    assert len(handshakes) == (2 if name == "hub" else 1)
    assert all(int(now) - int(seen) < 180 for seen in handshakes), (now, handshakes)


def test_what_the_client_gets() -> None:
    """TCP, UDP and HTTPS, under the strictest check of the way back."""
    assert {shell(name, "cat /proc/sys/net/ipv4/conf/all/rp_filter") for name in NAMES} == {"1"}
    look_from_outside()


@pytest.mark.parametrize("port", ["22000", "22001"])
def test_segments_fit_into_the_tunnel(port: str) -> None:
    """A megabyte each way. Real network cards hand segments over in bulk, which only the tunnel's MTU may cut."""
    outside(BULK, EDGE, port)


def test_every_kind_of_map_and_a_flow_that_is_cut() -> None:
    """Ranges, shifted ones and allow-lists in this kernel's nftables; and its list of connections, of which one is deleted."""
    more = [
        {"forward_id": "range", "public_port": "32215-32220", "target_ip": NODE, "proto": "both"},
        {"forward_id": "shifted", "public_port": "5000-5010", "target_ip": NODE, "target_port": 32210, "source_ranges": [f"{CLIENT}/32"]},
        {"forward_id": "foreign", "public_port": 5100, "target_ip": NODE, "target_port": 32215, "source_ranges": ["203.0.113.0/24"]},
    ]
    call("edge1", "edge.gateway.dnat_forward", {"forwards": more})
    outside(TOP / "molecule/shared/files/probe.py", EDGE, "tcp:32215=open", "udp:32215=open", "tcp:5005=open", "tcp:5100=closed")
    flow = subprocess.Popen(["ip", "netns", "exec", "client", sys.executable, str(BULK), EDGE, "32215", "until-cut"],
                            stdout=subprocess.PIPE, text=True)
    assert flow.stdout is not None and flow.stdout.readline() == "open\n"
    gone = [{"forward_id": forward_id, "state": "absent"} for forward_id in ("range", "shifted", "foreign")]
    call("edge1", "edge.gateway.dnat_forward", {"forwards": gone})
    assert flow.communicate(timeout=60)[0] == "cut\n"


def test_everything_comes_back_by_itself() -> None:
    """All machines restart at once; no run of Ansible follows before it is looked at from outside."""
    boots = {name: shell(name, "cat /proc/sys/kernel/random/boot_id") for name in NAMES}
    call("hub:nodes:edge", "ansible.builtin.reboot",
         {"reboot_timeout": 600, "connect_timeout": 60, "test_command": "systemctl is-system-running --wait"})
    begun = time.monotonic()
    look_from_outside()
    print(f"served {time.monotonic() - begun:.0f} s after all were up")
    for name, boot in boots.items():
        assert shell(name, "cat /proc/sys/kernel/random/boot_id") != boot
        assert shell(name, "ls -d /sys/module/wireguard; systemctl is-active wg-quick@wg0") == "/sys/module/wireguard\nactive"
    # forwarding is on for the edge alone; the hub passes on what comes out of the mesh
    forwarding = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/wg0/forwarding"
    assert [shell(name, forwarding).split() for name in NAMES] == [["0", "1"], ["1", "1"], ["0", "0"]]


def test_health() -> None:
    """Every part, the way back of clients too; before the cut, which would be news until the next run."""
    done = play("playbooks/health.yml")
    assert "edge1 is ok" in done.stdout and "2 in effect" in done.stdout, done.output


def test_a_cut_is_taken_back() -> None:
    """By a timer of systemd's, on a machine on which everything takes its time."""
    cut = ("nft add chain inet edge_gateway lab '{ type filter hook input priority -300; policy accept; }'; "
           "nft add rule inet edge_gateway lab tcp dport 22 drop")
    done = runs.playbook(*INVENTORIES, "molecule/confirm/change.yml", "-e", json.dumps({"change": cut, "seconds": 30}))
    assert done.returncode == 2 and "the change was taken back at" in done.stdout, done.output
    assert "chain lab" not in shell("edge1", "nft list table inet edge_gateway")


def test_leaving() -> None:
    """The interface goes, and the hub forgets the edge."""
    key = shell("edge1", "wg show wg0 public-key")
    play("playbooks/join.yml", "-e", "state=left")
    assert ssh("edge1", "ip link show wg0").returncode != 0
    assert key not in shell("hub", "wg show wg0 peers")

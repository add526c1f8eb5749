# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines without KVM, in a closed namespace (tests/lab/lab isolate): the lab's hub, edge1 and node1, and its client.

What is started here ends with the namespace, and lives nowhere else: disks are snapshots, bridges and taps are the namespace's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edge_lab.description import Host, load
from edge_lab.paths import INVENTORY, MIRROR_DIR

from vm import disk
from vm.disk import DISK, INITRD, KERNEL, KEY, STATE, mac

BOOT_SECONDS = 600
RUN = Path("/run/vm")
SSH_CONFIG = RUN / "ssh_config"
MIRROR_PORT = "9001"
SSH_TEXT = f"""Host *
  User root
  IdentityFile {KEY}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ConnectTimeout 30
"""


@dataclass(frozen=True)
class Machine:
    """A running virtual machine."""

    name: str
    console: Path
    process: subprocess.Popen[bytes]


def ip(words: str) -> None:
    """Run one command of ip."""
    subprocess.run(["ip", *words.split()], check=True)


def make_networks() -> None:
    """Two networks that meet in the hub alone, with an address for Ansible on each, and a client outside."""
    description = load(INVENTORY)
    for network in description.networks:
        ip(f"link add {network.name} type bridge")
        # nothing is routed here: it is a way in for ssh, and for machines a way out that leads nowhere
        ip(f"address add {network.subnet.rpartition('.')[0]}.254/24 dev {network.name}")
        ip(f"link set {network.name} up")
    client = next(host for host in description.hosts if host.name == "client")
    ip("netns add client")
    for network_name, address in client.addresses:
        ip(f"link add to-client master {network_name} up type veth peer name {network_name} netns client")
        ip(f"-n client address add {address}/24 dev {network_name}")
        ip(f"-n client link set {network_name} up")


def _start(host: Host) -> Machine:
    cards: list[str] = []
    for number, (network, address) in enumerate(host.addresses):
        tap = f"{host.name}-{network}"
        ip(f"tuntap add {tap} mode tap")
        ip(f"link set {tap} master {network} up")
        cards += ["-netdev", f"tap,id=net{number},ifname={tap},script=no,downscript=no"]
        cards += ["-device", f"virtio-net-pci,netdev=net{number},mac={mac(address)},romfile="]
    console = STATE / f"console-{host.name}.log"
    command = [
        # the plainest processor starts twice as fast as "max", which has more to emulate
        *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64,-svm", "-smp", "1", "-m", "768", "-nographic", "-nodefaults"),
        *("-kernel", str(KERNEL), "-initrd", str(INITRD), "-append"),
        f"root=/dev/vda rw console=ttyS0 quiet mitigations=off systemd.show_status=0 systemd.hostname={host.name}",
        *("-drive", f"file={DISK},format=raw,if=virtio,snapshot=on", "-device", "virtio-rng-pci", *cards),
        *("-serial", f"file:{console}"),
    ]
    with (STATE / f"qemu-{host.name}.log").open("wb") as log:
        # snapshots are files without a name
        environment = {**os.environ, "TMPDIR": str(STATE)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    return Machine(host.name, console, process)


def start() -> list[Machine]:
    """Start every machine, and the mirror of downloads."""
    (RUN / "cp").mkdir(parents=True)
    hosts = disk.machines(load(INVENTORY))
    SSH_CONFIG.write_text(SSH_TEXT + "".join(f"Host {host.name}\n  HostName {host.ssh_address}\n" for host in hosts))
    make_networks()
    subprocess.Popen(
        [sys.executable, "-m", "http.server", "--directory", str(MIRROR_DIR), MIRROR_PORT],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    return [_start(host) for host in hosts]


def ssh(name: str, command: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine, without Ansible."""
    return subprocess.run(
        ["ssh", "-F", str(SSH_CONFIG), "-o", "BatchMode=yes", name, command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=seconds, check=False,
    )


def wait_for(machine: Machine) -> None:
    """Wait until systemd has started everything."""
    deadline = time.monotonic() + BOOT_SECONDS
    answer = ""
    while time.monotonic() < deadline and machine.process.poll() is None:
        done = ssh(machine.name, "systemctl is-system-running --wait", BOOT_SECONDS)
        answer = done.stdout.strip() or done.stderr.strip()
        if answer == "running":
            return
        if answer == "degraded":
            answer += ": " + ssh(machine.name, "systemctl --failed --no-pager --plain --no-legend").stdout
            break
        time.sleep(1)
    raise RuntimeError(f"{machine.name} did not start: {answer or 'no answer'}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts and networks, made with podman inside the lab's namespaces."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from ipaddress import IPv4Address
from typing import NoReturn

from . import images, namespace
from .description import Description, Host, Network
from .paths import BUILT, LAB_DIR, LAUNCHER, READY_FILE, SSH_CONFIG, SSH_DIR, STATE, LabError, say

IMAGE_NAME = "localhost/edge-lab"
FINGERPRINT_LABEL = "lab.fingerprint"
CONTAINERS_CONF = STATE / "containers.conf"
STORAGE_CONF = STATE / "storage.conf"
BOOT_SECONDS = 120
REBOOTED = 128 + signal.SIGHUP  # how the kernel ends pid 1 of a pid namespace that asks for a reboot


def environment() -> dict[str, str]:
    """The environment in which podman uses the lab's own store."""
    return {**os.environ, "CONTAINERS_CONF": str(CONTAINERS_CONF), "CONTAINERS_STORAGE_CONF": str(STORAGE_CONF)}


def in_lab(*command: str, check: bool = True) -> str:
    """Run a command in the lab and return what it printed."""
    done = subprocess.run(
        [*namespace.enter(), *command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def write_configuration(description: Description) -> None:
    """Write podman's settings, the ssh key and the ssh configuration that leads into the lab."""
    SSH_DIR.mkdir(mode=0o700, exist_ok=True)
    for target in (CONTAINERS_CONF, STORAGE_CONF):
        template = (LAB_DIR / f"{target.name}.in").read_text()
        target.write_text(template.replace("@STATE@", str(STATE)))
    key = SSH_DIR / "id"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key)], check=True)
    lines = [
        "Host *",
        "  User root",
        f'  IdentityFile "{key}"',
        "  IdentitiesOnly yes",
        "  StrictHostKeyChecking no",
        "  UserKnownHostsFile /dev/null",
        "  LogLevel ERROR",
        "  ServerAliveInterval 10",
        f'  ProxyCommand "{namespace.HOLDER_COMMAND[0]}" "{LAUNCHER}" connect %h %p',
    ]
    for host in description.hosts:
        lines += [f"Host {host.name}", f"  HostName {host.ssh_address}"]
    SSH_CONFIG.write_text("\n".join(lines) + "\n")


def import_image(suite: str, stamp: str) -> None:
    """Bring the image into the lab's store; older ones of the suite go."""
    repository = f"{IMAGE_NAME}-{suite}"
    if stamp in in_lab("podman", "images", "--format", "{{.Tag}}", repository).split():
        return
    say(f"importing the {suite} image")
    changes = ["--change", 'CMD ["/sbin/init"]', "--change", "STOPSIGNAL SIGRTMIN+3"]
    in_lab("podman", "rmi", "-f", *in_lab("podman", "images", "-q", repository).split(), check=False)
    in_lab("podman", "import", "-q", *changes, str(images.archive(suite)), f"{repository}:{stamp}")


def states(fingerprint: str) -> dict[str, str]:
    """Each existing host's state; "outdated" for one that was made from another description or image."""
    found: dict[str, str] = {}
    for entry in json.loads(in_lab("podman", "ps", "--all", "--format", "json") or "[]"):
        current = entry["Labels"].get(FINGERPRINT_LABEL) == fingerprint
        found[entry["Names"][0]] = entry["State"] if current else "outdated"
    return found


def are_outdated(fingerprint: str) -> bool:
    """Whether the lab has to be taken down before it can come up as described now."""
    found = states(fingerprint)
    return not found or "outdated" in found.values()


def remove_all() -> None:
    """Remove every host and network."""
    in_lab("podman", "rm", "--force", "--all", "--time", "0")
    in_lab("podman", "network", "prune", "--force")


def _create_network(network: Network) -> None:
    # without podman's name service: its version in Debian 12 hangs for seconds at names it does not know
    options = ["--disable-dns", "--subnet", network.subnet, *(["--internal"] if network.internal else [])]
    in_lab("podman", "network", "create", *options, network.name)


def _interface(network: str, address: str) -> str:
    """A network card named after its network; its MAC address stays the same over a reboot, as a real card's does."""
    mac = ":".join(f"{byte:02x}" for byte in (2, 0, *IPv4Address(address).packed))
    return f"{network}:ip={address},mac={mac},interface_name={network}"


def _create_host(host: Host, suite: str, stamp: str, fingerprint: str) -> None:
    volumes = [(images.pool(suite), "/srv/apt"), (SSH_DIR / "id.pub", "/root/.ssh/authorized_keys")]
    volumes += [(BUILT / folder, target) for folder, target in host.volumes]
    options = [
        *("--name", host.name, "--hostname", host.name, "--label", f"{FINGERPRINT_LABEL}={fingerprint}"),
        *("--systemd", "always", "--device", "/dev/net/tun"),
        # SYS_BOOT lets systemd tell a reboot from a power-off: see restart_rebooted
        *("--cap-add", "NET_ADMIN,SYS_ADMIN,NET_RAW,SYS_BOOT"),
        *(f"--network={_interface(name, address)}" for name, address in host.addresses),
        *(f"--volume={source}:{target}:ro" for source, target in volumes),
    ]
    in_lab("podman", "run", "--detach", *options, f"{IMAGE_NAME}-{suite}:{stamp}")


def _attach_lab(network: Network) -> None:
    """Give the lab an address on an internal network.

    The bridge gets a port of the lab's own first: netavark deletes a bridge, and the address on it, when the last
    host leaves it, which is what happens when all its hosts reboot at once.
    """
    bridge = in_lab("podman", "network", "inspect", "--format", "{{.NetworkInterface}}", network.name).strip()
    port = f"lab-{network.name}"
    in_lab("ip", "link", "add", port, "type", "veth", "peer", "name", f"{port}-end", check=False)
    in_lab("ip", "link", "set", port, "master", bridge)
    in_lab("ip", "address", "replace", str(network.lab_address), "dev", bridge)


def ensure(description: Description, suite: str, stamp: str, fingerprint: str) -> None:
    """Make the networks and hosts as described, and wait until they are usable."""
    found = states(fingerprint)
    existing = in_lab("podman", "network", "ls", "--format", "{{.Name}}").split()
    for network in description.networks:
        if network.name not in existing:
            _create_network(network)
    for host in description.hosts:
        if host.name not in found:
            say(f"creating {host.name}")
            _create_host(host, suite, stamp, fingerprint)
        elif found[host.name] != "running":
            say(f"starting {host.name}")
            in_lab("podman", "start", host.name)
    for network in description.networks:
        if network.lab_address:
            _attach_lab(network)
    deadline = time.monotonic() + BOOT_SECONDS
    for host in description.hosts:
        _wait_for_boot(host, deadline)
    READY_FILE.write_text(fingerprint)


def _wait_for_boot(host: Host, deadline: float) -> None:
    """Wait until ssh works and systemd has started everything."""
    say(f"waiting for {host.name}")
    answer = ""
    while time.monotonic() < deadline:
        answer = _ssh(host.name, "systemctl is-system-running")
        if answer == "running":
            return
        if answer == "degraded":
            raise LabError(f"{host.name} has failed units:\n{_ssh(host.name, 'systemctl --failed --no-pager')}")
        time.sleep(0.3)
    raise LabError(f"{host.name} is not up after {BOOT_SECONDS} s: {answer or 'no answer'}")


def _ssh(host: str, command: str) -> str:
    arguments = ["ssh", "-F", str(SSH_CONFIG), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", host, command]
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip() or done.stderr.strip()


def is_ready(fingerprint: str, description: Description) -> bool:
    """Whether a lab of this fingerprint has come up and all its hosts still run."""
    if not READY_FILE.exists() or READY_FILE.read_text() != fingerprint:
        return False
    return states(fingerprint) == {host.name: "running" for host in description.hosts}


def restart_rebooted() -> NoReturn:
    """Start a host again when it reboots; runs in the lab, by its pid 1.

    podman's own restart policy would keep the host's network namespace: nft rules and sysctl settings would outlive
    the reboot, and a test that they are restored at boot would prove nothing.
    """
    while True:
        events = subprocess.Popen(
            ["podman", "events", "--filter", "event=died", "--format", "json"],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert events.stdout is not None
        for line in events.stdout:
            event = json.loads(line)
            if event.get("ContainerExitCode") == REBOOTED:
                for command in (["container", "cleanup"], ["start"]):
                    subprocess.run(["podman", *command, event["Name"]], env=environment(), check=False)
        time.sleep(1)


def podman_exec(host: str, command: list[str]) -> list[str]:
    """The command line that runs a command in a host."""
    terminal = ["--tty"] if os.isatty(0) and os.isatty(1) else []
    return [*namespace.enter(), "podman", "exec", "--interactive", *terminal, host, *command]

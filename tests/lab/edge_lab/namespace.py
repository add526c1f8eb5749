# SPDX-License-Identifier: GPL-3.0-or-later
"""Closed namespaces: what runs in them has no route out, and no mount, rule or setting of it reaches this machine.

Two users: the lab itself, kept alive by one holder process, and ``isolate``, which lasts for one command.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .paths import LAUNCHER, PID_FILE, STATE, LabError

UNSHARE = [
    *("unshare", "--mount", "--net", "--pid", "--ipc", "--uts"),
    *("--fork", "--kill-child", "--mount-proc", "--propagation", "private"),
]
HOLDER_COMMAND = [sys.executable, str(LAUNCHER), "_hold"]
# The state of an edge gateway: an isolated command finds these folders, and finds them empty.
GATEWAY_DIRS = {
    "/etc/wireguard": "700",
    "/etc/edge-gateway": "755",
    "/etc/traefik": "755",
    "/var/lib/edge-gateway": "700",
}
# netavark turns forwarding on, so the lab itself would route from one network to the other, and answer on one
# network for its address on another. The lab's networks meet in no other place than the hosts on both.
LAB_RULES = """
table inet lab {
  chain input {
    type filter hook input priority -10
    iifname != "lo" fib daddr . iif type != { local, broadcast, multicast } drop
  }
  chain forward { type filter hook forward priority -10; policy drop; }
}
"""


def _run(*command: str, stdin: str | None = None) -> None:
    subprocess.run(command, check=True, input=stdin, text=True)


def _overlay(folder: str) -> None:
    """Make writes below a folder stay in this mount namespace."""
    layers = Path("/run/overlay") / folder.strip("/")
    (layers / "upper").mkdir(parents=True)
    (layers / "work").mkdir()
    options = f"lowerdir={folder},upperdir={layers}/upper,workdir={layers}/work"
    _run("mount", "-t", "overlay", "-o", options, "overlay", folder)


def make_private() -> None:
    """Cover what the new namespaces still share with the machine; runs as their pid 1."""
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run")
    for folder in ("/run/lock", "/run/netns"):
        os.mkdir(folder)
    # podman's lock table is here: shared with another podman store it would corrupt both
    _run("mount", "-t", "tmpfs", "none", "/dev/shm")
    for folder in ("/etc", "/var/lib"):
        _overlay(folder)
    resolver = Path("/etc/resolv.conf")
    resolver.unlink(missing_ok=True)
    resolver.touch()
    # a sysfs that shows the new network, and pure cgroup2, which is what a Debian host has
    _run("mount", "-t", "sysfs", "none", "/sys")
    _run("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
    # settings of the kernel as a whole are read only, those of the new network are not
    for folder, mode in (("/proc/sys", "ro"), ("/proc/sys/net", "rw")):
        _run("mount", "--bind", folder, folder)
        _run("mount", "-o", f"remount,bind,{mode}", folder)
    _run("ip", "link", "set", "lo", "up")


def hold(work: Callable[[], NoReturn]) -> NoReturn:
    """Be pid 1 of the lab: set it up, say so, and do the work until killed."""
    make_private()
    _run("nft", "-f", "-", stdin=LAB_RULES)
    bridge_filter = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if bridge_filter.exists():  # otherwise the forward chain would also see frames inside one network
        bridge_filter.write_text("0")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the orphans that podman leaves
    print("ready", flush=True)
    work()


def holder() -> int | None:
    """The lab's pid 1 as this machine counts, None when there is no lab. Never a later process with its number."""
    try:
        pid = int(PID_FILE.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if command[1:-1] == [part.encode() for part in HOLDER_COMMAND[1:]] else None


def start() -> None:
    """Start the holder and wait until it has set the lab up."""
    log = STATE / "holder.log"
    with log.open("w") as errors:
        parent = subprocess.Popen(
            [*UNSHARE, *HOLDER_COMMAND],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    assert parent.stdout is not None
    answered, _, _ = select.select([parent.stdout], [], [], 20)
    if not answered or parent.stdout.readline() != b"ready\n":
        parent.kill()
        raise LabError(f"the lab's namespaces could not be made:\n{log.read_text()}")
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
    PID_FILE.write_text(children.strip())


def stop() -> None:
    """Kill the holder, and with it every process of the lab."""
    pid = holder()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > deadline:
                raise LabError(f"the lab's process {pid} does not end")
            time.sleep(0.05)
    PID_FILE.unlink(missing_ok=True)


def enter(*namespaces: str) -> list[str]:
    """The command line that puts a command into the lab; all of its namespaces unless some are named."""
    pid = holder()
    if pid is None:
        raise LabError("the lab is not up: run tests/lab/lab up")
    chosen = namespaces or ("mount", "net", "pid", "ipc", "uts")
    return ["nsenter", f"--target={pid}", *(f"--{name}" for name in chosen), f"--wd={os.getcwd()}", "--"]


def connect(address: str, port: str) -> NoReturn:
    """Join stdin and stdout with a TCP port in the lab; ssh's ProxyCommand.

    In the lab's pid namespace too: ending the lab then ends every ssh connection that ansible keeps open, which
    would otherwise hang at the next use.
    """
    command = [*enter("net", "pid"), "socat", "-", f"TCP:{address}:{port},connect-timeout=5"]
    os.execvp(command[0], command)


def isolate(command: list[str]) -> NoReturn:
    """Replace this process by the command in namespaces of its own; its exit code is kept."""
    os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, str(LAUNCHER), "_isolated", *command])


def isolated(command: list[str]) -> int:
    """Be pid 1 of a throw-away namespace: set it up, run the command, reap orphans, return its exit code."""
    make_private()
    for folder, mode in GATEWAY_DIRS.items():
        os.makedirs(folder, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"mode={mode}", "none", folder)
    try:
        child = os.posix_spawnp(command[0], command, {**os.environ, "EDGE_LAB_ISOLATED": "1"})
    except OSError as error:
        raise LabError(f"cannot run {command[0]}: {error.strerror}") from error
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command itself
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code

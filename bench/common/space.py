# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything happens: throw-away namespaces. Commands end in time, and what is started is stopped by its process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache" / "bench"
LAB = REPO / "tests" / "lab" / "lab"
STATE_FOLDERS = (Path("/var/lib/edge-gateway"), Path("/etc/edge-gateway"))
OWN_MOUNTS = ("/etc/edge-gateway", "/var/lib/edge-gateway", "/run")
# the namespaces' own, and in memory: what a disk takes for many files depends on what else it does
MEMORY = "/run"
LONGEST = 1800.0
CLONE_NEWNET = 0x40000000


class BenchError(Exception):
    """A measurement that cannot be trusted, or not be made."""


def say(message: str) -> None:
    """Tell the progress."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def isolated() -> bool:
    """Whether rules, settings and files of ours stay in namespaces of our own."""
    return os.environ.get("EDGE_LAB_ISOLATED") == "1" and all(os.path.ismount(path) for path in OWN_MOUNTS)


def within(namespace: str) -> Sequence[str]:
    """The head of a command line that puts a command into a network namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"] if namespace else []


def before_others(core: Optional[int] = None) -> List[str]:
    """The head of a command line that has a program go before the others on this machine, and keeps it on a core.

    Every session is a scheduling group of its own where the kernel makes such groups; "nice" has its effect only within.
    """
    kept = ["taskset", "-c", str(core)] if core is not None else []
    return ["sh", "-c", 'echo -20 2>/dev/null >/proc/self/autogroup; exec "$@"', "sh", "nice", "-n", "-20", *kept]


def start(argv: Sequence[str], namespace: str, log: Path) -> subprocess.Popen[str]:
    """Start a program with a session of its own, so that it can be ended with its children."""
    with log.open("w") as out:
        return subprocess.Popen([*within(namespace), *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True,
                                start_new_session=True)


def stop(process: subprocess.Popen[str]) -> None:
    """End a program and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


def timed(argv: Sequence[str], namespace: str = "", env: Optional[Dict[str, str]] = None, stdin: Optional[str] = None,
          timeout: float = LONGEST) -> Tuple[float, str]:
    """Run a command that must succeed; its seconds and its output."""
    begin = time.monotonic()
    with subprocess.Popen([*within(namespace), *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=env, start_new_session=True) as process:
        try:
            out, err = process.communicate(stdin or "", timeout=timeout)
        except BaseException as error:
            stop(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"{' '.join(argv)}: not done after {timeout:.0f} s") from None
            raise
    seconds = time.monotonic() - begin
    if process.returncode:
        raise BenchError(f"{' '.join(argv)} failed ({process.returncode}): {(out + err)[-3000:]}")
    return seconds, out


def sh(*argv: str, namespace: str = "", stdin: Optional[str] = None) -> str:
    """Run a short command that must succeed; its output."""
    return timed(argv, namespace, stdin=stdin, timeout=120)[1]


def add_namespace(name: str, **settings: object) -> None:
    """A network namespace with its loopback up, and settings such as ``ipv4__tcp_tw_reuse=1`` (two underscores: a slash)."""
    sh("ip", "netns", "add", name)
    sh("ip", "-n", name, "link", "set", "lo", "up")
    for setting, value in settings.items():
        sh("sysctl", "-qw", f"net.{setting.replace('__', '.')}={value}", namespace=name)


End = Tuple[str, str, Sequence[str]]


def connect(left: End, right: End) -> None:
    """A cable between two namespaces; an end is namespace, name of the interface and its addresses."""
    sh("ip", "-n", left[0], "link", "add", left[1], "type", "veth", "peer", "name", right[1], "netns", right[0])
    for namespace, name, addresses in (left, right):
        for address in addresses:
            sh("ip", "-n", namespace, "address", "add", address, "dev", name)
        sh("ip", "-n", namespace, "link", "set", name, "up")


@contextlib.contextmanager
def removing() -> Iterator[None]:
    """All network namespaces made meanwhile are gone afterwards."""
    try:
        yield
    finally:
        for path in Path("/run/netns").glob("*"):
            subprocess.run(["ip", "netns", "delete", path.name], check=False, timeout=60)


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Be in a network namespace, for programs so short that ``nsenter`` would show in their time."""
    libc = ctypes.CDLL(None, use_errno=True)
    places = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in ("/proc/thread-self/ns/net", f"/run/netns/{namespace}")]
    before, there = places
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        back = libc.setns(before, CLONE_NEWNET)
        for place in places:
            os.close(place)
        if back:
            raise OSError(ctypes.get_errno(), "setns")


def forget_files() -> None:
    """Remove what the collection keeps on a host."""
    for folder in STATE_FOLDERS:
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contract tests stand on: commands, network namespaces, and the modules run as Ansible runs them."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome

STATE_DIR = Path("/var/lib/edge-gateway")
CONFIG_DIR = Path("/etc/edge-gateway")
WIREGUARD_DIR = Path("/etc/wireguard")
TESTS = Path(__file__).resolve().parents[1]
REPO = TESTS.parent
CLONE_NEWNET = 0x40000000
OUTER = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def sh(*argv: str, stdin: str = "", check: bool = True) -> str:
    """Run a command in the namespace we are in; its output."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
    return done.stdout


def nft(text: str) -> None:
    """Load a script of nft's language."""
    sh("nft", "-f", "-", stdin=text)


def ruleset() -> str:
    """All tables with their handles."""
    return sh("nft", "-a", "list", "ruleset")


def reset() -> None:
    """Back to a host without rules, state and forwarding (files of other namespaces included, they share them)."""
    sh("nft", "flush", "ruleset")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
    for folder in (STATE_DIR, CONFIG_DIR, WIREGUARD_DIR):
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    STATE_DIR.chmod(0o700)


def files(folder: Path) -> Dict[str, Any]:
    """Content, inode, mode and time of all files in a folder: equal when nothing was touched. That a run was here is noted in any case."""
    found = {}
    for path in sorted(path for path in folder.iterdir() if path.name != "history.json"):
        status = path.lstat()
        found[path.name] = (path.read_bytes() if path.is_file() else None, status.st_ino, status.st_mode, status.st_mtime_ns)
    return found


def add_namespace(name: str) -> None:
    """A network namespace with its loopback up."""
    sh("ip", "netns", "add", name)
    sh("ip", "-n", name, "link", "set", "lo", "up")


End = Tuple[str, str, str]


def connect(left: End, right: End) -> None:
    """A cable between two namespaces; an end is namespace, name of the interface and its address."""
    sh("ip", "-n", left[0], "link", "add", left[1], "type", "veth", "peer", "name", right[1], "netns", right[0])
    for namespace, name, address in (left, right):
        sh("ip", "-n", namespace, "address", "add", address, "dev", name)
        sh("ip", "-n", namespace, "link", "set", name, "up")


def remove_namespaces(*names: str) -> None:
    """Remove namespaces with all that is in them."""
    for name in names:
        sh("ip", "netns", "delete", name)


def _enter(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Be in a network namespace: sockets, threads and programs started here stay there."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    target = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(target)
        yield
    finally:
        _enter(before)
        os.close(before)
        os.close(target)


def leave_namespace() -> None:
    """Back to where the suite started, whatever a failed test left."""
    _enter(OUTER)


ACT = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from importlib import import_module
from ansible.module_utils.testing import patch_module_args
module = import_module("ansible_collections.edge.gateway.plugins.modules." + sys.argv[2])
with patch_module_args(json.loads(sys.argv[3])):
    module.main()
"""


def start_module(name: str, **params: Any) -> subprocess.Popen[str]:
    """Start a module as a process of its own, as Ansible does."""
    paths = json.dumps([path for path in sys.path if path])
    return subprocess.Popen([sys.executable, "-c", ACT, paths, name, json.dumps(params)], stdout=subprocess.PIPE,
    stderr=subprocess.PIPE, text=True)


def module(name: str, **params: Any) -> Dict[str, Any]:
    """Run a module; what it returned, failed or not."""
    out, err = start_module(name, **params).communicate(timeout=180)
    try:
        result: Dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        pytest.fail(f"{name} printed no result: {out}{err}")
    return result


PREDICTED = ("changed", "added", "updated", "removed", "repaired", "diff")


def report(outcome: Outcome[Any]) -> Dict[str, Any]:
    """The part of an outcome that check mode must predict."""
    result = outcome.as_dict()
    return {name: result[name] for name in PREDICTED}


def ids(count: int) -> List[str]:
    """So many names."""
    return [f"f-{number}" for number in range(count)]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every system call of a module fails once: what is kept is the old state or the new one, and the next run mends the rest.

    tests/lab/lab isolate .venv/bin/python -m chaos.calls          (in tests; every call at full size)

strace (Debian: strace) makes the N-th call of a kind fail in a module that has loaded its code and is about to begin.
"""

from __future__ import annotations

import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.edge.gateway.plugins.module_utils.formats import archive, listing
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Archive
from contract import world
from contract.forwarding import IPV6_FORWARDING
from unit.backup_samples import edge_files
from unit.test_certificates import pair

from .figures import PERCENT, note

# how a call fails where EIO would be odd
ERRORS = {"openat": "EMFILE", "write": "ENOSPC", "flock": "EINTR", "mkdir": "ENOSPC", "vfork": "EAGAIN", "clone": "EAGAIN",
          "clone3": "EAGAIN", "pipe2": "EMFILE", "socket": "EMFILE", "memfd_create": "EMFILE",
          "fsync": "ENOSPC", "rename": "ENOSPC",
          "renameat": "ENOSPC", "poll": "EINTR", "wait4": "EINTR"}
# of the interpreter alone: without memory and signals it ends, and with it nothing of ours
LEFT_OUT = {"exit_group", "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "futex", "rt_sigaction", "rt_sigprocmask", "exit",
            "rt_sigreturn", "getpid", "gettid", "restart_syscall", "sigaltstack"}
DYNAMIC, CERTS = Path("/etc/traefik/dynamic"), Path("/etc/traefik/certs")
FOLDERS = (world.STATE_DIR, world.CONFIG_DIR, world.WIREGUARD_DIR, DYNAMIC, CERTS)
SUBJECT = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from importlib import import_module
from ansible.module_utils.testing import patch_module_args
module = import_module("ansible_collections.edge.gateway.plugins.modules." + sys.argv[2])
with patch_module_args(json.loads(sys.argv[3])):
    print("ready", flush=True)
    sys.stdin.readline()
    module.main()
"""
FORWARD = {"forward_id": "one", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 80}
ROUTE = {"route_id": "one", "hostname": "one.test", "target_url": "http://10.50.0.12:8080", "wait": False}


FILES: Dict[str, Any] = {"files": [{"path": f"/etc/edge-gateway/{name}", "mode": "0600", "content": name * 2000} for name in "ab"]}
CERTIFICATES: Dict[str, Any] = {"certificates": [{"name": "one", **pair()}], "group": "root"}
INBOUND: Dict[str, Any] = {"open": [{"port": "22"}, {"port": "443"}], "mesh": "wg0"}


class Case(NamedTuple):
    """A change: the module, what stands before (nothing, or what it was asked for), and what is asked for."""

    module: str
    before: Optional[Dict[str, Any]]
    after: Dict[str, Any]


def backup() -> str:
    """What a backup brings to a new host; Traefik's user and with him his files are left out."""
    files = {path: file for path, file in edge_files().items() if file.group == "root"}
    return listing.packed(archive.render(Archive("edge1", "2026-11-26T03:05:04Z", files)).encode())


CASES = [
    Case("dnat_forward", FORWARD, {**FORWARD, "target_port": 81}),
    Case("dnat_forward", FORWARD, {"forward_id": "one", "state": "absent"}),
    Case("traefik_route", ROUTE, {**ROUTE, "target_url": "http://10.50.0.13:8080"}),
    Case("traefik_route", ROUTE, {"route_id": "one", "state": "absent", "wait": False}),
    Case("inbound_filter", INBOUND, {**INBOUND, "open": [{"port": "22"}]}),
    Case("config_files", FILES, {"files": [{**FILES["files"][0], "content": "new\n"}], "absent": ["/etc/edge-gateway/b"]}),
    Case("traefik_certificates", CERTIFICATES, {**CERTIFICATES, "certificates": [{"name": "two", **pair()}]}),
    Case("gateway_restore", None, {"_packed": backup()}),
]


def prepare(case: Case) -> None:
    """The host as the change finds it."""
    world.reset()
    IPV6_FORWARDING.write_text("0")
    shutil.rmtree(DYNAMIC, ignore_errors=True)
    DYNAMIC.mkdir()
    shutil.rmtree(CERTS, ignore_errors=True)
    if case.before is not None:
        result = world.module(case.module, **case.before)
        assert result.get("changed"), result


def standing() -> Tuple[Dict[str, bytes], str]:
    """All that a change is about: the files of ours by path, and the kernel's table without its counters."""
    kept = {str(path): path.read_bytes() for folder in FOLDERS for path in sorted(folder.glob("*"))
            if path.is_file() and path.name not in ("history.json", "forwards.json.prev")}
    table = re.sub(r"counter packets \d+ bytes \d+ ?|# handle \d+", "", world.ruleset())
    # what was taken back stands behind what had stayed, which is the same
    return kept, "\n".join(sorted(re.findall(r"^table.*?$|^\t\w+ \w+ \{.*?^\t\}", table, re.MULTILINE | re.DOTALL)))


def start(case: Case) -> subprocess.Popen[str]:
    """The module, with its code loaded; it begins when it is sent a line."""
    paths = json.dumps([path for path in sys.path if path])
    module = subprocess.Popen([sys.executable, "-c", SUBJECT, paths, case.module, json.dumps(case.after)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert module.stdout and module.stdout.readline() == "ready\n"
    return module


def run(case: Case, *options: str) -> Tuple[str, str]:
    """The change under strace, with options of it; what the module said and what it complained of."""
    module = start(case)
    tracer = subprocess.Popen(["strace", "-p", str(module.pid), *options], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr and "attached" in tracer.stderr.readline()
    out, err = module.communicate("\n", timeout=120)
    tracer.communicate(timeout=60)
    return out, err


def calls(case: Case) -> List[Tuple[str, int]]:
    """Each call of an undisturbed change: its kind, and which one of that kind it is."""
    prepare(case)
    with tempfile.NamedTemporaryFile("r") as log:
        out, err = run(case, "-o", log.name)
        assert json.loads(out)["changed"], out + err
        made = re.findall(r"^([a-z_0-9]+)\(([12],)?", log.read(), re.MULTILINE)
    found, count = [], collections.Counter[str]()
    for call, answer in made:
        count[call] += 1
        # an answer that cannot be written reaches nobody
        if call not in LEFT_OUT and not (call == "write" and answer):
            found.append((call, count[call]))
    return found


def broken(case: Case, call: str, number: int, sides: Tuple[Tuple[Dict[str, bytes], str], ...]) -> List[str]:
    """What is wrong after one failing call."""
    prepare(case)
    error = ERRORS.get(call, "EIO")
    out, err = run(case, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
    after = standing()
    found = []
    try:
        result = json.loads(out.strip().splitlines()[-1])
        # a part of our code, or of Ansible's, that could not be read
        unread = re.match(r"internal error: (ModuleNotFoundError|ImportError|ValueError at __init__\.py:)", result.get("msg", ""))
        if result.get("failed") and result.get("code") in (None, "internal") and not unread:
            found.append(f"not told in a sentence: {result.get('msg')}")
        if not result.get("failed") and after != sides[1]:
            found.append("says that all is well, and it is not")
    except (IndexError, ValueError):
        # what Ansible does before anything of ours runs, and with our answer, it does not catch; the harness reads a line first of all
        if not re.search(r"locale\.Error|_module_legacy_m2c|Unknown profile name|in <module>\nOSError", err):
            found.append(f"no answer: {(err or out).strip().splitlines()[-1:]}")
    if any(data not in (sides[0][0].get(name), sides[1][0].get(name)) for name, data in after[0].items()) or after[1] not in (
            sides[0][1], sides[1][1]):
        found.append("a third state is kept")
    next_run = world.module(case.module, **case.after)
    if next_run.get("failed") or standing() != sides[1]:
        found.append(f"the next run does not mend it: {next_run.get('msg')}")
    return [f"{case.module} {case.after.get('state', 'present')}: {call} {number} {error}: {words}" for words in found]


def points(case: Case) -> List[Tuple[str, int]]:
    """The calls that are made to fail: all of them, or one of each kind."""
    found = calls(case)
    if PERCENT >= 100:
        return found
    dice = random.Random(os.environ.get("EDGE_SEED", "1"))
    return [(call, dice.choice([number for name, number in found if name == call])) for call in sorted({call for call, _number in found})]


def main() -> int:
    """Let them fail, and tell."""
    begun, count = time.monotonic(), 0
    wrong: List[str] = []
    for case in CASES if PERCENT >= 100 else CASES[:4:2]:
        prepare(case)
        old = standing()
        assert world.module(case.module, **case.after).get("changed")
        new = standing()
        for call, number in points(case):
            count += 1
            wrong += broken(case, call, number, (old, new))
    print(*wrong, sep="\n")
    note("calls", "make chaos-calls", count, f"{len(wrong)} troubles", time.monotonic() - begun)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

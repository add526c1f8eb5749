# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who guards the guards: each is broken in a copy of the project, and the tests must turn red.

    python -m chaos.guards                  all of them
    python -m chaos.guards NAME [NAME ...]  some

A guard is a line of the collection that stands between an input or an accident and damage. Its tests are a few of those that prove it; they
must pass before it is broken, and at least one must fail after.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

from .figures import note

TOP = Path(__file__).resolve().parents[2]
COPY = TOP / ".cache/guards"
PLUGINS = "collections/ansible_collections/edge/gateway/plugins"
SECONDS = 300


@dataclass(frozen=True)
class Guard:
    """One guard.

    Attributes:
        name: what it keeps away or keeps up.
        file: where it stands, below module_utils.
        line: its code, once in that file, and ``broken`` what stands there without it.
        tests: arguments of pytest; those of ``tests/contract`` run in a namespace of their own.
    """

    name: str
    file: str
    line: str
    broken: str
    tests: Tuple[str, ...]


GUARDS = [
    Guard("the lock", "files.py", "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass",
          ("tests/contract/test_forward_runs.py", "-k", "twenty")),
    Guard("on the disk before its name", "files.py", "os.fsync(fd)", "pass", ("tests/unit/test_host.py",)),
    Guard("the name itself on the disk", "files.py", "        os.fsync(directory)\n", "", ("tests/unit/test_host.py",)),
    Guard("the mode before the name", "files.py", "os.fchmod(fd, mode)", "os.fchmod(fd, 0o644)", ("tests/unit/test_host.py",)),
    Guard("no link is followed", "host.py", "fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)",
          "fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)", ("tests/unit/test_host.py", "tests/unit/test_store.py")),
    Guard("state that others can write is refused", "host.py", "if own and (", "if False and (", ("tests/unit/test_store.py",)),
    Guard("the whole value must match", "models/fields.py", "_compiled(pattern).fullmatch(value)", "_compiled(pattern).match(value)",
          ("tests/unit/test_fields.py",)),
    Guard("the whole id must match", "models/fields.py", '[a-z0-9._-]{0,62}", re.ASCII).fullmatch',
          '[a-z0-9._-]{0,62}", re.ASCII).match', ("tests/unit/test_fields.py",)),
    Guard("no firewall language in a comment", "models/fields.py", "or _COMMENT(words) is None", "", ("tests/unit/test_fields.py",)),
    Guard("a name twice in JSON", "formats/strict_json.py", "if len(value) != len(pairs):", "if False:",
          ("tests/unit/test_strict_json.py",)),
    Guard("check mode changes nothing", "converge.py", "    if dry_run:\n", "    if False:\n", ("tests/unit/test_converge.py",)),
    Guard("what does not take effect fails", "converge.py", "if not in_effect(live, wanted):", "if False:",
          ("tests/unit/test_converge.py",)),
    Guard("a failed change is taken back", "converge.py", "engine.write(plan.after, plan.before)", "pass",
          ("tests/unit/test_converge.py",)),
    Guard("the state before the kernel", "engines/forwards.py",
          "self.store.save([item.as_kept() for _name, item in sorted(after.items())])", "pass",
          ("tests/contract/test_forward_state.py",)),
    Guard("reserved ports", "engines/forwards.py", "            reserved.check(item)\n", "",
          ("tests/contract/test_forward_runs.py", "-k", "reserved or listens")),
    Guard("the SSH port of this run", "engines/system.py", "    if connection:\n        reserved",
          "    if False:\n        reserved", ("tests/contract/test_forward_runs.py", "-k", "way_in")),
    Guard("targets are in the mesh", "engines/forwards.py", "            reach.check(item)\n", "",
          ("tests/contract/test_forward_runs.py", "-k", "outside")),
    Guard("the mesh is no open network", "formats/nftables_text.py",
          '        Rule("drop", "nothing else enters the mesh"),\n', "", ("tests/contract/test_dataplane.py", "-k", "guard")),
    Guard("nothing else leaves the mesh", "formats/nftables_text.py",
          '        Rule("drop", "nothing else leaves the mesh"),\n', "", ("tests/contract/test_dataplane.py", "-k", "guard")),
    Guard("old UDP flows are cut", "engines/forwards.py", "self.warnings += conntrack.cut(self.host, ports)", "pass",
          ("tests/contract/test_dataplane.py", "-k", "udp_flow_moves")),
    Guard("no default route from a controller", "models/join_rules.py", "_check_size(option, new.mesh)", "pass",
          ("tests/unit/test_join.py",)),
    Guard("an answer has an end", "engines/http.py", "data = answer.read(size + 1) if", "data = answer.read() if",
          ("tests/unit/test_controller.py",)),
    Guard("only files with our marker are ours", "formats/route_file.py", "return text.startswith(_START)", "return True",
          ("tests/contract/test_traefik.py", "-k", "foreign_file_of_our_name")),
    Guard("a file of others is not written over", "engines/routes.py", "if name not in self.directory.ours and self.host.mode(",
          "if False and self.host.mode(", ("tests/contract/test_traefik.py", "-k", "foreign_file_of_our_name")),
    Guard("the edge is no target of its own", "engines/routes.py", "                rules.check_targets(item, own)\n",
          "                pass\n", ("tests/contract/test_route_refusals.py", "tests/contract/test_route_preflight.py")),
    Guard("one host, one route", "engines/routes.py", "        rules.check_clashes(after, before, self._claims(after))\n", "",
          ("tests/contract/test_route_clashes.py",)),
    Guard("the token is no_log", "../modules/wg_join.py", '"join_token": {"type": "str", "no_log": True}', '"join_token": {"type": "str"}',
          ("tests/unit/test_entry.py",)),
    Guard("no text of an exception", "errors.py", "{type(problem).__name__} at {_place(problem)}", "{problem}",
          ("tests/unit/test_entry.py",)),
]


def copy() -> None:
    """The project as it is, in a place where it may be broken; the lab's Traefik is borrowed."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP, check=True,
                            capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (TOP / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, COPY / name)
    (COPY / ".lab").mkdir()
    (COPY / ".lab/mirror").symlink_to(TOP / ".lab/mirror")


def passes(tests: Tuple[str, ...]) -> Tuple[bool, str]:
    """Whether the tests pass in the copy, and the last line that pytest prints; an error of pytest itself ends everything."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    if tests[0].startswith("tests/contract"):
        command = [str(COPY / "tests/lab/lab"), "isolate", *command]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=COPY, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
                          check=False)
    said = (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]
    # 0 passed, 1 failed; anything else (no such test, a syntax error) says nothing about a guard
    if done.returncode not in (0, 1) or not re.search("[0-9]+ (passed|failed|error)", said):
        raise SystemExit(f"pytest {' '.join(tests)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0, said


def stands(guard: Guard) -> Tuple[bool, str]:
    """Break a guard and mend it again: whether the tests noticed, and what they said."""
    place = COPY / PLUGINS / "module_utils" / guard.file
    whole = place.read_text()
    if whole.count(guard.line) != 1:
        raise SystemExit(f"{guard.name}: {guard.line!r} stands {whole.count(guard.line)} times in {guard.file}; "
                         "correct tests/chaos/guards.py")
    place.write_text(whole.replace(guard.line, guard.broken))
    try:
        green, said = passes(guard.tests)
    finally:
        place.write_text(whole)
    return not green, said


def main(names: List[str]) -> int:
    """Break them one by one, and tell."""
    chosen = [guard for guard in GUARDS if not names or guard.name in names]
    begun = time.monotonic()
    copy()
    for tests in sorted({guard.tests for guard in chosen}):
        green, said = passes(tests)
        if not green:
            raise SystemExit(f"the tests {' '.join(tests)} fail with all guards in place: {said}")
    unnoticed = []
    for guard in chosen:
        noticed, said = stands(guard)
        print(f"{'red' if noticed else 'UNNOTICED'}: without {guard.name!r}: {said}", flush=True)
        unnoticed += [] if noticed else [guard.name]
    shutil.rmtree(COPY)
    if not names:
        note("guards", "make guards", len(chosen), f"{len(chosen) - len(unnoticed)} of {len(chosen)} red", time.monotonic() - begun,
             percent=100)
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

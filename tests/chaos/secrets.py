# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every statement of a module that handles a secret fails once, with the secret in the exception: nothing of it may be seen anywhere.

    tests/lab/lab isolate .venv/bin/python -m chaos.secrets [CASE ...]        (in tests; every statement in one way at full size)
    ... -m chaos.secrets --control                                            planted leaks, which must be found

A module runs once undisturbed, and its statements are noted. Then for each of them a child is forked, in which the exception comes at that
statement. Its answer (with a diff, -vvvv and tracebacks switched on), its syslog, command lines and environments of what it starts, and the
files that it leaves are searched for the secrets, as they are and encoded. The answer must be one JSON document with a sentence.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Set, Tuple

from ansible.module_utils.testing import patch_module_args
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from contract import mesh
from contract.world import REPO, inside

from . import secret_cases
from .figures import note, sized
from .secret_cases import Case
from .secret_leaks import LEAKS
from .sinks import Sinks, forms

PLUGINS = str(REPO / "collections/ansible_collections/edge/gateway/plugins") + "/"
PACKAGE = "ansible_collections.edge.gateway.plugins.modules."
# in all of them the secrets stand in the text, in a place that the text of a real one has
KINDS: Dict[str, Callable[[str], Exception]] = {
    "RuntimeError": RuntimeError, "ValueError": ValueError, "KeyError": KeyError,
    "OSError": lambda text: OSError(errno.EIO, os.strerror(errno.EIO), text),
    "GatewayError": lambda text: _caused(GatewayError("a planted failure; go on"), RuntimeError(text)),
}
ECHO = "a program quotes its input"
SECONDS = 60
# what Ansible sends along with -vvvv, --diff and ANSIBLE_DISPLAY_TRACEBACK=always
TALKATIVE = {"_ansible_diff": True, "_ansible_verbosity": 4, "_ansible_debug": True,
             "_ansible_tracebacks_for": ["error", "warning", "deprecated", "deprecated_value"]}


class Point(NamedTuple):
    """A statement, or (line 0) the n-th program that is started."""

    file: str
    line: int
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.kind}" if self.line else f"{self.kind}, {self.file}"


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class Answer(NamedTuple):
    """What a child has left, besides files and syslog."""

    out: bytes
    err: bytes
    aside: List[Any]


class Tracer:
    """Sees the statements of the collection in this process, and lets one of them fail."""

    def __init__(self, case: Case, point: Optional[Point]) -> None:
        self.case, self.point = case, point
        self.lines: Dict[Tuple[str, int], bool] = {}
        self.answered = self.done = False
        self.programs = 0
        self.wanted = (point.file, point.line) if point and point.line else None

    def calls(self, frame: FrameType, _event: str, _argument: object) -> Any:
        """For each function; those of others are left alone."""
        code = frame.f_code
        if not code.co_filename.startswith(PLUGINS):
            return None
        # from here on there is somebody who answers
        self.answered = self.answered or code.co_name == "check_paths"
        return self.statements

    def statements(self, frame: FrameType, event: str, _argument: object) -> Any:
        """For each statement."""
        if event == "line":
            place = (frame.f_code.co_filename[len(PLUGINS):], frame.f_lineno)
            self.lines.setdefault(place, self.answered)
            if place == self.wanted and not self.done:
                self.done = True
                assert self.point
                # before the parameters are read, nothing knows a secret
                raise KINDS[self.point.kind](f"{' '.join(self.case.secrets) if self.answered else ''} {_known(frame)}")
        elif event == "exception" and frame.f_code.co_filename.endswith("/entry.py"):
            # the run has ended, and what makes its answer cannot answer for itself
            self.answered = False
        return self.statements

    def run(self, argv: Any, *arguments: Any, **options: Any) -> Any:
        """In place of subprocess.run, for a program that fails and quotes what it was given."""
        self.programs += 1
        if self.point and self.point.kind == ECHO and self.point.file == f"program {self.programs}":
            self.done = True
            given = options.get("input") or b""
            lines = [line for line in given.splitlines() if any(secret.encode() in line for secret in self.case.secrets)] or [given]
            return subprocess.CompletedProcess(argv, 1, b"", b"Line unrecognized: `" + lines[0] + b"'\nConfiguration parsing error\n")
        return REALLY(argv, *arguments, **options)


REALLY = subprocess.run


def _known(frame: FrameType) -> str:
    try:
        return repr(frame.f_locals)[:2000]
    except Exception:  # noqa: BLE001  what is only half made cannot always be shown
        return ""


def act(case: Case, tracer: Tracer, out: int, err: int, aside: int) -> NoReturn:
    """The child: the module as Ansible runs it, and then what has been seen beside its answer."""
    started: List[Any] = []
    generated: List[str] = []

    def heard(event: str, arguments: Tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            started.append([str(arguments[1]), str(arguments[3])])

    def watched(argv: Any, *arguments: Any, **options: Any) -> Any:
        done = tracer.run(argv, *arguments, **options)
        if argv[1:] == ["genkey"]:
            generated.append(done.stdout.decode().strip())
        return done

    code = 3
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        module = import_module(PACKAGE + case.module)
        sys.addaudithook(heard)
        subprocess.run = watched  # type: ignore[assignment]
        with patch_module_args({**case.params, **TALKATIVE}):
            sys.settrace(tracer.calls)
            module.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001  as the interpreter would print it
        sys.settrace(None)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.settrace(None)
        sys.stdout.flush()
        sys.stderr.flush()
        places = [[*place, answered] for place, answered in tracer.lines.items()]
        os.write(aside, json.dumps([tracer.done, places, tracer.programs, started, generated]).encode())
        os._exit(code)


def run(case: Case, point: Optional[Point] = None) -> Answer:
    """Run a case in a child of its own."""
    files = [os.memfd_create(name) for name in ("out", "err", "aside")]
    # before the fork: it takes as long as all the rest
    import_module(PACKAGE + case.module)
    with inside(case.namespace) if case.namespace else contextlib.nullcontext():
        pid = os.fork()
        if pid == 0:
            act(case, Tracer(case, point), *files)
    waiting = os.pidfd_open(pid)
    if not select.select([waiting], [], [], SECONDS)[0]:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(waiting)
    contents = []
    for fd in files:
        os.lseek(fd, 0, os.SEEK_SET)
        contents.append(b"".join(iter(lambda fd=fd: os.read(fd, 1 << 20), b"")))  # type: ignore[misc]
        os.close(fd)
    return Answer(contents[0], contents[1], json.loads(contents[2]) if contents[2] else [False, [], 0, [], []])


def unanswered(answer: Answer) -> str:
    """What is wrong with the form of an answer; nothing when it is one JSON document, with a sentence if it is a failure."""
    try:
        result = json.loads(answer.out)
    except ValueError:
        return f"no answer: {(answer.err or answer.out).decode(errors='replace').strip().splitlines()[-1:]}"
    if b"Traceback" in answer.err:
        return "a traceback beside the answer"
    if result.get("failed") and not (result.get("code") and str(result.get("msg", "")).isprintable()):
        return f"not told in a sentence: {result.get('msg')}"
    return ""


class Trial:
    """A case with the host that it is about."""

    def __init__(self, case: Case, sinks: Sinks) -> None:
        self.case, self.sinks = case, sinks
        self.standing: Any = None

    def prepare(self) -> None:
        """The host as the case finds it, unless it stands so already."""
        if self.standing is None or self.standing != self._state():
            self.case.prepare()
            self.sinks.syslog()
            self.standing = self._state()

    def _state(self) -> Any:
        return [self.sinks.state(), mesh.interface_index()]

    def undisturbed(self) -> Tuple[List[str], List[Point], Set[Tuple[str, int]]]:
        """What a run shows that nobody disturbs, the points of it, and the statements for which nobody answers."""
        self.prepare()
        answer = run(self.case)
        _done, lines, programs, _started, _generated = answer.aside
        points = [Point(f"program {number}", 0, ECHO) for number in range(1, programs + 1)]
        points += [Point(file, line) for file, line, _answered in lines]
        result = json.loads(answer.out or b"{}")
        wrong = self._wrong("undisturbed", answer)
        if bool(result.get("failed")) != self.case.fails:
            wrong.append(f"{self.case.name}: {result.get('msg', answer.err.decode())}")
        return wrong, points, {(file, line) for file, line, answered in lines if not answered}

    def broken(self, point: Point, answers: bool = True) -> List[str]:
        """What is wrong when that fails."""
        self.prepare()
        answer = run(self.case, point)
        wrong = self._wrong(str(point), answer)
        problem = unanswered(answer) if answers else ""
        return wrong + ([f"{self.case.name}, {point}: {problem}"] if problem else [])

    def _wrong(self, where: str, answer: Answer) -> List[str]:
        _done, _lines, _programs, started, generated = answer.aside
        seen = {"stdout": answer.out, "stderr": answer.err, "syslog": self.sinks.syslog(), "a command line": json.dumps(started).encode()}
        secret = [form for words in (*self.case.secrets, *generated) for form in forms(words)]
        found = self.sinks.shown(seen, self.case.places, secret)
        return [f"{self.case.name}, {where}: a secret in {place}" for place in found]


def chosen(points: Sequence[Point], dice: random.Random) -> Iterator[Point]:
    """A sample; at full size each statement in one way, and in all ways at five times that."""
    count, kinds = sized(len(points), min(4, len(points))), list(KINDS)
    first = {point: dice.randrange(len(kinds)) for point in points}
    for number in range(-(-count // len(points))):
        for point in dice.sample(list(points), min(count - number * len(points), len(points))):
            yield point if point.kind else point._replace(kind=kinds[(first[point] + number) % len(kinds)])


def missed(cases: Sequence[Case], sinks: Sinks) -> List[str]:
    """The planted leaks that are not found; each that is, is told."""
    found = []
    for words, where, plant, name, fails in LEAKS:
        trial = Trial(next(case for case in cases if case.name == name), sinks)
        _clean, points, early = trial.undisturbed()
        with plant():
            wrong = trial.broken(next(point for point in points if "/engines/" in point.file and (point.file, point.line) not in early)
                                 ._replace(kind="RuntimeError")) if fails else trial.undisturbed()[0]
        told = next((line for line in wrong if where in line), "")
        print(f"{'found' if told else 'MISSED'}: {words}: {told or wrong}", flush=True)
        found += [] if told else [words]
        Path("/tmp/planted.log").unlink(missing_ok=True)
    return found


def main(names: Sequence[str]) -> int:
    """Let them fail, and tell."""
    begun, count = time.monotonic(), 0
    dice = random.Random(os.environ.get("EDGE_SEED", "1"))
    wrong: List[str] = []
    with secret_cases.world_of_cases() as cases, Sinks() as sinks:
        if names == ["--control"]:
            return 1 if missed(cases, sinks) else 0
        if names and set(names) - {case.name for case in cases}:
            raise SystemExit(f"the cases are {', '.join(case.name for case in cases)}")
        for case in cases:
            if names and case.name not in names:
                continue
            start, trial, before = time.monotonic(), Trial(case, sinks), len(wrong)
            found, points, early = trial.undisturbed()
            wrong += found
            tried = 0
            for point in chosen(points, dice):
                tried += 1
                wrong += trial.broken(point, (point.file, point.line) not in early)
            count += tried
            print(f"{case.name}: {tried} of {len(points)} ways to fail, {len(wrong) - before} wrong, {time.monotonic() - start:.0f} s",
                  flush=True)
            print(*wrong[before:][:40], sep="\n", flush=True)
    shown = sum(": a secret in " in words for words in wrong)
    if not names:
        note("secrets", "make chaos-secrets", count, f"{shown} secrets found, {len(wrong) - shown} answers without a sentence",
             time.monotonic() - begun)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

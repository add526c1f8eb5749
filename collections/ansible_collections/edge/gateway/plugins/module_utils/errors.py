# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to fail. A message is one sentence for the person at the keyboard: what, where, and what to do.

Only :func:`..entry.run` turns these into ``fail_json``. Secrets never enter a message: an error is built from
names of options and files, never from the text of another exception.
"""

from __future__ import annotations

import os
import re
import traceback
from typing import Any, Dict

from .documented import OPTIONS

SHOWN_VALUE_LIMIT = 120
REASON_LIMIT = 300
LONGEST_WORD, LONGEST_MESSAGE = 256, 2000
# 32 bytes in base64, as WireGuard has its keys
_KEY = re.compile("[A-Za-z0-9+/]{43}=")
_WORD = re.compile(rf"\S{{{LONGEST_WORD},}}")
# for the few messages that are one thought, with nothing to do behind a semicolon
REMEDIES = {
    "command_failed": "see what the program says, correct that and run again",
    "busy": "wait for the other run to end, and run again",
    "controller": "look at the controller, and run again",
    "unreachable": "see the service's journal, and run again",
    "internal": "report it with the task's options",
}
# the address that the documentation is meant to be published at, see galaxy.yml
DOCUMENTATION = "https://edge-gateway.github.io/edge.gateway/docsite"
# in place of a value, where an option was not given at all
MISSING = object()


class GatewayError(Exception):
    """Base of all expected failures.

    Attributes:
        code: stable name of the kind of failure, for programs.
        option: the option, file or tool at fault, or an empty string.
        retryable: whether the same call may succeed later though nobody corrects anything.
    """

    code = "failed"
    retryable = False

    def __init__(self, message: str, option: str = "") -> None:
        self.message = shortened(printable(message))
        super().__init__(self.message)
        self.option = option

    @property
    def remedy(self) -> str:
        """What to do, for a program that shows it apart from the message."""
        return remedy_in(self.message) or REMEDIES.get(self.code, "correct that and run again")


class InvalidInput(GatewayError):
    """An option (or a field of a file or an answer) holds a value that cannot be accepted, or (:data:`MISSING`) has none."""

    code = "invalid_input"

    def __init__(self, option: str, value: object, problem: str) -> None:
        option = named(option)
        super().__init__(f"{option} {problem}" if value is MISSING else f"{option} {shown(value)} {problem}", option)
        self.problem = problem

    @property
    def remedy(self) -> str:
        """What to do; the value itself may hold a semicolon."""
        return remedy_in(self.problem) or "correct it"

    def within(self, where: str) -> InvalidInput:
        """Put the name of what the option belongs to before it, such as ``forwards[3].``."""
        self.message, self.option = where + self.message, where + self.option
        return self


class MissingTool(GatewayError):
    """A program that the work needs is not installed on the host."""

    code = "missing_tool"

    def __init__(self, tool: str, package: str) -> None:
        super().__init__(f"{tool} is not installed on this host; install the package {package} and run again", tool)


class CommandFailed(GatewayError):
    """A program that was run reported a failure."""

    code = "command_failed"


class StateRefused(GatewayError):
    """A file of ours on the host is not what this collection could have written."""

    code = "state_refused"


class Busy(GatewayError):
    """Another run holds the lock for too long."""

    code = "busy"
    retryable = True


class VerifyFailed(GatewayError):
    """What was written is not what is in effect; the state before has been restored."""

    code = "verify_failed"


class ControllerError(GatewayError):
    """The mesh controller could not be asked (which may pass), refused, or answered something unusable (which will not)."""

    code = "controller"

    def __init__(self, message: str, retryable: bool) -> None:
        super().__init__(message, "controller_url")
        self.retryable = retryable


class SystemFailed(GatewayError):
    """The kernel refused something that hardly ever fails: a disk that is dying, no memory, too many open files."""

    code = "system"

    def __init__(self, number: int, place: str) -> None:
        super().__init__(f"this host refused a system call ({os.strerror(number)}, at {place}); "
                         "see its kernel's log for disk, memory and open files, and run again")


class Unreachable(GatewayError):
    """A service of this host that must answer (the Traefik API) does not."""

    code = "unreachable"


def remedy_in(message: str) -> str:
    """The part of a message that tells what to do: by convention what stands behind its first semicolon."""
    return message.partition("; ")[2]


class Unreadable(ValueError):
    """What is wrong with a text or file, in our own words; who knows where it comes from makes a sentence of it."""


def words_of(problem: Exception) -> str:
    """The words of an error of ours; not those of a library's, which quote what could not be read, and that may be a secret."""
    return str(problem) if isinstance(problem, (Unreadable, GatewayError)) else "cannot be understood"


def failure(problem: Exception) -> Dict[str, Any]:
    """How a failed task reports it.

    What nobody has foreseen is told by its type and place, an error of the system by its number: their texts may hold anything.
    """
    if isinstance(problem, OSError):
        problem = SystemFailed(problem.errno or 0, _place(problem))
    if isinstance(problem, GatewayError):
        return {"msg": problem.message, "code": problem.code, "option": problem.option, "remedy": problem.remedy,
                "help": help_for(problem.code, problem.option), "retryable": problem.retryable}
    return {"msg": f"internal error: {type(problem).__name__} at {_place(problem)}; please report it with the task's options",
            "code": "internal", "option": "", "remedy": REMEDIES["internal"], "help": help_for("internal"), "retryable": False}


def _place(problem: Exception) -> str:
    """File and line that an exception comes from."""
    frame = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"


def help_for(code: str, option: str = "") -> str:
    """Where the documentation tells about a kind of failure: at its option, where the reference of messages has a section about that.

    Args:
        option: as errors name it, such as ``forwards[3].public_port``.
    """
    name = re.sub(r"^(.*\[\d+\]\.|.*: )", "", option)
    if code != InvalidInput.code or name not in OPTIONS:
        return _section("errors", f"code-{code}")
    return _section("errors", f"option-{name}")


def help_for_part(part: str, status: str) -> str:
    """Where the documentation tells what to do about a part of the health that is not ok."""
    return _section("troubleshooting", f"health-{part}-{status}")


def _section(page: str, title: str) -> str:
    """The address of a section; docutils makes its id of its title so."""
    return f"{DOCUMENTATION}/{page}.html#{re.sub('[^a-z0-9]+', '-', title)}"


def shown(value: object) -> str:
    """How a rejected value is shown: quoted, with no control character, cut to a readable length."""
    try:
        text = repr(value)
    except RecursionError:      # a few levels less than what the JSON parser refuses
        text = "(nested too deeply to be shown)"
    return text if len(text) <= SHOWN_VALUE_LIMIT else text[: SHOWN_VALUE_LIMIT - 3] + "..."


def named(option: str) -> str:
    """The name of an option, which may be the user's own word: with no control character, cut to a readable length."""
    text = printable(option)
    return text if len(text) <= SHOWN_VALUE_LIMIT else text[: SHOWN_VALUE_LIMIT - 3] + "..."


def printable(words: str) -> str:
    """Words on one line, with no control character: names in it may come from files and tools of others."""
    return words if words.isprintable() else "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in words)


def shortened(message: str) -> str:
    """A message of readable length, with its remedy: somebody's path or list in it may be as long as he likes."""
    if len(message) > LONGEST_WORD:
        message = _WORD.sub(lambda word: f"{word[0][:LONGEST_WORD - 3]}...", message)
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE // 2]} ... {message[5 - LONGEST_MESSAGE // 2:]}"


def first_line(text: str) -> str:
    """The first line that says something; a program may quote the key that it was given."""
    found = _KEY.sub("(a key)", next((line.strip() for line in text.splitlines() if line.strip()), "it gave no reason"))
    return found if len(found) <= REASON_LIMIT else found[: REASON_LIMIT - 3] + "..."

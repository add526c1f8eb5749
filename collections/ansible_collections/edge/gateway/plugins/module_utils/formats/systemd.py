# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd tells about a unit, and the files that it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping

from ..errors import MISSING, InvalidInput
from ..models import fields

# what "systemctl show" is asked for
PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "Result", "MainPID", "NeedDaemonReload",
              "ExecMainStartTimestampMonotonic", "InvocationID")
# what systemd takes a backslash away from between double quotes (env-file.c)
_SPECIAL = re.compile(r'(["\\`$])')


@dataclass(frozen=True)
class UnitStatus:
    """One unit as systemd knows it; all defaults where systemd does not know it, or does not run.

    Attributes:
        started: seconds of the monotonic clock at which the main process was started, 0 for never.
        stale: whether the file of the unit was changed and systemd has not read it since.
        result: why it is not active, such as ``exit-code`` or ``timeout``.
        invocation: id of its latest start in the journal.
    """

    loaded: bool = False
    active: bool = False
    at_boot: bool = False
    main_pid: int = 0
    started: float = 0.0
    stale: bool = False
    result: str = ""
    invocation: str = ""


def parse_status(text: str) -> UnitStatus:
    """The output of ``systemctl show`` with :data:`PROPERTIES`."""
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    return UnitStatus(
        loaded=values.get("LoadState") == "loaded", active=values.get("ActiveState") == "active",
        at_boot=values.get("UnitFileState") == "enabled", main_pid=_number(values, "MainPID"),
        started=_number(values, "ExecMainStartTimestampMonotonic") / 1e6, stale=values.get("NeedDaemonReload") == "yes",
        result=values.get("Result", ""), invocation=values.get("InvocationID", ""))


def _number(values: Mapping[str, str], name: str) -> int:
    words = values.get(name, "")
    return int(words) if fields.matches(r"[0-9]{1,18}", words) else 0


def environment_file(option: str, variables: Mapping[str, object]) -> str:
    """The lines of an EnvironmentFile (systemd.exec(5)), sorted, every value between double quotes.

    Raises:
        InvalidInput: a name or a value that such a file cannot hold. The value is not part of the message.
    """
    lines = []
    for name, value in sorted(variables.items()):
        if not isinstance(name, str) or not fields.matches(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
            raise InvalidInput(option, name, "is not a name of an environment variable; use letters, digits and '_'")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise InvalidInput(f"{option}.{name}", MISSING, "has a value that is neither text nor a number; quote it")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", str(value)):
            raise InvalidInput(f"{option}.{name}", MISSING, "has a value with a newline or another control character; take it out")
        escaped = _SPECIAL.sub(r"\\\1", str(value))
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)

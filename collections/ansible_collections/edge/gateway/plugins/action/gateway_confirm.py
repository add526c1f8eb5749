# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a new connection to confirm a change, and waits for the host to return when that is not possible."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any, Dict, Optional

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# for the host to bring back how it stood, and for its services to start
RETURN_SECONDS = 60
PAUSE_SECONDS = 1.0


def run_token() -> str:
    """The process that all tasks of this run have in common; in a container its number alone is the same in every run."""
    number = os.getppid()
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as stream:
        # the name in parentheses may hold spaces; its start, in ticks since the boot, is field 22 (proc(5))
        return f"{socket.gethostname()}-{number}-{stream.read().rpartition(')')[2].split()[19]}"
    return f"{socket.gethostname()}-{number}"


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of this name."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the module; to confirm, by a connection of its own."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        arguments.setdefault("token", run_token())
        if arguments.get("state") == "armed":
            return {**result, **self._execute_module(module_args=arguments, task_vars=task_vars)}
        return {**result, **self._by_a_new_connection(arguments, task_vars)}

    def _by_a_new_connection(self, arguments: Dict[str, Any], task_vars: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        """Try until the host must have returned; what is reached then says what has happened."""
        deadline = time.monotonic() + float(arguments.get("timeout") or 120) + RETURN_SECONDS
        while True:
            begun = time.monotonic()
            try:
                # a connection that is open already outlives a rule that lets no new one in
                with contextlib.suppress(AnsibleError):
                    self._connection.reset()
                return dict(self._execute_module(module_args=arguments, task_vars=task_vars))
            except AnsibleConnectionFailure as problem:
                # a try may take longer than all that is left: the last one begins when the host must have returned
                if begun > deadline:
                    raise
                Display().warning(f"no new connection: {str(problem).strip().splitlines()[-1]}; trying again until the host has returned")
                time.sleep(PAUSE_SECONDS)

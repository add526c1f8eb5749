# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task's result to what programs read: return values without Ansible's own, and errors in one form."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ansible_collections.edge.gateway.plugins.module_utils.errors import help_for, remedy_in

SCHEMA = 1
# what Ansible adds to the return values of a module
BESIDE = {"invocation", "ansible_facts", "warnings", "deprecations", "failed", "skipped", "item", "ansible_loop_var", "attempts",
          "module_stdout", "module_stderr", "exception"}
UNKNOWN_REMEDY = "see the message, correct that and run again"


def values_of(result: Mapping[str, Any], with_diff: bool) -> Dict[str, Any]:
    """The return values of a module, plain enough for JSON."""
    return {name: value for name, value in result.items()
            if name not in BESIDE and not name.startswith("_ansible") and (with_diff or name != "diff")}


def error_of(result: Mapping[str, Any], task: str) -> Dict[str, Any]:
    """A failed task as an error.

    Modules of this collection say all of it. Others say only a message; what they are about is not guessed.
    """
    message = str(result.get("msg") or "the task failed")
    return {"code": str(result.get("code") or "task_failed"), "option": str(result.get("option") or ""), "message": message,
            "remedy": str(result.get("remedy") or remedy_in(message) or UNKNOWN_REMEDY),
            "help": str(result.get("help") or help_for("task_failed")), "retryable": bool(result.get("retryable", False)), "task": task}

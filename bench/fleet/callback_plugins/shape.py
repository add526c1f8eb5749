# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down the tasks of a run: what each was, on how many hosts it ran, and how long it took."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: shape
type: aggregate
short_description: Write down the tasks of a run
description:
  - Writes a list of tasks, in the order in which they ran, into the file that the environment variable FLEET_SHAPE names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Counts results by task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "shape"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.tasks: List[Dict[str, Any]] = []
        self.began = 0.0

    def _close(self) -> None:
        if self.tasks:
            self.tasks[-1]["seconds"] = time.monotonic() - self.began

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins; the one before it has ended."""
        self._close()
        self.began = time.monotonic()
        self.tasks.append({"name": task.get_name(), "action": task.action.rpartition(".")[2], "collection": task.action.rpartition(".")[0],
                           "ok": 0, "skipped": 0, "seconds": 0.0})

    def v2_runner_on_ok(self, result: Any) -> None:
        """It ran on a host."""
        self.tasks[-1]["ok"] += 1

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Its condition was false on a host."""
        self.tasks[-1]["skipped"] += 1

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run is over."""
        self._close()
        Path(os.environ["FLEET_SHAPE"]).write_text(json.dumps(self.tasks))

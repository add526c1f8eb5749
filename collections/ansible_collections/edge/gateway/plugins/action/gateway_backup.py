# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the host hand over its files, and keeps them encrypted on the control node; see ``plugin_utils.backup_action``."""

from __future__ import annotations

import secrets
from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive, sealed
from ansible_collections.edge.gateway.plugins.plugin_utils.backup_action import BackupAction


class ActionModule(BackupAction):
    """The action of this name."""

    options: spec.Spec = {"encrypt": {"type": "bool", "default": True}}

    def act(self, given: Dict[str, Any], node: str, task_vars: Dict[str, Any]) -> Dict[str, Any]:
        """What can be told here is told before the host is asked."""
        backup = self.backup(given, node, encrypt=given["encrypt"])
        backup.load()
        key = secrets.token_bytes(32)
        asked = {**{name: given[name] for name in ("interface", "dynamic_dir")}, "node": node, "_key": key.hex()}
        result: Dict[str, Any] = self._execute_module(module_name="edge.gateway.gateway_backup", module_args=asked, task_vars=task_vars)
        text = result.pop("sealed", None)
        if text is None:
            return result
        try:
            found = archive.parse(sealed.opened(text, key), backup.places, node)
        except ValueError:
            raise StateRefused(f"the answer of {node} was damaged on its way; run again", node) from None
        backup.fresh = found
        outcome = converge(backup, lambda current: dict(found.files), dry_run=bool(self._task.check_mode))
        warnings = result.pop("warnings", []) + ([] if given["encrypt"] else [
            f"{backup.path} is not encrypted: who can read it can be this edge, and has the keys of its certificates"])
        return {**result, **outcome.as_dict(), "warnings": warnings, "path": backup.path, "node": node}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decrypts and checks a backup on the control node, and has the host put its files in place; see ``plugin_utils.backup_action``."""

from __future__ import annotations

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import spec
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive, listing
from ansible_collections.edge.gateway.plugins.plugin_utils.backup_action import BackupAction


class ActionModule(BackupAction):
    """The action of this name."""

    options: spec.Spec = {"force": {"type": "bool", "default": False}}

    def act(self, given: Dict[str, Any], node: str, task_vars: Dict[str, Any]) -> Dict[str, Any]:
        """The host checks it once more: it believes nobody."""
        backup = self.backup(given, node)
        packed = listing.packed(archive.render(backup.archive()).encode())
        asked = {**{name: given[name] for name in ("interface", "dynamic_dir", "force")}, "node": node, "_packed": packed}
        result: Dict[str, Any] = self._execute_module(module_name="edge.gateway.gateway_restore", module_args=asked, task_vars=task_vars)
        return {**result, "path": backup.path}

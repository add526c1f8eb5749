# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what a backup holds, without asking the host; see ``plugin_utils.backup_action``."""

from __future__ import annotations

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils.models.archive import TRAEFIK
from ansible_collections.edge.gateway.plugins.plugin_utils.backup_action import BackupAction


class ActionModule(BackupAction):
    """The action of this name."""

    def act(self, given: Dict[str, Any], node: str, task_vars: Dict[str, Any]) -> Dict[str, Any]:
        """Read, decrypt and check it."""
        backup = self.backup(given, node)
        found = backup.archive()
        files = [{"path": item.path, "mode": f"{item.mode:04o}", "owner": item.owner, "group": item.group, "sha256": item.digest}
                 for _path, item in sorted(found.files.items())]
        return {"changed": False, "path": backup.path, "node": found.node, "taken": found.taken, "files": files,
                "traefik": any(TRAEFIK in (item.owner, item.group) for item in found.files.values())}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries a long list to the host as one file: as options of a task, ten thousand objects cost Ansible seconds."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

NOUN = "forwards"
# from about here on carrying a file is cheaper than checking options one by one
LONG_LIST = 100


class ActionModule(ActionBase):  # type: ignore[misc]
    """Sends ``src``, or a long list, ahead of the module and has it read there."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the module."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            self._carry(arguments)
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        except AnsibleError as problem:
            result.update(failed=True, msg=str(problem), code="invalid_input", option="src")
        finally:
            if self._connection._shell.tmpdir is not None:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _carry(self, arguments: Dict[str, Any]) -> None:
        """Put the list into a file of the host, and its path in its place."""
        src, entries = arguments.get("src"), arguments.get(NOUN)
        if src and not boolean(arguments.get("remote_src", False), strict=False):
            path = self._loader.get_real_file(self._find_needle("files", src))
            remote = self._remote(os.path.basename(src))
            self._transfer_file(path, remote)
        elif not src and isinstance(entries, list) and len(entries) > LONG_LIST and "forward_id" not in arguments:
            remote = self._remote(f"{NOUN}.json")
            self._transfer_data(remote, json.dumps(entries))
            del arguments[NOUN]
        else:
            return
        self._fixup_perms2((self._connection._shell.tmpdir, remote), execute=False)
        arguments.update(src=remote, remote_src=True)

    def _remote(self, name: str) -> str:
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        path: str = self._connection._shell.join_path(self._connection._shell.tmpdir, name)
        return path

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries a long list to the host as one text: as options of a task, ten thousand objects cost Ansible seconds."""

from __future__ import annotations

import contextlib
import gc
import json
import os
from typing import Any, Dict, Optional

from ansible.errors import AnsibleError, AnsibleFileNotFound
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.edge.gateway.plugins.module_utils.formats.listing import packed, unpacked

# from about here on carrying a text is cheaper than checking options one by one
LONG_LIST = 100


class CarriedList(ActionBase):  # type: ignore[misc]
    """Reads ``src`` here, or writes a long list down, and sends the text along with the module: no file, no extra round trip.

    Attributes:
        noun: the option that takes the list.
        single: the option that names one object instead.
    """

    noun = ""
    single = ""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the module."""
        collecting = gc.isenabled()
        # packing a module makes many objects and no garbage; looking for some among all that Ansible holds is a third of that time
        gc.disable()
        try:
            return self._run(super().run(tmp, task_vars), task_vars)
        finally:
            if collecting:
                gc.enable()

    def _run(self, result: Dict[str, Any], task_vars: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        try:
            arguments = self._carried(dict(self._task.args))
        except AnsibleFileNotFound:
            return self._refused(result, "was not found beside the playbook or in its folder files; correct the path")
        except (AnsibleError, OSError, ValueError) as problem:
            return self._refused(result, f"cannot be read ({str(problem).splitlines()[0]}); correct that")
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        ids = result.pop("packed_ids", None)
        return result if ids is None else {**result, **json.loads(unpacked(ids))}

    def _refused(self, result: Dict[str, Any], why: str) -> Dict[str, Any]:
        return {**result, "failed": True, "msg": f"src {str(self._task.args['src'])!r} {why}", "code": "invalid_input", "option": "src"}

    def _carried(self, arguments: Dict[str, Any]) -> Dict[str, Any]:
        """The arguments, with the list as a text."""
        src, entries = arguments.get("src"), arguments.get(self.noun)
        if src and not boolean(arguments.get("remote_src", False), strict=False):
            with open(self._loader.get_real_file(self._find_needle("files", src)), "rb") as stream:
                return {**arguments, "src": os.path.basename(src), "_packed": packed(stream.read())}
        if not src and isinstance(entries, list) and len(entries) > LONG_LIST and self.single not in arguments:
            # what JSON does not know (a date, something out of a vault) Ansible itself can carry, if slowly
            with contextlib.suppress(TypeError, ValueError):
                text = json.dumps(entries)
                del arguments[self.noun]
                return {**arguments, "src": f"{self.noun}.json", "_packed": packed(text.encode())}
        return arguments

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
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.formats.listing import packed, unpacked
from ansible_collections.edge.gateway.plugins.plugin_utils.request import CheckedRequest

# from about here on carrying a text is cheaper than checking options one by one
LONG_LIST = 100


class CarriedList(CheckedRequest):
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
            return super().run(tmp, task_vars)
        finally:
            if collecting:
                gc.enable()

    def prepare(self, arguments: Dict[str, Any]) -> Dict[str, Any]:
        """The arguments, with the list as a text."""
        try:
            return self._carried(arguments)
        except AnsibleFileNotFound:
            raise self._refused("was not found beside the playbook or in its folder files; correct the path") from None
        except (AnsibleError, OSError) as problem:
            raise self._refused(f"cannot be read ({str(problem).splitlines()[0]}); correct that") from None
        except ValueError:
            raise self._refused("is no name that a file can have; correct the path") from None

    def report(self, result: Dict[str, Any]) -> Dict[str, Any]:
        """The result, with the lists of ids unpacked."""
        ids = result.pop("packed_ids", None)
        return result if ids is None else {**result, **json.loads(unpacked(ids))}

    def _refused(self, why: str) -> InvalidInput:
        return InvalidInput("src", str(self._task.args["src"]), why)

    def _carried(self, arguments: Dict[str, Any]) -> Dict[str, Any]:
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

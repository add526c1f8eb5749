# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own program on a host: the code of the run that installs it, so that both do the same."""

from __future__ import annotations

import pkgutil
import sys
from typing import Dict, List

from ..models.config_file import ConfigFile, ConfigFiles, Wish
from .config_files import ConfigFileEngine

# a directory of its own: others put files into the one above, and what check mode foresees of it must not depend on them
ROOT = "/usr/local/lib/edge-gateway/program"
PACKAGE = f"{ROOT}/edge_gateway"
PROGRAM = f"{ROOT}/edge-gateway"
NOTICE = "# Written by edge.gateway.gateway_program."
LAYERS = ("engines", "formats", "models")
# what only a module needs, which Ansible runs
ANSIBLE = ("entry", "spec")
START = """#!{python} -I
{notice}
import sys

sys.path.insert(0, "{root}")
from edge_gateway.upkeep import main

sys.exit(main())
"""


def beside(wish: Wish) -> Wish:
    """What a task asks for, and beside it the program."""
    return Wish({**_files(), **wish.wanted}, wish.absent)


class ProgramEngine(ConfigFileEngine):
    """Those files, of which people are told as of one."""

    def explain(self, before: ConfigFiles, after: ConfigFiles, named: List[str], parts: List[str]) -> List[str]:
        """The program counts as one object."""
        others = [path for path in named if not path.startswith(f"{PACKAGE}/")]
        lines = super().explain(before, after, others, parts)
        return lines if len(others) == len(named) else ["brings the program of the timers up to date", *lines]


def _files() -> ConfigFiles:
    """The files of the program: those modules of this package that the running module came with.

    Ansible sends a module with all that it imports, now or later, in a zip archive; Python can give the text back.
    """
    found: Dict[str, ConfigFile] = {path: ConfigFile(path, 0o755, "root", None) for path in (
        ROOT, PACKAGE, *(f"{PACKAGE}/{layer}" for layer in LAYERS))}
    base = __name__.rpartition(".engines.")[0]
    texts = {}
    for layer in ("", *LAYERS):
        package, folder = (f"{base}.{layer}", f"{PACKAGE}/{layer}") if layer else (base, PACKAGE)
        texts[f"{folder}/__init__.py"] = ""
        for info in pkgutil.iter_modules(sys.modules[package].__path__):
            if not info.ispkg and info.name not in ANSIBLE:
                texts[f"{folder}/{info.name}.py"] = (pkgutil.get_data(package, f"{info.name}.py") or b"").decode()
    texts[PROGRAM] = START.format(python=sys.executable, notice=NOTICE, root=ROOT)
    for path, text in texts.items():
        # shown as a digest: ten thousand lines of code are no news to anybody
        found[path] = ConfigFile(path, 0o755 if path == PROGRAM else 0o644, "root", text, secret=True)
    return found

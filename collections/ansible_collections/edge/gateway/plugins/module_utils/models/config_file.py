# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories that a role puts on a host, root's own, with a group that may read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional

from ..errors import InvalidInput
from . import fields

ConfigFiles = Dict[str, "ConfigFile"]


@dataclass(frozen=True)
class ConfigFile:
    """One file, or a directory when ``content`` is None. The owner that is wanted is always root."""

    path: str
    mode: int
    group: str
    content: Optional[str]
    owner: str = "root"

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> ConfigFile:
        """Build a file or directory from task parameters, with a prefix for option names in errors."""
        path = fields.text(where + "path", params.get("path"))
        if not fields.matches(r"(/[A-Za-z0-9@._-]+)+", path) or "/../" in f"{path}/":
            raise InvalidInput(where + "path", path, "is not a plain absolute path; correct it")
        mode = fields.text(where + "mode", params.get("mode"))
        if not fields.matches(r"0[0-7]{3}", mode) or int(mode, 8) & 0o022:
            raise InvalidInput(where + "mode", mode, "is not a mode like 0644 that lets only root write; correct it")
        group = fields.text(where + "group", params.get("group") or "root")
        if not fields.matches(r"[a-z_][a-z0-9_-]{0,31}", group):
            raise InvalidInput(where + "group", group, "is not a valid group name; correct it")
        return cls(path, int(mode, 8), group, params.get("content"))

    def __str__(self) -> str:
        head = f"{'directory' if self.content is None else 'file'} {self.mode:04o} {self.owner}:{self.group}"
        lines = (self.content or "").splitlines()
        return "\n".join([head, *(f"  {line}" for line in lines)])


def edit_of(params: Mapping[str, Any]) -> Callable[[ConfigFiles], ConfigFiles]:
    """The edit that a task asks for: these files and directories are there, nothing else is looked at."""
    wanted: ConfigFiles = {}
    for option in ("directories", "files"):
        for number, entry in enumerate(params[option]):
            item = ConfigFile.parse(entry, f"{option}[{number}].")
            if item.path in wanted:
                raise InvalidInput(f"{option}[{number}].path", item.path, "is named twice; keep one of the two")
            wanted[item.path] = item
    return lambda current: dict(wanted)


def parents_first(items: ConfigFiles) -> List[ConfigFile]:
    """The items in an order in which they can be created."""
    return [items[path] for path in sorted(items, key=lambda path: (items[path].content is not None, path))]

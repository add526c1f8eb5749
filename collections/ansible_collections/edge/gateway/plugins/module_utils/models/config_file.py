# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories that a role puts on a host, root's own, with a group that may read them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Mapping, Optional

from ..errors import MISSING, InvalidInput
from . import fields

ConfigFiles = Dict[str, "ConfigFile"]

FINGERPRINT_LENGTH = 8


@dataclass(frozen=True)
class ConfigFile:
    """One file, or a directory when ``content`` is None. The owner that is wanted is always root.

    Attributes:
        secret: whether the content must never be shown; a description then has a fingerprint in its place.
    """

    path: str
    mode: int
    group: str
    content: Optional[str] = field(repr=False)
    owner: str = "root"
    # how a file is shown is no property of the file on the host
    secret: bool = field(default=False, compare=False)

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> ConfigFile:
        """Build a file or directory from task parameters, with a prefix for option names in errors."""
        path = plain_path(where + "path", params.get("path"))
        mode = fields.text(where + "mode", params.get("mode"))
        if not fields.matches(r"0[0-7]{3}", mode) or int(mode, 8) & 0o022:
            raise InvalidInput(where + "mode", mode, "is not a mode like 0644 that lets only root write; correct it")
        group = fields.text(where + "group", params.get("group") or "root")
        if not fields.matches(r"[a-z_][a-z0-9_-]{0,31}", group):
            raise InvalidInput(where + "group", group, "is not a valid group name; correct it")
        content, secret = params.get("content"), params.get("secret_content")
        if content is not None and secret is not None:
            raise InvalidInput(where + "secret_content", MISSING, "stands beside content; keep one of the two")
        return cls(path, int(mode, 8), group, content if secret is None else secret, secret=secret is not None)

    def __str__(self) -> str:
        head = f"{'directory' if self.content is None else 'file'} {self.mode:04o} {self.owner}:{self.group}"
        lines = (self.content or "").splitlines()
        if self.secret:
            digest = hashlib.sha256((self.content or "").encode()).hexdigest()
            lines = [f"({len(lines)} secret lines, sha256 {digest[:FINGERPRINT_LENGTH]}...)"]
        return "\n".join([head, *(f"  {line}" for line in lines)])


def plain_path(option: str, value: object) -> str:
    """An absolute path that says where it leads."""
    path = fields.text(option, value)
    if not fields.matches(r"(/[A-Za-z0-9@._-]+)+", path) or "/../" in f"{path}/":
        raise InvalidInput(option, path, "is not a plain absolute path; correct it")
    return path


@dataclass(frozen=True)
class Wish:
    """What a task asks for: these files and directories are there, those files are not, nothing else is looked at."""

    wanted: ConfigFiles
    absent: FrozenSet[str] = frozenset()

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> Wish:
        """Build it from the options ``directories``, ``files`` and ``absent``."""
        wanted: ConfigFiles = {}
        for option in ("directories", "files"):
            for number, entry in enumerate(params[option]):
                item = ConfigFile.parse(entry, f"{option}[{number}].")
                if option == "files" and item.content is None:
                    raise InvalidInput(f"{option}[{number}].content", MISSING, "is missing; give it, or secret_content")
                if item.path in wanted:
                    raise InvalidInput(f"{option}[{number}].path", item.path, "is named twice; keep one of the two")
                wanted[item.path] = item
        absent = frozenset(plain_path(f"absent[{number}]", path) for number, path in enumerate(params.get("absent") or []))
        for path in sorted(absent & set(wanted)):
            raise InvalidInput("absent", path, "is named under files too; keep one of the two")
        return cls(wanted, absent)

    def edit(self, current: ConfigFiles) -> ConfigFiles:
        """What is there afterwards, of the paths that are looked at."""
        return dict(self.wanted)


def parents_first(items: ConfigFiles) -> List[ConfigFile]:
    """The items in an order in which they can be created."""
    return [items[path] for path in sorted(items, key=lambda path: (items[path].content is not None, path))]

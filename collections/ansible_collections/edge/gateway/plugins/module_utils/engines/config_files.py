# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories that a role puts on a host. The file system is both the state and the system."""

from __future__ import annotations

import stat
from typing import Mapping, Optional

from ..errors import InvalidInput, StateRefused
from ..host import Host
from ..models.config_file import ConfigFile, ConfigFiles, Wish, parents_first
from .base import BaseEngine


class ConfigFileEngine(BaseEngine[ConfigFile]):
    """The given paths of one host; no other path is ever looked at."""

    def __init__(self, host: Host, wish: Wish) -> None:
        super().__init__(host)
        self.wish = wish
        self.paths = sorted({*wish.wanted, *wish.absent})
        self.secret = {path for path, item in wish.wanted.items() if item.secret}

    def load(self) -> ConfigFiles:
        """What stands at the paths."""
        return {path: item for path in self.paths for item in [self._look(path)] if item}

    def _look(self, path: str) -> Optional[ConfigFile]:
        status = self.host.mode(path)
        if status is None:
            return None
        text = None if stat.S_ISDIR(status.st_mode) else (self.host.read(path) or b"").decode("utf-8", "replace")
        owner = "root" if status.st_uid == 0 else str(status.st_uid)
        return ConfigFile(path, stat.S_IMODE(status.st_mode), self.host.group_name(status.st_gid), text, owner, path in self.secret)

    def read(self) -> Mapping[str, object]:
        """The same as :meth:`load`: a file is in effect as it stands."""
        return dict(self.load())

    def render(self, items: ConfigFiles) -> Mapping[str, object]:
        """A file is wanted as it is."""
        return dict(items)

    def check(self, before: ConfigFiles, after: ConfigFiles) -> None:
        """Refuse to turn a file into a directory or back, and files without a directory to be in."""
        for path, item in after.items():
            parent = path.rpartition("/")[0]
            if item.content is not None and parent not in after and self.host.mode(parent) is None:
                raise InvalidInput("path", path, f"has no directory; name {parent} under directories too")
            if path in before and (before[path].content is None) != (item.content is None):
                raise StateRefused(f"{path} is a {'directory' if item.content is not None else 'file'} on this host; "
                                   "move it away and run again", path)

    def ready(self, after: ConfigFiles) -> None:
        """Raise when a group does not exist."""
        for item in after.values():
            if self.host.group_id(item.group) is None:
                raise InvalidInput("group", item.group, f"of {item.path} does not exist on this host; create it first")

    def write(self, before: ConfigFiles, after: ConfigFiles) -> None:
        """Directories first, then the files that differ; a path that is no longer wanted goes (a failed run's)."""
        live = self.load()
        for item in parents_first(after):
            if live.get(item.path) == item:
                continue
            gid = self.host.group_id(item.group) or 0
            if item.content is None:
                self.host.set_directory(item.path, item.mode, gid)
            else:
                directory, _slash, name = item.path.rpartition("/")
                self.host.write_all(directory, {name: item.content}, item.mode, gid)
        for item in reversed(parents_first({path: item for path, item in live.items() if path not in after})):
            (self.host.remove_directory if item.content is None else self.host.remove)(item.path)

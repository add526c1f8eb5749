# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private keys of an interface, which are made on the host and never leave it."""

from __future__ import annotations

import stat
from typing import Callable, Dict, Mapping

from ..formats import wireguard
from ..host import Host
from .base import BaseEngine
from .interface import SECRET_MODE, Interface

KEY, NEXT_KEY = "key", "next key"
Keys = Dict[str, str]


class KeyEngine(BaseEngine[str]):
    """The key of one interface, and the one that is to take its place."""

    def __init__(self, host: Host, interface: str, config_dir: str) -> None:
        super().__init__(host)
        self.interface = Interface(host, interface, config_dir, wireguard.JOIN)
        self.files = {KEY: self.interface.key_file, NEXT_KEY: self.interface.next_key_file}

    def load(self) -> Keys:
        """The keys that there are."""
        return {name: path for name, path in self.files.items() if self.host.mode(path) is not None}

    def read(self) -> Mapping[str, object]:
        """Modes of their files."""
        return {name: stat.S_IMODE(status.st_mode) for name, path in self.files.items() for status in [self.host.mode(path)] if status}

    def render(self, items: Keys) -> Mapping[str, object]:
        """The mode that they should have."""
        return dict.fromkeys(items, SECRET_MODE)

    def check(self, before: Keys, after: Keys) -> None:
        """Read them: a file that holds no key is refused, never replaced."""
        self.public_keys()

    def ready(self, after: Keys) -> None:
        """Raise without the tool that makes them."""
        self.host.need("wg", "wireguard-tools")

    def write(self, before: Keys, after: Keys) -> None:
        """Make what is missing, and close what others could read."""
        for name in after:
            key = self.interface.make_key(upcoming=name == NEXT_KEY)
            self.host.write(self.files[name], key + "\n", SECRET_MODE)

    def public_keys(self) -> Dict[str, str]:
        """The public keys, empty where there is no private one yet."""
        return {"public_key": self.interface.public_key(self.interface.private_key()), "next_public_key": self.interface.next_public_key()}


def edit_of(next_key: bool, files: Mapping[str, str]) -> Callable[[Keys], Keys]:
    """The edit that a task asks for: a key, and on request the next one too."""
    names = [KEY, NEXT_KEY] if next_key else [KEY]
    return lambda current: {**current, **{name: files[name] for name in names}}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON file of wanted objects with a schema version: never half-written, never read as "nothing" when it is damaged."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

from ..errors import GatewayError, StateRefused, words_of
from ..formats import state_file
from ..formats.state_file import SCHEMA, Item
from ..formats.strict_json import dump_rows
from ..host import Host


class Store:
    """One state file and its previous version beside it.

    Args:
        directory: the state directory; created with mode 0700.
        name: the file's name; the previous version has ``.prev`` behind it.
        noun: the key under which the list of objects stands.
    """

    def __init__(self, host: Host, directory: str, name: str, noun: str) -> None:
        self.host, self.directory, self.noun = host, directory, noun
        self.path = f"{directory}/{name}"
        self.previous = f"{self.path}.prev"

    def exists(self) -> bool:
        """Whether there is a state file."""
        return self.host.mode(self.path) is not None

    def load(self, parse: Callable[[Mapping[str, Any]], Item], name_of: Callable[[Item], str]) -> Dict[str, Item]:
        """The objects by id; empty on a host that never had any.

        Raises:
            StateRefused: the file is missing though there was one, or holds what we did not write.
        """
        data = self.host.read(self.path, own=True)
        if data is None:
            if self.host.mode(self.previous) is not None:
                raise self.refused("is missing")
            return {}
        try:
            return state_file.parse(data, self.noun, parse, name_of)
        except ValueError as problem:
            raise self.refused(words_of(problem)) from None
        except GatewayError as problem:
            raise self.refused(f"holds an invalid entry: {problem.message}") from None

    def refused(self, reason: str) -> StateRefused:
        """The error for a file that is not what we wrote, with the way to recover."""
        return StateRefused(f"{self.path} {reason}; nothing was changed, restore it (the version before is "
                            f"{self.previous}) or move both away to start with nothing", self.path)

    def save(self, entries: List[Dict[str, Any]]) -> None:
        """Replace the file; what stood there becomes the previous version."""
        self.host.make_directory(self.directory)
        text = dump_rows(self.noun, entries, schema=SCHEMA).encode()
        current = self.host.read(self.path)
        # a repair, or taking a failed change back, must not push a good version out
        if current is not None and text not in (current, self.host.read(self.previous)):
            self.host.write(self.previous, current.decode("utf-8", "replace"))
        if text != current:
            self.host.write(self.path, text.decode())

    def clear(self) -> None:
        """Remove both versions: nothing was ever asked for."""
        self.host.remove(self.previous)
        self.host.remove(self.path)

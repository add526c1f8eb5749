# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State files: a JSON object with a schema version and a list of objects, ``{"forwards": [...], "schema": 1}``."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Protocol, TypeVar

from ..errors import Unreadable, shown
from ..models.fields import as_written, is_version
from .strict_json import parse_object

SCHEMA = 1


class Entry(Protocol):
    """An object that can be kept."""

    def as_dict(self) -> Dict[str, Any]:
        """The object as it is written."""


Item = TypeVar("Item", bound=Entry)


def parse(data: bytes, noun: str, parse_entry: Callable[[Mapping[str, Any]], Item], name_of: Callable[[Item], str]) -> Dict[str, Item]:
    """The objects of a state file by name.

    Args:
        noun: the key under which the list stands.

    Raises:
        ValueError: not such a file, or not as we write it.
        GatewayError: an entry is invalid.
    """
    document = parse_object(data)
    entries = document.get(noun)
    schema = document.get("schema")
    if not is_version(schema, SCHEMA) or set(document) != {"schema", noun}:
        raise Unreadable(f"has schema {shown(schema)} or unknown parts, this version reads schema {SCHEMA}")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unreadable(f"has no list of {noun}")
    items = [parse_entry(entry) for entry in entries]
    if not all(as_written(entry, item.as_dict()) for entry, item in zip(entries, items)):
        raise Unreadable("holds what this version would not write")
    by_name = {name_of(item): item for item in items}
    if len(by_name) != len(items):
        raise Unreadable("names one object twice")
    return by_name

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of objects in a JSON or YAML file, as ``src`` takes it."""

from __future__ import annotations

from typing import Any, Dict, Hashable, List

from ..errors import InvalidInput
from .strict_json import parse_value

SHAPE = "write a list of objects, or one object that holds the list as {}"


def parse(data: bytes, name: str, noun: str) -> List[Dict[str, Any]]:
    """The entries of a file.

    Args:
        name: the file's name as the user knows it; what ends in ``.yml`` or ``.yaml`` is YAML, all else JSON.
        noun: the key under which the list may stand.

    Raises:
        InvalidInput: not such a file.
    """
    try:
        value = _yaml(data) if name.lower().endswith((".yml", ".yaml")) else parse_value(data)
    except ValueError as problem:
        raise InvalidInput("src", name, f"{problem}; {SHAPE.format(noun)}") from None
    entries = value.get(noun) if isinstance(value, dict) and set(value) == {noun} else value
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput("src", name, f"holds no list of {noun}; {SHAPE.format(noun)}")
    return entries


def _yaml(data: bytes) -> object:
    try:
        import yaml  # noqa: PLC0415  a host without PyYAML can do all but this
    except ImportError:
        raise ValueError("is YAML, and this host has no PyYAML") from None

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Refuses a repeated name, of which PyYAML would silently take the last."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Dict[Hashable, Any]:
            names = [str(key.value) for key, _value in node.value]
            if len(set(names)) != len(names):
                raise ValueError("has a repeated name")
            found: Dict[Hashable, Any] = super().construct_mapping(node, deep)
            return found

    try:
        return yaml.load(data.decode("utf-8"), Loader)
    except (yaml.YAMLError, UnicodeError, RecursionError, TypeError):
        raise ValueError("is not YAML") from None

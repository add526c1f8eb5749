# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of objects in a JSON or YAML file, as ``src`` takes it."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any, Dict, Hashable, Iterable, List

from ..errors import InvalidInput
from .strict_json import parse_value

DEEPEST = 20
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


def packed(data: bytes) -> str:
    """A list as an argument of a module, or in its result: small, since Ansible sends a module as a program with one long line, which
    Python reads slowly from a pipe, and searches each string of a result for secrets.
    """
    return base64.b64encode(zlib.compress(data, 1)).decode()


def unpacked(text: str) -> bytes:
    """What :func:`packed` has packed."""
    return zlib.decompress(base64.b64decode(text))


def _yaml(data: bytes) -> object:
    try:
        import yaml  # noqa: PLC0415  a host without PyYAML can do all but this
    except ImportError:
        raise ValueError("is YAML, and this host has no PyYAML") from None
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]
        """Takes no more for a number than people do, and refuses a repeated name, of which PyYAML would take the last."""

        yaml_implicit_resolvers: Dict[str, List[Any]] = {}

        def construct_mapping(self, node: Any, deep: bool = False) -> Dict[Hashable, Any]:
            names = [str(key.value) for key, _value in node.value]
            if len(set(names)) != len(names):
                raise ValueError("has a repeated name")
            found: Dict[Hashable, Any] = super().construct_mapping(node, deep)
            return found

    # without these, 22:30 would be the number 1350, 010 would be 8, and 22_015 a port
    for first, resolvers in base.yaml_implicit_resolvers.items():
        Loader.yaml_implicit_resolvers[first] = [item for item in resolvers if not item[0].endswith((":int", ":float", ":timestamp"))]
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"(0|[1-9][0-9]*)\Z", re.ASCII), list("0123456789"))
    try:
        text = data.decode("utf-8")
        _check_depth(yaml.parse(text, base), yaml)
        return yaml.load(text, Loader)
    except (yaml.YAMLError, UnicodeError, RecursionError, TypeError):
        raise ValueError("is not YAML") from None


def _check_depth(events: Iterable[Any], yaml: Any) -> None:
    # PyYAML's C parser goes down on its own stack, which ends the process without a word
    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise ValueError("is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1

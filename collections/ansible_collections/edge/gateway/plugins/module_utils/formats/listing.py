# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of objects in a JSON or YAML file, as ``src`` takes it."""

from __future__ import annotations

import base64
import zlib
from typing import Any, Dict, List

from ..errors import MISSING, InvalidInput, Unreadable, words_of
from . import yaml_text
from .strict_json import parse_value

# as a host reads of a file, see host.MAX_FILE
MOST_BYTES = 32 * 1024 * 1024
PACKED = "is damaged, or too large; call this module by its full name, and leave this option to it"
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
        raise InvalidInput("src", name, f"{words_of(problem)}; {SHAPE.format(noun)}") from None
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
    """What :func:`packed` has packed.

    Raises:
        InvalidInput: it is something else, or more than any file may hold.
    """
    try:
        whole = zlib.decompressobj()
        data = whole.decompress(base64.b64decode(text), MOST_BYTES)
    except (ValueError, zlib.error):
        raise InvalidInput("_packed", MISSING, PACKED) from None
    if not whole.eof:
        raise InvalidInput("_packed", MISSING, PACKED)
    return data


def _yaml(data: bytes) -> object:
    try:
        return yaml_text.load(data.decode("utf-8"))
    except yaml_text.RepeatedName:
        raise Unreadable("has a repeated name") from None
    except yaml_text.TooDeep:
        raise Unreadable("is nested too deeply") from None
    except (yaml_text.NotYaml, UnicodeError):
        raise Unreadable("is not YAML") from None
    except yaml_text.NoParser:
        raise Unreadable("is YAML, and this host has no PyYAML that can read it") from None

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as this collection accepts it from files and networks (RFC 8259, and nothing that parsers disagree about)."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

from ..errors import Unreadable


class _Refused(Unreadable):
    """What parsers disagree about."""


def parse_object(data: bytes) -> Dict[str, Any]:
    """One JSON object.

    Raises:
        ValueError: as :func:`parse_value`, or not an object.
    """
    value = parse_value(data)
    if not isinstance(value, dict):
        raise Unreadable("is not a JSON object")
    return value


def parse_value(data: bytes) -> object:
    """One JSON value.

    Raises:
        ValueError: not UTF-8 (half surrogate pairs included), not JSON, a repeated name, NaN or Infinity,
            an integer of thousands of digits, or nested too deeply.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_no_repetition, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")     # half a surrogate pair cannot be written again
    except RecursionError:
        raise Unreadable("is nested too deeply") from None
    except (UnicodeError, json.JSONDecodeError):
        raise Unreadable("is not JSON") from None
    except _Refused:
        raise
    except ValueError:      # Python says so in words for programmers
        raise Unreadable("holds an integer that is too large") from None
    return value


def dump_rows(noun: str, rows: List[Dict[str, Any]], **rest: Any) -> str:
    """An object that holds a list of objects and a little more: a row to a line, for eyes and for diff."""
    encode = json.JSONEncoder(sort_keys=True).encode      # made once: json.dumps makes a new one for each call
    lines = ",\n".join("  " + encode(row) for row in rows)
    others = "".join(f",\n{json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(rest.items()))
    return f"{{{json.dumps(noun)}: [" + (f"\n{lines}\n" if rows else "") + f"]{others}}}\n"


def _no_repetition(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("has a repeated name")
    return value


def _no_constant(name: str) -> None:
    raise _Refused(f"holds {name}")

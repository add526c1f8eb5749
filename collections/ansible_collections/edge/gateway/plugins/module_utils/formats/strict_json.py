# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as this collection accepts it from files and networks (RFC 8259, and nothing that parsers disagree about)."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple


def parse_object(data: bytes) -> Dict[str, Any]:
    """One JSON object.

    Raises:
        ValueError: not UTF-8 (half surrogate pairs included), not JSON, not an object, a repeated name, NaN or Infinity,
            or nested too deeply.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_no_repetition, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")     # half a surrogate pair cannot be written again
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except (UnicodeError, json.JSONDecodeError):
        raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


def dump(value: Dict[str, Any]) -> str:
    """An object as a file's text, stable in order so that equal values are equal files."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _no_repetition(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("has a repeated name")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"holds {name}")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON from files and networks: nothing that parsers disagree about."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats.strict_json import dump_rows, parse_object


@pytest.mark.parametrize(("data", "expected"), [
    (b"{}", {}),
    (b' {"a": [1, 2.5, null, true, "\\u00e4"]}\n', {"a": [1, 2.5, None, True, "ä"]}),
    ('{"ä": "ö"}'.encode(), {"ä": "ö"}),
    (b'{"a": {"x": 1}, "b": {"x": 1}}', {"a": {"x": 1}, "b": {"x": 1}}),
])
def test_accepted(data: bytes, expected: object) -> None:
    """One object in UTF-8."""
    assert parse_object(data) == expected


@pytest.mark.parametrize("data", [
    b"", b" ", b"null", b"[]", b"[{}]", b'"x"', b"5", b"true", b"<html>", b"{", b'{"a": 1', b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} {}',
    b'{"a": 1}x',
    b'{"a": 1, "a": 2}', b'{"x": {"a": 1, "a": 1}}', b'[{"a": 1, "a": 2}]', b'{"a": 1, "\\u0061": 2}', b'{"a": NaN}', b'{"a": Infinity}',
    b'{"a": -Infinity}', b"\xff\xfe{\x00}\x00", b'{"a": "\xff"}', b'\xef\xbb\xbf{"a": 1}', b"\0" * 100, b'{"a": "\n"}', b'{"a": 01}',
    b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}",
])
def test_refused(data: bytes) -> None:
    """Rubbish is a ValueError with a short reason, whatever it is: never a crash, never the data itself."""
    with pytest.raises(ValueError, match="^[a-zA-Z]") as caught:
        parse_object(data)
    assert len(str(caught.value)) < 50 and str(caught.value).isprintable()


@pytest.mark.parametrize("data", [b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": ["x\\ud800y"]}'])
def test_a_lone_surrogate_is_refused(data: bytes) -> None:
    """Such a string cannot be written back in UTF-8: it would crash later, at the first file or message it reaches."""
    with pytest.raises(ValueError):
        parse_object(data)


@pytest.mark.parametrize("rows", [[], [{"b": "\u00e4\n", "a": 1}], [{"a": 1}, {"a": [True, None]}]])
def test_rows_are_read_back_a_line_each(rows: List[Dict[str, Any]]) -> None:
    """A state file: a changed object is a changed line, equal objects are equal files."""
    text = dump_rows("forwards", rows, schema=1)
    assert parse_object(text.encode()) == {"forwards": rows, "schema": 1}
    assert text == dump_rows("forwards", [dict(reversed(list(row.items()))) for row in rows], schema=1)
    assert text.isascii() and text.endswith("\n") and text.count("\n") == 2 + (len(rows) + 1 if rows else 0)

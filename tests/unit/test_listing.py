# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list in a file: JSON or YAML, bare or under its name, and nothing else."""

from __future__ import annotations

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.formats.listing import parse
from unit.samples import one_sentence

ROWS = [{"forward_id": "a", "public_port": "22:30"}, {"forward_id": "b", "hairpin": True}]


@pytest.mark.parametrize(("name", "text"), [
    ("f.json", '[{"forward_id": "a", "public_port": "22:30"}, {"forward_id": "b", "hairpin": true}]'),
    ("f", '{"forwards": [{"forward_id": "a", "public_port": "22:30"}, {"forward_id": "b", "hairpin": true}]}'),
    ("f.yml", "- {forward_id: a, public_port: '22:30'}\n- {forward_id: b, hairpin: yes}\n"),
    ("F.YAML", "forwards:\n  - &x {forward_id: a, public_port: '22:30'}\n  - forward_id: b\n    hairpin: true\n"),
])
def test_both_languages_and_both_shapes(name: str, text: str) -> None:
    """The name's end tells the language."""
    assert parse(text.encode(), name, "forwards") == ROWS


@pytest.mark.parametrize("words", ["22:30", "0x1f90", "010", "22_015", "1e3", "1.5", "2026-11-23", "+5", "0o17", "0b11"])
def test_only_plain_numbers_are_numbers(words: str) -> None:
    """To YAML 1.1, 22:30 is 1350: it stays the text it is, for the option's own check to refuse."""
    assert parse(f"- public_port: {words}".encode(), "f.yml", "forwards") == [{"public_port": words}]


@pytest.mark.parametrize(("words", "value"), [("22015", 22015), ("0", 0), ("yes", True), ("~", None), ("6000-6010", "6000-6010")])
def test_what_people_write_is_what_they_get(words: str, value: object) -> None:
    """Numbers, truth and nothing."""
    assert parse(f"- x: {words}".encode(), "f.yml", "forwards") == [{"x": value}]


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "- " * 25 + "x"])
def test_nesting_ends_in_a_refusal(text: str) -> None:
    """PyYAML's C code would take the process down."""
    with pytest.raises(InvalidInput):
        parse(text.encode(), "f.yml", "forwards")


def test_an_empty_list_is_a_list() -> None:
    """With purge it removes all."""
    assert parse(b"[]", "f.json", "forwards") == parse(b'{"forwards": []}', "f.json", "forwards") == parse(b"[]", "f.yml", "forwards") == []


@pytest.mark.parametrize(("name", "text"), [
    ("f.json", ""), ("f.json", "{"), ("f.json", "null"), ("f.json", "5"), ("f.json", '"x"'), ("f.json", "{}"), ("f.json", "[1]"),
    ("f.json", '[{"a": 1, "a": 2}]'), ("f.json", '{"forwards": {}}'), ("f.json", '{"forwards": [], "more": 1}'), ("f.json", "[[]]"),
    ("f.json", '{"forward": []}'),
    ("f.json", '[{"a": NaN}]'), ("f.json", "[" * 100_000), ("f.json", "- a: 1"),
    ("f.json", '[{"a": "\\ud800"}]'),
    ("f.yml", ""), ("f.yml", "x"), ("f.yml", "- a: 1\n  a: 2\n"),
    ("f.yml", "- !!python/object/apply:os.system ['true']"), ("f.yml", "- a: b: c"),
    ("f.yml", "- 1"), ("f.yml", "forwards: 5"),
    ("f.yml", "\tx"), ("f.yml", "- {a: *nobody}"), ("f.yml", "[" * 5_000), ("f.yml", "- ? [1]\n  : 2"),
    ("f.yml", "--- [] \n--- []"),
])
def test_anything_else_is_refused(name: str, text: str) -> None:
    """In one sentence that names the file, never with a traceback."""
    with pytest.raises(InvalidInput) as caught:
        parse(text.encode(), name, "forwards")
    assert caught.value.option == "src" and name in one_sentence(caught.value.message)


@pytest.mark.parametrize("name", ["f.json", "f.yml"])
def test_bytes_that_are_no_text_are_refused(name: str) -> None:
    """Whatever they are."""
    with pytest.raises(InvalidInput):
        parse(b"\xff\xfe[\x00]\x00", name, "forwards")

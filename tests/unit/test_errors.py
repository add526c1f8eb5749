# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message for bad input is one sentence that names the option, shows the value and tells what to do."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils import errors
from ansible_collections.edge.gateway.plugins.module_utils.errors import SHOWN_VALUE_LIMIT, GatewayError, InvalidInput, shown
from ansible_collections.edge.gateway.plugins.module_utils.models import answer as answers
from ansible_collections.edge.gateway.plugins.module_utils.models import fields, target
from unit.samples import KEY, one_sentence

Parser = Tuple[Callable[..., Any], Tuple[Any, ...]]
PARSERS: dict[str, Parser] = {
    "text": (fields.text, ()), "identifier": (fields.identifier, ()), "node_id": (fields.node_id, ()), "interface": (fields.interface,
    ()),
    "integer": (fields.integer, (0, 10)), "port": (fields.port, ()), "choice": (fields.choice, (["a", "b"],)),
    "comment": (fields.comment, ()),
    "address": (fields.address, ()), "unicast": (fields.unicast, ()), "network": (fields.network, ()), "key": (fields.key, ()),
    "hostname": (fields.hostname, ()), "url": (target.url, (("http",),)), "endpoint": (target.endpoint, ()),
    "networks": (answers.networks, ()),
}
VALUES = {
    "newlines": "a\nb\r\nc", "separators": "a\u2028b\u2029c\x85d\x0be", "control": "\x1b[31mred\x00\x07", "long": "x" * 10_000,
    "long list": ["y" * 100] * 100,
    "object": {"key\n": "value\n"}, "surrogate": "\ud800", "bytes": b"\n\xff", "none": None, "empty": "", "right to left": "a\u202eb",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("name", PARSERS)
def test_message(name: str, value: object) -> None:
    """One printable line, with the option, a cut value, and a remedy after the problem; or the value is fine."""
    parse, arguments = PARSERS[name]
    try:
        parse("some_option", value, *arguments)
    except InvalidInput as problem:
        message = one_sentence(problem.message)
        assert message.startswith("some_option") and problem.option.startswith("some_option")
        assert shown(value) in message
        assert re.search(r"; |write it like|use |it must be|quote it", message), message
        message.encode()
    else:
        assert name in ("text", "comment") and isinstance(value, str)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_shown_is_short_and_printable(value: object) -> None:
    """Whatever the value is."""
    assert len(shown(value)) <= SHOWN_VALUE_LIMIT and shown(value).isprintable()


def test_words_of_libraries_are_not_told() -> None:
    """They quote what they could not read; our own words do not."""
    assert errors.words_of(errors.Unreadable("is not JSON")) == "is not JSON"
    assert errors.words_of(InvalidInput("mtu", 1, "is small; x")) == "mtu 1 is small; x"
    for parse in (int, ipaddress.ip_address, bytes.fromhex):
        with pytest.raises(ValueError) as caught:
            parse("s3cret")
        assert errors.words_of(caught.value) == "cannot be understood"


def test_a_program_may_quote_the_key_it_was_given() -> None:
    """As wg does with one that it cannot read, and with the line that it stands in."""
    line = f"Key is not the correct length or format: `{KEY}'"
    assert errors.first_line(f"\n{line}\nConfiguration parsing error\n") == "Key is not the correct length or format: `(a key)'"
    assert KEY not in errors.first_line(f"Line unrecognized: `PresharedKey={KEY}'")


def test_shown_never_fails() -> None:
    """What the JSON parser has just accepted may be a few levels too deep for repr() further down the stack."""
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    assert "deep" in one_sentence(InvalidInput("node_ip", deep, "is not a string; quote it").message)


def test_shown_quotes() -> None:
    """Blanks at the ends are visible, and a number can be told from its digits."""
    assert shown(" 22 ") == "' 22 '" and shown(22) == "22" and shown("22") == "'22'"


@pytest.mark.parametrize("kind", [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)
], ids=lambda kind: kind.__name__)
def test_every_kind_has_a_code_of_its_own(kind: type) -> None:
    """Programs tell failures apart by it."""
    kinds = [other for other in vars(errors).values() if isinstance(other, type) and issubclass(other, GatewayError)]
    codes = [other.code for other in kinds]
    assert kind.code in codes and codes.count(kind.code) == 1  # type: ignore[attr-defined]
    assert re.fullmatch(r"[a-z_]+", kind.code)  # type: ignore[attr-defined]


def test_missing_tool_names_the_package() -> None:
    """So that it can be installed."""
    message = one_sentence(errors.MissingTool("nft", "nftables").message)
    assert "nft " in message and "nftables" in message

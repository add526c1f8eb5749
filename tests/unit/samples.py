# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that several unit tests share."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput

KEY = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
OTHER_KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
TOKEN = "s3cret-join-token"
ANSWER: Dict[str, Any] = {
    "node_ip": "10.50.0.5", "controller_pubkey": KEY, "endpoint": "203.0.113.7:51820", "allowed_ips": "10.50.0.0/24",
}


def refusal(parse: Callable[..., Any], *arguments: Any) -> str:
    """Call a parser that must refuse; return its message, which must be one readable line."""
    with pytest.raises(InvalidInput) as caught:
        parse(*arguments)
    return one_sentence(caught.value.message)


def one_sentence(message: str) -> str:
    """Check the form that every error message has: one line, printable, no novel, and a remedy behind the problem."""
    assert message.isprintable(), message
    assert message == message.strip()
    assert 20 < len(message) < 500, message
    assert "Traceback" not in message
    return message

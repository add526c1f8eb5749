# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ip -json`` prints (iproute2), as far as it is used here: of another shape, it is refused as a whole."""

from __future__ import annotations

import ipaddress
import json
from typing import Any, Dict, List, NoReturn

from ..errors import CommandFailed

TEXTS = ("ifname", "local", "dev", "scope", "protocol", "type", "src", "iif", "action")
NUMBERS = ("prefixlen", "mtu", "priority", "srclen", "dstlen", "suppress_prefixlen")
# what stands for a network that has no address
WORDS = ("default", "all")


class Entry(Dict[str, Any]):
    """An object of the output; that it lacks something is an error of its own."""

    def __missing__(self, name: str) -> NoReturn:
        raise _unknown(f"an entry without {name}")


def parse(text: str) -> List[Dict[str, Any]]:
    """The entries that are not empty.

    Raises:
        CommandFailed: this is not what ip prints.
    """
    try:
        value = json.loads(text, object_pairs_hook=Entry)
    except (ValueError, RecursionError):
        raise _unknown("something that is not JSON") from None
    return _entries(value)


def _entries(value: object) -> List[Dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _unknown("something that is not a list of objects")
    for entry in value:
        _check(entry)
    return [entry for entry in value if entry]


def _check(entry: Dict[str, Any]) -> None:
    for name, value in entry.items():
        if name in ("addr_info", "nexthops"):
            _entries(value)
        elif name in TEXTS and not isinstance(value, str) or name in NUMBERS and not isinstance(value, int) or \
                name == "flags" and not isinstance(value, list) or name in ("dst", "local") and not _is_network(value):
            raise _unknown(f"a value for {name} that it should not have")


def _is_network(value: object) -> bool:
    try:
        return value in WORDS or isinstance(value, str) and ipaddress.ip_network(value) is not None
    except ValueError:
        return False


def _unknown(what: str) -> CommandFailed:
    return CommandFailed(f"'ip -json' prints {what}; check the version of iproute2", "ip")

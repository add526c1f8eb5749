# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted faults: a run of the small size that does not find one of them proves nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, List, Tuple
from unittest import mock

from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.formats import nftables, nftables_text, strict_json
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields, join
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward

from .formats import Formats
from .judge import Target, fuzz
from .objects import Objects
from .runs import Parameters

ESCAPE = Path("/etc/fuzz-escape")


def _takes_anything(option: str, value: object) -> str:
    return str(value)


def _crashes(option: str, value: object) -> str:
    words: Dict[str, str] = {"": "", "x": "x"}
    return words.get(str(value)) or (str(value) if fields.matches("[A-Za-z0-9 ._:/#@-]*", str(value)) else words[str(value)])


def _tells(value: object) -> str:
    raise InvalidInput("preshared_key", value, "is not a key; correct it")


def _writes(_host: object) -> str:
    ESCAPE.touch()
    return "2026-01-01T00:00:00Z"


_elements = nftables.elements_of


def _opens_more(forward: Any) -> Any:
    found = _elements(forward)
    name = f"tcp{forward.family}"
    if all(element.holder != name for element in found):
        return found
    return (*found, nftables.Element(name, str(40000 + forward.first_port % 20000), f"{forward.target_ip} . 22", f"{forward.forward_id}"))


def _beside(forward: Any) -> int:
    return int(forward.target_port - forward.first_port + 1)


def _lets_numbers_crash(data: bytes) -> object:
    return json.loads(data.decode("utf-8"))


Plant = Callable[[], ContextManager[Any]]
FAULTS: List[Tuple[str, Plant, Callable[[], Target], int]] = [
    ("a comment may hold a newline", lambda: mock.patch.object(fields, "comment", _takes_anything), Objects, 800),
    ("a parser raises KeyError", lambda: mock.patch.object(fields, "comment", _crashes), Objects, 800),
    ("JSON is taken as Python takes it", lambda: mock.patch.object(strict_json, "parse_value", _lets_numbers_crash), Formats, 2000),
    ("a message tells a secret", lambda: mock.patch.object(join, "preshared", _tells), Parameters, 800),
    ("check mode writes a file", lambda: mock.patch.object(Host, "now", _writes), Parameters, 800),
    ("a range leads to the ports beside", lambda: mock.patch.object(Forward, "shift", property(_beside)), Objects, 800),
    ("nft opens a port that nobody asked for", lambda: mock.patch.object(nftables_text, "elements_of", _opens_more), Objects, 800),
]


def missed() -> List[str]:
    """The planted faults that are not found; each that is, is told."""
    found = []
    for words, plant, target, count in FAULTS:
        with plant():
            tally = fuzz(target(), count)
        ESCAPE.unlink(missing_ok=True)
        kinds = list(tally.kinds)
        print(f"{words}: {f'found ({kinds[0][:90]})' if kinds else 'NOT FOUND'}", flush=True)
        found += [] if kinds else [words]
    return found

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards handed in by every way there is, and what a refusal must look like."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List

import yaml
from contract.forwarding import invoke
from contract.world import STATE_DIR

STATE = STATE_DIR / "forwards.json"
GOOD: Dict[str, Any] = {"forward_id": "vm-1", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 80}
STANDING: List[Dict[str, Any]] = [
    {"forward_id": "range", "public_port": "5000-5010", "target_ip": "10.50.0.9", "source_ranges": ["198.51.100.0/24"]},
    {"forward_id": "voice", "public_port": "5100", "target_ip": "10.50.0.9", "proto": "both", "comment": "stands"},
    {"forward_id": "six", "public_port": "5000-5010", "target_ip": "fd50::9"},
]
# a forward of each kind
EVERYTHING: List[Dict[str, Any]] = [
    {"forward_id": "a", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 80, "comment": "ops: ticket #4711 @home/x_y-z."},
    {"forward_id": "b", "public_port": 22016, "target_ip": "10.50.0.12", "target_port": "81", "proto": "udp"},
    {"forward_id": "c", "public_port": "6000-6010", "target_ip": "10.50.0.14", "proto": "both", "hairpin": True},
    {"forward_id": "d", "public_port": "7000-7003", "target_ip": "fd50::14", "target_port": 9000, "source_ranges": ["2001:db8::/32"]},
    {"forward_id": "e", "public_port": "8000", "target_ip": "10.50.0.14", "source_nat": "none",
     "source_ranges": ["203.0.113.7", "198.51.100.0/24", "198.51.100.7/32"]},
    {"forward_id": "six", "state": "absent"},
    {"forward_id": "range", "public_port": "5000-5010", "target_ip": "10.50.0.10", "state": "present"},
]
WAYS = ("options", "list", "json", "yaml")


def hand_in(way: str, entry: Any, folder: Path, **more: Any) -> Dict[str, Any]:
    """One entry, the way it is asked for."""
    if way == "options":
        return invoke(**entry, **more)
    if way == "list":
        return invoke(forwards=[entry], **more)
    path = folder / f"forwards.{way}"
    path.write_text(json.dumps([entry]) if way == "json" else yaml.safe_dump([entry]), encoding="utf-8")
    return invoke(src=str(path), remote_src=True, **more)


# what ansible-core 2.19 adds to every failed result
NO_TRACEBACK = "(traceback unavailable)"


def fault(result: Dict[str, Any], *words: str) -> str:
    """What is wrong with a refusal: it must be one sentence that names what it must; nothing when it is in order."""
    if not result.get("failed") or result.get("changed"):
        return "not refused: " + str({name: result.get(name) for name in ("added", "updated", "removed", "forwards", "count")})[:400]
    message: str = result["msg"]
    found = [f"{word!r} is missing" for word in words if word not in message]
    found += [f"{mark!r} is in it" for mark in ("\n", "Traceback", "Error(") if mark in message]
    if result.get("exception", NO_TRACEBACK) != NO_TRACEBACK or len(message) > 600:
        found.append("a crash or a novel")
    return f"{', '.join(found)}: {message[:600]}" if found else ""


def fault_of_ours(result: Dict[str, Any], option: str, *words: str) -> str:
    """The same of our own validation, which also gives code and option to programs; in a list the option has a place before it."""
    wrong = fault(result, option, *words)
    if not wrong and (result.get("code"), str(result.get("option")).rsplit(".", maxsplit=1)[-1]) != ("invalid_input", option):
        wrong = f"code {result.get('code')}, option {result.get('option')}: {result['msg']}"
    if not wrong and not re.search("[;:,] ?.", result["msg"]):
        wrong = f"no remedy: {result['msg']}"
    return wrong


def refused(result: Dict[str, Any], *words: str) -> str:
    """The sentence with which something was refused."""
    assert not fault(result, *words)
    return str(result["msg"])


def refused_by_us(result: Dict[str, Any], option: str, *words: str) -> None:
    """Refused by our own validation."""
    assert not fault_of_ours(result, option, *words)

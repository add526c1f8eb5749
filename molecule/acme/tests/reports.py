# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's own modules say of the edge's certificates."""

from __future__ import annotations

import json
from typing import Any

from runs import run


def module(name: str, options: str = "") -> dict[str, Any]:
    """The result of a module on the edge, called by hand."""
    printed = run("ansible", "edge", "--module-name", f"edge.gateway.{name}", "--args", options, "--one-line").stdout
    found: dict[str, Any] = json.loads(printed[printed.index("{"):])
    return found


def certificate(name: str) -> dict[str, Any]:
    """What traefik_route_info tells of a name's certificate; the route has the first label as its id."""
    found: dict[str, Any] = module("traefik_route_info")["details"][name.partition(".")[0]]["certificates"][name]
    return found

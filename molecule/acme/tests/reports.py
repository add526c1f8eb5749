# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's own modules say of the edge's certificates."""

from __future__ import annotations

import json
import re
from typing import Any

from runs import run


def module(name: str, options: str = "") -> dict[str, Any]:
    """The result of a module on the edge, called by hand."""
    done = run("ansible", "edge", "--module-name", f"edge.gateway.{name}", "--args", options, "--one-line")
    printed = re.search(r"(?:SUCCESS|CHANGED|FAILED!) => (\{.*)", done.stdout)
    assert printed, done.output
    found: dict[str, Any] = json.loads(printed[1])
    return found


def certificate(name: str) -> dict[str, Any]:
    """What traefik_route_info tells of a name's certificate; the route has the first label as its id."""
    info = module("traefik_route_info")
    assert "details" in info, info
    found: dict[str, Any] = info["details"][name.partition(".")[0]]["certificates"][name]
    return found

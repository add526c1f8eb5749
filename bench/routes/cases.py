# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes that every candidate gets. Their names are of one length, as names with numbers in them are."""

from __future__ import annotations

from typing import Any, Dict, List

Route = Dict[str, Any]
MOST = 20000
BOTH = ["web", "websecure"]


def name(number: int) -> str:
    """Id of a route."""
    return f"vm-{number:06}"


def host(number: int) -> str:
    """The host that a route serves."""
    return f"{name(number)}.bench.test"


def hosts(count: int) -> List[str]:
    """All hosts of so many routes."""
    return [host(number) for number in range(count)]


def some(count: int, most: int = 50) -> List[str]:
    """Some of the hosts, evenly over all of them, where asking for all would take long."""
    step = max(1, count // most)
    return hosts(count)[step // 2::step][:most]


def route(number: int, target: str, entrypoints: List[str] | None = None) -> Route:
    """One route of ours."""
    return {"route_id": name(number), "hostname": [host(number)], "target_url": [target], "entrypoint": entrypoints or ["web"]}


def routes(count: int, target: str, entrypoints: List[str] | None = None) -> List[Route]:
    """So many routes of ours."""
    return [route(number, target, entrypoints) for number in range(count)]

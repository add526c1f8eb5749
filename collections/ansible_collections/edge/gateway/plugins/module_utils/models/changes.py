# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change means to the people who use the edge, a line for each object: made of the plan, so that the run does the same."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence

from .forward import Forward, Forwards
from .route import Route, Routes

# with which words a field of a route is called
ROUTE_FIELDS = {"path_prefix": "path prefix", "certresolver": "certificate resolver"}
# of a list of ten thousand, a person reads the beginning
SHOWN_LINES = 50


def of_forwards(before: Forwards, after: Forwards, touched: Sequence[str], flows: Mapping[str, int]) -> List[str]:
    """Lines about forwards, in the order of their ids.

    Args:
        touched: ids that the run adds, changes, removes or repairs.
        flows: by id, how many open flows the run cuts.
    """
    lines = []
    for name in sorted(touched):
        count = flows.get(name, 0)
        cut = f"; cuts {count} live flow{'s' if count != 1 else ''}" if count else ""
        lines.append(f"{name}: {_forward(before.get(name), after.get(name))}{cut}")
    return lines


def _forward(before: Optional[Forward], after: Optional[Forward]) -> str:
    if before is None and after is None:
        return "closes what is in effect though nobody asked for it"
    if before is None or after is None:
        item = before or after
        return _opened("opens" if after else "closes", item) if item else ""
    if before == after:
        return f"repairs {_port(after)} to {_target(after)}"
    if _port(before) != _port(after):
        return f"{_opened('closes', before)} and {_opened('opens', after)}"
    parts = []
    if _target(before) != _target(after):
        parts.append(f"moves from {_target(before)} to {_target(after)}")
    if before.source_ranges != after.source_ranges:
        parts.append(f"is for {_sources(after)} instead of {_sources(before)}")
    if before.source_nat != after.source_nat:
        parts.append("shows the node the client's address" if after.source_nat == "none" else "shows the node the edge's address")
    if before.hairpin != after.hairpin:
        parts.append("may be used from the mesh too" if after.hairpin else "may no longer be used from the mesh")
    if before.expires != after.expires:
        parts.append(f"ends {after.expires}" if after.expires else "does not end by itself any more")
    if before.comment != after.comment:
        parts.append(f"gets the comment {after.comment!r}" if after.comment else "loses its comment")
    return f"{_port(after)} {', '.join(parts)}"


def _opened(verb: str, item: Forward) -> str:
    until = f" until {item.expires}" if item.expires and verb == "opens" else ""
    return f"{verb} {_port(item)} to {_target(item)} for {_sources(item)}{until}"


def _port(item: Forward) -> str:
    return f"{'tcp and udp' if item.proto == 'both' else item.proto} {item.public_port}"


def _target(item: Forward) -> str:
    host = f"[{item.target_ip}]" if item.family == 6 else item.target_ip
    if item.shift == 0:
        return host
    return f"{host}:{item.target_port}" + (f"-{item.last_port + item.shift}" if item.last_port > item.first_port else "")


def _sources(item: Forward) -> str:
    return ", ".join(item.source_ranges) or "anyone"


def of_routes(before: Routes, after: Routes, touched: Sequence[str]) -> List[str]:
    """Lines about routes, in the order of their ids."""
    return [f"{name}: {_route(before.get(name), after.get(name))}" for name in sorted(touched)]


def _route(before: Optional[Route], after: Optional[Route]) -> str:
    if before is None and after is None:
        return "takes away a file that nobody asked for"
    if before is None or after is None:
        item = before or after
        until = f" until {after.expires}" if after and after.expires else ""
        return f"{'serves' if after else 'stops serving'} {_hosts(item)} from {_targets(item)}{until}" if item else ""
    if before == after:
        return f"repairs {_hosts(after)}"
    parts = []
    if before.hostname != after.hostname:
        gone, new = sorted(set(before.hostname) - set(after.hostname)), sorted(set(after.hostname) - set(before.hostname))
        parts += [f"stops serving {', '.join(gone)}"] if gone else []
        parts += [f"serves {', '.join(new)}"] if new else []
    if before.target_url != after.target_url:
        parts.append(f"hostname {_hosts(after)} moves from {_targets(before)} to {_targets(after)}")
    # by name only: among them are hashes of passwords
    was, will = before.as_dict(), after.as_dict()
    others = sorted(name for name in {*was, *will} - {"hostname", "target_url"} if was.get(name) != will.get(name))
    if others:
        parts.append(f"changes {', '.join(ROUTE_FIELDS.get(name, name) for name in others)} of {_hosts(after)}")
    return ", ".join(parts)


def _hosts(item: Route) -> str:
    return ", ".join(f"{name}{item.path_prefix}" for name in item.hostname)


def _targets(item: Route) -> str:
    return ", ".join(item.target_url)


def shortened(lines: Sequence[str]) -> List[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - SHOWN_LINES
    return [*lines[:SHOWN_LINES], f"and {more} more"] if more > 0 else list(lines)


def of_parts(parts: Sequence[str]) -> List[str]:
    """Lines about what objects share, such as a table or a file for the boot, that is not as it should be."""
    return [f"repairs {part.strip('()')}" for part in sorted(parts)]

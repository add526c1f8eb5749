# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan for a fleet as people and programs read it: text, Markdown for a pull request, and JSON."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ansible_collections.edge.gateway.plugins.module_utils.models.fleet import named

# what the roles have registered, by what it is about, in the order in which a run does it
REGISTERED: Sequence[Tuple[str, str]] = (
    ("mesh", "edge_gateway_wireguard_files"), ("mesh", "edge_gateway_wireguard_registration"), ("mesh", "edge_gateway_wireguard_joined"),
    ("host", "edge_gateway_upkeep_files"), ("host", "edge_gateway_forwards_unit"), ("forwards", "edge_gateway_forwards_applied"),
    ("host", "edge_gateway_inbound_applied"),
    ("traefik", "edge_gateway_traefik_served"), ("traefik", "edge_gateway_certificates_supplied"),
    ("routes", "edge_gateway_routes_applied"))
FORMATS = ("md", "json", "txt")


class EdgePlan(NamedTuple):
    """What a run would do on one edge.

    Attributes:
        error: why it would fail, or could not be asked; empty when it can be run.
        lines: sentences, by what they are about.
    """

    error: str
    lines: Mapping[str, List[str]]

    @property
    def size(self) -> int:
        """How many changes there are."""
        return sum(map(len, self.lines.values()))

    def as_dict(self) -> Dict[str, Any]:
        """The plan for programs."""
        return {"error": self.error, "count": self.size, "changes": dict(self.lines)}


def edge_plan(variables: Mapping[str, Any], nodes: Sequence[Tuple[str, str]]) -> EdgePlan:
    """The plan of one host, from what its roles have registered in check mode."""
    lines: Dict[str, List[str]] = {}
    for about, name in REGISTERED:
        result = variables.get(name)
        for line in (result.get("changes") or ()) if isinstance(result, Mapping) else ():
            lines.setdefault(about, []).append(named(str(line), nodes))
    return EdgePlan(str(variables.get("edge_gateway_plan_error") or ""), lines)


def headline(plans: Mapping[str, EdgePlan]) -> str:
    """The whole in one line."""
    count, broken = sum(plan.size for plan in plans.values()), sum(bool(plan.error) for plan in plans.values())
    words = f"{count or 'no'} change{'' if count == 1 else 's'} on {len(plans)} edge{'' if len(plans) == 1 else 's'}"
    return f"{words}, {broken} cannot be run" if broken else words


def text(plans: Mapping[str, EdgePlan]) -> str:
    """For a terminal."""
    lines = [f"Plan: {headline(plans)}"]
    for name, plan in plans.items():
        lines.append(f"{name}: {plan.error or ('nothing to do' if not plan.size else '')}".rstrip())
        for about, found in plan.lines.items():
            lines += [f"  {about}", *(f"    {line}" for line in found)]
    return "\n".join(lines) + "\n"


def markdown(plans: Mapping[str, EdgePlan]) -> str:
    """For a pull request."""
    lines = [f"## Plan: {headline(plans)}"]
    for name, plan in plans.items():
        lines += ["", f"### {_plain(name)}", ""]
        if plan.error:
            lines.append(f"**Cannot be run:** {_plain(plan.error)}")
        elif not plan.size:
            lines.append("Nothing to do.")
        blocks = ["\n".join([f"**{about}**", "", *(f"- {_plain(line)}" for line in found)]) for about, found in plan.lines.items()]
        lines += ["\n\n".join(blocks)] if blocks else []
    return "\n".join(lines) + "\n"


def _plain(words: str) -> str:
    """Words that Markdown takes as they are."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in words)


def rendered(plans: Mapping[str, EdgePlan], form: str) -> str:
    """The plan in one of :data:`FORMATS`."""
    if form == "json":
        return json.dumps({"schema": 1, "edges": {name: plan.as_dict() for name, plan in plans.items()}}, indent=1) + "\n"
    return markdown(plans) if form == "md" else text(plans)

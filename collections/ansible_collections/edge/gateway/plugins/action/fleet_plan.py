# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Works on the control node alone: compares what the edges are to do, or collects what their roles foresee."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, InvalidInput, failure
from ansible_collections.edge.gateway.plugins.module_utils.models import fields, fleet
from ansible_collections.edge.gateway.plugins.plugin_utils import plan


class Conflict(GatewayError):
    """Two edges cannot both have what they want."""

    code = "conflict"


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of this name; see the module's documentation."""

    _requires_connection = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Do what the option ``phase`` says."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        known = (task_vars or {}).get("hostvars", {})
        try:
            names = sorted(str(name) for name in self._task.args.get("edges") or ())
            phase = fields.choice("phase", self._task.args.get("phase", "report"), ["conflicts", "report"])
            if phase == "conflicts":
                return {**result, **_compared({name: known[name] for name in names})}
            return {**result, **self._report({name: known[name] for name in names}, _nodes(known))}
        except AnsibleError:
            raise
        except Exception as problem:  # noqa: BLE001  Ansible would print its text, and variables of hosts may stand in that
            return {**result, "failed": True, **failure(problem)}

    def _report(self, known: Mapping[str, Mapping[str, Any]], nodes: List[Tuple[str, str]]) -> Dict[str, Any]:
        plans = {name: plan.edge_plan(variables, nodes) for name, variables in known.items()}
        path = self._task.args.get("dest")
        if path:
            form = str(path).rpartition(".")[2]
            if form not in plan.FORMATS:
                raise InvalidInput("dest", str(path), f"ends with no format that is known; end it with one of {', '.join(plan.FORMATS)}")
            with open(os.path.expanduser(str(path)), "w", encoding="utf-8") as stream:
                stream.write(plan.rendered(plans, form))
        return {"changed": False, "edges": {name: each.as_dict() for name, each in plans.items()}, "text": plan.text(plans),
                "markdown": plan.markdown(plans), "failed": any(each.error for each in plans.values()),
                **({"msg": plan.headline(plans)} if any(each.error for each in plans.values()) else {})}


def _compared(known: Mapping[str, Mapping[str, Any]]) -> Dict[str, Any]:
    now, edges = fields.moment_of(int(time.time())), {}
    for name, variables in known.items():
        try:
            edges[name] = fleet.Edge.parse(variables, now)
        except InvalidInput as problem:
            raise problem.within(f"{name}: ") from None
    found = fleet.conflicts(edges)
    if found:
        return {"failed": True, **failure(Conflict("; ".join(found))), "conflicts": found}
    return {"changed": False, "conflicts": []}


def _nodes(known: Mapping[str, Mapping[str, Any]]) -> List[Tuple[str, str]]:
    """Addresses in the mesh and the names of hosts that have them, the longest first: what the inventory and a hub tell."""
    found: Dict[str, str] = {}
    for name in known:
        variables = known[name]
        for address in str(variables.get("edge_gateway_node_ip") or "").split(","):
            found[address.strip()] = str(name)
        registration = variables.get("edge_gateway_wireguard_registration")
        for peer in (registration.get("peers") or ()) if isinstance(registration, Mapping) else ():
            for address in str(peer.get("node_ip") or "").split(","):
                found.setdefault(address.strip(), str(peer.get("node_id")))
    found.pop("", None)
    return sorted(found.items(), key=lambda pair: (-len(pair[0]), pair))

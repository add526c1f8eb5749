#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seed_import
short_description: Take over the port forwards of the older system, or those that a person has reviewed
version_added: 0.1.0
description:
  - Reads C(tcp_forwards) from the C(state.json) of the older system's agent, and forwards the same ports as
    M(edge.gateway.dnat_forward) does.
  - Once these forwards are in effect, removes the bare iptables rules that the agent had made for them, in both variants of
    iptables, and its masquerade of the mesh interface. Open connections stay open.
  - A forward of ours with the same id stays as it is. C(state.json) is not changed.
  - The agent's rule that accepts established connections stays, since other rules may rely on it.
  - Stop the older system's containers first, or its agent adds its rules again at its next start.
  - With O(forwards), those are taken over instead, and they win over forwards of ours with the same id. Of the agent's rules those go
    that did the same. The playbook C(import_seed.yml) calls it so with what M(edge.gateway.gateway_import) had found.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  seed_dir:
    description:
      - Directory of the managed host that the agent's container had as C(/data).
      - One of this and O(forwards) is required.
    type: path
  forwards:
    description:
      - Forwards as somebody has reviewed them, with the options of M(edge.gateway.dnat_forward).
      - A list that is not what it should be is refused as a whole.
    type: list
    elements: dict
  remove_rules:
    description:
      - With O(forwards), also remove rules of iptables that somebody made otherwise, once ours stand. Exactly those that
        M(edge.gateway.gateway_import) takes such forwards from.
      - What keeps them for the next boot (such as C(/etc/iptables/rules.v4)) has to be changed by hand.
    type: bool
    default: false
  reply_nodes:
    description: As O(edge.gateway.dnat_forward#module:reply_nodes).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.places.mesh
  - edge.gateway.places.firewall
  - edge.gateway.places.targets
seealso:
  - module: edge.gateway.dnat_forward
  - module: edge.gateway.gateway_import
"""

EXAMPLES = r"""
- name: Take over what the containers did
  edge.gateway.seed_import:
    seed_dir: /opt/edge-gateway/agent-data

- name: Take over what has been reviewed, and remove the rules that did it before
  edge.gateway.seed_import:
    forwards: "{{ edge_gateway_forwards }}"
    remove_rules: true
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: ['vm-1: opens tcp 22015 to 10.50.0.12:22 for anyone']
backend:
  description: The firewall that was driven.
  type: str
  returned: success
  sample: nftables
forwards:
  description: All forwards that exist after the run, with the names of the options of M(edge.gateway.dnat_forward).
  type: list
  elements: dict
  returned: success
added:
  description: Ids that this run added.
  type: list
  elements: str
  returned: success
updated:
  description: Ids that this run changed; without O(forwards) none, since a forward of ours stays as it is.
  type: list
  elements: str
  returned: success
removed:
  description: Ids that were in effect though nobody had asked for them.
  type: list
  elements: str
  returned: success
repaired:
  description: Ids whose kernel rules were missing or altered, and have been put right.
  type: list
  elements: str
  returned: success
removed_rules:
  description: The rules of others that this run removed.
  type: list
  elements: str
  returned: success
  sample: ['iptables-nft -t nat -A PREROUTING -p tcp -m tcp --dport 22015 -j DNAT --to-destination 10.50.0.12:32215']
doubled_rules:
  description: Rules of others that stand beside a forward of O(forwards) for the same ports.
  type: list
  elements: str
  returned: success
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.seed import SeedImport, forwards_of, is_rule
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, check_names
from ansible_collections.edge.gateway.plugins.module_utils.models.forward_rules import reply_networks

ARGUMENTS: spec.Spec = {
    "seed_dir": {"type": "path"}, "forwards": {"type": "list", "elements": "dict"}, "remove_rules": {"type": "bool", "default": False},
    "reply_nodes": {"type": "list", "elements": "str", "default": []}, **spec.MESH, **spec.FIREWALL, **spec.TARGETS,
}


def take_over(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the forwards of others here."""
    host = Host()
    for number, item in enumerate(params["forwards"] or ()):
        check_names(item, f"forwards[{number}].")
    edit = edit_of(params, "forward_id", "forwards", Forward.parse) if params["forwards"] is not None else None
    reviewed = edit({}) if edit else None
    older = forwards_of(host, params["seed_dir"], reviewed) if params["seed_dir"] else {}
    engine = SeedImport(host, params["state_dir"], params["interface"], params["backend"], allow_outside_mesh=params["allow_outside_mesh"],
                        reply_nodes=reply_networks(params["reply_nodes"]))
    engine.older, engine.reviewed, engine.remove_rules = older, reviewed, params["remove_rules"]
    engine.chronicle = Chronicle(host, params["state_dir"], "seed_import")
    outcome = converge(engine, edit or (lambda current: {**older, **current}), dry_run)
    gone = [name[1:-1] for name in outcome.plan.wanted if is_rule(name)]
    return {**outcome.as_dict(), "backend": engine.backend.name, "forwards": [item.as_dict() for item in outcome.items],
            "removed_rules": sorted(gone), "doubled_rules": sorted(engine.doubled)}


def main() -> None:
    entry.run(ARGUMENTS, take_over, required_one_of=[("seed_dir", "forwards")])


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dnat_forward_info
short_description: List the port forwards of an edge
version_added: 0.1.0
description:
  - Lists the forwards that were asked for, whether each is in effect in the kernel, how it is used, and which chain of another
    firewall (ufw, firewalld, Docker, rules by hand) would drop it.
author:
  - edge.gateway contributors (@edge-gateway)
extends_documentation_fragment:
  - edge.gateway.attributes.info
  - edge.gateway.places.mesh
  - edge.gateway.places.firewall
seealso:
  - module: edge.gateway.dnat_forward
"""

EXAMPLES = r"""
- name: List the forwards
  edge.gateway.dnat_forward_info:
  register: edge_forwards
"""

RETURN = r"""
backend:
  description: The firewall that was looked at.
  type: str
  returned: success
  sample: nftables
forwards:
  description: The forwards that were asked for, with the names of the options of M(edge.gateway.dnat_forward), and more.
  type: list
  elements: dict
  returned: success
  contains:
    active:
      description: Whether the kernel holds it as it was asked for.
      type: bool
    connections:
      description: Connections and UDP flows that it has opened since its rules were loaded.
      type: int
    open_connections:
      description: How many of them are open now; V(none) where the kernel does not tell.
      type: int
    blocked_by:
      description: Chains of other firewalls that drop it, each with what to do.
      type: list
      elements: str
  sample:
    - {forward_id: vm-123-ssh, public_port: '22015', target_ip: 10.50.0.12, target_port: 32215, proto: tcp, source_ranges: [],
       source_nat: masquerade, hairpin: false, comment: '', expires: '', active: true, connections: 17, open_connections: 2, blocked_by: []}
count:
  description: How many forwards were asked for.
  type: int
  returned: success
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host

ARGUMENTS: spec.Spec = {
    **spec.MESH, **spec.FIREWALL,
}


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """The forwards, whether they are in effect, and how they are used."""
    engine = ForwardEngine(Host(), params["state_dir"], params["interface"], params["backend"])
    with engine.lock():      # not between the state and the kernel of a run that is under way
        wanted = engine.load()
        forwards = [{**item.as_dict(), **facts} for item, facts in engine.observe(wanted)]
    return {"changed": False, "backend": engine.backend.name, "count": len(wanted), "forwards": forwards, "warnings": engine.warnings}


def main() -> None:
    entry.run(ARGUMENTS, look)


if __name__ == "__main__":
    main()

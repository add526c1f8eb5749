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
  - Lists the forwards that were asked for, and whether each is in effect in the kernel.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  backend:
    description: Firewall to look at. V(auto) is what the role P(edge.gateway.firewall#role) chose for this host, else nftables.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
extends_documentation_fragment:
  - edge.gateway.attributes.info
  - edge.gateway.places.mesh
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
  description: The forwards that were asked for, with the names of the options of M(edge.gateway.dnat_forward), and C(active).
  type: list
  elements: dict
  returned: success
  contains:
    active:
      description: Whether the kernel holds it as it was asked for.
      type: bool
  sample:
    - {forward_id: vm-123-ssh, public_port: '22015', target_ip: 10.50.0.12, target_port: 32215, proto: tcp, comment: '', active: true}
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host

ARGUMENTS: spec.Spec = {
    "backend": {"type": "str", "choices": ["auto", "nftables", "iptables"], "default": "auto"}, **spec.MESH,
}


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """The forwards and whether they are in effect."""
    engine = ForwardEngine(Host(), params["state_dir"], params["interface"], params["backend"])
    wanted = engine.load()
    active = engine.active(wanted)
    forwards = [{**item.as_dict(), "active": active[name]} for name, item in sorted(wanted.items())]
    return {"changed": False, "backend": engine.backend.name, "forwards": forwards}


def main() -> None:
    entry.run(ARGUMENTS, look)


if __name__ == "__main__":
    main()

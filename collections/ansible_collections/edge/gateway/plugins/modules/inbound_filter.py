#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inbound_filter
short_description: Close an edge to all but some ports
version_added: 0.1.0
description:
  - Filters what is addressed to the host itself. All is closed but the ports of O(open), the mesh, ICMP, DHCP, and answers to what the host
    has begun. What the host forwards is not looked at, so forwards stay open whatever is listed here.
  - The port by which Ansible has come in stays open; a list that leaves out the address that it comes from is refused.
  - Everything lives in a table of its own, C(inet edge_gateway_inbound), for nftables. Filters of others stay, and a packet has to pass
    all of them.
  - Use it together with M(edge.gateway.gateway_confirm), as C(site.yml) always does.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  open:
    description: Ports of the host that may be reached.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: A port, or a range like V(6000-6010).
        type: str
        required: true
      proto:
        description: Transport protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      source_ranges:
        description: Networks of those who may, in CIDR notation. Anyone when left out.
        type: list
        elements: str
        default: []
      comment:
        description: What it is for.
        type: str
        default: ''
  mesh:
    description: Mesh interface, from which everything may come. The mesh is closed too when left out.
    type: str
  state:
    description: Whether the filter is wanted. Without it, everything is let in.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - edge.gateway.attributes
seealso:
  - module: edge.gateway.gateway_confirm
"""

EXAMPLES = r"""
- name: Leave open what an edge is for
  edge.gateway.inbound_filter:
    open:
      - {port: 22, source_ranges: [198.51.100.0/24]}
      - {port: 80}
      - {port: 443}
    mesh: wg0
"""

RETURN = r"""
changes:
  description: What the run means, a line for each port; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: ['inbound: opens tcp 9100 from 10.0.0.0/8']
open:
  description: The ports that may be reached after the run, with the way of this SSH connection.
  type: list
  elements: dict
  returned: success
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import STATE_DIR, Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.inbound import InboundEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.system import way_in
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.inbound import NAME, Inbound

ARGUMENTS: spec.Spec = {
    "open": {"type": "list", "elements": "dict", "default": [], "options": {
        "port": {"type": "str", "required": True}, "proto": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        "source_ranges": {"type": "list", "elements": "str", "default": []}, "comment": {"type": "str", "default": ""},
    }},
    "mesh": {"type": "str"}, **spec.STATE,
}


def filter_inbound(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the filter to what the task asks for."""
    host = Host()
    engine = InboundEngine(host)
    engine.chronicle = Chronicle(host, STATE_DIR, "inbound_filter")
    wanted = Inbound.parse(params)
    connection = way_in(host)
    if connection:
        wanted = wanted.with_way_in(connection.port, connection.client)
    items = {NAME: wanted} if params["state"] == "present" else {}
    result = converge(engine, lambda current: items, dry_run).as_dict()
    return {**{key: result[key] for key in ("changed", "diff", "changes", "warnings")},
            "open": [item.as_dict() for item in wanted.openings] if items else []}


def main() -> None:
    entry.run(ARGUMENTS, filter_inbound)


if __name__ == "__main__":
    main()

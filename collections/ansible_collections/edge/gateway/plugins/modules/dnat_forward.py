#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dnat_forward
short_description: Forward public ports of an edge into its mesh
version_added: 0.1.0
description:
  - Forwards TCP and UDP ports of this host to nodes behind the mesh interface, in the kernel.
  - The forwards that were asked for are kept in C(forwards.json). The kernel is compared with it on every run and repaired.
  - With the nftables backend everything lives in a table of its own, C(inet edge_gateway), which is changed in one transaction.
    Nobody else's table is read or written.
  - While there is at least one forward, traffic into the mesh is masqueraded and C(net.ipv4.ip_forward) is on. Rules
    of the same table keep the host from routing anything else between its networks and the mesh.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  forward_id:
    description:
      - Name of the forward. 1 to 63 of a-z, 0-9, C(.), C(_) and C(-).
      - One of O(forward_id) and O(forwards) is required.
    type: str
  public_port: &public_port
    description:
      - Port of this host.
      - Ports that this host uses itself are refused, the SSH port above all.
    type: str
  target_ip: &target_ip
    description: IPv4 address of a mesh node, in plain notation.
    type: str
  target_port: &target_port
    description: Port of the node. The same as O(public_port) when left out.
    type: int
  proto: &proto
    description: Transport protocol.
    type: str
    choices: [tcp, udp, both]
    default: tcp
  comment: &comment
    description:
      - Who opened it and why, shown by C(nft list table inet edge_gateway).
      - 'Up to 64 letters, digits, spaces and C(. _ : / # @ -).'
    type: str
    default: ''
  state: &state
    description: Whether the forward is wanted. V(absent) needs only the id.
    type: str
    choices: [present, absent]
    default: present
  forwards:
    description:
      - Many forwards in one transaction, instead of the single form.
      - An empty list only makes sure that what was asked for earlier is in effect.
    type: list
    elements: dict
    suboptions:
      forward_id:
        description: Name of the forward.
        type: str
        required: true
      public_port: *public_port
      target_ip: *target_ip
      target_port: *target_port
      proto: *proto
      comment: *comment
      state: *state
  purge:
    description: With O(forwards), remove every forward that is not listed.
    type: bool
    default: false
  backend:
    description:
      - Firewall to drive. V(auto) is what the role P(edge.gateway.firewall#role) chose for this host, else nftables.
      - This version drives V(nftables) only.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  allow_outside_mesh:
    description: Accept targets that are not behind the mesh interface.
    type: bool
    default: false
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.places.mesh
seealso:
  - module: edge.gateway.dnat_forward_info
"""

EXAMPLES = r"""
- name: Forward a port to SSH of a virtual machine
  edge.gateway.dnat_forward:
    forward_id: vm-123-ssh
    public_port: 22015
    target_ip: 10.50.0.12
    target_port: 32215
    comment: asked for by ops, ticket 4711

- name: Exactly these forwards and no others
  edge.gateway.dnat_forward:
    forwards:
      - {forward_id: game, public_port: 27015, target_ip: 10.50.0.14, proto: both}
      - {forward_id: git, public_port: 2222, target_ip: 10.50.0.15, target_port: 22}
    purge: true

- name: Close it again
  edge.gateway.dnat_forward:
    forward_id: vm-123-ssh
    state: absent
"""

RETURN = r"""
backend:
  description: The firewall that was driven.
  type: str
  returned: success
  sample: nftables
forwards:
  description: All forwards that exist after the run, with the names of the options.
  type: list
  elements: dict
  returned: success
  sample:
    - {forward_id: vm-123-ssh, public_port: '22015', target_ip: 10.50.0.12, target_port: 32215, proto: tcp, comment: ''}
added:
  description: Ids that this run added.
  type: list
  elements: str
  returned: success
updated:
  type: list
  elements: str
  returned: success
  description: Ids that this run changed.
removed:
  type: list
  elements: str
  returned: success
  description: Ids that this run removed.
repaired:
  type: list
  elements: str
  returned: success
  description: Ids whose kernel rules were missing or altered, and have been put right.
code:
  description: Kind of failure, for programs.
  type: str
  returned: failure
  sample: invalid_input
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
  sample: public_port
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import PROTOCOLS, Forward

FORWARD: spec.Spec = {
    "public_port": {"type": "str"}, "target_ip": {"type": "str"}, "target_port": {"type": "int"},
    "proto": {"type": "str", "choices": PROTOCOLS, "default": "tcp"}, "comment": {"type": "str", "default": ""}, **spec.STATE,
}
ARGUMENTS: spec.Spec = {
    "forward_id": {"type": "str"}, **FORWARD,
    "forwards": {"type": "list", "elements": "dict", "options": {"forward_id": {"type": "str", "required": True}, **FORWARD}},
    "purge": {"type": "bool", "default": False},
    "backend": {"type": "str", "choices": ["auto", "nftables", "iptables"], "default": "auto"},
    "allow_outside_mesh": {"type": "bool", "default": False}, **spec.MESH,
}


def forward(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the forwards to what the task asks for."""
    edit = edit_of(params, "forward_id", "forwards", Forward.parse)
    engine = ForwardEngine(Host(), params["state_dir"], params["interface"], params["backend"],
                           allow_outside_mesh=params["allow_outside_mesh"])
    outcome = converge(engine, edit, dry_run)
    return {**outcome.as_dict(), "backend": engine.backend.name, "forwards": [item.as_dict() for item in outcome.items]}


def main() -> None:
    entry.run(ARGUMENTS, forward, mutually_exclusive=[("forward_id", "forwards")])


if __name__ == "__main__":
    main()

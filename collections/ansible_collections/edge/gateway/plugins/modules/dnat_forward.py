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
    Nobody else's table is written. A port costs one look-up, however many there are.
  - With the iptables backend there are chains of its own, and C(-A POSTROUTING -o wg0 -j MASQUERADE).
  - While there is at least one forward, traffic into the mesh is masqueraded and forwarding between interfaces is on. Rules
    beside the forwards keep the host from routing anything else between its networks and the mesh.
  - When a firewall of somebody else (ufw, firewalld, Docker, rules by hand) would drop a forward, the run warns and names its chain.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  forward_id:
    description:
      - Name of the forward. 1 to 63 of a-z, 0-9, C(.), C(_) and C(-).
      - One of O(forward_id), O(forwards) and O(src) is required.
    type: str
  public_port: &public_port
    description:
      - Port of this host, or a range of ports like V(6000-6010).
      - Ports that this host uses itself are refused, the SSH port above all, and so are ports of another forward. One port may go to
        an IPv4 and to an IPv6 target.
    type: str
  target_ip: &target_ip
    description: IPv4 or IPv6 address of a mesh node, in plain notation. Clients of the same IP version can use the forward.
    type: str
  target_port: &target_port
    description: Port of the node, of a range the first one; a range keeps its order. The same as O(public_port) when left out.
    type: int
  proto: &proto
    description: Transport protocol.
    type: str
    choices: [tcp, udp, both]
    default: tcp
  source_ranges: &source_ranges
    description:
      - Networks of those who may use the forward, in CIDR notation. Anyone when left out or empty.
      - To others, the port looks as if it were not forwarded.
      - Connections that are already open stay open. UDP flows are judged anew.
      - Bits behind the prefix must be clear, as in V(203.0.113.0/24).
    type: list
    elements: str
    default: []
  source_nat: &source_nat
    description:
      - V(masquerade) lets the node see the edge as its client, so that its answers come back.
      - With V(none) the node sees the client's own address. It must then send its answers back through this host; see
        O(reply_nodes).
    type: str
    choices: [masquerade, none]
    default: masquerade
  hairpin: &hairpin
    description:
      - Whether mesh nodes may use the forward too, by an address of this host.
      - Cannot go with O(source_nat=none), since the answer would not come back through this host.
    type: bool
    default: false
  comment: &comment
    description:
      - Who opened it and why, shown by M(edge.gateway.dnat_forward_info) and C(nft list table inet edge_gateway).
      - 'Up to 64 letters, digits, spaces and C(. _ : / # @ -).'
    type: str
    default: ''
  expires: &expires
    description:
      - When the forward ends by itself, as a point in time of RFC 3339 like V(2027-01-31T18:00:00Z). Never when left out.
      - A timer that the role P(edge.gateway.upkeep#role) installs closes it within a minute after that time, without Ansible.
      - In a list, an entry whose time has passed counts as V(absent); a single one is refused.
    type: str
    default: ''
  state: &state
    description:
      - Whether the forward is wanted. V(absent) needs only the id.
      - Open TCP connections outlive their forward, unless it was the last one of the host. UDP flows are cut.
    type: str
    choices: [present, absent]
    default: present
  forwards:
    description:
      - Many forwards in one transaction, instead of the single form.
      - An empty list only makes sure that what was asked for earlier is in effect.
      - Ansible itself is slow with lists of thousands; use O(src) for those.
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
      source_ranges: *source_ranges
      source_nat: *source_nat
      hairpin: *hairpin
      comment: *comment
      expires: *expires
      state: *state
  src:
    description:
      - A JSON or YAML file with the list of O(forwards), or with an object that holds the list under C(forwards).
      - It is looked for beside the playbook or role and in its folder C(files), and may be encrypted with Ansible Vault.
      - Ten thousand forwards this way cost little more than a task that does nothing. JSON is read much faster than YAML.
    type: path
  remote_src:
    description: Whether O(src) is a file of the managed host.
    type: bool
    default: false
  reply_nodes:
    description:
      - Addresses or networks of nodes of which you know that they send answers to clients with their own address back through the mesh.
        O(source_nat=none) is refused for all others.
      - A hub of this collection tells of the nodes that joined with O(edge.gateway.wg_join#module:client_networks); they need not be named.
    type: list
    elements: str
    default: []
  _packed:
    description: What this module's action plugin has read from O(src). Not for users.
    type: str
  purge:
    description: With O(forwards) or O(src), remove every forward that is not listed.
    type: bool
    default: false
  summary:
    description: Leave the whole list of forwards out of the result, and the diff unless it is asked for. For long lists.
    type: bool
    default: false
  open_foreign:
    description:
      - Open chains of other firewalls (ufw, Docker, rules by hand) that would drop forwards, by rules of ours for forwards alone.
      - What the role P(edge.gateway.firewall#role) chose for this host when left out, else they are only named in a warning.
    type: bool
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.places.mesh
  - edge.gateway.places.firewall
  - edge.gateway.places.targets
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

- name: Forward a range of UDP ports for two networks only
  edge.gateway.dnat_forward:
    forward_id: voice
    public_port: 6000-6010
    target_ip: 10.50.0.14
    proto: udp
    source_ranges: [203.0.113.0/24, 198.51.100.7]

- name: Exactly these forwards and no others
  edge.gateway.dnat_forward:
    forwards:
      - {forward_id: game, public_port: 27015, target_ip: 10.50.0.14, proto: both}
      - {forward_id: git, public_port: 2222, target_ip: 10.50.0.15, target_port: 22}
    purge: true

- name: Exactly the forwards of a file, thousands of them
  edge.gateway.dnat_forward:
    src: forwards.json
    purge: true
    summary: true

- name: Let a friend in until Sunday evening
  edge.gateway.dnat_forward:
    forward_id: lan-party
    public_port: 27016
    target_ip: 10.50.0.14
    proto: udp
    source_ranges: [198.51.100.7]
    expires: "2027-01-31T18:00:00Z"

- name: Close it again
  edge.gateway.dnat_forward:
    forward_id: vm-123-ssh
    state: absent
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
    The first fifty with O(summary).
  type: list
  elements: str
  returned: success
  sample: ['voice: opens udp 6000-6010 to 10.50.0.14 for 203.0.113.0/24']
backend:
  description: The firewall that was driven.
  type: str
  returned: success
  sample: nftables
forwards:
  description: All forwards that exist after the run, with the names of the options.
  type: list
  elements: dict
  returned: success, without O(summary)
  sample:
    - {forward_id: vm-123-ssh, public_port: '22015', target_ip: 10.50.0.12, target_port: 32215, proto: tcp, source_ranges: [],
       source_nat: masquerade, hairpin: false, comment: '', expires: ''}
count:
  description: How many forwards exist after the run.
  type: int
  returned: success
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

from typing import Any, Callable, Dict, Mapping

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.listing import with_entries, with_packed_ids
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.changes import shortened
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import PROTOCOLS, SOURCE_NAT, Forward, Forwards, check_names
from ansible_collections.edge.gateway.plugins.module_utils.models.forward_rules import reply_networks

FORWARD: spec.Spec = {
    "public_port": {"type": "str"}, "target_ip": {"type": "str"}, "target_port": {"type": "int"},
    "proto": {"type": "str", "choices": PROTOCOLS, "default": "tcp"},
    "source_ranges": {"type": "list", "elements": "str", "default": []},
    "source_nat": {"type": "str", "choices": SOURCE_NAT, "default": "masquerade"},
    "hairpin": {"type": "bool", "default": False}, "comment": {"type": "str", "default": ""},
    "expires": {"type": "str", "default": ""}, **spec.STATE,
}
IDS = ("added", "updated", "removed", "repaired")
ARGUMENTS: spec.Spec = {
    "forward_id": {"type": "str"}, **FORWARD,
    "forwards": {"type": "list", "elements": "dict", "options": {"forward_id": {"type": "str", "required": True}, **FORWARD}},
    "src": {"type": "path"}, "remote_src": {"type": "bool", "default": False},
    # what the action plugin read; not a secret, but ten thousand forwards are not for the system's log
    "_packed": {"type": "str", "no_log": True},
    "reply_nodes": {"type": "list", "elements": "str", "default": []},
    "purge": {"type": "bool", "default": False}, "summary": {"type": "bool", "default": False},
    "open_foreign": {"type": "bool"}, **spec.MESH, **spec.FIREWALL, **spec.TARGETS,
}
CONSTRAINTS = {"mutually_exclusive": [("forward_id", "forwards", "src")]}


def wish(params: Mapping[str, Any], host: Host) -> Callable[[Forwards], Forwards]:
    """The edit that the task asks for; only a file of the host itself needs the host."""
    return edit_of(with_entries(host, params, "forwards", check_names), "forward_id", "forwards", Forward.parse, host.now())


def forward(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the forwards to what the task asks for."""
    host = Host()
    edit = wish(params, host)
    engine = ForwardEngine(host, params["state_dir"], params["interface"], params["backend"],
                           allow_outside_mesh=params["allow_outside_mesh"], open_foreign=params["open_foreign"],
                           reply_nodes=reply_networks(params["reply_nodes"]))
    engine.chronicle = Chronicle(host, params["state_dir"], "dnat_forward")
    outcome = converge(engine, edit, dry_run)
    whole = not params["summary"]
    result = {**outcome.as_dict(diff=whole or params["diff_wanted"]), "backend": engine.backend.name, "count": len(outcome.plan.after)}
    if whole:
        return {**result, "forwards": [item.as_dict() for item in outcome.items]}
    result["changes"] = shortened(result["changes"])
    return with_packed_ids(result, IDS) if params["_packed"] else result


def main() -> None:
    entry.run(ARGUMENTS, forward, **CONSTRAINTS)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_peer
short_description: Register nodes at a WireGuard hub
version_added: 0.1.0
description:
  - Runs on the hub of a mesh that has no controller. Registers a node by its id and public key, gives it an address, and tells what
    M(edge.gateway.wg_join) needs as O(edge.gateway.wg_join#module:join_answer), as a controller would.
  - The nodes are kept on the hub in C(peers.json). A run adds and changes the nodes that it names; others stay, whoever is in the play.
  - Sets the hub's interface up, with all its nodes, and repairs it. Existing tunnels go on while nodes come and go.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  node_id:
    description: Name of the node.
    type: str
  node_pubkey:
    description:
      - Public key of the node's interface. Another key than before replaces it; the next key (O(next_pubkey)) takes over.
      - Needed, but for check mode, in which a node may have no key yet.
    type: str
  next_pubkey:
    description: A second key that the node is about to change to. The hub knows it, but sends nothing there yet.
    type: str
  node_ip:
    description:
      - Address of the node in the mesh, or one for each IP version, separated by a comma. By default the address that it has,
        else the lowest that is free.
    type: str
  preshared_key:
    description: Key that both ends share beside their own, as C(wg genpsk) makes them.
    type: str
  client_networks:
    description:
      - Networks of clients that come into the mesh through this node (an edge) with their own address;
        see O(edge.gateway.dnat_forward#module:source_nat).
      - Each network belongs to one node.
    type: list
    elements: str
  replies:
    description: The node sends its answers to such clients back through the mesh; see O(edge.gateway.wg_join#module:client_networks).
    type: bool
    default: false
  endpoint:
    description: Where this node reaches the hub, as C(host:port), instead of the hub's own setting. For the answer alone.
    type: str
  handshake_timeout:
    description:
      - Wait so many seconds for a handshake of O(node_pubkey) before anything is changed, and fail without one. V(0) does not wait.
    type: int
    default: 0
  state:
    description: V(present) registers the node. V(absent) removes it and gives its address back.
    type: str
    choices: [present, absent]
    default: present
  peers:
    description: Many nodes at once. Excludes the options of a single one.
    type: list
    elements: dict
    suboptions:
      node_id:
        description: As above.
        type: str
        required: true
      node_pubkey:
        description: As above.
        type: str
      next_pubkey:
        description: As above.
        type: str
      node_ip:
        description: As above.
        type: str
      preshared_key:
        description: As above.
        type: str
      client_networks:
        description: As above.
        type: list
        elements: str
      replies:
        description: As above.
        type: bool
        default: false
      state:
        description: As above.
        type: str
        choices: [present, absent]
        default: present
  purge:
    description: With O(peers), remove all nodes that it does not name.
    type: bool
    default: false
  max_removals:
    description: How many nodes one run may remove at the most.
    type: int
    default: 3
  hub:
    description:
      - Settings of the hub, instead of those that the role C(hub) has left in C(/etc/edge-gateway/hub.json).
    type: dict
    suboptions:
      interface:
        description: Name of the interface.
        type: str
        default: wg0
      pools:
        description: Networks of the mesh, at most one for each IP version. The hub has the first address of each.
        type: list
        elements: str
        required: true
      endpoint:
        description: Where nodes reach the hub, as C(host:port).
        type: str
      listen_port:
        description: UDP port of the hub.
        type: int
        default: 51820
      mtu:
        description: MTU of the interface. V(0) leaves it to wg-quick.
        type: int
        default: 0
      closed:
        description: Let nothing pass between the mesh and the host's other networks.
        type: bool
        default: true
  config_dir:
    description: Directory that wg-quick reads.
    type: path
    default: /etc/wireguard
  data_dir:
    description: Directory in which the nodes are kept, as C(peers.json).
    type: path
    default: /var/lib/edge-gateway
extends_documentation_fragment:
  - edge.gateway.attributes
seealso:
  - module: edge.gateway.wg_join
  - module: edge.gateway.wg_key
"""

EXAMPLES = r"""
- name: Register a node, from its own play
  edge.gateway.wg_peer:
    node_id: "{{ inventory_hostname }}"
    node_pubkey: "{{ edge_key.public_key }}"
  delegate_to: hub.example.com
  register: edge_registration

- name: Join with what the hub told
  edge.gateway.wg_join:
    node_id: "{{ inventory_hostname }}"
    join_answer: "{{ edge_registration.join_answer }}"

- name: Remove a node
  edge.gateway.wg_peer:
    node_id: node-7
    state: absent
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: [adds node7]
join_answer:
  description: What the node is told. Empty in check mode while the hub has no key, and for other than one node.
  type: dict
  returned: success
  sample:
    node_ip: 10.50.0.5
    controller_pubkey: aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gMTI=
    endpoint: 203.0.113.7:51820
    allowed_ips: [10.50.0.0/24]
public_key:
  description: Public key of the hub.
  type: str
  returned: success
peers:
  description: All nodes that are registered after the run, without secrets.
  type: list
  elements: dict
  returned: success
added:
  description: Ids of nodes that were not registered before.
  type: list
  elements: str
  returned: success
updated:
  description: Ids of nodes that changed.
  type: list
  elements: str
  returned: success
removed:
  description: Ids of nodes that are gone, and keys of peers that the interface had and no node is.
  type: list
  elements: str
  returned: success
repaired:
  description: Ids of nodes that were registered, but not known to the interface that way.
  type: list
  elements: str
  returned: success
code:
  description: Kind of failure, for programs.
  type: str
  returned: failure
  sample: invalid_input
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.hub import HubEngine, hub_of
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields
from ansible_collections.edge.gateway.plugins.module_utils.models.hub_edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.target import endpoint

NODE: Dict[str, Dict[str, Any]] = {
    "node_id": {"type": "str"}, "node_pubkey": {"type": "str"}, "next_pubkey": {"type": "str"}, "node_ip": {"type": "str"},
    "preshared_key": {"type": "str", "no_log": True}, "client_networks": {"type": "list", "elements": "str"},
    "replies": {"type": "bool", "default": False}, "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
HUB: Dict[str, Dict[str, Any]] = {
    "interface": {"type": "str", "default": "wg0"}, "pools": {"type": "list", "elements": "str", "required": True},
    "endpoint": {"type": "str"}, "listen_port": {"type": "int", "default": 51820}, "mtu": {"type": "int", "default": 0},
    "closed": {"type": "bool", "default": True},
}
ARGUMENTS: Dict[str, Dict[str, Any]] = {
    **NODE, "endpoint": {"type": "str"}, "handshake_timeout": {"type": "int", "default": 0},
    "peers": {"type": "list", "elements": "dict", "options": {**NODE, "node_id": {"type": "str", "required": True}}},
    "purge": {"type": "bool", "default": False}, "max_removals": {"type": "int", "default": 3},
    "hub": {"type": "dict", "options": HUB},
    "config_dir": {"type": "path", "default": "/etc/wireguard"}, "data_dir": {"type": "path", "default": "/var/lib/edge-gateway"},
}


def register(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the hub's nodes to what the task asks for."""
    host = Host()
    hub = hub_of(host, params["hub"])
    edit = edit_of(params, hub)
    patience = fields.integer("handshake_timeout", params["handshake_timeout"], 0, 3600)
    where = endpoint("endpoint", params["endpoint"]) if params["endpoint"] else None
    engine = HubEngine(host, hub, params["config_dir"], params["data_dir"], patience=patience,
                       awaited=params["node_pubkey"] or "" if patience else "")
    engine.chronicle = Chronicle(host, params["data_dir"], "wg_peer")
    outcome = converge(engine, edit, dry_run)
    nodes = outcome.plan.after
    told = nodes.get(params["node_id"]) if params["node_id"] else None
    return {**outcome.as_dict(), "peers": [item.shown() for _name, item in sorted(nodes.items())], "public_key": engine.public_key(),
            "join_answer": engine.answer(told, nodes, where) if told else {}}


def main() -> None:
    entry.run(ARGUMENTS, register, mutually_exclusive=[("peers", "node_id"), ("peers", "node_pubkey"), ("peers", "handshake_timeout")])


if __name__ == "__main__":
    main()

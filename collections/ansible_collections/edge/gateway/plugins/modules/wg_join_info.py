#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_join_info
short_description: Tell how a host stands in its WireGuard mesh
version_added: 0.1.0
description:
  - Tells what the controller (or the hub) answered, whether the tunnel runs, when it last had a handshake, and in what it differs from
    what M(edge.gateway.wg_join) would make it.
  - On a host that is the hub of the mesh, tells how each of its nodes stands.
  - Changes nothing, and returns neither private nor preshared keys.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  interface:
    description: Name of the mesh interface.
    type: str
    default: wg0
    aliases: [wg_iface]
  config_dir:
    description: Directory that wg-quick reads.
    type: path
    default: /etc/wireguard
  data_dir:
    description: Directory in which the controller's last answer is kept.
    type: path
    default: /var/lib/edge-gateway
extends_documentation_fragment:
  - edge.gateway.attributes.info
seealso:
  - module: edge.gateway.wg_join
  - module: edge.gateway.wg_peer
  - module: edge.gateway.gateway_health
"""

EXAMPLES = r"""
- name: Look at the tunnel
  edge.gateway.wg_join_info:
  register: edge_mesh

- name: Stop when somebody has changed it
  ansible.builtin.assert:
    that: edge_mesh.drift | length == 0
    fail_msg: "{{ edge_mesh.drift | join(', ') }}; run site.yml"

- name: Stop when the peer has been silent for three minutes
  ansible.builtin.assert:
    that: edge_mesh.handshake_age is not none and edge_mesh.handshake_age < 180

- name: Look at the hub
  edge.gateway.wg_join_info:
  delegate_to: hub1
  register: edge_hub

- name: Show the nodes that are away
  ansible.builtin.debug:
    msg: "{{ edge_hub.peers | rejectattr('connected') | map(attribute='node_id') }}"
"""

RETURN = r"""
role:
  description: >-
    What this host is in the mesh on the interface. V(member) when it has joined, V(hub) when M(edge.gateway.wg_peer) registers
    nodes here, V(none) otherwise.
  type: str
  returned: success
  sample: member
joined:
  description: Whether this host has joined a mesh on the interface.
  type: bool
  returned: success
running:
  description: Whether the interface is up.
  type: bool
  returned: success
interface:
  description: Name of the interface.
  type: str
  returned: success
  sample: wg0
node_ip:
  description: Address of this host in the mesh, the IPv4 one if it has both.
  type: str
  returned: success
  sample: 10.50.0.5
node_ips:
  description: All addresses of this host in the mesh.
  type: list
  elements: str
  returned: success
  sample: [10.50.0.5, "fd50::5"]
public_key:
  description: Public key of this host.
  type: str
  returned: success
controller_pubkey:
  description: Public key of the peer. Empty on a hub.
  type: str
  returned: success
endpoint:
  description: Where the peer is reached, as the host was told. Empty on a hub.
  type: str
  returned: success
  sample: hub.example.net:51820
peer_endpoint:
  description: Address and port where the peer is right now, as C(wg) shows it. Empty when that is not known, and on a hub.
  type: str
  returned: success
  sample: 203.0.113.7:51820
allowed_ips:
  description: Networks behind the tunnel.
  type: list
  elements: str
  returned: success
latest_handshake:
  description: Seconds since the epoch at the last handshake, V(0) when there was none.
  type: int
  returned: success
handshake_age:
  description: Seconds since the last handshake, null when there was none.
  type: int
  returned: success
  sample: 12
received:
  description: Bytes received through the tunnel.
  type: int
  returned: success
sent:
  description: Bytes sent through the tunnel.
  type: int
  returned: success
mtu:
  description: Largest packet of the interface in bytes, V(0) without an interface.
  type: int
  returned: success
  sample: 1420
listen_port:
  description: UDP port that the interface listens on, V(0) without an interface.
  type: int
  returned: success
  sample: 51820
drift:
  description: >-
    In plain words, what a run of M(edge.gateway.wg_join) (on a hub M(edge.gateway.wg_peer)) with unchanged options would repair,
    the most important first. Empty when files, state and interface agree.
  type: list
  elements: str
  returned: success
  sample: [the file was edited, route 10.50.0.0/24 is missing]
key_file_modes_ok:
  description: Whether nobody but root can read the files that hold keys.
  type: bool
  returned: success
clock:
  description: >-
    V(ok), or a sentence about this host's clock. WireGuard refuses handshakes of a clock that went back. It did when a file of the
    mesh was changed, or the last handshake was made, in the future. That NTP does not keep it right is mentioned here as well.
  type: str
  returned: success
  sample: ok
peers:
  description: On a hub, the nodes that it knows. Empty elsewhere.
  type: list
  elements: dict
  returned: success
  contains:
    node_id:
      description: Name of the node.
      type: str
    node_ip:
      description: Its address in the mesh, the IPv4 one if it has both.
      type: str
    endpoint:
      description: Address and port where it is right now, empty before it has called.
      type: str
    handshake_age:
      description: Seconds since its last handshake, null when there was none.
      type: int
    received:
      description: Bytes received from it.
      type: int
    sent:
      description: Bytes sent to it.
      type: int
    connected:
      description: Whether its last handshake is less than 180 seconds ago.
      type: bool
    pending:
      description: Whether the hub knows a next key of it, to which it has not changed for good yet.
      type: bool
  sample:
    - {node_id: node1, node_ip: 10.50.0.3, endpoint: "198.51.100.9:40112", handshake_age: 31, received: 14212, sent: 9120,
       connected: true, pending: false}
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.engines import mesh_state
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "interface": {"type": "str", "default": "wg0", "aliases": ["wg_iface"]},
    "config_dir": {"type": "path", "default": "/etc/wireguard"}, "data_dir": {"type": "path", "default": "/var/lib/edge-gateway"},
}


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """How the host stands in its mesh."""
    name = fields.interface("interface", params["interface"])
    return {"changed": False, **mesh_state.look(Host(), name, params["config_dir"], params["data_dir"]).as_dict()}


def main() -> None:
    entry.run(ARGUMENTS, look)


if __name__ == "__main__":
    main()

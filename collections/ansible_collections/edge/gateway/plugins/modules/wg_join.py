#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_join
short_description: Join a WireGuard mesh through its controller
version_added: 0.1.0
description:
  - Makes a WireGuard key once, asks the controller with C(POST <controller_url>/join), writes the interface for C(wg-quick)
    and brings it up, now and at boot.
  - The private key never leaves the host.
  - A host that has joined asks again on every run, so that a controller that lost its peers learns them anew. If the controller
    is away then, the tunnel stays and the run warns.
  - In check mode nothing is created and nothing is sent. What only the controller can tell is shown as assigned by it, and a
    controller that would answer something else than last time is not foreseen.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  controller_url:
    description: Base URL of the controller. Works with C(http), with a warning.
    type: str
  join_token:
    description: Token that the controller asks for, sent as the header C(X-Join-Token).
    type: str
  node_id:
    description: Name of this host at the controller. Required unless O(state=left).
    type: str
  join_answer:
    description:
      - The controller's answer as data, instead of O(controller_url).
      - A dictionary of C(node_ip), C(controller_pubkey), C(endpoint) and C(allowed_ips); M(edge.gateway.wg_peer) returns it.
      - An empty one is what check mode knows before there is a hub.
    type: dict
  interface:
    description: Name of the mesh interface.
    type: str
    default: wg0
    aliases: [wg_iface]
  config_dir:
    description: Directory that wg-quick reads, where the interface's file and private key are kept.
    type: path
    default: /etc/wireguard
  data_dir:
    description: Directory in which the controller's last answer is kept, as C(join.json).
    type: path
    default: /var/lib/edge-gateway
  persistent_keepalive:
    description: Seconds between keepalives to the controller's peer. V(0) sends none.
    type: int
    default: 25
  listen_port:
    description: UDP port to listen on. The kernel chooses one when left out.
    type: int
  mtu:
    description: MTU of the interface in bytes, from 1280. When left out, see O(probe_mtu).
    type: int
  probe_mtu:
    description:
      - Measure the path to the peer when joining, and whenever its endpoint changes, and choose the MTU by it.
      - Otherwise wg-quick chooses by the host's own interface, which knows nothing of narrow places further on.
    type: bool
    default: false
  preshared_key:
    description: Key that both ends share beside their own, as C(wg genpsk) makes them. The peer must have the same.
    type: str
  allowed_ips:
    description: Networks behind the tunnel, instead of those that the controller answers.
    type: list
    elements: str
  client_networks:
    description:
      - Networks of clients that come to this host through the tunnel with their own address, because an edge forwards with
        O(edge.gateway.dnat_forward#module:source_nat=none). V(0.0.0.0/0) and V(::/0) stand for all.
      - What this host sends from its mesh address then goes back through the tunnel, where it would otherwise leave by a default route.
        Nothing else of its routing changes.
    type: list
    elements: str
  rotate_key:
    description:
      - Change to the next key (see M(edge.gateway.wg_key)), and back if the peer does not answer to it.
      - With a controller, the key is made and sent there; a hub must know it already.
    type: bool
    default: false
  validate_certs:
    description: Check the controller's TLS certificate.
    type: bool
    default: true
  ca_path:
    description: PEM file on the host with the CA of the controller's certificate.
    type: path
  timeout:
    description: Seconds for the controller, all tries together.
    type: int
    default: 20
  retries:
    description: How often to ask again when the controller cannot be reached, or answers HTTP 500 to 599. Nothing else is asked again.
    type: int
    default: 10
  delay:
    description: Seconds between two tries.
    type: int
    default: 2
  rejoin:
    description: Accept an answer that changes this host's address or the controller's key.
    type: bool
    default: false
  allow_default_route:
    description: Accept networks that cover most of the internet, the host's own networks, or the address that Ansible comes from.
    type: bool
    default: false
  allow_lockout:
    description: Accept a change that cuts the connection by which Ansible came in through the tunnel.
    type: bool
    default: false
  state:
    description:
      - V(joined) joins. V(left) takes the interface down and forgets the answer. The private key is kept.
    type: str
    choices: [joined, left]
    default: joined
extends_documentation_fragment:
  - edge.gateway.attributes
seealso:
  - module: edge.gateway.wg_join_info
  - module: edge.gateway.wg_peer
"""

EXAMPLES = r"""
- name: Join the mesh
  edge.gateway.wg_join:
    controller_url: https://controller.example.com
    join_token: "{{ vault_join_token }}"
    node_id: edge-gateway-1

- name: Leave it
  edge.gateway.wg_join:
    state: left
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: [changes wg0]
interface:
  description: Name of the interface.
  type: str
  returned: success
  sample: wg0
node_ip:
  description: Address of this host in the mesh. Empty in check mode before the first join.
  type: str
  returned: success
  sample: 10.50.0.5
node_ips:
  description: All addresses of this host in the mesh, at most one for each IP version.
  type: list
  elements: str
  returned: success
  sample: [10.50.0.5]
public_key:
  description: Public key of this host.
  type: str
  returned: success
controller_pubkey:
  description: Public key of the peer.
  type: str
  returned: success
endpoint:
  description: Where the peer is reached.
  type: str
  returned: success
  sample: 203.0.113.7:51820
allowed_ips:
  description: Networks behind the tunnel.
  type: list
  elements: str
  returned: success
  sample: [10.50.0.0/24]
code:
  description: Kind of failure, for programs.
  type: str
  returned: failure
  sample: controller
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
  sample: controller_url
retryable:
  description: Whether the same task may succeed later, such as when the controller was away or another run was at work.
  type: bool
  returned: failure
  sample: true
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.wireguard import MeshEngine, join_options
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields
from ansible_collections.edge.gateway.plugins.module_utils.models.join import edit_of

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "controller_url": {"type": "str"}, "join_token": {"type": "str", "no_log": True}, "node_id": {"type": "str"},
    "join_answer": {"type": "dict"}, "interface": {"type": "str", "default": "wg0", "aliases": ["wg_iface"]},
    "config_dir": {"type": "path", "default": "/etc/wireguard"}, "data_dir": {"type": "path", "default": "/var/lib/edge-gateway"},
    "persistent_keepalive": {"type": "int", "default": 25}, "listen_port": {"type": "int"}, "mtu": {"type": "int"},
    "allowed_ips": {"type": "list", "elements": "str"}, "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"}, "timeout": {"type": "int", "default": 20}, "retries": {"type": "int", "default": 10},
    "delay": {"type": "int", "default": 2}, "rejoin": {"type": "bool", "default": False},
    "allow_default_route": {"type": "bool", "default": False}, "allow_lockout": {"type": "bool", "default": False},
    "probe_mtu": {"type": "bool", "default": False}, "preshared_key": {"type": "str", "no_log": True},
    "client_networks": {"type": "list", "elements": "str"}, "rotate_key": {"type": "bool", "default": False, "no_log": False},
    "state": {"type": "str", "choices": ["joined", "left"], "default": "joined"},
}
CONSTRAINTS = {
    "mutually_exclusive": [("controller_url", "join_answer")],
    "required_if": [("state", "joined", ("node_id",)), ("state", "joined", ("controller_url", "join_answer"), True)],
    "required_by": {"controller_url": ("join_token",)},
}


def join(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the membership to what the task asks for."""
    name = fields.interface("interface", params["interface"])
    edit = edit_of(params)
    engine = MeshEngine(Host(), name, params["config_dir"], params["data_dir"], join_options(params))
    engine.chronicle = Chronicle(engine.host, params["data_dir"], "wg_join")
    outcome = converge(engine, edit, dry_run)
    result = outcome.as_dict()
    return {**{key: result[key] for key in ("changed", "diff", "changes", "warnings")}, **engine.report(outcome.plan.after.get(name))}


def main() -> None:
    entry.run(ARGUMENTS, join, **CONSTRAINTS)


if __name__ == "__main__":
    main()

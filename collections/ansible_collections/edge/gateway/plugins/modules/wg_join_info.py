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
  - Tells what the controller answered, whether the tunnel runs, and when it last had a handshake.
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
"""

EXAMPLES = r"""
- name: Look at the tunnel
  edge.gateway.wg_join_info:
  register: edge_mesh
"""

RETURN = r"""
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
  description: Address of this host in the mesh.
  type: str
  returned: success
  sample: 10.50.0.5
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
allowed_ips:
  description: Networks behind the tunnel.
  type: list
  elements: str
  returned: success
latest_handshake:
  description: Seconds since the epoch at the last handshake, V(0) when there was none.
  type: int
  returned: success
received:
  description: Bytes received through the tunnel.
  type: int
  returned: success
sent:
  description: Bytes sent through the tunnel.
  type: int
  returned: success
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.engines.wireguard import JoinOptions, MeshEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "interface": {"type": "str", "default": "wg0", "aliases": ["wg_iface"]},
    "config_dir": {"type": "path", "default": "/etc/wireguard"}, "data_dir": {"type": "path", "default": "/var/lib/edge-gateway"},
}


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """The membership and the tunnel's counters."""
    name = fields.interface("interface", params["interface"])
    engine = MeshEngine(Host(), name, params["config_dir"], params["data_dir"], JoinOptions())
    member, link = engine.load().get(name), engine.tunnel.dump()
    peers = link.peers if link else ()
    return {
        "changed": False, "joined": member is not None, "running": link is not None, **engine.report(member),
        "latest_handshake": max((peer.latest_handshake for peer in peers), default=0),
        "received": sum(peer.received for peer in peers), "sent": sum(peer.sent for peer in peers),
    }


def main() -> None:
    entry.run(ARGUMENTS, look)


if __name__ == "__main__":
    main()

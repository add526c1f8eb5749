#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_health
short_description: Tell whether an edge does its work
version_added: 0.1.0
description:
  - Looks at the mesh, the port forwards and the HTTPS routes, and tells for each part whether it works and what to do if not.
  - The mesh has failed when the host has not joined, its interface is down, or its peer never answered. It is degraded when the last
    handshake is older than 180 seconds, when something differs from what M(edge.gateway.wg_join) made, when others can read keys, when
    the clock went back, or when the interface does not start at boot. On a hub, nodes that are away are counted and nothing more.
  - Nodes of forwards with O(edge.gateway.dnat_forward#module:source_nat=none) are sent an echo request from an address of this host
    outside the mesh, as a client would send it. The forwards are degraded when a node answers the mesh, but not such a request by way of
    the mesh. At most 20 nodes are asked, within two seconds.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  config_dir:
    description: Directory that wg-quick reads.
    type: path
    default: /etc/wireguard
extends_documentation_fragment:
  - edge.gateway.attributes.info
  - edge.gateway.places.mesh
  - edge.gateway.places.traefik
seealso:
  - module: edge.gateway.wg_join_info
"""

EXAMPLES = r"""
- name: Look at the edge
  edge.gateway.gateway_health:
  register: edge_health
  failed_when: edge_health.status == 'failed'
"""

RETURN = r"""
status:
  description: The worst status of all parts. C(ok), C(degraded) or C(failed).
  type: str
  returned: success
  sample: ok
parts:
  description: Status, message and remedy of each part.
  type: dict
  returned: success
  sample:
    mesh: {status: ok, message: last handshake on wg0 12 s ago, remedy: ''}
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.health import Places, examine
from ansible_collections.edge.gateway.plugins.module_utils.engines.system import mesh_interface
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.health import overall
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url

ARGUMENTS: spec.Spec = {"config_dir": {"type": "path", "default": "/etc/wireguard"}, **spec.MESH, **spec.TRAEFIK}


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """The status of each part and of the whole."""
    api = TraefikApi(url("api_url", params["api_url"], ("http", "https")))
    parts = examine(Host(), Places(mesh_interface(Host(), params["interface"]), params["config_dir"], params["state_dir"],
                                   params["dynamic_dir"], api))
    return {"changed": False, "status": overall(parts), "parts": {name: part.as_dict() for name, part in parts.items()}}


def main() -> None:
    entry.run(ARGUMENTS, look)


if __name__ == "__main__":
    main()

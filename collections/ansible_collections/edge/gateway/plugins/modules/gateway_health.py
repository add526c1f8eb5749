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
  - Looks at every part of an edge, and tells for each whether it works and what to do if not. C(mesh), C(forwarding) (the kernel's
    own switch), C(forwards) (in the kernel, and dropped by nobody else), C(traefik), C(routes), C(certificates), C(expiry) (what should
    have ended by itself), C(disk), and C(converge) (when a run was here last).
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
  max_age:
    description: From how many hours without a run on the edge is degraded. V(0) stands for never.
    type: int
    default: 0
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
  description:
    - Status, message and remedy of each part. C(help) is the address of what the documentation tells about a part that is not C(ok).
  type: dict
  returned: success
  sample:
    mesh: {status: ok, message: last handshake on wg0 12 s ago, remedy: '', help: '', figures: {handshake_age_seconds: 12}}
history:
  description: The last hundred runs that changed something, newest first; of each kind of change the number, and the first twenty ids.
  type: list
  elements: dict
  returned: success
  sample:
    - {time: '2027-01-25T20:17:02Z', module: dnat_forward, counts: {added: 1, updated: 0, removed: 0, repaired: 0}, added: [vm-123-ssh],
       updated: [], removed: [], repaired: []}
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.health import Places, examine
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.system import mesh_interface
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields
from ansible_collections.edge.gateway.plugins.module_utils.models.health import overall
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url

ARGUMENTS: spec.Spec = {"config_dir": {"type": "path", "default": "/etc/wireguard"}, "max_age": {"type": "int", "default": 0},
                        **spec.MESH, **spec.TRAEFIK}


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """The status of each part and of the whole."""
    host, api = Host(), TraefikApi(url("api_url", params["api_url"], ("http", "https")))
    hours = fields.integer("max_age", params["max_age"], 0, 100_000)
    parts = examine(host, Places(mesh_interface(host, params["interface"]), params["config_dir"], params["state_dir"],
                                 params["dynamic_dir"], api, hours * 3600))
    return {"changed": False, "status": overall(parts), "parts": {name: part.as_dict(name) for name, part in parts.items()},
            "history": [change.as_dict() for change in Chronicle(host, params["state_dir"]).load().changes]}


def main() -> None:
    entry.run(ARGUMENTS, look)


if __name__ == "__main__":
    main()

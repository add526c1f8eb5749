#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_import
short_description: Find what a host forwards and routes without this collection
version_added: 0.1.0
description:
  - Looks at a host and says in the options of M(edge.gateway.dnat_forward) and M(edge.gateway.traefik_route) what it forwards and routes
    already, for a person to review. The playbook C(import_seed.yml) writes that into a file, and takes the file over later.
  - From the older system it takes C(tcp_forwards) and C(http_routes) of its agent's C(state.json), and the routers in its dynamic files of
    Traefik. The files count where the two differ, since Traefik serves by them.
  - From the firewall it takes DNAT rules of iptables (both variants, both IP versions) and of nftables, for TCP or UDP ports. Rules of
    one port for several sources become one forward.
  - What a forward or a route cannot say is never guessed. It is left out and told in RV(notes). So are rules that depend on interfaces,
    marks, sets or chance, rules that an earlier one may keep packets from, and all that Docker, Kubernetes, Podman, libvirt or this
    collection have made.
  - A forward takes what is addressed to the host itself and does not come from the mesh, also where the rule takes more.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  seed_dir:
    description: Directory of the managed host that the older system's agent had as C(/data). Nothing of it is looked at when left out.
    type: path
  traefik_dir:
    description:
      - Directory of the managed host with dynamic files of Traefik.
      - When left out, C(../traefik/dynamic) beside O(seed_dir), where the older system's compose file has it.
    type: path
  rules:
    description: Whether rules of the firewall are looked at.
    type: bool
    default: true
  interface:
    description: Name of the mesh interface. What the role P(edge.gateway.firewall#role) chose for this host when left out, else C(wg0).
    type: str
    aliases: [wg_iface]
extends_documentation_fragment:
  - edge.gateway.attributes.info
seealso:
  - module: edge.gateway.seed_import
"""

EXAMPLES = r"""
- name: Look at the DNAT rules of a host
  edge.gateway.gateway_import:
  register: found

- name: Look at an older system too
  edge.gateway.gateway_import:
    seed_dir: /opt/edge-gateway/agent-data
  register: found
"""

RETURN = r"""
forwards:
  description: Forwards with the names of the options of M(edge.gateway.dnat_forward).
  type: list
  elements: dict
  returned: success
  sample:
    - {forward_id: tcp-22015, public_port: '22015', target_ip: 10.50.0.12, target_port: 32215, proto: tcp, source_ranges: [],
       source_nat: masquerade, hairpin: false, comment: ''}
routes:
  description: Routes with the names of the options of M(edge.gateway.traefik_route).
  type: list
  elements: dict
  returned: success
  sample:
    - route_id: vm-123
      hostname: [vm-123.service.com]
      path_prefix: ''
      target_url: ['http://10.50.0.12:8080']
      entrypoint: [websecure]
      certresolver: dnsresolver
origins:
  description: Where each comes from, by C(forwards) and C(routes), and by id.
  type: dict
  returned: success
  sample: {forwards: {tcp-22015: ['tcp_forwards of /opt/edge-gateway/agent-data/state.json']}, routes: {}}
notes:
  description: What was not taken, or needs a look, each a sentence with the rule or file and what to do.
  type: list
  elements: str
  returned: success
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.imports import look
from ansible_collections.edge.gateway.plugins.module_utils.engines.system import mesh_interface
from ansible_collections.edge.gateway.plugins.module_utils.host import Host

ARGUMENTS: spec.Spec = {
    "seed_dir": {"type": "path"}, "traefik_dir": {"type": "path"}, "rules": {"type": "bool", "default": True},
    "interface": spec.MESH["interface"],
}


def find(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """What the host forwards and routes."""
    host = Host()
    imported, found = look(host, mesh_interface(host, params["interface"]), params["seed_dir"], params["traefik_dir"], params["rules"])
    return {"changed": False, "forwards": [item.as_dict() for item in imported.forwards.values()],
            "routes": [item.shown() for item in found.routes.values()],
            "origins": {"forwards": imported.origins, "routes": found.origins}, "notes": imported.notes + found.notes}


def main() -> None:
    entry.run(ARGUMENTS, find)


if __name__ == "__main__":
    main()

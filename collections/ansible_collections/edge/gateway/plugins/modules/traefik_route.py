#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_route
short_description: Serve HTTPS host routes through Traefik
version_added: 0.1.0
description:
  - Writes one file per route into the directory that Traefik's file provider watches, and waits until Traefik reports it live.
  - Files that this module did not write are never changed or removed.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  route_id:
    description:
      - Name of the route. 1 to 63 of a-z, 0-9, C(.), C(_) and C(-).
      - The file is C(<route_id>.yml). Router and service carry the same name.
      - One of O(route_id) and O(routes) is required.
    type: str
  hostname: &hostname
    description:
      - Host names that the route serves, exact or like C(*.example.com).
      - International names are accepted and stored as A-labels.
    type: list
    elements: str
  path_prefix: &path_prefix
    description: Serve only paths below this one.
    type: str
    default: ''
  target_url: &target_url
    description:
      - Where the requests go. C(http), C(https) or C(h2c), host and port. Several share the load.
    type: list
    elements: str
  entrypoint: &entrypoint
    description: Traefik's entrypoints that the route is served on.
    type: list
    elements: str
    default: [websecure]
  certresolver: &certresolver
    description: Traefik's certificate resolver. The default certificate is served when left out.
    type: str
    default: ''
  state: &state
    description: Whether the route is wanted. V(absent) needs only the id.
    type: str
    choices: [present, absent]
    default: present
  routes:
    description:
      - Many routes at once, instead of the single form.
    type: list
    elements: dict
    suboptions:
      route_id:
        description: Name of the route.
        type: str
        required: true
      hostname: *hostname
      path_prefix: *path_prefix
      target_url: *target_url
      entrypoint: *entrypoint
      certresolver: *certresolver
      state: *state
  purge:
    description: With O(routes), remove every route of this collection that is not listed.
    type: bool
    default: false
  wait:
    description: Return only when Traefik itself reports the routes enabled, and fail with its error text otherwise.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for Traefik.
    type: int
    default: 10
  allow_local_target:
    description: Accept targets on the edge itself, loopback and link-local addresses, cloud metadata among them.
    type: bool
    default: false
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.places.traefik
seealso:
  - module: edge.gateway.traefik_route_info
"""

EXAMPLES = r"""
- name: Serve a virtual machine's web page
  edge.gateway.traefik_route:
    route_id: vm-123
    hostname: vm-123.service.com
    target_url: http://10.50.0.12:8080
    certresolver: dnsresolver

- name: Exactly these routes and no others
  edge.gateway.traefik_route:
    routes:
      - {route_id: shop, hostname: [shop.example.com, www.shop.example.com], target_url: http://10.50.0.14:8080}
      - {route_id: api, hostname: shop.example.com, path_prefix: /api, target_url: http://10.50.0.15:3000}
    purge: true

- name: Take it down
  edge.gateway.traefik_route:
    route_id: vm-123
    state: absent
"""

RETURN = r"""
routes:
  description: All routes of this collection that exist after the run, with the names of the options.
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
live:
  description: What Traefik reports for each route. C(enabled), C(disabled), C(warning), C(missing), or C(unknown) when it was not asked.
  type: dict
  returned: success
  sample: {vm-123: enabled}
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
  description: Ids whose file was altered by someone else, and has been put right.
code:
  description: Kind of failure, for programs.
  type: str
  returned: failure
  sample: invalid_input
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
  sample: hostname
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.routes import RouteEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of, entries_of
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url

ROUTE: spec.Spec = {
    "hostname": {"type": "list", "elements": "str"}, "path_prefix": {"type": "str", "default": ""},
    "target_url": {"type": "list", "elements": "str"}, "entrypoint": {"type": "list", "elements": "str", "default": ["websecure"]},
    "certresolver": {"type": "str", "default": ""}, **spec.STATE,
}
ARGUMENTS: spec.Spec = {
    "route_id": {"type": "str"}, **ROUTE,
    "routes": {"type": "list", "elements": "dict", "options": {"route_id": {"type": "str", "required": True}, **ROUTE}},
    "purge": {"type": "bool", "default": False}, "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 10}, "allow_local_target": {"type": "bool", "default": False}, **spec.TRAEFIK,
}


def route(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the routes to what the task asks for."""
    edit = edit_of(params, "route_id", "routes", Route.parse)
    api = TraefikApi(url("api_url", params["api_url"], ("http", "https")))
    watched = [each["route_id"] for each in entries_of(params, "route_id", "routes")]
    engine = RouteEngine(Host(), params["dynamic_dir"], api if params["wait"] else None, params["wait_timeout"],
                         watched=watched, allow_local_target=params["allow_local_target"])
    outcome = converge(engine, edit, dry_run)
    routes = {item.route_id: item for item in outcome.items}
    return {**outcome.as_dict(), "routes": [item.as_dict() for item in outcome.items], "live": engine.live(routes)}


def main() -> None:
    entry.run(ARGUMENTS, route, mutually_exclusive=[("route_id", "routes")])


if __name__ == "__main__":
    main()

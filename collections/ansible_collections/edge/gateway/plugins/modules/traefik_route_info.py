#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_route_info
short_description: List the HTTPS and TCP routes of an edge
version_added: 0.1.0
description:
  - Lists the routes that M(edge.gateway.traefik_route) wrote, and what Traefik reports for each of them, its targets and certificates.
author:
  - edge.gateway contributors (@edge-gateway)
extends_documentation_fragment:
  - edge.gateway.attributes.info
  - edge.gateway.places.traefik
seealso:
  - module: edge.gateway.traefik_route
"""

EXAMPLES = r"""
- name: List the routes
  edge.gateway.traefik_route_info:
  register: edge_routes
"""

RETURN = r"""
routes:
  description: The routes, with the names of the options of M(edge.gateway.traefik_route). Hashes of passwords are left out.
  type: list
  elements: dict
  returned: success
live:
  description: What Traefik reports for each route. C(enabled), C(disabled), C(warning), C(missing), or C(unknown) when it does not answer.
  type: dict
  returned: success
  sample: {vm-123: enabled}
details:
  description: What is known of each route, by its id.
  type: dict
  returned: success
  sample:
    vm-123:
      file: /etc/traefik/dynamic/vm-123.yml
      intact: true
      status: enabled
      errors: []
      servers: {'http://10.50.0.12:8080': UP}
      certificates:
        vm-123.service.com:
          {issuer: R11, serial: '4295', names: [vm-123.service.com], not_after: '2027-01-25T20:17:02Z', days_left: 61, reason: ''}
  contains:
    file:
      description: Its file.
      type: str
    intact:
      description: Whether the file is as it was written.
      type: bool
    status:
      description: As in RV(live).
      type: str
    errors:
      description: Traefik's own words about its routers, middlewares and service.
      type: list
      elements: str
    servers:
      description: Whether each target is C(UP) or C(DOWN), as the health check sees it; without one, C(UP).
      type: dict
    certificates:
      description:
        - For each host name on an entrypoint with TLS, the certificate that Traefik holds for it. Without one, C(issuer) is empty, and the
          default certificate is served.
        - C(reason) is why the last order or renewal failed, from Traefik's log.
        - Empty with Traefik before 3.7, which does not tell.
      type: dict
broken:
  description: Files in the directory that this collection did not write, and that stop Traefik from loading any, each with why.
  type: list
  elements: str
  returned: success
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.route_report import details
from ansible_collections.edge.gateway.plugins.module_utils.engines.routes import RouteEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """The routes and what Traefik says of them."""
    engine = RouteEngine(Host(), params["dynamic_dir"], TraefikApi(url("api_url", params["api_url"], ("http", "https"))), 0)
    routes = engine.load()
    return {"changed": False, "routes": [item.shown() for _name, item in sorted(routes.items())], "live": engine.live(routes),
            "details": details(engine, routes), "broken": engine.directory.broken()}


def main() -> None:
    entry.run(spec.TRAEFIK, look)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_route_info
short_description: List the HTTPS host routes of an edge
version_added: 0.1.0
description:
  - Lists the routes that M(edge.gateway.traefik_route) wrote, and what Traefik reports for each.
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
  description: The routes, with the names of the options of M(edge.gateway.traefik_route).
  type: list
  elements: dict
  returned: success
live:
  description: What Traefik reports for each route. C(enabled), C(disabled), C(warning), C(missing), or C(unknown) when it does not answer.
  type: dict
  returned: success
  sample: {vm-123: enabled}
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.routes import RouteEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url


def look(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """The routes and what Traefik says of them."""
    engine = RouteEngine(Host(), params["dynamic_dir"], TraefikApi(url("api_url", params["api_url"], ("http", "https"))), 0)
    routes = engine.load()
    return {"changed": False, "routes": [item.shown() for _name, item in sorted(routes.items())], "live": engine.live(routes)}


def main() -> None:
    entry.run(spec.TRAEFIK, look)


if __name__ == "__main__":
    main()

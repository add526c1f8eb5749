# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the task here and carries a long list to the host as one text; see ``plugin_utils.carried``."""

from __future__ import annotations

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.modules.traefik_route import ARGUMENTS, CONSTRAINTS, wish
from ansible_collections.edge.gateway.plugins.plugin_utils.carried import CarriedList


class ActionModule(CarriedList):
    """The action of this name."""

    noun = "routes"
    single = "route_id"
    spec = ARGUMENTS
    constraints = CONSTRAINTS

    def parse(self, params: Dict[str, Any]) -> None:
        """Parse one object or the list, unless it is in a file of the host."""
        if not params["remote_src"]:
            wish(params, Host())

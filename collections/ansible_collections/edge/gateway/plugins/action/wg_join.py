# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the task here, before the host is contacted; see ``plugin_utils.request``."""

from __future__ import annotations

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils.engines.wireguard import join_options
from ansible_collections.edge.gateway.plugins.module_utils.models.join import edit_of
from ansible_collections.edge.gateway.plugins.modules.wg_join import ARGUMENTS, CONSTRAINTS
from ansible_collections.edge.gateway.plugins.plugin_utils.request import CheckedRequest


class ActionModule(CheckedRequest):
    """The action of this name."""

    spec = ARGUMENTS
    constraints = CONSTRAINTS

    def parse(self, params: Dict[str, Any]) -> None:
        """Parse what the task asks for."""
        edit_of(params)
        join_options(params)

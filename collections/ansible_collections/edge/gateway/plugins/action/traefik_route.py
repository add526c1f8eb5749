# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries a long list to the host as one text; see ``plugin_utils.carried``."""

from __future__ import annotations

from ansible_collections.edge.gateway.plugins.plugin_utils.carried import CarriedList


class ActionModule(CarriedList):
    """The action of this name."""

    noun = "routes"
    single = "route_id"

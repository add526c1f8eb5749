# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memberships of this host, kept in ``join.json`` by interface."""

from __future__ import annotations

from typing import Dict, Optional

from ..host import Host
from ..models.join import Membership
from .store import Store


def store(host: Host, directory: str) -> Store:
    """The state file."""
    return Store(host, directory, "join.json", "memberships")


def load(host: Host, directory: str) -> Dict[str, Membership]:
    """All memberships by interface."""
    return store(host, directory).load(Membership.parse, lambda item: item.interface)


def membership_of(host: Host, directory: str, interface: str) -> Optional[Membership]:
    """The membership on one interface, None when the host has not joined there."""
    return load(host, directory).get(interface)

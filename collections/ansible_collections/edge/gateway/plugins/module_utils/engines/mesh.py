# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh as this host knows it, as a member or as its hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import FrozenSet, List, Optional

from ..host import Host
from ..models.fields import Network


@dataclass(frozen=True)
class Mesh:
    """A mesh.

    Attributes:
        networks: behind the mesh interface.
        reply_nodes: addresses of nodes that answer clients with their own address back through the mesh.
    """

    networks: List[Network]
    reply_nodes: FrozenSet[str]


def mesh_of(host: Host, state_dir: str, interface: str) -> Optional[Mesh]:
    """The mesh on an interface, None on a host that has no part in one."""
    # imported where they are needed: a module's code is compiled anew on every run
    from .memberships import membership_of  # noqa: PLC0415
    member = membership_of(host, state_dir, interface)
    if member is not None:
        return Mesh(member.mesh, frozenset(member.answer.reply_nodes if member.answer else ()))
    from ..models.hub import reply_nodes  # noqa: PLC0415
    from . import hub  # noqa: PLC0415
    settings = hub.settings(host)
    if settings is None or settings.interface != interface:
        return None
    return Mesh(settings.networks, frozenset(reply_nodes(hub.load(host, state_dir))))

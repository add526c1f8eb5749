# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of a task to an edit of the nodes that a hub knows."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Set

from ..errors import MISSING, InvalidInput
from . import fields
from .hub import Allotment, Hub, Registration, Registrations

Edit = Callable[[Registrations], Registrations]

# a secret may be among them: none is shown
SINGLE = ("node_id", "node_pubkey", "next_pubkey", "node_ip", "preshared_key", "client_networks", "replies", "endpoint")


def edit_of(params: Mapping[str, Any], hub: Hub) -> Edit:
    """The edit that a task asks for: one node, or a list of them, with or without the removal of all others."""
    wishes: List[Registration] = []
    named: Set[str] = set()
    unwanted: Set[str] = set()
    listed = params.get("peers") is not None
    entries = list(params["peers"]) if listed else [params]
    if not listed and params.get("node_id") is None:
        raise InvalidInput("node_id", MISSING, "is missing; give node_id for one node, or peers for several")
    for number, entry in enumerate(entries):
        where = f"peers[{number}]." if listed else ""
        name = fields.node_id(f"{where}node_id", entry.get("node_id") or "")
        if name in named:
            raise InvalidInput(f"{where}node_id", name, "is named twice in the list; keep one of the two")
        named.add(name)
        if entry.get("state") == "absent":
            unwanted.add(name)
        else:
            wishes.append(Registration.parse(entry, where))
    stray = next((name for name in SINGLE if listed and params.get(name)), "state" if listed and params.get("state") == "absent" else "")
    if stray:
        raise InvalidInput(stray, MISSING, "is about one node, and there is a list; give it with each entry of peers")
    if params.get("purge") and not listed:
        raise InvalidInput("purge", True, "says what to do beside a list, and there is none; give peers, or leave it out")

    def edit(current: Registrations) -> Registrations:
        after: Registrations = {name: item for name, item in current.items()
                                if name not in unwanted and (name in named or not params.get("purge"))}
        # who wishes an address is asked first, so that nobody else is given it meanwhile
        allotment = Allotment(hub, after, wishes)
        after.update({wish.node_id: allotment.register(wish) for wish in sorted(wishes, key=lambda wish: not wish.addresses)})
        _check_removals(sorted(set(current) - set(after)), params["max_removals"])
        return dict(sorted(after.items()))

    return edit


def _check_removals(names: List[str], limit: object) -> None:
    """Raise InvalidInput when a run would remove many nodes: a list that came out short must not empty the mesh."""
    if len(names) > fields.integer("max_removals", limit, 0, 1_000_000):
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise InvalidInput("max_removals", limit, f"is exceeded: {len(names)} nodes ({shown}) would lose the mesh; "
                                                  "raise it if you mean it")


def state_of(items: Dict[str, Registration]) -> List[Dict[str, Any]]:
    """The registrations as they are kept."""
    return [item.as_dict() for _name, item in sorted(items.items())]

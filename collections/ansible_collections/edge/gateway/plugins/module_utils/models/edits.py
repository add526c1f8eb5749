# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of a task to an edit of the wanted objects: one entry, or a list with or without purge."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Protocol, Set, TypeVar

from ..errors import MISSING, InvalidInput
from . import fields


class Expiring(Protocol):
    """An object that may end by itself."""

    @property
    def expires(self) -> str:
        """When, as :func:`.fields.moment` has it; empty for never."""


Item = TypeVar("Item", bound=Expiring)
Parse = Callable[[Mapping[str, Any], str], Item]
Edit = Callable[[Dict[str, Item]], Dict[str, Item]]


def entries_of(params: Mapping[str, Any], id_option: str, list_option: str) -> List[Dict[str, Any]]:
    """The entries that a task names: those of the list form, or the single one.

    Raises:
        InvalidInput: neither form is used.
    """
    entries = params.get(list_option)
    if entries is not None:
        return list(entries)
    if params.get(id_option) is None:
        raise InvalidInput(id_option, MISSING, f"is missing; give {id_option} for one entry, or {list_option} or src for several")
    return [dict(params)]


def edit_of(params: Mapping[str, Any], id_option: str, list_option: str, parse: Parse[Item], now: str = "") -> Edit[Item]:
    """The edit that a task asks for. Everything is validated here, before the host is looked at.

    Args:
        params: the task's options, with ``state`` and ``purge``.
        parse: builds an object from an entry, with a prefix for option names in errors.
        now: the host's time. What has expired is not wanted any more, whoever asked for it; a task
            about that alone is refused. Empty when time plays no part.
    """
    wanted: Dict[str, Item] = {}
    unwanted: Set[str] = set()
    listed = params.get(list_option) is not None
    for number, entry in enumerate(entries_of(params, id_option, list_option)):
        where = f"{list_option}[{number}]." if listed else ""
        name = fields.identifier(where + id_option, entry.get(id_option) or "")
        if name in wanted or name in unwanted:
            raise InvalidInput(where + id_option, name, "is named twice in the list; keep one of the two")
        if fields.choice(where + "state", entry.get("state", "present"), ["present", "absent"]) == "absent":
            unwanted.add(name)
        else:
            item = wanted[name] = parse(entry, where)
            if not listed and is_over(item, now):
                raise InvalidInput("expires", item.expires, f"has passed, it is {now} on this host; give a later time, or leave it out")
    purge = bool(params.get("purge"))
    if purge and not listed:
        raise InvalidInput("purge", True, f"says what to do beside a list, and there is none; give {list_option} or src, or leave it out")

    def edit(current: Dict[str, Item]) -> Dict[str, Item]:
        kept = {} if purge else {name: item for name, item in current.items() if name not in unwanted}
        return unexpired({**kept, **wanted}, now)

    return edit


def unexpired(items: Dict[str, Item], now: str) -> Dict[str, Item]:
    """The objects whose time has not come."""
    return {name: item for name, item in items.items() if not is_over(item, now)}


def is_over(item: Expiring, now: str) -> bool:
    """Whether an object's time has come."""
    expires = item.expires
    return expires != "" and expires <= now

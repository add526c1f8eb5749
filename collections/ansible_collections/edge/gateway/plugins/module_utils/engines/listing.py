# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option ``src``: a list form kept in a file, which is how thousands of objects reach a host without Ansible carrying each."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, Mapping

from ..errors import InvalidInput, StateRefused
from ..formats import listing
from ..host import Host


def with_entries(host: Host, params: Mapping[str, Any], noun: str, check_names: Callable[[Mapping[str, Any], str], None]) -> Dict[str, Any]:
    """The parameters, with the entries of the file under ``noun`` if ``src`` names one. The action plugin sends it along.

    Args:
        check_names: raises for an entry that holds what is no option; Ansible checks only what it carries itself.

    Raises:
        InvalidInput: there is no such file, or not such a list in it.
    """
    path = params["src"]
    if path is None:
        return dict(params)
    packed = params.get("_packed")
    try:
        data = host.read(path) if packed is None else listing.unpacked(packed)
    except StateRefused:
        raise InvalidInput("src", path, "is not a regular file that root can read and of at most 32 MiB; give the path of one") from None
    if data is None:
        raise InvalidInput("src", path, "does not exist on this host; correct the path, or leave remote_src out "
                                        "for a file beside the playbook")
    entries = listing.parse(data, path, noun)
    for number, entry in enumerate(entries):
        check_names(entry, f"{noun}[{number}].")
    return {**params, noun: entries}


def with_packed_ids(result: Mapping[str, Any], names: Iterable[str]) -> Dict[str, Any]:
    """A result with its lists of ids as one text, which the action plugin unpacks."""
    ids = {name: result[name] for name in names}
    rest = {name: value for name, value in result.items() if name not in ids}
    return {**rest, "packed_ids": listing.packed(json.dumps(ids).encode())}

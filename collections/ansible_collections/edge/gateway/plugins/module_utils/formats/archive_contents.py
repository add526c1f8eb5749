# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each file of a backup must hold, judged by the parsers of the files themselves; no message shows a content."""

from __future__ import annotations

import re
from typing import Callable, Dict, List

from ..errors import GatewayError, InvalidInput, StateRefused, Unreadable, shown
from ..models import archive as kinds
from ..models import certificate, fields
from ..models.archive import Archive, KeptFile, KeptFiles, Places
from ..models.choices import Choices
from ..models.forward import Forward
from ..models.forward_rules import check_overlaps
from ..models.hub import Hub, Registration
from ..models.join import Membership
from . import certificates, route_file, state_file
from .strict_json import parse_object

_CERT_FILE = re.compile(r"certFile: (\S+)$", re.MULTILINE)
# makes the error of a problem: it knows whose fault that is, and the remedy
Refuse = Callable[[str], StateRefused]


def checked(files: KeptFiles, places: Places, refuse: Refuse) -> KeptFiles:
    """The same files, each written anew from what was understood where that is more than text.

    Raises:
        StateRefused: a path is none of ours, or a content is not what its path stands for.
    """
    found: KeptFiles = {}
    for path, item in files.items():
        kind = places.kind_of(path)
        if kind is None:
            raise refuse(f"holds {shown(path)}, which is not among the files that make an edge")
        if not item.is_as_closed_as(kind):
            raise refuse(f"holds {path} with mode {item.mode:04o} of {shown(item.owner)} and group {shown(item.group)}, "
                         f"which is open to others than {kind.mode:04o} of {kind.owner}:{kind.group} is")
        found[path] = _canonical(item, kind.name, refuse)
    _check_certificates(found, places, refuse)
    return found


def _canonical(item: KeptFile, kind: str, refuse: Refuse) -> KeptFile:
    try:
        text = PARSERS[kind](item) if kind in PARSERS else item.content
    except InvalidInput as problem:
        raise _misfit(refuse, item, f" ({problem.option})") from None
    except (GatewayError, ValueError):
        raise _misfit(refuse, item) from None
    return item if text == item.content else KeptFile(item.path, item.mode, item.owner, item.group, text)


def _misfit(refuse: Refuse, item: KeptFile, part: str = "") -> StateRefused:
    return refuse(f"holds {item.path} with a content that this version of edge.gateway does not write there{part}")


def _key(item: KeptFile) -> str:
    return fields.key("key", item.content.strip()) + "\n"


def _choices(item: KeptFile) -> str:
    Choices.parse(parse_object(item.content.encode()))
    return item.content


def _hub(item: KeptFile) -> str:
    Hub.parse(parse_object(item.content.encode()))
    return item.content


def memberships_of(item: KeptFile) -> List[Membership]:
    """The memberships of a ``join.json``."""
    return list(state_file.parse(item.content.encode(), "memberships", Membership.parse, lambda found: found.interface).values())


def _join(item: KeptFile) -> str:
    memberships_of(item)
    return item.content


def _peers(item: KeptFile) -> str:
    state_file.parse(item.content.encode(), "peers", Registration.parse, lambda found: found.node_id)
    return item.content


def _forwards(item: KeptFile) -> str:
    found = state_file.parse(item.content.encode(), "forwards", Forward.parse, lambda forward: forward.forward_id)
    check_overlaps(found, found)
    return item.content


def _route(item: KeptFile) -> str:
    route, _kept = route_file.parse(item.content)
    if f"{route.route_id}.yml" != item.name:
        raise Unreadable("is the file of another route")
    return route_file.render(route)


def _acme(item: KeptFile) -> str:
    if not is_acme_store(item.content):
        raise Unreadable("is no store of Traefik's")
    return item.content


def is_acme_store(text: str) -> bool:
    """Whether a text is what Traefik keeps its accounts and certificates in: one object for each resolver."""
    try:
        found = parse_object(text.encode())
    except ValueError:
        return False
    return bool(found) and all(isinstance(entry, dict) and {"Account", "Certificates"} >= set(entry) for entry in found.values())


PARSERS: Dict[str, Callable[[KeptFile], str]] = {
    kinds.KEY: _key, kinds.CHOICES: _choices, kinds.HUB: _hub, kinds.JOIN: _join, kinds.PEERS: _peers, kinds.FORWARDS: _forwards,
    kinds.ROUTE: _route, kinds.ACME: _acme,
}


def _check_certificates(files: KeptFiles, places: Places, refuse: Refuse) -> None:
    """The file that names the pairs must be the one that would be written for exactly these pairs."""
    names, pairs = kinds.of_kind(files, places, kinds.NAMES), kinds.of_kind(files, places, kinds.PAIR)
    if not names and not pairs:
        return
    item = (names or pairs)[0]
    folder, texts = places.certificates_dir.rstrip("/"), {pair.path: pair.content for pair in pairs}
    named = _CERT_FILE.findall(item.content)
    try:
        found = [certificate.Certificate.parse({
            "name": path[len(folder) + 1:-len(".crt")], "certificate": texts.get(path), "private_key": texts.get(f"{path[:-4]}.key"),
            # the default one is named a second time
            "default": named.count(path) > 1}) for path in sorted(set(named))]
        wanted = certificates.files_of(found, folder, places.dynamic_dir.rstrip("/"), kinds.TRAEFIK)
    except (GatewayError, ValueError):
        raise _misfit(refuse, item) from None
    texts[item.path] = item.content
    if texts != {path: file.content for path, file in wanted.items() if file.content is not None}:
        raise _misfit(refuse, item)


def node_id(archive: Archive, places: Places, interface: str) -> str:
    """The name by which the host has joined the mesh on an interface; empty for one that has not."""
    found = [entry for item in archive.of_kind(places, kinds.JOIN) for entry in memberships_of(item)]
    return next((entry.node_id for entry in found if entry.interface == interface), "")

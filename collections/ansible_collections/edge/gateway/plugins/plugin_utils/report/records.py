# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found besides edges, routes and forwards: certificates, and changes of the last runs."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .fleet import DEGRADED, FAILED, OK, UNKNOWN
from .values import DAY, Moment, mapping, mappings, text, texts, whole

# gateway_health warns from then on
SOON = 14 * DAY
KINDS = ("added", "updated", "removed", "repaired")
SHOWN_IDS = 5


class Certificate(NamedTuple):
    """A certificate that edges hold, or a name without one.

    Attributes:
        ends: None when there is none.
    """

    status: str
    word: str
    names: Tuple[str, ...]
    edges: Tuple[str, ...]
    issuer: str
    ends: Optional[Moment]
    reason: str


class Change(NamedTuple):
    """What one run changed on one edge; ``details`` has for each kind its number and some of the ids."""

    edge: str
    moment: Moment
    module: str
    details: Tuple[Tuple[str, int, str], ...]


class Found(NamedTuple):
    """A certificate while it is collected: the first entry of it, and in order the names and edges that it was found with."""

    entry: Mapping[str, Any]
    names: Dict[str, None]
    edges: Dict[str, None]


def certificates_of(edges: Mapping[str, Mapping[str, Any]], now: Moment) -> Tuple[List[Certificate], List[str]]:
    """Certificates of all edges, the one that ends first at the top, and the names for which none was asked for.

    Args:
        edges: answers by name of the edge.
    """
    found: Dict[Tuple[str, ...], Found] = {}
    plain: Dict[str, None] = {}
    for edge, answers in edges.items():
        answer = mapping(answers.get("routes"))
        details = mapping(answer.get("details"))
        for route in mappings(answer.get("routes")):
            for name, entry in mapping(mapping(details.get(text(route.get("route_id")))).get("certificates")).items():
                one, held = mapping(entry), bool(mapping(entry).get("not_after"))
                if not held and not route.get("certresolver"):
                    plain[text(name)] = None
                    continue
                key = (text(one.get("issuer")), text(one.get("serial"))) if held else ("", text(name), text(edge))
                collected = found.setdefault(key, Found(one, {}, {}))
                collected.names.update(dict.fromkeys(texts(one.get("names")) or [text(name)]))
                collected.edges[text(edge)] = None
    certificates = [_certificate(*collected, now) for collected in found.values()]
    return sorted(certificates, key=lambda item: (item.ends.seconds if item.ends else 0, item.names)), list(plain)


def _certificate(entry: Mapping[str, Any], names: Dict[str, None], edges: Dict[str, None], now: Moment) -> Certificate:
    ends, reason = Moment.read(entry.get("not_after")), text(entry.get("reason"))
    if ends is None:
        status, word = (UNKNOWN, "Not known") if entry.get("not_after") else (DEGRADED, "Missing")
    elif ends.seconds <= now.seconds:
        status, word = FAILED, "Ended"
    elif reason:
        # a renewal that failed matters even while the old certificate lasts
        status, word = DEGRADED, "Not renewed"
    else:
        status, word = (DEGRADED, "Ends soon") if ends.seconds - now.seconds < SOON else (OK, "Valid")
    return Certificate(status, word, tuple(names), tuple(edges), text(entry.get("issuer")), ends, reason)


def changes_of(edges: Mapping[str, Mapping[str, Any]]) -> List[Change]:
    """Changes of the last runs on all edges, newest first."""
    found = [_change(text(edge), entry) for edge, answers in edges.items()
             for entry in mappings(mapping(answers.get("health")).get("history"))]
    return sorted((change for change in found if change), key=lambda change: (-change.moment.seconds, change.edge, change.module))


def _change(edge: str, entry: Mapping[str, Any]) -> Optional[Change]:
    moment, counts = Moment.read(entry.get("time")), mapping(entry.get("counts"))
    if moment is None:
        return None
    details = []
    for kind in KINDS:
        ids = texts(entry.get(kind)) if isinstance(entry.get(kind), (list, tuple)) else []
        number = whole(counts.get(kind)) or len(ids)
        if number:
            more = number - min(len(ids), SHOWN_IDS)
            details.append((kind, number, ", ".join(ids[:SHOWN_IDS]) + (f" and {more:,} more" if ids and more else "")))
    return Change(edge, moment, text(entry.get("module")), tuple(details))

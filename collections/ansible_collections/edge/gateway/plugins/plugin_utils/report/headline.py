# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stranger must know first: whether the fleet works, and if not, what is wrong and what to do."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple, Union

from .fleet import DEGRADED, FAILED, OK, UNKNOWN, UNREACHABLE, UNSEEN, Edge, Forward, Route, badness, worst
from .values import DAY, Moment, counted, shortened

LONGEST_MESSAGE = 240
# edges in one sentence
NAMED = 3
Item = Union[Route, Forward]


class Trouble(NamedTuple):
    """One thing that is wrong."""

    edge: str
    status: str
    part: str
    message: str
    remedy: str


class Headline(NamedTuple):
    """The head of the page.

    Attributes:
        words: the fleet's state in one line, which names the edges that are worst, as long as they are few.
        more: sentences about the other edges, and about what that means for routes and forwards.
        troubles: what is wrong, the worst first.
        notices: what is worth a look although no edge calls it wrong.
    """

    status: str
    words: str
    more: Tuple[str, ...]
    troubles: Tuple[Trouble, ...]
    notices: Tuple[str, ...]


def headline(edges: Sequence[Edge], routes: Sequence[Route], forwards: Sequence[Forward], now: Moment, cut: Sequence[str]) -> Headline:
    """The head of the page.

    Args:
        cut: sentences about what the page leaves out.
    """
    if not edges:
        return Headline(UNKNOWN, "No edge was looked at", (),
                        (Trouble("", UNKNOWN, "inventory", "the play met no host", "put the edges into the group edge, or name another "
                                 "one as edge_gateway_hosts"),), ())
    troubles = [Trouble(edge.name, part.status, part.name, shortened(part.message, LONGEST_MESSAGE), part.remedy)
                for edge in edges for part in edge.troubles]
    troubles.sort(key=lambda trouble: (-badness(trouble.status), trouble.edge))
    dead_routes, dead_forwards = _failed(routes), _failed(forwards)
    hit = " and ".join(words for words in (_share(dead_routes, routes, "route"), _share(dead_forwards, forwards, "forward")) if words)
    plural = len(dead_routes) + len(dead_forwards) > 1
    words, *others = _states(edges)
    more = [f"{hit} {'lead' if plural else 'leads'} nowhere."] if hit else []
    return Headline(worst([edge.status for edge in edges]), words, (*more, *(f"{sentence}." for sentence in others)), tuple(troubles),
                    (*_down(routes), *_ending([*routes, *forwards], now), *cut))


def _states(edges: Sequence[Edge]) -> List[str]:
    """How many edges are in which state, the worst first."""
    if all(edge.status == OK for edge in edges):
        return [{1: "The edge works", 2: "Both edges work"}.get(len(edges), f"All {len(edges)} edges work")]
    kinds = ((("has failed", "have failed"), [edge for edge in edges if edge.status == FAILED and edge.reachable]),
             (("cannot be reached", "cannot be reached"), [edge for edge in edges if edge.word == UNREACHABLE]),
             (("was not looked at", "were not looked at"), [edge for edge in edges if edge.word == UNSEEN]),
             (("is degraded", "are degraded"), [edge for edge in edges if edge.status == DEGRADED]),
             (("is in an unknown state", "are in an unknown state"), [edge for edge in edges if edge.status == UNKNOWN]))
    return [f"{len(hit)} of {counted(len(edges), 'edge')} {words[len(hit) > 1]}" + (
        f": {', '.join(shortened(edge.name, 60) for edge in hit)}" if len(hit) <= NAMED else "") for words, hit in kinds if hit]


def _failed(items: Sequence[Item]) -> List[Item]:
    return [item for item in items if item.status == FAILED]


def _share(dead: Sequence[Item], all_items: Sequence[Item], noun: str) -> str:
    return f"{len(dead):,} of {counted(len(all_items), noun)}" if dead else ""


def _down(routes: Sequence[Route]) -> List[str]:
    """Targets that health checks found down: health calls a route well that Traefik serves."""
    hit = [route for route in routes if route.word in ("No target", "Target down")]
    if not hit:
        return []
    down = [target.shown for target in hit[0].targets if target.status == FAILED]
    more = f", and {counted(len(hit) - 1, 'other route')}" if len(hit) > 1 else ""
    return [f"Route {hit[0].name} of {hit[0].edge}{more}: {', '.join(down)} does not answer Traefik's health check."]


def _ending(items: Sequence[Item], now: Moment) -> List[str]:
    """What ends by itself within a day."""
    soon = sorted((item.expires.seconds, item.edge, item.name) for item in items
                  if item.expires and 0 < item.expires.seconds - now.seconds < DAY)
    if not soon:
        return []
    seconds, edge, name = soon[0]
    more = f", and {len(soon) - 1:,} more within a day" if len(soon) > 1 else ""
    return [f"{name} of {edge} ends {Moment(seconds).seen_from(now)}{more}."]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the page together: one HTML file that loads nothing and that may run nothing but its own script."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from typing import Any, Dict, List, Mapping

import jinja2
from markupsafe import Markup

from .drawing import FORWARDS, NARROW, ROUTES, WIDE, Scene, draw, scene
from .fleet import FAILED, OK, WORDS, Edge, badness, edge_of, forwards_of, routes_of, worst
from .headline import headline
from .records import certificates_of, changes_of
from .values import Moment, counted, mapping, text

HERE = os.path.dirname(os.path.abspath(__file__))
# a page of more rows than that, of one kind, is no help to anybody; nor is a longer list beside the map
MOST_ROWS, MOST_LISTED = 5000, 200
MOST_CHANGES = 100


def page(found: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        found: ``generated`` (RFC 3339, UTC), and ``edges``: for each name ``reachable``, ``health``, ``forwards``, ``routes``, ``mesh``.

    Raises:
        ValueError: ``generated`` is no such time.
    """
    now = Moment.read(found.get("generated"))
    if now is None:
        raise ValueError("generated is no time like 2026-11-26T03:00:00Z; give the present one")
    view = _view(mapping(found.get("edges")), now)
    templates = _templates()
    body = templates.get_template("body.html.j2").render(view)
    # older Ansible may take what a filter returns for a template again: text of a host must never be one
    for mark in "{%#":
        body = body.replace("{" + mark, "&#123;" + mark)
    style, script = _own("page.css"), _own("page.js")
    return templates.get_template("page.html.j2").render(
        view, body=Markup(body), style=Markup(style), script=Markup(script),  # noqa: S704  escaped already, and our own files
        style_hash=_digest(style), script_hash=_digest(script))


def _view(answers: Mapping[str, Any], now: Moment) -> Dict[str, Any]:
    """What the templates are given."""
    asked = {text(name): mapping(answer) for name, answer in sorted(answers.items(), key=lambda entry: str(entry[0]))}
    edges = [edge_of(name, answer) for name, answer in asked.items()]
    routes = sorted((item for edge in edges for item in routes_of(edge, asked[edge.name])),
                    key=lambda item: (-badness(item.status), item.title, item.edge))
    forwards = sorted((item for edge in edges for item in forwards_of(edge, asked[edge.name])),
                      key=lambda item: (-badness(item.status), item.first_port, item.proto, item.edge))
    certificates, plain = certificates_of(asked, now)
    found = scene(edges, routes, forwards)
    cut = [f"This page shows {MOST_ROWS:,} of {len(rows):,} {noun}, what is not well first."
           for noun, rows in (("routes", routes), ("forwards", forwards), ("certificates", certificates)) if len(rows) > MOST_ROWS]
    return {
        "now": now, "head": headline(edges, routes, forwards, now, cut), "edges": edges, "routes": routes, "forwards": forwards,
        "certificates": certificates, "plain": plain, "changes": changes_of(asked)[:MOST_CHANGES],
        "scene": found, "drawings": {"wide": draw(found, WIDE), "narrow": draw(found, NARROW)},
        "edge_ids": {edge.name: f"edge-{number}" for number, edge in enumerate(edges)},
        "failed": {"routes": sum(item.status == FAILED for item in routes), "forwards": sum(item.status == FAILED for item in forwards)},
        "silent_edges": {kind: sum(kind not in edge.listed for edge in edges) for kind in (ROUTES, FORWARDS)},
        "states_of_edges": _states(edges), "totals": _totals(found), "carried": _carried(found),
        "most": MOST_ROWS, "most_listed": MOST_LISTED, "counted": counted, "badness": badness, "WORDS": WORDS, "FAILED": FAILED}


def _states(edges: List[Edge]) -> str:
    """``1 failed``: the worst that is to be said of edges, in two words."""
    if not edges:
        return "none asked"
    status = worst([edge.status for edge in edges])
    return "all well" if status == OK else f"{sum(edge.status == status for edge in edges)} {WORDS[status].lower()}"


def _totals(found: Scene) -> Dict[str, Dict[str, int]]:
    """How many different routes and forwards each edge of the map has; one with several targets is on several strands."""
    return {edge.name: {kind: len({(item.edge, item.name) for number in edge.strands if found.strands[number].kind == kind
                                   for item, _status in found.strands[number].items}) for kind in (ROUTES, FORWARDS)}
            for edge in found.edges}


def _carried(found: Scene) -> List[Dict[str, int]]:
    """How many routes and forwards lead to each node of the map."""
    strands = [[found.strands[number] for number in node.strands] for node in found.nodes]
    return [{"broken": sum(strand.broken for strand in own),
             **{kind: sum(len(strand.items) for strand in own if strand.kind == kind) for kind in (ROUTES, FORWARDS)}} for own in strands]


@functools.lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)


def _own(name: str) -> str:
    with open(os.path.join(HERE, name), encoding="utf-8") as stream:
        return stream.read()


def _digest(source: str) -> str:
    """As a Content-Security-Policy names an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of one route, and back.

The second line is the route as JSON: what was asked for. The YAML below is derived from it, so that a file edited by hand is
noticed and mended. The third line is a digest of all the rest: a file for which it holds is our own writing and need not be
checked again, which matters when there are thousands. Values hold no template braces (the models' allow-lists see to that):
Traefik runs every file, comments too, through Go's template engine.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, List, Optional, Sequence, Tuple

from ..errors import GatewayError, Unreadable
from ..models.fields import as_written
from ..models.route import Route
from .strict_json import parse_object
from .traefik import document

NOTICE = "# Written by edge.gateway.traefik_route; a change made here is undone by its next run."
MARKER = "# edge.gateway route schema 1: "
DIGEST = "# digest "
# part of every digest: raise it when the same route is written otherwise than before, so that old files are written anew
RENDERING = b"2"
WORDS_OF_YAML = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
_START = NOTICE.split(";", maxsplit=1)[0]
_NOTICE, _MARKER, _DIGEST = NOTICE.encode(), MARKER.encode(), DIGEST.encode()
_encode = json.JSONEncoder(sort_keys=True).encode      # made once: json.dumps makes a new one for each call


def header(route: Route) -> str:
    """The route as its file holds it."""
    return _encode(route.as_dict())


def render(route: Route) -> str:
    """The file of one route."""
    kept, body = header(route), "\n".join(_yaml(document(route), 0)) + "\n"
    return f"{NOTICE}\n{MARKER}{kept}\n{DIGEST}{_digest(kept.encode(), body.encode()).decode()}\n{body}"


def is_ours(text: str) -> bool:
    """Whether a file carries our marker (of any schema version)."""
    return text.startswith(_START)


def intact(data: bytes) -> Optional[bytes]:
    """The header of a file that is as it was written, None for any other; :func:`restored` makes the route of it."""
    lines = data.split(b"\n", 3)
    if len(lines) == 4 and lines[0] == _NOTICE and lines[1].startswith(_MARKER):
        kept = lines[1][len(_MARKER):]
        if lines[2] == _DIGEST + _digest(kept, lines[3]):
            return kept
    return None


def restored(headers: Sequence[bytes]) -> List[Route]:
    """The routes of headers that :func:`intact` has found, thousands at once."""
    return list(map(Route.restore, json.loads(b"[" + b",".join(headers) + b"]")))


def parse(text: str) -> Tuple[Route, str]:
    """The route that a file of ours was written for, and its header, whatever has become of the rest.

    Raises:
        ValueError: the header is not one that this version writes.
    """
    lines = text.split("\n", 3)
    if len(lines) < 3 or not lines[1].startswith(MARKER):
        raise Unreadable("has no header of this version")
    kept = lines[1][len(MARKER):]
    return _checked(kept), kept


def _checked(kept: str) -> Route:
    try:
        entry = parse_object(kept.encode())
        route = Route.parse(entry)
    except GatewayError as problem:
        raise Unreadable(f"has an invalid header ({problem.message})") from None
    if not as_written(entry, route.as_dict()):
        raise Unreadable("has a header that this version would not write")
    return route


def _digest(kept: bytes, body: bytes) -> bytes:
    return hashlib.sha256(b"\n".join((RENDERING, kept, body))).hexdigest()[:32].encode()


def _yaml(value: Any, depth: int) -> List[str]:
    """Block-style YAML of a dictionary; every string is quoted as JSON, which is YAML too."""
    pad = "  " * depth
    lines = []
    for name, item in value.items():
        # 123 and true are valid ids, and may be names of headers, but are not strings in YAML
        key = name if name.isalpha() and depth != 2 and name.lower() not in WORDS_OF_YAML else json.dumps(name)
        if isinstance(item, dict) and item:
            lines += [f"{pad}{key}:", *_yaml(item, depth + 1)]
        elif isinstance(item, list):
            lines += [f"{pad}{key}:", *(f"{pad}  - {json.dumps(entry, ensure_ascii=False)}" for entry in item)]
        else:
            lines.append(f"{pad}{key}: {json.dumps(item, ensure_ascii=False)}")
    return lines

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's dynamic configuration (file provider, Traefik v3): a route as one file, and back.

The second line of a file is the route as JSON: it is what was asked for, the YAML below is derived from it, so that
a file edited by hand is noticed and mended. Values hold no template braces (the models' allow-lists see to that),
which matters because Traefik runs every file through Go's template engine.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Optional

from ..errors import GatewayError
from ..models.fields import as_written
from ..models.route import Route
from .strict_json import parse_object

NOTICE = "# Written by edge.gateway.traefik_route; a change made here is undone by its next run."
MARKER = "# edge.gateway route schema 1: "


def render(route: Route) -> str:
    """The file of one route."""
    wanted = json.dumps(route.as_dict(), sort_keys=True)
    return "\n".join([NOTICE, MARKER + wanted, *_yaml({"http": _http(route)})]) + "\n"


def is_ours(text: str) -> bool:
    """Whether a file carries our marker (of any schema version)."""
    return text.startswith(NOTICE.split(";", maxsplit=1)[0])


def parse(text: str) -> Route:
    """The route that a file of ours was written for.

    Raises:
        ValueError: the header is not one that this version writes.
    """
    lines = text.split("\n", 2)
    if len(lines) < 3 or not lines[1].startswith(MARKER):
        raise ValueError("has no header of this version")
    try:
        entry = parse_object(lines[1][len(MARKER):].encode())
        route = Route.parse(entry)
    except GatewayError as problem:
        raise ValueError(f"has an invalid header ({problem.message})") from None
    if not as_written(entry, route.as_dict()):
        raise ValueError("has a header that this version would not write")
    return route


def rule(route: Route) -> str:
    """The router's rule (Traefik v3 syntax). Names hold no backtick, so quoting them is safe."""
    hosts = " || ".join(_host(name) for name in route.hostname)
    if not route.path_prefix:
        return hosts
    return f"({hosts}) && PathPrefix(`{route.path_prefix}`)" if len(route.hostname) > 1 else \
        f"{hosts} && PathPrefix(`{route.path_prefix}`)"


def _host(name: str) -> str:
    if name.startswith("*."):
        return f"HostRegexp(`^[^.]+{re.escape(name[1:])}$`)"
    return f"Host(`{name}`)"


def _http(route: Route) -> Dict[str, Any]:
    router: Dict[str, Any] = {"rule": rule(route), "entryPoints": list(route.entrypoint), "service": route.route_id}
    # "web" is the plain HTTP entrypoint; everywhere else TLS ends here, with the default certificate unless a resolver is named
    if route.certresolver:
        router["tls"] = {"certResolver": route.certresolver}
    elif "web" not in route.entrypoint:
        router["tls"] = {"options": "default"}
    servers = [{"url": str(target)} for target in route.target_url]
    name = json.dumps(route.route_id)       # quoted: 123 and true are valid ids, but not strings in YAML
    return {"routers": {name: router}, "services": {name: {"loadBalancer": {"servers": servers}}}}


def _yaml(value: Any, indent: int = 0, key: Optional[str] = None) -> List[str]:
    """Block-style YAML of dicts, lists and strings; every string is quoted as JSON, which is YAML too."""
    pad = "  " * indent
    if isinstance(value, dict):
        head = [f"{pad}{key}:"] if key is not None else []
        inner = indent + 1 if key is not None else indent
        return head + [line for name, item in value.items() for line in _yaml(item, inner, name)]
    if isinstance(value, list):
        return [f"{pad}{key}:"] + [f"{pad}  - {json.dumps(item)}" for item in value]
    return [f"{pad}{key}: {json.dumps(value)}"]

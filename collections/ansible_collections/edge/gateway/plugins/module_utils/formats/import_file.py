# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import found, as variables of a host for a person to review: YAML, with where each thing comes from as comments.

What Ansible reads later is written from validated objects alone; words of other people's files get into comments, one line each.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Dict, Iterable, List, Mapping

from ..models.forward import Forward
from ..models.route import DEFAULT_ENTRYPOINT, Route

FORWARDS, ROUTES = "edge_gateway_forwards", "edge_gateway_routes"
DIGEST = "# digest "
HEAD = """\
---
# What {} forwarded and routed, found by edge.gateway.gateway_import. Look through it, and change what you like.
# "-e apply=true" with the same playbook takes over what is written here; from then on it belongs into the inventory (host_vars).
"""
# what YAML reads as a string without quotes, whatever version of it
BARE = re.compile(r"[A-Za-z][A-Za-z0-9._-]*|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", re.ASCII)
WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def render(found: Mapping[str, Any], host: str) -> str:
    """The text of the file.

    Args:
        found: the result of ``gateway_import``: ``forwards``, ``routes``, ``origins``, ``notes``.
        host: its name in the inventory.

    Raises:
        InvalidInput: the result holds what is no forward or route.
    """
    forwards = [Forward.parse(entry, f"forwards[{number}].") for number, entry in enumerate(found["forwards"])]
    routes = [Route.parse(entry, f"routes[{number}].") for number, entry in enumerate(found["routes"])]
    origins = found["origins"]
    lines = [*_list(FORWARDS, [_forward(item) for item in forwards], origins["forwards"]),
             *_list(ROUTES, [_route(item) for item in routes], origins["routes"])]
    if found["notes"]:
        lines += ["# Not taken over, or to be looked at:", *(_comment(f"- {note}") for note in found["notes"])]
    body = "\n".join(lines) + "\n"
    return f"{HEAD.format(_plain(host))}{DIGEST}{_digest(body)}\n{body}"


def is_edited(text: str) -> bool:
    """Whether somebody has changed a file since it was written; another file counts as changed, an empty one does not."""
    head, _mark, rest = text.partition(f"\n{DIGEST}")
    digest, _newline, body = rest.partition("\n")
    return bool(text) and not (head.startswith("---\n# ") and digest == _digest(body))


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def _forward(item: Forward) -> Dict[str, Any]:
    kept = item.as_kept()
    return {**kept, "public_port": item.first_port} if item.first_port == item.last_port else kept


def _route(item: Route) -> Dict[str, Any]:
    kept = {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in item.as_dict().items()}
    return {name: value for name, value in kept.items() if value != "" and (name, value) != ("entrypoint", DEFAULT_ENTRYPOINT)}


def _list(name: str, entries: Iterable[Mapping[str, Any]], origins: Mapping[str, List[str]]) -> List[str]:
    lines: List[str] = []
    for entry in entries:
        identifier = next(iter(entry.values()))
        lines += [f"  {_comment(origin)}" for origin in origins.get(identifier, [])]
        for number, (option, value) in enumerate(entry.items()):
            lines.append(f"  {'- ' if number == 0 else '  '}{option}: {_scalar(value)}")
    return [f"{name}:", *lines, ""] if lines else [f"{name}: []", ""]


def _scalar(value: Any) -> str:
    """A string, number, truth or list; JSON is YAML too."""
    if isinstance(value, str) and BARE.fullmatch(value) and value.lower() not in WORDS_OF_YAML:
        return value
    return json.dumps(value)


def _comment(words: str) -> str:
    return f"# {_plain(words)}"


def _plain(words: str) -> str:
    """Somebody's words in one line: what is no printable ASCII would end the comment in one version of YAML or another."""
    return "".join(char if " " <= char <= "~" else ascii(char)[1:-1] for char in str(words))

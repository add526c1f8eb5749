# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's static configuration (its install configuration), as far as routes depend on it."""

from __future__ import annotations

from typing import Any, Mapping

from ..errors import Unreadable
from ..models.route_rules import Static

CHALLENGES = {"httpChallenge": "http", "tlsChallenge": "tls", "dnsChallenge": "dns"}


def understand(value: object) -> Static:
    """What a static configuration offers to routes.

    Raises:
        ValueError: it is no such configuration.
    """
    if not isinstance(value, Mapping):
        raise Unreadable("it holds no dictionary")
    points, resolvers = _part(value, "entryPoints"), _part(value, "certificatesResolvers")
    file = _part(_part(value, "providers"), "file")
    return Static(
        # without any, Traefik listens on port 80 as "http"
        frozenset(map(str, points)) or frozenset(["http"]),
        {str(name): _challenge(entry) for name, entry in resolvers.items()},
        str(file.get("directory") or ""),
        file.get("watch") is not False)


def _challenge(resolver: Any) -> str:
    acme = _part(resolver, "acme") if isinstance(resolver, Mapping) else {}
    return next((short for name, short in CHALLENGES.items() if name in acme), "")


def _part(value: Any, name: str) -> Mapping[Any, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}

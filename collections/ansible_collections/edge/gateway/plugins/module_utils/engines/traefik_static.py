# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's static configuration as it stands on this host."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional

from ..errors import Unreadable, words_of
from ..formats import traefik_static, yaml_text
from ..host import Host
from ..models.route_rules import Static


def read(host: Host, path: str, given: Optional[Mapping[str, Any]], warnings: List[str]) -> Optional[Static]:
    """What it offers to routes, None when that cannot be told.

    Args:
        path: the file.
        given: the configuration itself, by somebody who is about to write that file.
        warnings: gets a sentence when there is something that cannot be understood.
    """
    if given is not None:
        return traefik_static.understand(given)
    data = host.read_through(path)
    if data is None:
        return None
    try:
        text = data.decode("utf-8")
        if path.endswith(".toml"):
            raise Unreadable("TOML cannot be read here")
        return traefik_static.understand(yaml_text.load(text))
    except yaml_text.NoParser:
        reason = "this host has no PyYAML that can read it"
    except UnicodeError:
        reason = "it is not UTF-8"
    except ValueError as problem:
        reason = words_of(problem)
    warnings.append(f"static_config {path} cannot be understood ({reason}), so entrypoints and certificate resolvers were not checked; "
                    "correct static_config, or let Traefik's own report decide")
    return None

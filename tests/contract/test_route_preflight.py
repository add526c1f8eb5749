# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that do not point at this edge are told before an authority refuses them; by the real resolver of this host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from contract import edge_traefik as tr
from contract.edge_traefik import entry

pytestmark = pytest.mark.usefixtures("no_routes")

# a name that every host knows, and that points at no edge
NAME = "localhost"


def warned(**changes: Any) -> List[str]:
    """What a run says of the names of a route, predicted and done."""
    route: Dict[str, Any] = entry("web", **{"hostname": NAME, "certresolver": "le", "entrypoint": "websecure", **changes})
    predicted, done = (tr.run(dry, **route).warnings for dry in (True, False))
    assert predicted == done
    return [words for words in done if "hostname" in words]


def reached_at(*addresses: str) -> None:
    """The role's choice."""
    Path("/etc/edge-gateway/gateway.json").write_text(json.dumps({"schema": 1, "public_addresses": list(addresses)}))


def test_a_name_that_points_elsewhere_is_told() -> None:
    """Once, when the route is made: with the addresses of both, and what to do."""
    reached_at("203.0.113.1")
    found, = warned()
    assert found.startswith(f"hostname {NAME} points at ") and "127.0.0.1" in found and "not at this edge (203.0.113.1)" in found
    assert "edge_gateway_public_addresses" in found and warned() == []


@pytest.mark.parametrize("changes", [{"certresolver": ""}, {"hostname": f"*.{NAME}"}])
def test_nothing_where_no_authority_has_to_reach_the_name(changes: Dict[str, Any]) -> None:
    """Without a resolver, and for a wildcard, which is proven by DNS."""
    reached_at("203.0.113.1")
    assert warned(**changes) == []


def test_nothing_where_it_points_here() -> None:
    """Behind address translation the role tells the address."""
    reached_at("203.0.113.1", "127.0.0.1", "::1")
    assert warned() == []


def test_nothing_where_it_cannot_be_told() -> None:
    """A host without a public address, of which nobody said where it is reached."""
    assert warned() == []

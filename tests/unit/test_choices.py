# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gateway.json: what the roles decided for every ad-hoc call."""

from __future__ import annotations

from typing import Any, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models.choices import Choices
from unit.samples import refusal


@pytest.mark.parametrize(("params", "expected"), [
    ({"schema": 1}, Choices()),
    ({"schema": 1, "backend": "nftables", "interface": "mesh0"}, Choices("nftables", "mesh0")),
    ({"schema": 1, "reserved_ports": [{"port": 443, "used_by": "traefik"}]}, Choices(reserved_ports=(("tcp", 443, "traefik"),))),
    ({"schema": 1, "reserved_ports": [{"port": "51820", "proto": "udp"}]}, Choices(reserved_ports=(("udp", 51820, "reserved"),))),
])
def test_accepted(params: Dict[str, Any], expected: Choices) -> None:
    """What the roles write."""
    assert Choices.parse(params) == expected


def test_reserved_ports_by_protocol() -> None:
    """The form that a forward is checked against."""
    params = {"schema": 1, "reserved_ports": [{"port": 443, "used_by": "traefik"}, {"port": 51820, "proto": "udp",
    "used_by": "WireGuard"}]}
    assert Choices.parse(params).reserved == {("tcp", 443): "traefik", ("udp", 51820): "WireGuard"}


@pytest.mark.parametrize("params", [
    {}, {"schema": 2}, {"schema": "1"}, {"schema": None}, {"schema": True}, {"schema": 1, "something": 1}, {"schema": 1, "a\nb": 1},
    {"schema": 1, "backend": "pf"}, {"schema": 1, "backend": ["nftables"]}, {"schema": 1, "backend": 5}, {"schema": 1,
    "interface": "wg 0"}, {"schema": 1, "interface": 5},
    {"schema": 1,
    "reserved_ports": ["443"]},
    {"schema": 1, "reserved_ports": [{}]}, {"schema": 1, "reserved_ports": [{"port": 0}]}, {"schema": 1,
    "reserved_ports": [{"port": "443-450"}]},
    {"schema": 1, "reserved_ports": [{"port": 443, "proto": "both"}]}, {"schema": 1, "reserved_ports": [{"port": 443,
    "used_by": "a\nb"}]},
    {"schema": 1, "reserved_ports": "443"}, {"schema": 1, "reserved_ports": None}, {"schema": 1, "reserved_ports": 443},
    {"schema": 1, "reserved_ports": {"port": 443}}, {"schema": "x" * 10000},
])
def test_refused(params: Dict[str, Any]) -> None:
    """A file that this version did not write is refused in one readable line; a wrong type is no crash."""
    assert "gateway.json" in refusal(Choices.parse, params)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards of every kind, for the tests of the firewalls' languages."""

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards

OFFICE = ["203.0.113.0/24", "198.51.100.0/24", "198.51.101.0/24", "2001:db8::/32"]
ENTRIES: List[Dict[str, Any]] = [
    {"forward_id": "vm-1", "public_port": 22015, "target_ip": "10.50.0.12", "target_port": 32215, "comment": "opened by ops"},
    {"forward_id": "dns", "public_port": 53, "target_ip": "10.50.0.13", "proto": "both"},
    {"forward_id": "game", "public_port": 2456, "target_ip": "10.50.0.14", "proto": "udp", "comment": "a:b #1"},
    {"forward_id": "voice", "public_port": "6000-6010", "target_ip": "10.50.0.14", "proto": "udp"},
    {"forward_id": "next", "public_port": "6011-6020", "target_ip": "10.50.0.15", "proto": "udp"},
    {"forward_id": "top", "public_port": "65000-65535", "target_ip": "10.50.0.15"},
    {"forward_id": "moved", "public_port": "7000-7003", "target_ip": "10.50.0.16", "target_port": 8000, "source_ranges": OFFICE},
    {"forward_id": "six", "public_port": 22015, "target_ip": "fd00::12", "target_port": 80, "proto": "both", "source_ranges": OFFICE},
    {"forward_id": "six-range", "public_port": "9000-9010", "target_ip": "fd00::12", "source_nat": "none", "comment": "sees clients"},
    {"forward_id": "turn", "public_port": 9500, "target_ip": "10.50.0.9", "hairpin": True},
    {"forward_id": "office", "public_port": 9501, "target_ip": "10.50.0.9", "source_ranges": ["0.0.0.0/0"]},
]
FORWARDS: Forwards = {entry["forward_id"]: Forward.parse(entry) for entry in ENTRIES}


def without(*names: str) -> Forwards:
    """All but these."""
    return {name: item for name, item in FORWARDS.items() if name not in names}


def only(*names: str) -> Forwards:
    """These alone."""
    return {name: FORWARDS[name] for name in names}

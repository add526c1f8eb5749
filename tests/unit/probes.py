# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards as the tests of other firewalls ask about them."""

from __future__ import annotations

from typing import Tuple

from ansible_collections.edge.gateway.plugins.module_utils.models.passage import Probe


def probe_of(proto: str, public_port: str, target_ip: str, target_port: str, name: str = "") -> Probe:
    """A probe from the words of a forward; a port may be a range such as ``6000-6010``."""
    return Probe(proto, _ports(public_port), target_ip, _ports(target_port), name)


def _ports(text: str) -> Tuple[int, int]:
    first, _dash, last = text.partition("-")
    return int(first), int(last or first)

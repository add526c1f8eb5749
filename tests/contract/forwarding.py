# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards of the namespace we are in, changed by the real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from contract import world
from contract.world import STATE_DIR, ruleset

IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def entry(number: int, **changes: Any) -> Dict[str, Any]:
    """The options of one forward."""
    return {"forward_id": f"f-{number}", "public_port": str(20000 + number), "target_ip": f"10.50.{number // 250}.{number % 250 + 1}",
    "target_port": 80, **changes}


def forwards(count: int) -> Forwards:
    """So many forwards of all kinds."""
    protos = ["tcp", "udp", "both"]
    items = [Forward.parse(entry(number, proto=protos[number % 3], comment="x" * (number % 65))) for number in range(count)]
    return {item.forward_id: item for item in items}


def run(dry: bool = False, interface: str = "wg0", **params: Any) -> Outcome[Forward]:
    """One run of the module's life."""
    engine = ForwardEngine(Host(), str(STATE_DIR), interface)
    return converge(engine, edit_of(params, "forward_id", "forwards", Forward.parse), dry)


def walk(**params: Any) -> Dict[str, Any]:
    """Check mode (which touches nothing), the real run (which does what was predicted), and again (which does nothing)."""
    before = (ruleset(), world.files(STATE_DIR), world.files(world.CONFIG_DIR), IP_FORWARD.read_text())
    predicted = run(True, **params)
    assert before == (ruleset(), world.files(STATE_DIR), world.files(world.CONFIG_DIR), IP_FORWARD.read_text())
    real = run(**params)
    assert world.report(predicted) == world.report(real) and predicted.items == real.items
    after = (ruleset(), world.files(STATE_DIR), world.files(world.CONFIG_DIR))
    for dry in (True, False):
        again = run(dry, **params).as_dict()
        assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"] and not again["repaired"]
    assert after == (ruleset(), world.files(STATE_DIR), world.files(world.CONFIG_DIR))
    return world.report(real)

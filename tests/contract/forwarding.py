# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards of the namespace we are in, changed by the real engine."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import json
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from contract import world
from contract.world import STATE_DIR, ruleset

IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
IPV6_FORWARDING = Path("/proc/sys/net/ipv6/conf/all/forwarding")
# of the way back from the nodes there are tests of their own
ANY_NODE = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
SYSCTL_DIR = Path("/etc/sysctl.d")


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
    engine = ForwardEngine(Host(), str(STATE_DIR), interface, reply_nodes=ANY_NODE)
    return converge(engine, edit_of(params, "forward_id", "forwards", Forward.parse), dry)


def invoke(name: str = "dnat_forward", **params: Any) -> Dict[str, Any]:
    """Run a module in this process, past Ansible's argument checks as ever: for many small runs. What it printed."""
    if name == "dnat_forward":
        params.setdefault("reply_nodes", ["0.0.0.0/0", "::/0"])      # of the way back there are tests of their own
    main = import_module(f"ansible_collections.edge.gateway.plugins.modules.{name}").main
    with contextlib.redirect_stdout(io.StringIO()) as out, patch_module_args(params), pytest.raises(SystemExit):
        main()
    result: Dict[str, Any] = json.loads(out.getvalue().strip().splitlines()[-1])
    return result


def snapshot() -> List[Any]:
    """All that a run may change: equal when nothing was touched."""
    return [ruleset(), *map(world.files, (STATE_DIR, world.CONFIG_DIR, SYSCTL_DIR)), IP_FORWARD.read_text(), IPV6_FORWARDING.read_text()]


def walk(**params: Any) -> Dict[str, Any]:
    """Check mode (which touches nothing), the real run (which does what was predicted), and again (which does nothing)."""
    before = snapshot()
    predicted = run(True, **params)
    assert before == snapshot()
    real = run(**params)
    assert world.report(predicted) == world.report(real) and predicted.items == real.items
    after = snapshot()
    for dry in (True, False):
        again = run(dry, **params).as_dict()
        assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"] and not again["repaired"]
    assert after == snapshot()
    return world.report(real)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host that is both: the hub of the mesh, and the edge that forwards into it."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from contract import hub_mesh, talk
from contract.hub_mesh import EDGE_1, HUB, NODE_1, SETTINGS
from contract.talk import Echo
from contract.world import CONFIG_DIR, inside

pytestmark = pytest.mark.usefixtures("no_tunnels")
OPEN = {**SETTINGS, "closed": False}
# the neighbour of the hub in the test's network, here somebody outside
CLIENT = "192.0.2.2"


def forward(**entry: Any) -> bool:
    """dnat_forward on the hub; whether anything changed."""
    with inside(HUB.name):
        engine = ForwardEngine(Host(), str(HUB.data_dir), HUB.interface)
        return converge(engine, edit_of({**entry, "forwards": None}, "forward_id", "forwards", Forward.parse), False).plan.changed


def enter_node(**options: Any) -> None:
    """The hub as the role sets it up on an edge, and a node."""
    CONFIG_DIR.joinpath("hub.json").write_text(json.dumps({"schema": 1, **OPEN}))
    hub_mesh.register(peers=[], hub=OPEN)
    key = hub_mesh.make_key(NODE_1)["public_key"]
    hub_mesh.register(node_id=NODE_1.name, node_pubkey=key, hub=OPEN, replies=bool(options))
    hub_mesh.join(NODE_1, **options)


FORWARD: Dict[str, Any] = {"forward_id": "web", "public_port": "7000", "target_ip": "10.50.0.2", "target_port": 7000, "proto": "both"}


@pytest.mark.parametrize(("nat", "seen"), [("masquerade", "10.50.0.1"), ("none", CLIENT)])
def test_forwards_go_into_the_mesh(nat: str, seen: str) -> None:
    """With the hub's address, and with the client's own; the answers come back."""
    enter_node(client_networks=["0.0.0.0/0"])
    with inside(NODE_1.name):
        service = Echo("node", "10.50.0.2", 7000)
    try:
        assert forward(**FORWARD, source_nat=nat)
        with inside(EDGE_1.name):
            assert [talk.tcp("192.0.2.1", 7000), talk.udp("192.0.2.1", 7000)] == [f"node {seen}"] * 2
    finally:
        service.close()


def test_a_target_outside_the_mesh_is_refused() -> None:
    """The hub's own pools are the mesh."""
    enter_node()
    with pytest.raises(InvalidInput) as caught:
        forward(**{**FORWARD, "target_ip": "10.99.0.2"})
    assert "10.50.0.0/24" in caught.value.message
    with pytest.raises(InvalidInput) as caught:
        forward(**FORWARD, source_nat="none")
    assert "edge_gateway_client_networks" in caught.value.message

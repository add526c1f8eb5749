# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the key that a node shares with its hub."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.models import shared_key

DOCUMENTATION = r"""
name: preshared_key
short_description: Make the key that a node shares with its hub
version_added: 0.1.0
description:
  - Makes one WireGuard preshared key for each pair of node and hub out of one secret of the mesh, so that a vault holds one secret alone.
  - The same secret and node always make the same key. Another secret makes other keys.
  - A message never has the secret in it.
options:
  _input:
    description: Secret of the mesh, at least 20 characters. C(wg genpsk) makes a good one.
    type: str
    required: true
  node_id:
    description: Name of the node.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Join with a key of this pair
  edge.gateway.wg_join:
    node_id: edge-1
    join_answer: "{{ edge_registration.join_answer }}"
    preshared_key: "{{ vault_mesh_secret | edge.gateway.preshared_key('edge-1') }}"
"""

RETURN = r"""
_value:
  description: The key, as C(wg genpsk) prints keys.
  type: str
"""


def preshared_key(secret: Any, node_id: Any) -> str:
    """The filter."""
    try:
        # before ansible-core 2.19 a value that is marked !vault comes as an object that only decrypts to a text
        return shared_key.derive(str(secret) if getattr(secret, "__ENCRYPTED__", False) else secret, node_id)
    except GatewayError as problem:
        raise AnsibleFilterError(problem.message) from None


class FilterModule:
    """What this file offers to templates."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """By name."""
        return {"preshared_key": preshared_key}

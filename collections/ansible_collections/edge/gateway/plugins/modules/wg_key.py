#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_key
short_description: Make the WireGuard key of a host
version_added: 0.1.0
description:
  - Makes the private key of a WireGuard interface, once, and tells its public key. The private key never leaves the host.
  - For those who register hosts at a hub before they join; M(edge.gateway.wg_join) makes the key itself where there is none.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  interface:
    description: Name of the mesh interface.
    type: str
    default: wg0
    aliases: [wg_iface]
  config_dir:
    description: Directory of the key.
    type: path
    default: /etc/wireguard
  next_key:
    description:
      - Make a second key too, which is to take the place of the present one. M(edge.gateway.wg_join) changes to it with
        O(edge.gateway.wg_join#module:rotate_key), and throws it away otherwise.
    type: bool
    default: false
extends_documentation_fragment:
  - edge.gateway.attributes
seealso:
  - module: edge.gateway.wg_join
  - module: edge.gateway.wg_peer
"""

EXAMPLES = r"""
- name: Make the key
  edge.gateway.wg_key:
  register: edge_key

- name: Register the host at the hub
  edge.gateway.wg_peer:
    node_id: edge-1
    node_pubkey: "{{ edge_key.public_key }}"
  delegate_to: hub.example.com
"""

RETURN = r"""
public_key:
  description: Public key of this host. Empty in check mode while there is none.
  type: str
  returned: success
next_public_key:
  description: Public key of the next key, empty when there is none.
  type: str
  returned: success
code:
  description: Kind of failure, for programs.
  type: str
  returned: failure
  sample: state_refused
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.keys import KeyEngine, edit_of
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "interface": {"type": "str", "default": "wg0", "aliases": ["wg_iface"]},
    "config_dir": {"type": "path", "default": "/etc/wireguard"},
    # names a key, and holds none
    "next_key": {"type": "bool", "default": False, "no_log": False},
}


def make(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Make the keys that are missing."""
    engine = KeyEngine(Host(), fields.interface("interface", params["interface"]), params["config_dir"])
    result = converge(engine, edit_of(params["next_key"], engine.files), dry_run).as_dict()
    return {**{key: result[key] for key in ("changed", "diff", "warnings")}, **engine.public_keys()}


def main() -> None:
    entry.run(ARGUMENTS, make)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_backup
short_description: Back up what makes a host the edge it is
version_added: 0.1.0
description:
  - Keeps the files of ours that no other run could make again in one file on the control node, with a digest of each. These are the
    WireGuard key, what the host was told when it joined, the choices of the roles, the forwards, the routes that
    M(edge.gateway.traefik_route) has written, certificates that were supplied as files, and the accounts and certificates that Traefik
    has got itself; on a hub also its settings and the nodes that it knows.
  - Units, packages, Traefik and its static configuration are not among them, since P(edge.gateway.traefik#role) and the other roles
    make them. Neither is what the inventory holds, such as preshared keys and credentials of DNS providers.
  - They are read under the lock that every other run of this collection takes, so they are of one moment.
  - The backup is encrypted with the vault secrets of the run, as C(ansible-vault) does it, and C(ansible-vault view) shows it. It is
    never written down in any other form, neither on the host nor on the control node.
  - A backup that holds the same files already is left alone. There is one for each host, under a name that stays the same, so that
    it can be found without knowing a time; how long older ones are kept is the business of what keeps files, such as Git.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  encrypt:
    description:
      - Encrypt it. The run needs a vault secret then (C(--vault-password-file), C(--vault-id)); where there are several, it is
        the one that C(ansible-vault encrypt) would take.
      - When V(false), the secrets lie in plain text in a file with mode 0600.
    type: bool
    default: true
  _key:
    description: Used by the action plugin of the same name.
    type: str
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.places.backup
seealso:
  - module: edge.gateway.gateway_restore
  - module: edge.gateway.gateway_backup_info
"""

EXAMPLES = r"""
- name: Keep the files of this edge in backups/edge1.example.com.backup, beside the caller
  edge.gateway.gateway_backup:

- name: Keep them elsewhere
  edge.gateway.gateway_backup:
    directory: /srv/backups/edges
"""

RETURN = r"""
path:
  description: The file on the control node.
  type: str
  returned: success
  sample: /home/ops/edges/backups/edge1.example.com.backup
node:
  description: The host that it is of.
  type: str
  returned: success
added:
  description: Files that the backup did not hold before.
  type: list
  elements: str
  returned: success
  sample: [/etc/wireguard/wg0.key, /var/lib/edge-gateway/join.json]
updated:
  description: Files that it held with another content.
  type: list
  elements: str
  returned: success
removed:
  description: Files that it held, and that the host has no longer.
  type: list
  elements: str
  returned: success
repaired:
  description: Always empty.
  type: list
  elements: str
  returned: success
code:
  description: Kind of failure.
  type: str
  returned: failure
  sample: state_refused
option:
  description: Option or file at fault.
  type: str
  returned: failure
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines import system
from ansible_collections.edge.gateway.plugins.module_utils.engines.archive import ArchiveEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import MISSING, InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive, sealed
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Places

ARGUMENTS: spec.Spec = {**spec.BACKUP, "encrypt": {"type": "bool", "default": True}, "_key": {"type": "str", "no_log": True}}


def back_up(params: Dict[str, Any], _dry_run: bool) -> Dict[str, Any]:
    """Hand the files over; what becomes of them is the business of the control node."""
    if not params["_key"] or not params["node"]:
        raise InvalidInput("_key", MISSING, "is missing; call this module by its full name, edge.gateway.gateway_backup")
    if not fields.matches(r"[0-9a-f]{64}", params["_key"]):
        raise InvalidInput("_key", MISSING, "is not a key; call this module by its full name, and leave this option to it")
    host = Host()
    engine = ArchiveEngine(host, Places(dynamic_dir=params["dynamic_dir"]), system.mesh_interface(host, params["interface"]))
    text = archive.render(engine.take(params["node"]))
    return {"changed": False, "sealed": sealed.sealed(text.encode(), bytes.fromhex(params["_key"])), "warnings": engine.warnings}


def main() -> None:
    entry.run(ARGUMENTS, back_up)


if __name__ == "__main__":
    main()

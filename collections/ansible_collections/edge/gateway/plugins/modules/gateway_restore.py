#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_restore
short_description: Make a host the edge that was backed up
version_added: 0.1.0
description:
  - Puts the files that M(edge.gateway.gateway_backup) has kept in place, the key first, each atomically and with its owner and mode.
    When one cannot be written, all are taken back.
  - The backup is decrypted and checked on the control node, before the host is asked for anything. The host checks it once more,
    with the parsers of the files themselves; a backup can bring no other file than those that make an edge.
  - It puts nothing into effect. The playbook C(edge.gateway.restore) applies the roles afterwards, which find the key, the answer, the
    forwards and the certificates in place.
  - A host that has such files already, with other contents, is another edge and stays as it is, unless O(force) is set. Files that
    the backup does not hold then go.
  - Where certificates of a running Traefik are replaced, it is stopped meanwhile, since it would write its own ones over them.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  node:
    description: Name of the host that was backed up, where this one has another name in the inventory. This host's own when left out.
  force:
    description: Replace what is there by what the backup holds.
    type: bool
    default: false
  _packed:
    description: Used by the action plugin of the same name.
    type: str
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.places.backup
seealso:
  - module: edge.gateway.gateway_backup
  - module: edge.gateway.gateway_backup_info
"""

EXAMPLES = r"""
- name: Make a new host the edge that edge1.example.com was
  edge.gateway.gateway_restore:
    node: edge1.example.com
"""

RETURN = r"""
path:
  description: The backup on the control node.
  type: str
  returned: success
node_id:
  description: Name of the edge at the controller or hub, as it was when it joined; empty where it had joined none. It has to stay.
  type: str
  returned: success
  sample: edge-gateway-1
added:
  description: Files that were put in place.
  type: list
  elements: str
  returned: success
  sample: [/etc/wireguard/wg0.key, /var/lib/edge-gateway/join.json]
updated:
  description: Files that were replaced.
  type: list
  elements: str
  returned: success
removed:
  description: Files that went, since the backup does not hold them.
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
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines import system
from ansible_collections.edge.gateway.plugins.module_utils.engines.archive import ArchiveEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import STATE_DIR, Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.errors import MISSING, InvalidInput, named
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive, archive_contents, listing
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Places

ARGUMENTS: spec.Spec = {**spec.BACKUP, "force": {"type": "bool", "default": False}, "_packed": {"type": "str", "no_log": True}}


def restore(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Put the files of a backup in place."""
    if not params["_packed"]:
        raise InvalidInput("_packed", MISSING, "is missing; call this module by its full name, edge.gateway.gateway_restore")
    host, places = Host(), Places(dynamic_dir=params["dynamic_dir"])
    found = archive.parse(listing.unpacked(params["_packed"]), places, f"the backup of {named(str(params['node']))}")
    interface = system.mesh_interface(host, params["interface"])
    engine = ArchiveEngine(host, places, interface, params["force"])
    engine.chronicle = Chronicle(host, STATE_DIR, "gateway_restore")
    outcome = converge(engine, lambda current: dict(found.files), dry_run)
    return {**outcome.as_dict(), "node_id": archive_contents.node_id(found, places, interface)}


def main() -> None:
    entry.run(ARGUMENTS, restore)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_backup_info
short_description: Tell what a backup holds
version_added: 0.1.0
description:
  - Decrypts and checks a backup of M(edge.gateway.gateway_backup) on the control node, without asking the host for anything.
  - No content is returned.
author:
  - edge.gateway contributors (@edge-gateway)
extends_documentation_fragment:
  - edge.gateway.attributes.info
  - edge.gateway.places.backup
seealso:
  - module: edge.gateway.gateway_backup
  - module: edge.gateway.gateway_restore
"""

EXAMPLES = r"""
- name: See whether the backup of this edge can be restored with the vault secrets of this run
  edge.gateway.gateway_backup_info:
  register: edge_backup
"""

RETURN = r"""
path:
  description: The backup on the control node.
  type: str
  returned: success
node:
  description: The host that was backed up.
  type: str
  returned: success
taken:
  description: When, in UTC.
  type: str
  returned: success
  sample: '2026-11-26T03:05:04Z'
traefik:
  description: Whether there are files of Traefik's, whose user must be there to restore them.
  type: bool
  returned: success
files:
  description: The files in it.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: Where it lies on the host.
      type: str
    mode:
      description: Its mode in octal.
      type: str
    owner:
      description: Its owner.
      type: str
    group:
      description: Its group.
      type: str
    sha256:
      description: Digest of its content.
      type: str
"""

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_certificates
short_description: Serve certificates that are supplied as files
version_added: 0.1.0
description:
  - Writes each certificate and its key to the host, and one dynamic file that makes Traefik serve them. Traefik is not restarted.
  - A certificate that has expired, and a key that does not belong to its certificate, are refused before anything is written.
  - Certificates of this module that are no longer listed are removed.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  certificates:
    description: All certificates that are supplied.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of its files. 1 to 63 of a-z, 0-9, C(.), C(_) and C(-).
        type: str
        required: true
      certificate:
        description: The certificate in PEM, with those that lead to its root behind it.
        type: str
        required: true
      private_key:
        description: Its key in PEM, without a passphrase. It is never shown.
        type: str
        required: true
      default:
        description: Serve it for names that no other certificate fits.
        type: bool
        default: false
  certificates_dir:
    description: Directory of the files.
    type: path
    default: /etc/traefik/certs
  group:
    description: Group of Traefik's user. It must exist, except in check mode.
    type: str
    default: traefik
  dynamic_dir:
    description: Directory that Traefik's file provider watches.
    type: path
    default: /etc/traefik/dynamic
extends_documentation_fragment:
  - edge.gateway.attributes
seealso:
  - module: edge.gateway.traefik_service
"""

EXAMPLES = r"""
- name: Serve a certificate of our own authority
  edge.gateway.traefik_certificates:
    certificates:
      - name: intern
        certificate: "{{ lookup('ansible.builtin.file', 'intern.crt') }}"
        private_key: "{{ lookup('ansible.builtin.file', 'intern.key') }}"
        default: true
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: [adds /etc/traefik/certs/shop.pem]
added:
  description: Paths that this run created.
  type: list
  elements: str
  returned: success
updated:
  description: Paths that this run changed.
  type: list
  elements: str
  returned: success
removed:
  description: Paths that this run removed.
  type: list
  elements: str
  returned: success
code:
  description: Kind of failure, for programs.
  type: str
  returned: failure
  sample: invalid_input
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
  sample: private_key
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.certificates import CertificateEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import STATE_DIR, Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.certificate import parse_all

ARGUMENTS: spec.Spec = {
    "certificates": {"type": "list", "elements": "dict", "required": True, "options": {
        "name": {"type": "str", "required": True}, "certificate": {"type": "str", "required": True},
        "private_key": {"type": "str", "required": True, "no_log": True}, "default": {"type": "bool", "default": False},
    }},
    "certificates_dir": {"type": "path", "default": "/etc/traefik/certs"}, "group": {"type": "str", "default": "traefik"},
    "dynamic_dir": spec.TRAEFIK["dynamic_dir"],
}


def supply(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the certificates to what the task asks for."""
    certificates = parse_all(params["certificates"])
    engine = CertificateEngine(Host(), certificates, params["certificates_dir"], params["dynamic_dir"], params["group"])
    engine.chronicle = Chronicle(engine.host, STATE_DIR, "traefik_certificates")
    result = converge(engine, engine.wish.edit, dry_run).as_dict()
    return {key: result[key] for key in ("changed", "diff", "added", "updated", "removed", "changes", "warnings")}


def main() -> None:
    entry.run(ARGUMENTS, supply)


if __name__ == "__main__":
    main()

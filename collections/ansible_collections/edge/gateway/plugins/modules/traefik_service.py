#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_service
short_description: Run Traefik by its files, or as it ran before
version_added: 0.1.0
description:
  - Writes the files of the service C(traefik.service) and restarts it when it does not run by them, as one transaction.
  - A restarted Traefik has to answer, to be of the wanted version, and to serve every router that it served before. Otherwise
    the files that stood before come back, the old process is started again, and the task fails with Traefik's own reason.
  - Nothing is touched when the program is not the wanted one, or when a file in O(dynamic_dir) would keep a starting Traefik
    from loading any route.
  - The service is started at boot.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  binary:
    description: Traefik's program. C(/etc/systemd/system/traefik.service), one of O(files), has to run it.
    type: path
    required: true
  version:
    description: Version that the program must be. Any is accepted when left out.
    type: str
    default: ''
  versions_dir:
    description:
      - Directory that holds a directory for each installed version, with a program C(traefik) in it.
      - After a change of version, only the new one and the one that ran before are kept. All are kept when left out.
    type: path
  timeout:
    description: Seconds until a restarted Traefik that is not healthy counts as failed.
    type: int
    default: 30
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.files
  - edge.gateway.places.traefik
seealso:
  - module: edge.gateway.config_files
"""

EXAMPLES = r"""
- name: Run Traefik
  edge.gateway.traefik_service:
    binary: /usr/local/lib/traefik/3.7.15/traefik
    version: 3.7.15
    directories:
      - {path: /etc/traefik, mode: "0750", group: traefik}
      - {path: /etc/traefik/dynamic, mode: "0750", group: traefik}
    files:
      - path: /etc/traefik/traefik.yml
        mode: "0640"
        group: traefik
        content: "{{ lookup('ansible.builtin.template', 'traefik.yml.j2') }}"
      - path: /etc/systemd/system/traefik.service
        mode: "0644"
        content: "{{ lookup('ansible.builtin.template', 'traefik.service.j2') }}"
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: [changes /etc/traefik/traefik.yml]
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
  sample: verify_failed
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
  sample: traefik.service
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import STATE_DIR, Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_service import ServiceOptions, TraefikServiceEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import Wish
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url

ARGUMENTS: spec.Spec = {
    "binary": {"type": "path", "required": True}, "version": {"type": "str", "default": ""}, "versions_dir": {"type": "path"},
    "timeout": {"type": "int", "default": 30}, **spec.FILES, **spec.TRAEFIK,
}


def serve(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the service to what the task asks for."""
    wish = Wish.parse(params)
    options = ServiceOptions(params["binary"], params["version"], params["dynamic_dir"], params["timeout"], params["versions_dir"] or "")
    engine = TraefikServiceEngine(Host(), wish, TraefikApi(url("api_url", params["api_url"], ("http", "https"))), options)
    engine.chronicle = Chronicle(engine.host, STATE_DIR, "traefik_service")
    result = converge(engine, wish.edit, dry_run).as_dict()
    return {key: result[key] for key in ("changed", "diff", "added", "updated", "removed", "changes", "warnings")}


def main() -> None:
    entry.run(ARGUMENTS, serve)


if __name__ == "__main__":
    main()

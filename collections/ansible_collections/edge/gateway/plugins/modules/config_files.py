#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Put several configuration files on a host in one task
version_added: 0.1.0
description:
  - Writes files and directories that belong to root, each atomically and durably, and reports them as one change.
  - The roles of this collection use it. One task instead of a dozen makes a converge that changes nothing feel instant, and
    the prediction of check mode is exact, on a host on which neither the directories nor the group exist yet.
  - The content is shown in the diff, unless it is given as a secret.
author:
  - edge.gateway contributors (@edge-gateway)
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.files
"""

EXAMPLES = r"""
- name: Keep forwarding on across boots
  edge.gateway.config_files:
    files:
      - path: /etc/sysctl.d/60-edge-gateway.conf
        mode: "0644"
        content: |
          net.ipv4.ip_forward = 1
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: [adds /etc/sysctl.d/60-edge-gateway.conf]
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
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.config_files import ConfigFileEngine
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import Wish


def place(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the files to what the task asks for."""
    wish = Wish.parse(params)
    result = converge(ConfigFileEngine(Host(), wish), wish.edit, dry_run).as_dict()
    return {key: result[key] for key in ("changed", "diff", "added", "updated", "removed", "changes", "warnings")}


def main() -> None:
    entry.run(spec.FILES, place)


if __name__ == "__main__":
    main()

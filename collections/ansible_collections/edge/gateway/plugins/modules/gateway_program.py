#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_program
short_description: Install the program that timers of this collection run
version_added: 0.1.0
description:
  - Puts the collection's own code on the host as C(/usr/local/lib/edge-gateway/program/edge-gateway), for what has to happen between two
    runs of Ansible. It closes what has expired, and writes metrics. Timers of the role P(edge.gateway.upkeep#role) run it; it is no daemon.
  - In a diff its files are shown by their digests.
  - Other files, such as the timers' units, can be put there in the same task.
author:
  - edge.gateway contributors (@edge-gateway)
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.files
seealso:
  - module: edge.gateway.gateway_health
"""

EXAMPLES = r"""
- name: Install the program
  edge.gateway.gateway_program:
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
  type: list
  elements: str
  returned: success
  sample: [adds /usr/local/lib/edge-gateway/program/edge-gateway]
path:
  description: The program.
  type: str
  returned: success
  sample: /usr/local/lib/edge-gateway/program/edge-gateway
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

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec, upkeep  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines import program
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import Wish


def install(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the program to what the task asks for."""
    wish = program.beside(Wish.parse(params))
    result = converge(program.ProgramEngine(Host(), wish), wish.edit, dry_run).as_dict()
    kept = {key: result[key] for key in ("changed", "diff", "added", "updated", "removed", "changes", "warnings")}
    return {**kept, "path": program.PROGRAM}


def main() -> None:
    entry.run(spec.FILES, install)


if __name__ == "__main__":
    main()

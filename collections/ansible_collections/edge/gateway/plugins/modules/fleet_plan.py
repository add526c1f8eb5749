#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_plan
short_description: Tell what a run would do on several edges
version_added: 0.1.0
description:
  - Used by the playbook C(edge.gateway.plan); it works on the control node and contacts no host.
  - With O(phase=conflicts), compares what the variables of the edges ask for, and fails when two edges contradict each other. A hostname
    that leads to different targets on two edges does, and so does a port when the edges share one of C(edge_gateway_public_addresses).
  - With O(phase=report), collects what the roles of this collection have foreseen in check mode, in the words of the users.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  edges:
    description: Names of the edges in the inventory.
    type: list
    elements: str
    required: true
  phase:
    description: What to do.
    type: str
    choices: [conflicts, report]
    default: report
  dest:
    description: File on the control node for the plan; its end, C(.md), C(.json) or C(.txt), says in which form.
    type: path
attributes:
  check_mode:
    support: full
    description: Nothing is ever changed but O(dest).
  diff_mode:
    support: none
    description: There is nothing to show.
  platform:
    support: full
    description: Works on the control node.
    platforms: posix
"""

EXAMPLES = r"""
- name: Compare what the edges are to do
  edge.gateway.fleet_plan:
    edges: "{{ groups['edge'] }}"
    phase: conflicts
  run_once: true
"""

RETURN = r"""
conflicts:
  description: Sentences about contradictions.
  type: list
  elements: str
  returned: with O(phase=conflicts)
edges:
  description: For each edge its C(changes), sentences by what they are about, their C(count), and an C(error) when it could not be run.
  type: dict
  returned: with O(phase=report)
text:
  description: The plan for a terminal.
  type: str
  returned: with O(phase=report)
markdown:
  description: The plan for a pull request.
  type: str
  returned: with O(phase=report)
"""

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what the edges of a fleet answered into one HTML page."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.edge.gateway.plugins.plugin_utils.report.page import page

DOCUMENTATION = r"""
name: report_page
short_description: Make one HTML page of what a fleet of edges answered
version_added: 0.1.0
description:
  - Makes a page for people. At its top stands what is wrong and what to do, then a map of clients, edges, mesh and nodes, the parts of each
    edge, its routes and forwards, certificates, and recent changes.
  - The page is one file that loads nothing. Its Content-Security-Policy lets it run nothing but its own script, and it can be read
    without it.
  - All text of hosts is escaped. The same input always makes the same page.
options:
  _input:
    description:
      - C(generated) is the present time, in UTC, like V(2026-11-26T03:00:00Z).
      - C(edges) has for each edge, by its name, C(reachable) and the results of M(edge.gateway.gateway_health) as C(health),
        M(edge.gateway.dnat_forward_info) as C(forwards), M(edge.gateway.traefik_route_info) as C(routes) and
        M(edge.gateway.wg_join_info) as C(mesh). A result may be a failure, or be missing. The page then says so.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Look at the edge
  edge.gateway.gateway_health:
  register: edge_health

- name: Write a page about it
  ansible.builtin.copy:
    content: "{{ {'generated': now(utc=true).strftime('%Y-%m-%dT%H:%M:%SZ'),
                  'edges': {inventory_hostname: {'reachable': true, 'health': edge_health}}} | edge.gateway.report_page }}"
    dest: report.html
    mode: "0600"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""


def report_page(found: Any) -> str:
    """The filter."""
    if not isinstance(found, dict):
        raise AnsibleFilterError("the input of report_page is not a dictionary; give one with generated and edges")
    try:
        return page(found)
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """What this file offers to templates."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """By name."""
        return {"report_page": report_page}

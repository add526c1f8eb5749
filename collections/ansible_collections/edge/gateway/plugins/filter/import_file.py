# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what an import found as variables of a host."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.formats import import_file as format_of

DOCUMENTATION = r"""
name: import_file
short_description: Write what an import found as variables of a host
version_added: 0.1.0
description:
  - Makes YAML of the result of M(edge.gateway.gateway_import), with C(edge_gateway_forwards) and C(edge_gateway_routes) as an inventory
    takes them, and comments that say where each comes from and what was not taken over.
  - Every forward and route is checked once more, so that a host cannot put anything else into the file.
  - The same result makes the same text. It carries a digest, by which P(edge.gateway.import_edited#test) tells a file that somebody edited.
options:
  _input:
    description: The result of M(edge.gateway.gateway_import).
    type: dict
    required: true
  host:
    description: Name of the host in the inventory.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the text
  ansible.builtin.debug:
    msg: "{{ found | edge.gateway.import_file(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""


def import_file(found: Any, host: str) -> str:
    """The filter."""
    try:
        return format_of.render(found, host)
    except GatewayError as problem:
        raise AnsibleFilterError(problem.message) from None
    except (KeyError, TypeError, AttributeError):
        raise AnsibleFilterError("this is not a result of gateway_import; register that module and give its result") from None


class FilterModule:
    """What this file offers to templates."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """By name."""
        return {"import_file": import_file}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns variables into the text of a file that systemd reads."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.formats import systemd

DOCUMENTATION = r"""
name: environment_file
short_description: Write variables as systemd reads them from a file
version_added: 0.1.0
description:
  - Makes the text of an C(EnvironmentFile) from a dictionary, every value between double quotes and escaped.
  - Refuses names and values that such a file cannot hold. A message never has a value in it.
options:
  _input:
    description: Values by the name of their variable.
    type: dict
    required: true
  option:
    description: What the message calls the dictionary.
    type: str
    default: environment
"""

EXAMPLES = r"""
- name: Show the text
  ansible.builtin.debug:
    msg: "{{ {'CF_DNS_API_TOKEN': 'a token'} | edge.gateway.environment_file }}"
"""

RETURN = r"""
_value:
  description: The text, a line for each variable.
  type: str
"""


def environment_file(variables: Any, option: str = "environment") -> str:
    """The filter."""
    if not isinstance(variables, dict):
        raise AnsibleFilterError(f"{option} is not a dictionary; write it as names with values")
    try:
        return systemd.environment_file(option, variables)
    except GatewayError as problem:
        raise AnsibleFilterError(problem.message) from None


class FilterModule:
    """What this file offers to templates."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """By name."""
        return {"environment_file": environment_file}

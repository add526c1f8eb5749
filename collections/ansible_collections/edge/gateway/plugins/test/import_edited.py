# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells whether somebody has edited the file of an import."""

from __future__ import annotations

from typing import Callable, Dict

from ansible_collections.edge.gateway.plugins.module_utils.formats.import_file import is_edited

DOCUMENTATION = r"""
name: import_edited
short_description: Tell whether somebody has edited the file of an import
version_added: 0.1.0
description:
  - Whether a text is no longer as P(edge.gateway.import_file#filter) made it, by the digest that it carries.
  - Any other file counts as edited, and an empty text does not.
options:
  _input:
    description: Text of the file.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Keep what a person wrote
  ansible.builtin.assert:
    that: lookup('ansible.builtin.file', 'imported/edge1.yml', rstrip=false) is not edge.gateway.import_edited
"""

RETURN = r"""
_value:
  description: Whether it was edited.
  type: bool
"""


class TestModule:
    """What this file offers to templates."""

    def tests(self) -> Dict[str, Callable[[str], bool]]:
        """By name."""
        return {"import_edited": is_edited}

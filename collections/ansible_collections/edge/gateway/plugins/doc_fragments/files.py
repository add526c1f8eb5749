# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories that a module puts on a host."""

from __future__ import annotations


class ModuleDocFragment:
    """Options C(directories), C(files) and C(absent)."""

    DOCUMENTATION = r"""
options:
  directories:
    description: Directories that have to be there. They are made before the files.
    type: list
    elements: dict
    default: []
    suboptions:
      path: &path
        description: Absolute path.
        type: str
        required: true
      mode: &mode
        description: Mode in octal, such as V(0644). Nobody but root may write.
        type: str
        required: true
      group: &group
        description: Group that owns it. It must exist, except in check mode.
        type: str
        default: root
  files:
    description: Files that have to be there.
    type: list
    elements: dict
    default: []
    suboptions:
      path: *path
      mode: *mode
      group: *group
      content:
        description: The whole content. One of this and O(files[].secret_content) is required.
        type: str
      secret_content:
        description: The whole content of a file that must not be shown. A diff then has its number of lines and a fingerprint.
        type: str
  absent:
    description: Files that must not be there.
    type: list
    elements: str
    default: []
"""

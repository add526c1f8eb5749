#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that does nothing: what is left is the price of carrying a list from the variables to the target."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Take the list and be content; without ``invocation`` it is not carried back."""
    AnsibleModule({"forwards": {"type": "list", "elements": "raw"}}).exit_json(changed=False, invocation={})


if __name__ == "__main__":
    main()

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that several modules share; their documentation is the doc fragment ``places``."""

from __future__ import annotations

from typing import Any, Dict

from .models.choices import BACKENDS

Spec = Dict[str, Dict[str, Any]]

MESH: Spec = {
    "interface": {"type": "str", "aliases": ["wg_iface"]},
    "state_dir": {"type": "path", "default": "/var/lib/edge-gateway"},
}
FIREWALL: Spec = {"backend": {"type": "str", "choices": ["auto", *BACKENDS], "default": "auto"}}
TARGETS: Spec = {"allow_outside_mesh": {"type": "bool", "default": False}}
TRAEFIK: Spec = {
    "dynamic_dir": {"type": "path", "default": "/etc/traefik/dynamic"},
    "api_url": {"type": "str", "default": "http://127.0.0.1:8080"},
}
BACKUP: Spec = {
    "directory": {"type": "str", "default": "backups"},
    "node": {"type": "str"},
    "interface": {"type": "str", "aliases": ["wg_iface"]},
    "dynamic_dir": {"type": "path", "default": "/etc/traefik/dynamic"},
}
STATIC: Spec = {"static_config": {"type": "path", "default": "/etc/traefik/traefik.yml"}}
STATE: Spec = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
PLACE: Spec = {"path": {"type": "str", "required": True}, "mode": {"type": "str", "required": True},
               "group": {"type": "str", "default": "root"}}
CONTENT: Spec = {"content": {"type": "str"}, "secret_content": {"type": "str", "no_log": True}}
FILES: Spec = {
    "directories": {"type": "list", "elements": "dict", "default": [], "options": PLACE},
    "files": {"type": "list", "elements": "dict", "default": [], "options": {**PLACE, **CONTENT},
              "mutually_exclusive": [("content", "secret_content")], "required_one_of": [("content", "secret_content")]},
    "absent": {"type": "list", "elements": "str", "default": []},
}

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_confirm
short_description: Take a change back unless it is confirmed in time
version_added: 0.1.0
description:
  - With O(state=armed), before a change, keeps how this collection's files, rules and units stand, and starts a timer on the host. When it
    ends, the host returns to that by itself, whatever has become of the run, the network, or the host, which may have been restarted.
  - With O(state=confirmed), after it, opens a B(new) connection to the host, looks whether every part that worked before still works, and
    stops the timer. If no new connection is possible until the host has returned, the task says so and fails.
  - With O(state=taken_back), brings back how the host stood at once, if it was this run (or the one that O(token) names) that has armed.
  - What belongs to others is not kept, such as tables of other firewalls. The certificates that Traefik has got stay.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  state:
    description: What to do.
    type: str
    choices: [armed, confirmed, taken_back]
    required: true
  timeout:
    description: Seconds until the host returns, from the last time that it was armed.
    type: int
    default: 120
  token:
    description: Names the run; by default the control node and the process there.
    type: str
    default: ''
  config_dir:
    description: Directory that wg-quick reads.
    type: path
    default: /etc/wireguard
extends_documentation_fragment:
  - edge.gateway.places.mesh
  - edge.gateway.places.traefik
attributes:
  check_mode:
    support: none
    description: The task is skipped.
  diff_mode:
    support: none
    description: There is nothing to show.
  platform:
    support: full
    description: Hosts with systemd.
    platforms: linux
"""

EXAMPLES = r"""
- name: Have the host return in a minute
  edge.gateway.gateway_confirm:
    state: armed
    timeout: 60

- name: Change something that may close the way in
  edge.gateway.wg_join:
    node_id: edge1
    controller_url: https://controller.example.com
    join_token: "{{ vault_join_token }}"
    allow_default_route: true

- name: Keep the change if a new connection is possible
  edge.gateway.gateway_confirm:
    state: confirmed
    timeout: 60
"""

RETURN = r"""
until:
  description: When the host returns to how it stood.
  type: str
  returned: with O(state=armed)
  sample: '2027-01-25T20:17:02Z'
token:
  description: Names the run.
  type: str
  returned: success
"""

from typing import Any, Dict

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.health import Places, examine
from ansible_collections.edge.gateway.plugins.module_utils.engines.rollback import Rollback, TakenBack
from ansible_collections.edge.gateway.plugins.module_utils.engines.system import mesh_interface
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models import fields
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import plain_path
from ansible_collections.edge.gateway.plugins.module_utils.models.health import FAILED, Part
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url

ARGUMENTS: spec.Spec = {
    "state": {"type": "str", "choices": ["armed", "confirmed", "taken_back"], "required": True}, "timeout": {"type": "int", "default": 120},
    "token": {"type": "str", "default": "", "no_log": False}, "config_dir": {"type": "path", "default": "/etc/wireguard"},
    **spec.MESH, **spec.TRAEFIK,
}


def act(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Do what ``state`` says."""
    host = Host()
    interface = mesh_interface(host, params["interface"])
    rollback = Rollback(host, interface, plain_path("dynamic_dir", params["dynamic_dir"]), params["token"] or "by hand")
    places = Places(interface, params["config_dir"], params["state_dir"], params["dynamic_dir"],
                    TraefikApi(url("api_url", params["api_url"], ("http", "https"))))
    result = {"changed": False, "token": rollback.token}
    if params["state"] == "armed":
        seconds = fields.integer("timeout", params["timeout"], 5, 86400)
        return {**result, "until": rollback.arm(seconds, {name: part.status for name, part in examine(host, places).items()})}
    if params["state"] == "taken_back":
        # a run that could not arm, because another one had, must not undo what that one is about
        other = rollback.owner()
        if other != rollback.token:
            return {**result, "warnings": [f"nothing was taken back: the change that was armed last is that of {other or 'nobody'}, "
                                           "name it with token to take it back"]}
        rollback.take_back()
        return {**result, "changed": True}
    worse = broken_since(rollback.statuses(), examine(host, places))
    if worse:
        rollback.take_back()
        raise TakenBack(f"the change was taken back, because it broke {worse}; the host stands as before, correct the change", "confirm")
    rollback.confirm()
    return result


def broken_since(before: Dict[str, str], parts: Dict[str, Part]) -> str:
    """The parts that have failed and had not, each with what is wrong with it."""
    return ", ".join(f"{name} ({part.message.replace(';', ',')})" for name, part in sorted(parts.items())
                     if part.status == FAILED and before.get(name, FAILED) != FAILED)


def main() -> None:
    entry.run(ARGUMENTS, act, supports_check_mode=False)


if __name__ == "__main__":
    main()

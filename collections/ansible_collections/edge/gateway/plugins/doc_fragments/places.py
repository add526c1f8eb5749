# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an edge keeps its things: options that several modules take."""

from __future__ import annotations


class ModuleDocFragment:
    """Options C(interface), C(state_dir), C(backend), C(allow_outside_mesh), C(dynamic_dir), C(api_url), C(static_config); backups."""

    MESH = r"""
options:
  interface:
    description: Name of the mesh interface. What the role P(edge.gateway.firewall#role) chose for this host when left out, else C(wg0).
    type: str
    aliases: [wg_iface]
  state_dir:
    description: Directory in which the wanted state is kept.
    type: path
    default: /var/lib/edge-gateway
"""

    FIREWALL = r"""
options:
  backend:
    description:
      - Firewall that carries the forwards. V(auto) is what the role P(edge.gateway.firewall#role) chose for this host, else nftables
        where C(nft) is installed, else iptables in the variant that the host's C(iptables) is.
      - When another one is named than before, the forwards move there.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
"""

    TARGETS = r"""
options:
  allow_outside_mesh:
    description: Accept targets that are not behind the mesh interface. Traffic to them is not masqueraded.
    type: bool
    default: false
"""

    TRAEFIK = r"""
options:
  dynamic_dir:
    description:
      - Directory that Traefik's file provider watches.
      - It must exist. The role P(edge.gateway.traefik#role) creates it before Traefik starts.
    type: path
    default: /etc/traefik/dynamic
  api_url:
    description: Where Traefik's API answers on this host.
    type: str
    default: http://127.0.0.1:8080
"""

    STATIC = r"""
options:
  static_config:
    description:
      - Traefik's static configuration on this host, against which entrypoints and certificate resolvers are checked.
      - Nothing is checked when there is no such file.
    type: path
    default: /etc/traefik/traefik.yml
"""

    BACKUP = r"""
options:
  directory:
    description:
      - Directory of the control node in which backups lie, C(NODE.backup) for each host. A relative path is one below the directory
        in which Ansible was started.
      - It is created with mode 0700.
    type: str
    default: backups
  node:
    description: Name under which the backup lies. The host's name in the inventory when left out.
    type: str
  interface:
    description: Name of the mesh interface. What the role P(edge.gateway.firewall#role) chose for this host when left out, else C(wg0).
    type: str
    aliases: [wg_iface]
  dynamic_dir:
    description: Directory of the host in which the routes lie.
    type: path
    default: /etc/traefik/dynamic
"""

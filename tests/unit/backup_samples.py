# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an edge with everything, as tests of backups need them."""

from __future__ import annotations

import json
from typing import Any, Dict, List

from ansible_collections.edge.gateway.plugins.module_utils.formats import certificates, route_file
from ansible_collections.edge.gateway.plugins.module_utils.formats.strict_json import dump_rows
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Archive, KeptFile, KeptFiles, Places
from ansible_collections.edge.gateway.plugins.module_utils.models.certificate import Certificate
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.hub import Registration
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from unit.samples import ANSWER, OTHER_KEY
from unit.test_certificates import pair

PLACES = Places()
PAIR = pair()
PRIVATE_KEY = "GPuOE0nA9xZwJ0AqMmPgKCnBQbJ0fWzXqDkhxkUdHWE="
SHARED_KEY = "q7D2b4sK9kq4mCq0cUuQmHh8mZ0gqWn3mXo2b0c8x1Y="
ACME: Dict[str, Any] = {"byhttp": {
    "Account": {"Email": "ops@edge.test", "PrivateKey": "YWNjb3VudC1rZXk="},
    "Certificates": [{"domain": {"main": "a.test"}, "certificate": "Y2VydA==", "key": "Y2VydGlmaWNhdGUta2V5"}]}}
# what nobody may see of these files
SECRETS = [PRIVATE_KEY, SHARED_KEY, "YWNjb3VudC1rZXk", "Y2VydGlmaWNhdGUta2V5", PAIR["private_key"].splitlines()[1]]
FORWARD = Forward.parse({"forward_id": "git", "public_port": 2222, "target_ip": "10.50.0.12", "target_port": 22})
ROUTE = Route.parse({"route_id": "shop", "hostname": "shop.test", "target_url": "http://10.50.0.12:8080", "certresolver": "byhttp"})


def kept(path: str, content: str, mode: int = 0o600, owner: str = "root", group: str = "root") -> KeptFile:
    """One file."""
    return KeptFile(path, mode, owner, group, content)


def state(noun: str, *rows: Dict[str, Any]) -> str:
    """A state file."""
    return dump_rows(noun, list(rows), schema=1)


def edge_files(places: Places = PLACES) -> KeptFiles:
    """All kinds of files that an edge has, a hub's too."""
    membership = Membership.parse({"interface": "wg0", "controller_url": "https://controller.test", "node_id": "edge-1", "answer": ANSWER})
    peer = Registration.parse({"node_id": "node1", "node_pubkey": OTHER_KEY, "node_ip": "10.50.0.12", "preshared_key": SHARED_KEY})
    supplied = [Certificate.parse({"name": "spare", "default": True, **PAIR})]
    files: List[KeptFile] = [
        kept(f"{places.config_dir}/wg0.key", PRIVATE_KEY + "\n"),
        kept(f"{places.settings_dir}/gateway.json", json.dumps({"schema": 1, "interface": "wg0", "backend": "nftables"}), 0o644),
        kept(f"{places.settings_dir}/hub.json", json.dumps({"schema": 1, "interface": "wg0", "pools": ["10.50.0.0/24"]}), 0o644),
        kept(f"{places.state_dir}/join.json", state("memberships", membership.as_dict())),
        kept(f"{places.state_dir}/peers.json", state("peers", peer.as_dict())),
        kept(f"{places.state_dir}/forwards.json", state("forwards", FORWARD.as_kept())),
        kept(f"{places.acme_dir}/acme.json", json.dumps(ACME, indent=2), 0o600, "traefik", "traefik"),
        kept(f"{places.dynamic_dir}/shop.yml", route_file.render(ROUTE), 0o640, "root", "traefik"),
        *(kept(path, file.content, 0o640, "root", "traefik")
          for path, file in certificates.files_of(supplied, places.certificates_dir, places.dynamic_dir, "traefik").items()
          if file.content is not None),
    ]
    return {item.path: item for item in files}


def backup(places: Places = PLACES) -> Archive:
    """The backup of such an edge."""
    return Archive("edge1", "2026-11-26T03:05:04Z", edge_files(places))

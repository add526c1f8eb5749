# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that is given a secret or finds one on the host, with the secrets that are planted for it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.archive import ArchiveEngine
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive
from ansible_collections.edge.gateway.plugins.module_utils.formats.listing import packed
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Archive, Places
from contract import mesh, world
from contract.edge_traefik import DYNAMIC
from unit.backup_samples import PAIR, SECRETS, SHARED_KEY, edge_files
from unit.samples import KEY, OTHER_KEY
from unit.servers import Handler, serving

TOKEN = "planted-join-token-5e1f07"
PRIVATE_KEY = "aLd0nv2TVF5Aa7nVPtjWwq4jv2kWmVn0m3V9mYyXzGg="
CREDENTIAL = "planted-dns-credential-77ab"
HASH = "$2y$05$PlantedHashOfAPasswordPlantedHashOfAPasswordPlanted12"
SEAL = bytes(range(100, 132)).hex()
OWN = {"/etc/wireguard/*": 0o600, "/var/lib/edge-gateway/*": 0o600}
ROUTES = {"/etc/traefik/dynamic/*": 0o640, "/etc/traefik/.*": 0o640}
CERTIFICATES = {"/etc/traefik/certs/*": 0o640}
# and while it is written, until the next run
CREDENTIALS = {"/etc/traefik/traefik.env": 0o600, "/etc/traefik/.edge-gateway-*.tmp": 0o600}
FILES = {path: item for path, item in edge_files().items() if not path.startswith("/var/lib/traefik/")}
JOIN: Dict[str, Any] = {name: value for name, value in mesh.DEFAULTS.items() if value is not None and name != "join_token"}
SERVED = {"files": [{"path": "/etc/traefik/traefik.env", "mode": "0600", "secret_content": f"HETZNER_API_TOKEN={CREDENTIAL}\n"},
                    {"path": "/etc/traefik/traefik.yml", "mode": "0640", "content": "api: {}\n"}]}


class Case(NamedTuple):
    """One call.

    Attributes:
        prepare: makes the host what the call finds.
        secrets: what must not be seen.
        places: patterns of the files that may hold them, with the widest mode that they may have.
        fails: it cannot do well in a namespace, which has no systemd.
    """

    name: str
    module: str
    params: Dict[str, Any]
    prepare: Callable[[], None]
    secrets: Tuple[str, ...]
    places: Dict[str, int] = OWN
    namespace: str = ""
    fails: bool = False


def bare() -> None:
    """A host without anything but a private key."""
    mesh.remove_edge()
    world.reset()
    for path in Path("/etc/traefik").rglob("*"):
        if path.is_file():
            path.unlink()
    DYNAMIC.mkdir(exist_ok=True)
    key = Path("/etc/wireguard/wg0.key")
    key.write_text(PRIVATE_KEY + "\n")
    key.chmod(0o600)


def keyless() -> None:
    """A host without anything."""
    bare()
    Path("/etc/wireguard/wg0.key").unlink()


def full() -> None:
    """An edge with everything; its tunnel is down."""
    bare()
    converge(ArchiveEngine(Host(), Places(), "wg0", force=True), lambda current: dict(FILES), dry_run=False)


@contextlib.contextmanager
def world_of_cases() -> Iterator[List[Case]]:
    """The cases, while there are a hub, its controller and the user of Traefik."""
    for name, line in (("passwd", "traefik:x:64242:64243::/var/lib/traefik:/usr/sbin/nologin\n"), ("group", "traefik:x:64243:\n")):
        # of this namespace alone, as all of /etc
        with Path("/etc", name).open("a") as stream:
            stream.write(line)
    public_key = mesh.add_hub()
    with mesh.controller(public_key) as controller, serving(refuse) as refusing:
        yield cases_with(controller, refusing.port)
    mesh.remove_edge()
    world.remove_namespaces("hub", "edge")


def refuse(handler: Handler, _number: int) -> None:
    """A controller that says what it was sent, wherever an answer has room."""
    sent = " ".join(handler.headers.values())
    handler.reply(403, {"Content-Type": "application/json", "Location": f"/{sent}", "X-Sent": sent}, json.dumps({"error": sent}).encode())


def cases_with(controller: mesh.Controller, refusing: int) -> List[Case]:
    """All of them."""
    token: Dict[str, Any] = {"controller_url": controller.url, "join_token": TOKEN}
    told = {"join_answer": controller.answer}

    def joined() -> None:
        bare()
        assert mesh.join(**token).plan.changed

    keys, hub = (TOKEN, PRIVATE_KEY), {"interface": "wg0", "pools": ["10.50.0.0/24"], "endpoint": "192.0.2.2:51820"}
    shared = {"preshared_key": SHARED_KEY}
    supplied = {"certificates": [{"name": "spare", "default": True, **PAIR}]}
    body = PAIR["private_key"].splitlines()[1]
    route = {"route_id": "web", "hostname": "web.test", "target_url": "http://10.50.0.12", "wait": False,
             "middlewares": [{"basic_auth": {"users": [f"bob:{HASH}"]}}]}
    backup = archive.render(Archive("edge1", "2026-11-26T03:05:04Z", FILES)).encode()
    of_files = tuple(secret for secret in SECRETS if any(secret in item.content for item in FILES.values()))
    everything = {**OWN, **ROUTES, **CERTIFICATES}
    return [
        Case("join", "wg_join", {**JOIN, **token}, bare, keys, namespace="edge"),
        Case("join-refused", "wg_join", {**JOIN, **token, "controller_url": f"http://127.0.0.1:{refusing}"}, keyless, keys, namespace="",
             fails=True),
        Case("rejoin", "wg_join", {**JOIN, **told, **shared, "persistent_keepalive": 20}, joined, (*keys, SHARED_KEY), namespace="edge"),
        Case("leave", "wg_join", {"state": "left"}, joined, keys, namespace="edge"),
        Case("keys", "wg_key", {"next_key": True}, bare, keys),
        Case("peers", "wg_peer", {"peers": [{"node_id": "a", "node_pubkey": KEY, **shared}], "hub": hub}, bare, (*keys, SHARED_KEY),
             namespace="edge"),
        Case("peer", "wg_peer", {"node_id": "b", "node_pubkey": OTHER_KEY, **shared, "hub": hub}, bare, (*keys, SHARED_KEY),
             namespace="edge"),
        Case("certificates", "traefik_certificates", supplied, bare, (body,), CERTIFICATES),
        Case("files", "config_files", SERVED, bare, (CREDENTIAL,), CREDENTIALS),
        Case("service", "traefik_service", {**SERVED, "binary": "/bin/true", "timeout": 1}, bare, (CREDENTIAL,), CREDENTIALS, fails=True),
        Case("route", "traefik_route", route, bare, (HASH,), ROUTES),
        Case("backup", "gateway_backup", {"node": "edge1", "_key": SEAL}, full, (*of_files, SEAL), everything),
        Case("restore", "gateway_restore", {"node": "edge1", "_packed": packed(backup)}, keyless, of_files, everything),
        Case("join-info", "wg_join_info", {}, joined, keys, namespace="edge"),
        Case("route-info", "traefik_route_info", {}, lambda: routed(route), (HASH,), ROUTES),
        Case("health", "gateway_health", {}, full, of_files, everything),
    ]


def routed(route: Dict[str, Any]) -> None:
    """A host with that route."""
    bare()
    result = world.module("traefik_route", **route)
    assert result.get("changed"), result

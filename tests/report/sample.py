# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in the shape in which modules answer (their RETURN documentation): two edges, of which one has lost its mesh."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List

NOW = datetime(2026, 11, 26, 3, 0, 0, tzinfo=timezone.utc)
GENERATED = "2026-11-26T03:00:00Z"
NODES = [f"10.50.0.{number}" for number in range(12, 22)]
SHOPS = ["shop", "blog", "wiki", "mail", "files", "status", "chat", "git", "docs", "media", "api", "cloud", "forum", "play", "photos"]
SERVICES = [("ssh", "tcp", 22), ("game", "udp", 27015), ("db", "tcp", 5432), ("mqtt", "tcp", 8883), ("voice", "udp", 9987),
            ("rdp", "tcp", 3389)]
FORWARD_DEFAULTS: Dict[str, Any] = {"source_ranges": [], "source_nat": "masquerade", "hairpin": False, "comment": "", "expires": ""}
WELL = {"mesh": "last handshake on wg0 12 s ago", "forwarding": "on for IPv4", "forwards": "{forwards} in effect", "traefik": "3.7.15 runs",
        "routes": "{routes} served", "certificates": "{routes} held", "expiry": "4 will end by themselves",
        "disk": "18200 MiB free below /var/lib/edge-gateway", "converge": "last run 2 hours ago (dnat_forward)"}


def moment(**ahead: float) -> str:
    """A time so far ahead, as modules write it."""
    return (NOW + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def part(status: str, message: str, remedy: str = "") -> Dict[str, Any]:
    """A part of gateway_health."""
    return {"status": status, "message": message, "remedy": remedy, "figures": {}}


def forward(number: int, **others: Any) -> Dict[str, Any]:
    """An entry of dnat_forward_info."""
    name, proto, port = SERVICES[number % len(SERVICES)]
    return {**FORWARD_DEFAULTS, "forward_id": f"vm-{100 + number}-{name}", "public_port": str(20000 + number), "proto": proto,
            "target_ip": NODES[number * 7 % len(NODES)], "target_port": port, "active": True, "connections": number * 37 % 5000,
            "open_connections": number % 9, "blocked_by": [], **others}


def route(number: int, **others: Any) -> Dict[str, Any]:
    """A route of traefik_route_info."""
    name = f"{SHOPS[number % len(SHOPS)]}-{number}"
    return {"route_id": name, "hostname": [f"{name}.example.com"], "path_prefix": "", "entrypoint": ["websecure"],
            "certresolver": "letsencrypt", "target_url": [f"http://{NODES[number * 3 % len(NODES)]}:{8000 + number % 5}"], **others}


def detail(entry: Dict[str, Any], days: int, **others: Any) -> Dict[str, Any]:
    """What traefik_route_info knows of a route."""
    certificates = {name: {"issuer": "R11", "serial": f"{name}:{days}", "names": [name], "not_after": moment(days=days, hours=2),
                           "days_left": days, "reason": ""} for name in entry["hostname"]}
    return {"file": f"/etc/traefik/dynamic/{entry['route_id']}.yml", "intact": True, "status": "enabled", "errors": [],
            "servers": dict.fromkeys(entry["target_url"], "UP"), "certificates": certificates, **others}


def change(hours: float, module: str, **ids: List[str]) -> Dict[str, Any]:
    """An entry of gateway_health's history."""
    lists = {kind: ids.get(kind, []) for kind in ("added", "updated", "removed", "repaired")}
    return {"time": moment(hours=-hours), "module": module, "counts": {kind: len(names) for kind, names in lists.items()},
            **{kind: names[:20] for kind, names in lists.items()}}


def edge(address: str, routes: List[Dict[str, Any]], forwards: List[Dict[str, Any]]) -> Dict[str, Any]:
    """The answers of an edge that is well."""
    chance = random.Random(address)      # the same fleet every time
    parts = {name: part("ok", words.format(routes=len(routes), forwards=len(forwards))) for name, words in WELL.items()}
    return {
        "reachable": True,
        "health": {"changed": False, "failed": False, "status": "ok", "parts": parts, "history": []},
        "forwards": {"changed": False, "backend": "nftables", "count": len(forwards), "forwards": forwards},
        "routes": {"changed": False, "routes": routes, "live": {item["route_id"]: "enabled" for item in routes}, "broken": [],
                   "details": {item["route_id"]: detail(item, chance.randint(30, 88)) for item in routes}},
        "mesh": {"changed": False, "role": "member", "joined": True, "running": True, "interface": "wg0", "node_ip": address,
                 "node_ips": [address], "public_key": "", "controller_pubkey": "", "endpoint": "hub.example.com:51820",
                 "peer_endpoint": "203.0.113.7:51820", "allowed_ips": ["10.50.0.0/24"], "latest_handshake": int(NOW.timestamp()) - 12,
                 "handshake_age": 12, "received": 48_210_553_120, "sent": 391_880_210_774, "mtu": 1420, "listen_port": 51820, "drift": [],
                 "key_file_modes_ok": True, "clock": "ok", "peers": []},
    }


def fleet() -> Dict[str, Any]:
    """The input of report_page."""
    first = edge("10.50.0.2", [route(number) for number in range(100)], [forward(number) for number in range(100)])
    second = edge("10.50.0.3", [route(number) for number in range(100, 200)], [forward(number) for number in range(100, 200)])
    _first_has_small_things(first)
    lost = second["mesh"]
    lost.update(running=False, handshake_age=None, latest_handshake=0, peer_endpoint="", received=0, sent=0)
    parts = second["health"]["parts"]
    parts["mesh"] = part("failed", "interface wg0 is down", "see journalctl -u wg-quick@wg0, then run site.yml")
    parts["converge"] = part("degraded", "last run 3 days ago", "run site.yml, or look why the job that does so does not")
    second["health"]["status"] = "failed"
    second["health"]["history"] = [change(74, "traefik_route", added=["photos-199"]), change(80, "wg_join", repaired=["wg0"])]
    return {"generated": GENERATED, "edges": {"edge1.example.com": first, "edge2.example.com": second}}


def _first_has_small_things(answers: Dict[str, Any]) -> None:
    forwards, routes, details = answers["forwards"]["forwards"], answers["routes"]["routes"], answers["routes"]["details"]
    forwards[3].update(comment="asked for by ops, ticket 4711", source_ranges=["203.0.113.0/24"])
    forwards[5].update(public_port="27000-27015", target_port=7000, proto="both", comment="tournament", expires=moment(hours=9))
    forwards[8].update(source_nat="none", comment="mail sees the client")
    for number in (14, 22, 31):
        forwards[number].update(expires=moment(days=number))
    routes[4].update(target_url=["http://10.50.0.14:8080", "http://10.50.0.15:8080"], expires=moment(days=3),
                     middlewares=[{"basic_auth": {}}])
    details["files-4"]["servers"] = {"http://10.50.0.14:8080": "UP", "http://10.50.0.15:8080": "DOWN"}
    details["wiki-2"] = detail(routes[2], 9)
    answers["health"]["status"] = "degraded"
    answers["health"]["parts"]["certificates"] = part("degraded", "the certificate of wiki-2.example.com ends in 9 days", (
        "see journalctl -u traefik for the resolver's orders, or give new files if the certificate was supplied"))
    answers["health"]["history"] = [
        change(2, "dnat_forward", added=[f"vm-{number}-ssh" for number in range(150, 158)], removed=["old-ssh"]),
        change(26, "traefik_route", updated=["files-4"]), change(27, "traefik_service"),
        change(51, "dnat_forward", repaired=["vm-105-rdp"])]

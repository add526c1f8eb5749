# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Good documents of every kind, gathered from the other tests: what is damaged, and what a value is replaced by."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

from ansible_collections.edge.gateway.plugins.module_utils.formats import archive, inbound, listing, route_file
from ansible_collections.edge.gateway.plugins.module_utils.formats.strict_json import dump_rows
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.inbound import Inbound
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from contract import foreign_files, hostile_routes, refusals
from contract.route_wishes import LENT, RouteWish
from contract.wishes import Wish
from unit.backup_samples import ACME, SHARED_KEY, backup, edge_files
from unit.forward_samples import ENTRIES
from unit.samples import ANSWER, KEY, OTHER_KEY

DATA = Path(__file__).parents[1] / "unit/data"


def data(*patterns: str) -> List[bytes]:
    """What real tools have printed."""
    found = [path.read_bytes() for pattern in patterns for path in sorted(DATA.glob(pattern))]
    assert found, patterns
    return found


def as_bytes(*documents: Any) -> List[bytes]:
    """Documents as JSON."""
    return [json.dumps(document).encode() for document in documents]


FILES = edge_files()
BY_NAME = {path.rpartition("/")[2]: item.content.encode() for path, item in FILES.items()}
_wish, _routes = Wish(1), RouteWish(1)
WISHES: List[Dict[str, Any]] = [*ENTRIES, *refusals.EVERYTHING, *(_wish.options(f"w-{number}") for number in range(20))]
ROUTES: List[Dict[str, Any]] = [hostile_routes.GOOD, *(_routes.route() for _ in range(60))]
FORWARDS = [item for item in WISHES if "target_ip" in item]
ANSWERS = as_bytes(
    ANSWER,
    {**ANSWER, "node_ip": "10.50.0.5/24,fd50::5", "allowed_ips": ["10.50.0.0/24", "fd50::/64"]},
    {**ANSWER, "endpoint": "hub.example.com:51820"},
    {**ANSWER, "endpoint": "[2001:db8::1]:51820", "extra": [1, {"a": None}]},
)
STATES = {
    "forwards": [BY_NAME["forwards.json"], dump_rows("forwards", [Forward.parse(item).as_kept() for item in ENTRIES], schema=1).encode()],
    "memberships": [BY_NAME["join.json"]],
    "peers": [BY_NAME["peers.json"]],
}
CHOICES = [
    BY_NAME["gateway.json"],
    *as_bytes(
        {
            "schema": 1,
            "interface": "wg0",
            "backend": "iptables",
            "open_foreign": True,
            "public_addresses": ["198.51.100.1"],
            "reserved_ports": [{"proto": "tcp", "port": 22, "used_by": "ssh"}, {"proto": "udp", "port": 51820}],
        }
    ),
]
HUBS = [
    BY_NAME["hub.json"],
    *as_bytes(
        {
            "schema": 1,
            "interface": "wg1",
            "pools": ["10.60.0.0/16", "fd60::/64"],
            "endpoint": "198.51.100.1:51820",
            "listen_port": 1234,
            "mtu": 1380,
            "closed": False,
        }
    ),
]
HISTORIES = as_bytes(
    {
        "runs": {"dnat_forward": "2026-11-26T03:05:04Z"},
        "changes": [{"time": "2026-11-26T03:05:04Z", "module": "dnat_forward", "counts": {"added": 2}, "added": ["a", "b"]}],
    }
)
# without the pair, which is another one each time
BACKUPS = [
    archive.render(
        replace(backup(), files={path: item for path, item in FILES.items() if "certificates" not in path and "/certs/" not in path})
    ).encode()
]
PACKED = listing.packed(BACKUPS[0])
ROUTE_FILES = [route_file.render(Route.parse(item)).encode() for item in ROUTES[:12]]
SEED_STATES = as_bytes(
    {
        "tcp_forwards": [{"forward_id": "vm-1", "public_port": 22015, "target_ip": "10.50.0.12", "target_port": 32215, "proto": "tcp"}],
        "http_routes": {"vm-1": {"hostname": "a.test", "target_url": "http://10.50.0.12", "entrypoint": "websecure", "certresolver": "le"}},
    },
    {"tcp_forwards": {"vm-2": {"public_port": 1, "target_ip": "10.50.0.13", "target_port": 2}}, "http_routes": []},
)
SEED_FILE = b"""http:
  routers:
    vm-123:
      rule: "Host(`vm-123.service.com`)"
      entryPoints: ["websecure"]
      tls:
        certResolver: "dnsresolver"
      service: vm-123-svc
  services:
    vm-123-svc:
      loadBalancer:
        servers:
          - url: "http://10.50.0.12:8080"
"""
_foreign: List[Any] = [
    *foreign_files.WHOLE.values(),
    *foreign_files.PLACES.values(),
    *foreign_files.UNTOLD.values(),
    *foreign_files.OPAQUE.values(),
    *(foreign_files.VALUE % value for value in foreign_files.VALUES),
    LENT,
]
TRAEFIK_FILES = [
    SEED_FILE,
    *ROUTE_FILES[:4],
    *(text.encode("utf-8", "surrogatepass") for text in _foreign if len(text) < 5000),
    *foreign_files.BYTES.values(),
]
STATIC = [
    b"""entryPoints:
  web: {address: ":80"}
  websecure: {address: ":443", http: {tls: {certResolver: le}}}
certificatesResolvers:
  le: {acme: {email: ops@edge.test, storage: /var/lib/traefik/acme.json, dnsChallenge: {provider: cloudflare}}}
providers: {file: {directory: /etc/traefik/dynamic, watch: true}}
api: {insecure: true}
"""
]
LISTS = [
    *as_bytes(FORWARDS[:5], {"forwards": FORWARDS[:2]}),
    b"- {forward_id: a, public_port: 22, target_ip: 10.50.0.1}\n- forward_id: b\n"
    b"  public_port: 6000-6010\n  target_ip: fd50::1\n  expires: 2027-01-31T18:00:00Z\n",
]
WG_DUMPS = [*data("wg-*"), b"PRIV\tPUB\t51820\toff\nK\t(none)\t203.0.113.7:51820\t10.50.0.0/24,fd50::/64\t1700000000\t1\t2\t25\n"]
NFT_JSON = data("foreign_*.json")
NFT_TEXT = data("foreign_*.nft")
SAVES = data("foreign_*iptables*.txt", "imports_*.txt", "iptables_*.txt", "foreign_*ip6tables.txt")
JOURNALS = data("traefik-*.txt")
PROCNET = [
    b"""  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12346 1 0 100 0 0 10 0
   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 1 1 0
"""
]
IP_JSON = as_bytes(
    [
        {"ifindex": 1, "ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        {"ifname": "eth0", "mtu": 1500, "flags": ["UP"], "addr_info": [{"local": "192.0.2.7", "prefixlen": 24, "scope": "global"}]},
    ],
    [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
        {"dst": "10.50.0.0/24", "dev": "wg0", "protocol": "218"},
        {"dst": "192.0.2.0/24", "dev": "eth0", "nexthops": [{"dev": "eth1"}]},
    ],
    [
        {"priority": 0, "src": "all", "table": "local"},
        {"priority": 17000, "src": "10.50.0.0", "srclen": 24, "table": "217", "protocol": "218"},
        {"priority": 17001, "src": "all", "iif": "wg0", "action": "unreachable", "protocol": "218"},
    ],
)
STATUSES = [
    b"LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=77\nExecMainStartTimestampMonotonic=123456\nResult=success\n"
]
CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUYZ0pK2LByCSx3Zv/gRWwD0bIFlswCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGYS50ZXN0MB4XDTI2MTEyNjA5MTIxMVoXDTM2MTEyMzA5MTIx
MVowETEPMA0GA1UEAwwGYS50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
jY/eylq2p6o6CEVn5oJbhRkt241tDXdb5oJJGZlzP13dpw1G2XOR87mic6bkot4f
v864vnEOz58sCxFgszPxl6NTMFEwHQYDVR0OBBYEFBYulW+lUk0Ce0vTb733NSpN
pmLQMB8GA1UdIwQYMBaAFBYulW+lUk0Ce0vTb733NSpNpmLQMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgF/q2q48oPxEHRadaqLsd2uOTcFztmgZv
uJD1hkPILB0CIQDwsncuMuksvz7iga5lR2zHtqCSQ1YEKQtO9BQbQdoLXw==
-----END CERTIFICATE-----
"""
INBOUND = [
    inbound.render(
        Inbound.parse({"open": [{"port": "22", "comment": "ssh", "source_ranges": ["198.51.100.0/24"]}], "mesh": "wg0"})
    ).encode()
]
OPENINGS = [
    b"#!/bin/sh\n! nft -t list chain inet x y >/dev/null 2>&1 || nft -t list chain inet x y 2>/dev/null | grep -qF '\"edge-gateway-1\"' || "
    b"nft insert rule inet x y accept comment edge-gateway-1 || failed=1\nexit $failed\n"
]
API = as_bytes(
    {"Version": "3.7.15"},
    {
        "name": "shop@file",
        "provider": "file",
        "status": "enabled",
        "rule": "Host(`shop.test`)",
        "entryPoints": ["websecure"],
        "service": "shop",
        "tls": {"certResolver": "le"},
        "using": ["websecure"],
    },
    [{"name": "shop@file", "status": "disabled", "error": ['the service "x@file" does not exist']}, {"name": "api@internal"}],
    [
        {
            "name": "37005ddd",
            "sans": ["*.w.test"],
            "notAfter": "2026-12-25T20:17:02Z",
            "notBefore": "2026-11-25T20:17:02Z",
            "commonName": "c.test",
            "serialNumber": "4",
            "issuerCN": "Pebble CA",
            "status": "warning",
        }
    ],
    {"servers": [{"url": "http://a"}], "serverStatus": {"http://a": "UP"}},
)
TEXTS = [
    *hostile_routes.IDS,
    *hostile_routes.HOSTS,
    *hostile_routes.PATHS,
    *hostile_routes.TARGETS,
    *hostile_routes.NETWORKS,
    *hostile_routes.DURATIONS,
    *hostile_routes.TOKENS,
    *hostile_routes.ADDRESSES,
    *foreign_files.VALUES,
]
WG_PEERS: List[Dict[str, Any]] = [
    {
        "node_id": "node1",
        "node_pubkey": OTHER_KEY,
        "node_ip": "10.50.0.12",
        "preshared_key": SHARED_KEY,
        "client_networks": ["192.168.7.0/24"],
    },
    {"node_id": "node2", "node_pubkey": KEY, "replies": True},
    {"node_id": "node1", "state": "absent"},
]
ACME_STORES = as_bytes(ACME)


def pool(documents: List[Any]) -> Dict[str, List[Any]]:
    """Values of good documents by the name that they stand under."""
    found: Dict[str, List[Any]] = {}
    rest = list(documents)
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            for name, inner in item.items():
                found.setdefault(str(name), []).append(inner)
            rest += item.values()
        elif isinstance(item, list):
            rest += item
    return found

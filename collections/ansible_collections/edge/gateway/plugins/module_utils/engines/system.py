# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host itself: its addresses, listening ports, units, and the settings that the roles left for everyone."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

from ..errors import GatewayError, StateRefused, words_of
from ..formats import ip_json as ip_json_format
from ..formats.procnet import listening_ports
from ..formats.strict_json import parse_object
from ..host import Host
from ..models import fields
from ..models.choices import Choices

LEGACY_TABLES = {4: "/proc/net/ip_tables_names", 6: "/proc/net/ip6_tables_names"}
CHOICES_FILE = "/etc/edge-gateway/gateway.json"


def choices(host: Host) -> Choices:
    """What the roles decided for this host; all defaults when they never ran."""
    data = host.read(CHOICES_FILE, own=True)
    if data is None:
        return Choices()
    try:
        return Choices.parse(parse_object(data))
    except (ValueError, GatewayError) as problem:
        words = words_of(problem).partition("; ")[0]
        raise StateRefused(f"{CHOICES_FILE} {words}; run the firewall role again", CHOICES_FILE) from None


def mesh_interface(host: Host, given: Optional[str]) -> str:
    """The mesh interface: the one a task names, else the one the roles chose for this host, else wg0."""
    return fields.interface("interface", given or choices(host).interface or "wg0")


def ip_json(host: Host, *arguments: str) -> List[Dict[str, Any]]:
    """Output of ``ip -json``; empty for an interface that does not exist, or where iproute2 is missing."""
    if host.find("ip") is None:
        return []
    done = host.run(["ip", "-json", *arguments], check=False)
    if done.rc != 0 or not done.out.strip():
        return []
    return ip_json_format.parse(done.out)


def addresses(host: Host, leave_out: str = "") -> Set[str]:
    """Addresses of the host's interfaces in CIDR notation, link-local ones aside."""
    return {f"{entry['local']}/{entry['prefixlen']}" for link in ip_json(host, "address", "show")
            if link["ifname"] != leave_out
            for entry in link.get("addr_info", []) if "local" in entry and entry.get("scope") != "link"}


def routes(host: Host, leave_out: str = "") -> FrozenSet[str]:
    """Networks that the main table routes elsewhere than to one interface, the default routes aside."""
    return frozenset(
        str(ipaddress.ip_network(route["dst"])) for family in ("-4", "-6")
        for route in ip_json(host, family, "route", "show", "table", "main")
        if route.get("dev") != leave_out and route["dst"] != "default" and route.get("type", "unicast") == "unicast")


def own_addresses(host: Host) -> Set[str]:
    """Addresses of the host without their prefix lengths."""
    return {words.partition("/")[0] for words in addresses(host)}


class WayIn(NamedTuple):
    """The SSH connection of this run: where it comes from, and the address and port of this host it comes in by."""

    client: str
    address: str
    port: int


def way_in(host: Host) -> Optional[WayIn]:
    """The SSH connection of this run, None without one."""
    words = host.environment("SSH_CONNECTION").split()
    return WayIn(words[0], words[2], int(words[3])) if len(words) == 4 and words[3].isdecimal() else None


def listening(host: Host) -> Set[Tuple[str, int]]:
    """(Protocol, port) of what listens now at an address that other hosts can reach."""
    return {(proto, port) for proto in ("tcp", "udp") for table in (proto, f"{proto}6")
            for port in _listening_ports(host, f"/proc/net/{table}", proto)}


def _listening_ports(host: Host, path: str, proto: str) -> Set[int]:
    try:
        return listening_ports((host.read(path) or b"").decode("ascii", "replace"), proto)
    except ValueError:
        raise StateRefused(f"{path} is not a table of sockets that can be read; look at what it holds and run again", path) from None


def reserved_ports(host: Host) -> Dict[Tuple[str, int], str]:
    """(Protocol, port) to what uses it: what listens now, what the roles reserved, and the way in."""
    reserved = dict.fromkeys(listening(host), "something listens on it")
    connection = way_in(host)
    if connection:
        reserved["tcp", connection.port] = "this SSH connection"
    reserved.update(choices(host).reserved)
    return reserved


def legacy_tables(host: Host, family: int) -> List[str]:
    """The tables of legacy iptables that this network namespace has (4, 6); looking into another one would bring it up."""
    return (host.read(LEGACY_TABLES[family]) or b"").decode("ascii", "replace").split()


def has_systemd(host: Host) -> bool:
    """Whether systemd runs this host (sd_booted(3))."""
    return host.mode("/run/systemd/system") is not None


def unit_state(host: Host, unit: str) -> Tuple[bool, bool]:
    """Whether a unit is enabled, and whether it is active."""
    if not has_systemd(host):
        return False, False
    enabled = host.run(["systemctl", "is-enabled", unit], check=False).out.strip()
    active = host.run(["systemctl", "is-active", unit], check=False).out.strip()
    return enabled in ("enabled", "enabled-runtime"), active in ("active", "reloading")

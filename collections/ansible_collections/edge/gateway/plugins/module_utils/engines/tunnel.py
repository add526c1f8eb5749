# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running WireGuard tunnel: wg(8) for its peers, ip(8) for its addresses and routes, systemd or wg-quick(8) for its life."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import FrozenSet, Optional, Tuple

from ..errors import CommandFailed, first_line
from ..formats import routing, wireguard
from ..formats.wireguard import Link
from ..host import Host
from ..models.tunnel import Route, Routing, Rule, TunnelConfig, slot
from . import system

NO_ROUTING = Routing(frozenset())

# what systemd itself adds to the journal of a failed unit
UNIT_NOISE = ("wg-quick@", "Failed to start", "Starting ")


@dataclass(frozen=True)
class Running:
    """What a tunnel is, apart from what changes by itself (handshakes, counters, the peer's roaming endpoint).

    Attributes:
        is_up: whether the interface passes traffic.
        peers: public key, shared key, allowed networks and keepalive in seconds of each.
        routes: networks that the main table leads into it.
        routing: what else leads into it, and the settings that go with that; None where nothing of it is asked for.
        starts_at_boot: None where systemd does not run the host.
    """

    public_key: str
    is_up: bool
    listen_port: Optional[int]
    peers: FrozenSet[Tuple[str, str, Tuple[str, ...], int]]
    addresses: FrozenSet[str]
    routes: FrozenSet[str]
    routing: Routing
    mtu: Optional[int]
    starts_at_boot: Optional[bool]


class Tunnel:
    """One interface that wg-quick set up from ``config_file``."""

    def __init__(self, host: Host, interface: str, config_file: str, routing_file: str) -> None:
        self.host, self.interface = host, interface
        self.config_file, self.routing_file = config_file, routing_file
        self.unit = f"wg-quick@{interface}.service"

    def dump(self) -> Optional[Link]:
        """Peers and counters right now; None when the interface does not exist or wg is not installed."""
        if self.host.find("wg") is None:
            return None
        done = self.host.run(["wg", "show", self.interface, "dump"], check=False)
        try:
            return wireguard.parse_dump(done.out) if done.rc == 0 else None
        except ValueError:
            raise CommandFailed(f"'wg show {self.interface} dump' prints something unknown; "
                                "check the version of wireguard-tools", "wg") from None

    def read(self) -> Optional[Running]:
        """The tunnel as it runs, None when it does not."""
        link = self.dump()
        if link is None:
            return None
        text = (self.host.read(self.config_file) or b"").decode("utf-8", "replace")
        details = system.ip_json(self.host, "address", "show", "dev", self.interface)
        addresses = frozenset(f"{entry['local']}/{entry['prefixlen']}" for info in details
                              for entry in info.get("addr_info", []) if "local" in entry and entry.get("scope") != "link")
        return Running(
            public_key=link.public_key, is_up="UP" in (details[0].get("flags", []) if details else []),
            listen_port=link.listen_port if "\nListenPort = " in text else None,
            peers=frozenset((peer.public_key, peer.preshared_key, peer.allowed_ips, peer.keepalive) for peer in link.peers),
            addresses=addresses, routes=self._routes(), routing=self._routing(),
            mtu=details[0]["mtu"] if details and "\nMTU = " in text else None,
            starts_at_boot=system.unit_state(self.host, self.unit)[0] if system.has_systemd(self.host) else None,
        )

    def wanted(self, config: TunnelConfig, public_key: str) -> Running:
        """The tunnel that runs by a configuration."""
        asked = config.routing or NO_ROUTING
        return Running(
            public_key=public_key, is_up=True, listen_port=config.listen_port or None,
            peers=frozenset((peer.public_key, peer.preshared_key, tuple(sorted(peer.allowed_ips)), peer.keepalive)
                            for peer in config.peers),
            addresses=frozenset(config.addresses), routes=config.main_routes,
            routing=Routing(frozenset(route for route in asked.routes if route.table), asked.rules, asked.switches),
            mtu=config.mtu or None, starts_at_boot=True if system.has_systemd(self.host) else None,
        )

    def _routes(self) -> FrozenSet[str]:
        found = set()
        for family in ("-4", "-6"):
            for route in system.ip_json(self.host, family, "route", "show", "dev", self.interface):
                if route.get("protocol") != "kernel" and route["dst"] != "default":
                    found.add(str(ipaddress.ip_network(route["dst"])))
        return frozenset(found)

    def _routing(self) -> Routing:
        """Our rules, our table, and the settings that the script on the host makes, as they are."""
        table = slot(self.interface)
        rules: FrozenSet[Rule] = frozenset()
        routes: FrozenSet[Route] = frozenset()
        for family in (4, 6):
            rules |= routing.parse_rules(family, self.interface, system.ip_json(self.host, f"-{family}", "rule", "show"))
            entries = system.ip_json(self.host, f"-{family}", "route", "show", "table", str(table))
            routes |= routing.parse_table(family, table, self.interface, entries)
        text = (self.host.read(self.routing_file) or b"").decode("utf-8", "replace")
        live = {path: (self.host.read(f"/proc/sys/{path}") or b"").decode().strip() for path, _value in routing.switches(text)}
        return Routing(routes, rules, frozenset(live.items()))

    def apply(self, running: Optional[Running], text: str, config: TunnelConfig, wanted: Running, *, anew: bool) -> None:
        """Make the tunnel what the files say: in place where possible, set up anew where wg-quick has to do it.

        Args:
            running: the tunnel by the files that stood before.
            text: the content of the interface's file.
            anew: whether the file differs in what only wg-quick sets.
        """
        link = self.dump()
        if running is None or link is None or anew or not running.is_up:
            self._start(running is not None)
            running = self.read()
        else:
            if wanted.starts_at_boot and not running.starts_at_boot:
                self.host.run(["systemctl", "enable", self.unit])
            # the text comes from our own renderer and names its peers: an empty one would remove every peer and the key
            self.host.run(["wg", "syncconf", self.interface, "/dev/stdin"], stdin=wireguard.strip(text, link.listen_port))
        if running is not None:
            self._follow(running, wanted, config)

    def call(self, public_key: str, keepalive: int) -> None:
        """Make the interface call a peer now: WireGuard does when the keepalive is switched on."""
        for seconds in (0, keepalive or 25, keepalive):
            self.host.run(["wg", "set", self.interface, "peer", public_key, "persistent-keepalive", str(seconds)])

    def _follow(self, running: Running, wanted: Running, config: TunnelConfig) -> None:
        """Addresses, MTU and routes, none of which wg(8) touches."""
        device = ["dev", self.interface]
        for address in sorted(wanted.addresses - running.addresses):
            self.host.run(["ip", "address", "add", address, *device])
        for address in sorted(running.addresses - wanted.addresses):
            self.host.run(["ip", "address", "delete", address, *device])
        if running.mtu != wanted.mtu:
            self.host.run(["ip", "link", "set", *device, "mtu", str(wanted.mtu or self._usual_mtu(config))])
        for network in sorted(wanted.routes - running.routes):
            self.host.run(["ip", "route", "replace", network, *device])
        self._take_away(running.routing, wanted.routing)
        if config.routing is not None and running.routing != wanted.routing:
            self.host.run(["sh", self.routing_file])
        for network in sorted(running.routes - wanted.routes):
            self.host.run(["ip", "route", "delete", network, *device])

    def _take_away(self, standing: Routing, wanted: Routing) -> None:
        """Remove rules and routes of ours that are not wanted any more; others may have been faster."""
        for rule in sorted(standing.rules - wanted.rules):
            self.host.run(routing.delete_rule(rule), check=False)
        for route in sorted(standing.routes - wanted.routes):
            self.host.run(routing.delete_route(route, self.interface), check=False)

    def _usual_mtu(self, config: TunnelConfig) -> int:
        """What wg-quick chooses: that of the way to the peer (or of the default route), less WireGuard's own 80 bytes."""
        for target in [*(peer.endpoint for peer in config.peers if peer.endpoint), "192.0.2.1:0"]:
            found = system.ip_json(self.host, "route", "get", target.rpartition(":")[0].strip("[]"))
            device = system.ip_json(self.host, "link", "show", "dev", str(found[0]["dev"])) if found else []
            if device:
                return int(device[0]["mtu"]) - 80
        return 1420

    def _start(self, is_up: bool) -> None:
        if system.has_systemd(self.host):
            self.host.run(["systemctl", "enable", self.unit])
            self.host.run(["systemctl", "reset-failed", self.unit], check=False)
            if is_up and not system.unit_state(self.host, self.unit)[1]:
                self.host.run(["wg-quick", "down", self.config_file], check=False)
            done = self.host.run(["systemctl", "restart", self.unit], check=False)
            reason = "" if done.rc == 0 else self._journal()
        else:
            if is_up:
                self.host.run(["wg-quick", "down", self.config_file], check=False)
            done = self.host.run(["wg-quick", "up", self.config_file], check=False)
            reason = _complaint(done.err)
        if done.rc != 0:
            raise CommandFailed(f"interface {self.interface} does not come up ({first_line(reason)}); "
                                f"see 'journalctl -u {self.unit}' and run again", self.interface)

    def _journal(self) -> str:
        """The last thing wg-quick complained about."""
        done = self.host.run(["journalctl", "-u", self.unit, "-n", "20", "-o", "cat", "--no-pager"], check=False)
        return _complaint(done.out)

    def stop(self) -> None:
        """Take the tunnel down, now and at boot; one that is not there is fine."""
        if system.has_systemd(self.host):
            self.host.run(["systemctl", "disable", "--now", self.unit], check=False)
        if self.dump() is not None:
            self.host.run(["wg-quick", "down", self.config_file], check=False)
        if self.dump() is not None:         # without its file wg-quick does not know it
            self.host.run(["ip", "link", "delete", "dev", self.interface], check=False)
        self._take_away(self._routing(), NO_ROUTING)


def _complaint(text: str) -> str:
    """The last thing wg-quick complained about; each of its commands is in its output, too."""
    lines = [line for line in text.splitlines() if line and not line.startswith(("[#]", *UNIT_NOISE))]
    return lines[-1] if lines else "wg-quick gave no reason"

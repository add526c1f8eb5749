# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running WireGuard tunnel: wg(8) for its peers, ip(8) for its addresses and routes, systemd or wg-quick(8) for its life."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import FrozenSet, Optional, Tuple

from ..errors import CommandFailed, first_line
from ..formats import wireguard
from ..formats.wireguard import Link
from ..host import Host
from ..models.join import Membership
from . import system

# what systemd itself adds to the journal of a failed unit
UNIT_NOISE = ("wg-quick@", "Failed to start", "Starting ")


@dataclass(frozen=True)
class Running:
    """What a tunnel is, apart from what changes by itself (handshakes, counters, the peer's roaming endpoint).

    Attributes:
        is_up: whether the interface passes traffic.
        peers: (public key, allowed networks, keepalive in seconds) of each.
        starts_at_boot: None where systemd does not run the host.
    """

    public_key: str
    is_up: bool
    listen_port: Optional[int]
    peers: Tuple[Tuple[str, Tuple[str, ...], int], ...]
    addresses: FrozenSet[str]
    routes: FrozenSet[str]
    mtu: Optional[int]
    starts_at_boot: Optional[bool]


class Tunnel:
    """One interface that wg-quick set up from ``config_file``."""

    def __init__(self, host: Host, interface: str, config_file: str) -> None:
        self.host, self.interface, self.config_file = host, interface, config_file
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
            peers=tuple((peer.public_key, peer.allowed_ips, peer.keepalive) for peer in link.peers),
            addresses=addresses, routes=self._routes(),
            mtu=details[0]["mtu"] if details and "\nMTU = " in text else None,
            starts_at_boot=system.unit_state(self.host, self.unit)[0] if system.has_systemd(self.host) else None,
        )

    def wanted(self, item: Membership, public_key: str) -> Running:
        """The tunnel that a membership needs."""
        peer = (item.settled.controller_pubkey, tuple(sorted(item.routes)), item.persistent_keepalive)
        length = ipaddress.ip_address(item.settled.node_ip).max_prefixlen
        return Running(
            public_key=public_key, is_up=True, listen_port=item.listen_port or None, peers=(peer,),
            addresses=frozenset({f"{item.settled.node_ip}/{length}"}),
            # wg-quick routes a default network by a rule and a table of its own
            routes=frozenset(network for network in item.routes if not network.endswith("/0")),
            mtu=item.mtu or None, starts_at_boot=True if system.has_systemd(self.host) else None,
        )

    def _routes(self) -> FrozenSet[str]:
        found = set()
        for family in ("-4", "-6"):
            for route in system.ip_json(self.host, family, "route", "show", "dev", self.interface):
                if route.get("protocol") != "kernel" and route["dst"] != "default":
                    found.add(str(ipaddress.ip_network(route["dst"])))
        return frozenset(found)

    def apply(self, text: str, wanted: Running, anew: bool) -> None:
        """Make the tunnel what the file says: in place where possible, set up anew where wg-quick has to do it.

        Args:
            text: the content of the file.
            anew: whether the file differs in what only wg-quick sets.
        """
        running, link = self.read(), self.dump()
        set_up_once = (wanted.is_up, wanted.addresses, wanted.mtu)
        if running is None or link is None or anew or (running.is_up, running.addresses, running.mtu) != set_up_once:
            self._start(running is not None)
            return
        if wanted.starts_at_boot and not running.starts_at_boot:
            self.host.run(["systemctl", "enable", self.unit])
        # the text comes from our own renderer and names its peer: an empty one would remove every peer and the key
        self.host.run(["wg", "syncconf", self.interface, "/dev/stdin"], stdin=wireguard.strip(text, link.listen_port))
        for network in sorted(wanted.routes - running.routes):
            self.host.run(["ip", "route", "replace", network, "dev", self.interface])
        for network in sorted(running.routes - wanted.routes):
            self.host.run(["ip", "route", "delete", network, "dev", self.interface])

    def _start(self, is_up: bool) -> None:
        if system.has_systemd(self.host):
            self.host.run(["systemctl", "enable", self.unit])
            self.host.run(["systemctl", "reset-failed", self.unit], check=False)
            if is_up and not system.unit_state(self.host, self.unit)[1]:
                self.host.run(["wg-quick", "down", self.config_file], check=False)
            done = self.host.run(["systemctl", "restart", self.unit], check=False)
            reason = done.err if done.rc == 0 else self._journal()
        else:
            if is_up:
                self.host.run(["wg-quick", "down", self.config_file], check=False)
            done = self.host.run(["wg-quick", "up", self.config_file], check=False)
            reason = done.err
        if done.rc != 0:
            raise CommandFailed(f"interface {self.interface} does not come up ({first_line(reason)}); "
                                f"see 'journalctl -u {self.unit}' and run again", self.interface)

    def _journal(self) -> str:
        """The last thing wg-quick complained about."""
        done = self.host.run(["journalctl", "-u", self.unit, "-n", "20", "-o", "cat", "--no-pager"], check=False)
        lines = [line for line in done.out.splitlines() if line and not line.startswith(("[#]", *UNIT_NOISE))]
        return lines[-1] if lines else "wg-quick gave no reason"

    def stop(self) -> None:
        """Take the tunnel down, now and at boot; one that is not there is fine."""
        if system.has_systemd(self.host):
            self.host.run(["systemctl", "disable", "--now", self.unit], check=False)
        if self.dump() is not None:
            self.host.run(["wg-quick", "down", self.config_file], check=False)
        if self.dump() is not None:         # without its file wg-quick does not know it
            self.host.run(["ip", "link", "delete", "dev", self.interface], check=False)

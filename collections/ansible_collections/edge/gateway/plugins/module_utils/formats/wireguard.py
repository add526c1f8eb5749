# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard: the file that wg-quick(8) reads, and the dump that wg(8) prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

from ..models.join import Membership

NOTICE = "# Written by edge.gateway.wg_join; a change made here is undone by its next run."


@dataclass(frozen=True)
class Peer:
    """One peer of a running interface. Times are seconds since the epoch, sizes bytes."""

    public_key: str
    endpoint: str
    allowed_ips: Tuple[str, ...]
    latest_handshake: int
    received: int
    sent: int
    keepalive: int


@dataclass(frozen=True)
class Link:
    """A running WireGuard interface."""

    public_key: str
    listen_port: int
    peers: Tuple[Peer, ...]


def is_ours(text: str) -> bool:
    """Whether a file carries our notice."""
    return text.startswith(NOTICE.split(";", maxsplit=1)[0])


def render(membership: Membership, private_key: str, endpoint: str) -> str:
    """The configuration file of an interface, for wg-quick.

    Args:
        endpoint: the peer as address and port; a name would make wg-quick's unit wait for DNS at boot.
    """
    answer = membership.settled
    length = 128 if ":" in answer.node_ip else 32
    lines = [NOTICE, "[Interface]", f"PrivateKey = {private_key}", f"Address = {answer.node_ip}/{length}"]
    lines += [f"ListenPort = {membership.listen_port}"] if membership.listen_port else []
    lines += [f"MTU = {membership.mtu}"] if membership.mtu else []
    lines += ["", "[Peer]", f"PublicKey = {answer.controller_pubkey}", f"Endpoint = {endpoint}",
              f"AllowedIPs = {', '.join(membership.routes)}",
              # also when it is 0: "wg syncconf" does not clear what the file does not name
              f"PersistentKeepalive = {membership.persistent_keepalive}"]
    return "\n".join(lines) + "\n"


def strip(text: str, live_port: int) -> str:
    """The part of the file that ``wg syncconf`` understands (what ``wg-quick strip`` prints).

    Args:
        live_port: the port the interface listens on; without one in the file, syncconf would choose another.
    """
    kept = [line for line in text.splitlines() if not line.startswith(("Address", "MTU", "#"))]
    if not any(name == "ListenPort" for name, _value in _settings(text)):
        kept.insert(kept.index("[Interface]") + 1, f"ListenPort = {live_port}")
    return "\n".join(kept) + "\n"


def set_up_once(text: str) -> List[Tuple[str, str]]:
    """What only wg-quick can set: a change of these needs the interface to be set up anew.

    The default route is among them, for which wg-quick adds rules and a table of their own.
    """
    default = [(name, network) for name, value in _settings(text) if name == "AllowedIPs"
               for network in value.split(", ") if network.endswith("/0")]
    return default + [(name, value) for name, value in _settings(text) if name in ("Address", "MTU")]


def peer_endpoint(text: str) -> Optional[str]:
    """The endpoint that a file of ours names."""
    return next((value for name, value in _settings(text) if name == "Endpoint"), None)


def _settings(text: str) -> List[Tuple[str, str]]:
    pairs = (line.partition(" = ") for line in text.splitlines())
    return [(name, value) for name, equals, value in pairs if equals]


def parse_dump(text: str) -> Link:
    """``wg show INTERFACE dump``: one line of the interface, then one per peer, separated by tabs.

    Raises:
        ValueError: the text is not of that form.
    """
    lines = [line.split("\t") for line in text.splitlines()]
    if not lines or len(lines[0]) != 4 or any(len(line) != 8 for line in lines[1:]):
        raise ValueError("is not the output of 'wg show dump'")
    peers = []
    for key, _secret, endpoint, allowed, handshake, received, sent, keepalive in lines[1:]:
        peers.append(Peer(key, endpoint, tuple(sorted(allowed.split(","))) if allowed != "(none)" else (),
                          int(handshake), int(received), int(sent), 0 if keepalive == "off" else int(keepalive)))
    return Link(lines[0][1], int(lines[0][2]), tuple(peers))

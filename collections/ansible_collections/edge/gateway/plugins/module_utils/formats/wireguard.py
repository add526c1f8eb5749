# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard: the file that wg-quick(8) reads, and the dump that wg(8) prints."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import List, Optional, Tuple

from ..errors import Unreadable
from ..models.tunnel import TunnelConfig, TunnelPeer

NOTICE = "# Written by edge.gateway.{author}; a change made here is undone by its next run."
JOIN, HUB = "wg_join", "wg_peer"
# what edge-gateway-mesh@.timer looks up anew when the handshake goes stale
ENDPOINT_NAME = "# endpoint name: "
# WireGuard's way to say that there is none; "wg syncconf" before 2025 does not clear what is not named
NO_KEY = "A" * 43 + "="


@dataclass(frozen=True)
class Peer:
    """One peer of a running interface. Times are seconds since the epoch, sizes bytes."""

    public_key: str
    preshared_key: str
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


def is_by(author: str, text: str) -> bool:
    """Whether a file carries the notice of that module of ours."""
    return text.startswith(NOTICE.format(author=author).split(";", maxsplit=1)[0])


def render(author: str, config: TunnelConfig, private_key: str, routing_file: str) -> str:
    """The configuration file of an interface, for wg-quick.

    Args:
        routing_file: path of the script that sets up what wg-quick cannot.
    """
    lines = [NOTICE.format(author=author), "[Interface]", f"PrivateKey = {private_key}", f"Address = {', '.join(config.addresses)}"]
    lines += [f"ListenPort = {config.listen_port}"] if config.listen_port else []
    lines += [f"MTU = {config.mtu}"] if config.mtu else []
    if config.routing is not None:
        script = shlex.quote(routing_file)
        lines += ["Table = off", f"PostUp = /bin/sh {script}", f"PostDown = /bin/sh {script} down"]
    for peer in config.peers:
        lines += ["", *_peer(peer)]
    return "\n".join(lines) + "\n"


def _peer(peer: TunnelPeer) -> List[str]:
    lines = ["[Peer]", f"PublicKey = {peer.public_key}"]
    lines += [f"PresharedKey = {peer.preshared_key}"] if peer.preshared_key else []
    lines += [f"{ENDPOINT_NAME}{peer.endpoint_name}"] if peer.endpoint_name else []
    lines += [f"Endpoint = {peer.endpoint}"] if peer.endpoint else []
    # none for a key that is only getting known
    lines += [f"AllowedIPs = {', '.join(peer.allowed_ips)}"] if peer.allowed_ips else []
    # also when it is 0: "wg syncconf" does not clear what the file does not name
    return [*lines, f"PersistentKeepalive = {peer.keepalive}"]


def strip(text: str, live_port: int) -> str:
    """The part of the file that ``wg syncconf`` understands (what ``wg-quick strip`` prints).

    Args:
        live_port: the port the interface listens on; without one in the file, syncconf would choose another.
    """
    kept = [line for line in text.splitlines() if not line.startswith(("Address", "MTU", "Table", "PostUp", "PostDown", "#"))]
    if not any(name == "ListenPort" for name, _value in _settings(text)):
        kept.insert(kept.index("[Interface]") + 1, f"ListenPort = {live_port}")
    sections = "\n".join(kept).split("[Peer]\n")
    peers = [part if "PresharedKey" in part else f"PresharedKey = {NO_KEY}\n{part}" for part in sections[1:]]
    return "[Peer]\n".join([sections[0], *peers]) + "\n"


def needs_wg_quick(text: str) -> List[str]:
    """What only wg-quick can set: a change of it needs the interface to be set up anew.

    It is the default route, for which wg-quick adds rules and a table of their own.
    """
    if any(name == "Table" for name, _value in _settings(text)):
        return []
    return [network for name, value in _settings(text) if name == "AllowedIPs" for network in value.split(", ") if network.endswith("/0")]


def peer_endpoint(text: str) -> Optional[str]:
    """The endpoint that a file of ours names."""
    return next((value for name, value in _settings(text) if name == "Endpoint"), None)


def preshared_keys(text: str) -> List[str]:
    """The keys shared with peers that a file of ours holds."""
    return [value for name, value in _settings(text) if name == "PresharedKey"]


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
        raise Unreadable("is not the output of 'wg show dump'")
    peers = []
    for key, preshared, endpoint, allowed, handshake, received, sent, keepalive in lines[1:]:
        peers.append(Peer(key, "" if preshared == "(none)" else preshared, "" if endpoint == "(none)" else endpoint,
                          tuple(sorted(allowed.split(","))) if allowed != "(none)" else (),
                          int(handshake), int(received), int(sent), 0 if keepalive == "off" else int(keepalive)))
    return Link(lines[0][1], int(lines[0][2]), tuple(peers))

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter for inbound traffic as a script for ``nft -f``, and back. Its second line is the filter as JSON: what was asked for."""

from __future__ import annotations

import hashlib
import json
from typing import List, Tuple

from ..errors import GatewayError, Unreadable
from ..models.inbound import Inbound, Opening
from . import nft_ruleset
from .strict_json import parse_object

TABLE = "edge_gateway_inbound"
NOTICE = "# Written by edge.gateway.inbound_filter; a change made here is undone by its next run."
MARKER = "# edge.gateway inbound schema 1: "
DIGEST_LENGTH = 12


def rules(inbound: Inbound) -> List[Tuple[str, str]]:
    """Each rule and its comment, in order. Nothing here looks at what is forwarded: the chain hangs in the hook ``input``."""
    found = [
        ("ct state established,related accept", "answers"),
        ("ct state invalid drop", "invalid"),
        ('iifname "lo" accept', "the host itself"),
        # without path MTU discovery and neighbour discovery no address works, and a ping is how people look for one
        ("meta l4proto { icmp, ipv6-icmp } accept", "icmp"),
        ("udp sport 67 udp dport 68 accept", "dhcp"),
        ("ip6 saddr fe80::/10 udp dport 546 accept", "dhcpv6"),
    ]
    if inbound.mesh:
        found.append((f'iifname "{inbound.mesh}" accept', "mesh"))
    for item in inbound.openings:
        found += [(text, item.comment or f"{item.proto} {item.port}") for text in _opening(item)]
    return [*found, ("counter drop", "closed")]


def _opening(item: Opening) -> List[str]:
    port = f"{item.proto} dport {item.port} accept"
    if not item.sources:
        return [port]
    versions = ((name, [network for network in item.sources if (":" in network) == (name == "ip6")]) for name in ("ip", "ip6"))
    return [f"{name} saddr {{ {', '.join(networks)} }} {port}" for name, networks in versions if networks]


def comments(inbound: Inbound) -> List[str]:
    """The comments of the rules, which carry a digest of all of them: who changes a rule by hand changes its comment, or its place."""
    listed = rules(inbound)
    digest = hashlib.sha256("\n".join(text for text, _words in listed).encode()).hexdigest()[:DIGEST_LENGTH]
    return [f"{words} #{digest}" for _text, words in listed]


def render(inbound: Inbound) -> str:
    """The whole file. It replaces the table in one transaction, whether or not there is one."""
    lines = [f'    {text} comment "{words}"' for (text, _words), words in zip(rules(inbound), comments(inbound))]
    return "\n".join([
        NOTICE, MARKER + json.dumps(inbound.as_dict(), sort_keys=True), f"table inet {TABLE}", f"delete table inet {TABLE}",
        f"table inet {TABLE} {{", "  chain input {", "    type filter hook input priority filter + 10; policy accept;",
        *lines, "  }", "}", ""])


def parse(text: str) -> Inbound:
    """The filter that a file was written for.

    Raises:
        ValueError: it is not one of ours.
    """
    lines = text.split("\n", 2)
    if len(lines) < 3 or lines[0] != NOTICE or not lines[1].startswith(MARKER):
        raise Unreadable("is not one that this version has written")
    try:
        return Inbound.parse(parse_object(lines[1][len(MARKER):].encode()))
    except GatewayError as problem:
        raise Unreadable(f"has an invalid header ({problem.message})") from None


def parse_listing(text: str) -> List[str]:
    """The comments of the rules that are loaded, from ``nft -j list table``."""
    return [str(body.get("comment", "a rule of somebody else")) for kind, body in nft_ruleset.entries(text) if kind == "rule"]

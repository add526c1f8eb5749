# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether nodes answer clients through the mesh: from which addresses that is tried, and what the answers mean."""

from __future__ import annotations

import ipaddress
from typing import AbstractSet, Dict, List, NamedTuple, Sequence, Tuple

# of this host, for each IP version: a node may know another way to one of them, and have none to the others
MOST_SOURCES = 3


class OwnAddress(NamedTuple):
    """One address of this host, and the interface that has it."""

    address: str
    interface: str


class Probe(NamedTuple):
    """One echo request: who is asked, from which address."""

    target: str
    source: str


def client_sources(own: Sequence[OwnAddress], mesh_interface: str, preferred: Sequence[str], clients: Sequence[str]) -> List[str]:
    """Addresses that are to a node what a client's address is, for each IP version the best first.

    Args:
        own: addresses of this host.
        preferred: interfaces that a default route leaves by, whose address clients use.
        clients: networks of clients as far as this host was told; an address outside them proves nothing.
    """
    networks = [ipaddress.ip_network(words) for words in clients]
    outside = sorted((entry for entry in own if entry.interface not in (mesh_interface, "lo")),
                     key=lambda entry: entry.interface not in preferred)
    found: Dict[int, List[str]] = {4: [], 6: []}
    for entry in outside:
        parsed = ipaddress.ip_address(entry.address)
        if not networks or any(parsed in network for network in networks if network.version == parsed.version):
            found[parsed.version].append(entry.address)
    return [address for addresses in found.values() for address in addresses[:MOST_SOURCES]]


def probes(targets: Sequence[str], mesh: Sequence[str], clients: Sequence[str]) -> List[Probe]:
    """All that is asked: every target from the mesh and as a client, where there is an address of its IP version for both.

    Args:
        mesh, clients: addresses of this host.
    """
    found = []
    for target in targets:
        plain, others = ([source for source in sources if (":" in source) == (":" in target)] for sources in (mesh, clients))
        found += [Probe(target, source) for source in (*plain[:1], *others)] if plain and others else []
    return found


def one_way(asked: Sequence[Probe], answered: AbstractSet[Probe], mesh: Sequence[str]) -> List[str]:
    """Targets that answer the mesh, and no client; one that answers nobody is not judged here."""
    by_target: Dict[str, Tuple[bool, bool]] = {}
    for probe in asked:
        plain, client = by_target.get(probe.target, (False, False))
        came = probe in answered
        by_target[probe.target] = (plain or came, client) if probe.source in mesh else (plain, client or came)
    return [target for target, (plain, client) in by_target.items() if plain and not client]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mesh may do to a host: the rules among a membership, the one before it, and the host's own network."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import FrozenSet, List, Optional

from ..errors import InvalidInput
from . import fields
from .answer import Answer
from .join import Membership

# together, the networks of a mesh are no larger than one of this prefix length: all private networks are smaller
SMALLEST_PREFIX = 6
SPECIAL = [ipaddress.ip_network(words) for words in
           ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8")]


def check_identity(new: Membership, known: Optional[Membership], public_key: str) -> None:
    """Raise InvalidInput when an answer gives this host another identity, or reflects its own key.

    Args:
        known: the membership so far; None to accept another identity.
        public_key: this host's own, empty before there is one.
    """
    if new.answer is None:
        return
    if public_key and new.answer.controller_pubkey == public_key:
        raise InvalidInput("answer.controller_pubkey", public_key, "is this host's own key; correct the controller")
    if known is None or known.answer is None:
        return
    for name, old, now in (("node_ip", ",".join(known.answer.addresses), ",".join(new.answer.addresses)),
                           ("controller_pubkey", known.answer.controller_pubkey, new.answer.controller_pubkey)):
        if old != now:
            raise InvalidInput(f"answer.{name}", now, f"differs from what this host joined with ({old}); "
                                                      "set rejoin if the controller really changed")


@dataclass(frozen=True)
class Surroundings:
    """What a tunnel must not disturb.

    Attributes:
        host_networks: networks of the host's other interfaces, in CIDR notation.
        routes: networks that the host reaches by routes of somebody else's.
        way_in: address that Ansible's SSH connection comes from, if there is one.
    """

    host_networks: FrozenSet[str]
    routes: FrozenSet[str] = frozenset()
    way_in: Optional[str] = None


def check_networks(new: Membership, known: Optional[Membership], around: Surroundings, allow_default_route: bool) -> None:
    """Raise InvalidInput when the tunnel would take over traffic that is not the mesh's.

    Args:
        known: the membership so far; its networks were accepted then, and Ansible may come in through them now.
        allow_default_route: accept networks that cover everything, the host's own, or the way in.
    """
    option = "allowed_ips" if new.allowed_ips else "answer.allowed_ips"
    networks_added = [network for network in new.mesh if known is None or str(network) not in known.routes]
    if networks_added and not allow_default_route:
        _check_size(option, new.mesh)
    for network in networks_added:
        # the default route covers them too, but the kernel's own routes keep them
        if any(_overlap(network, special) and (network.prefixlen >= special.prefixlen or not allow_default_route)
               for special in SPECIAL):
            raise InvalidInput(option, str(network), "covers loopback, link-local or multicast addresses; correct it")
        if not allow_default_route:
            _check_network(option, network, new.answer, around)
    own = {words.partition("/")[0] for words in around.host_networks}
    if new.answer and new.answer.endpoint.host in own:
        raise InvalidInput("answer.endpoint", str(new.answer.endpoint), "is this host itself; correct the controller")
    before = known.answer.addresses if known and known.answer else ()
    for address in new.answer.addresses if new.answer else ():
        for words in sorted(around.host_networks) if address not in before else ():
            if _inside(address, ipaddress.ip_network(words, strict=False)):
                raise InvalidInput("answer.node_ip", address, f"lies in this host's own network {words}; give the mesh other addresses")


def check_way_in(known: Optional[Membership], new: Optional[Membership], client: str, address: str) -> None:
    """Raise InvalidInput when Ansible came in through the tunnel, and would not any more.

    Args:
        known: the membership so far, None when there was none.
        new: the membership as it is to be, None to leave.
        client, address: both ends of the SSH connection.
    """
    if known is None or known.answer is None or not (address in known.answer.addresses or any(_inside(client, one) for one in known.mesh)):
        return
    remedy = "come in by another way, or set allow_lockout if you mean it"
    if new is None:
        raise InvalidInput("state", "left", f"would cut this SSH connection, which comes from {client} through the tunnel; {remedy}")
    if address in known.answer.addresses and new.answer and address not in new.answer.addresses:
        raise InvalidInput("answer.node_ip", ",".join(new.answer.addresses),
                           f"replaces {address}, where this SSH connection comes in; {remedy}")
    # a client with its own address comes in by the mesh address alone
    through = address in known.answer.addresses
    before, after = ([ipaddress.ip_network(words) for words in (*item.routes, *(item.client_networks if through else ()))]
                     for item in (known, new))
    if new.routes and any(_inside(client, one) for one in before) and not any(_inside(client, one) for one in after):
        option, left = "allowed_ips" if new.allowed_ips else "answer.allowed_ips", new.routes
        if not any(_inside(client, one) for one in known.mesh):
            option, left = "client_networks", new.client_networks
        raise InvalidInput(option, ", ".join(left), f"leaves out {client}, where this SSH connection comes from; {remedy}")


def _check_network(option: str, network: fields.Network, answer: Optional[Answer], around: Surroundings) -> None:
    words = str(network)
    if around.way_in and _inside(around.way_in, network):
        raise InvalidInput(option, words, f"covers {around.way_in}, where this SSH connection comes from; "
                                          "set allow_default_route if you mean it")
    for local_words in sorted(around.host_networks):
        local = ipaddress.ip_network(local_words, strict=False)
        if _overlap(network, local):
            raise InvalidInput(option, words, f"overlaps this host's own network {local}; give the mesh other addresses, "
                                              "or set allow_default_route if you mean it")
    if words in around.routes:
        raise InvalidInput(option, words, "is reached by another route of this host already; remove that route, "
                                          "or set allow_default_route if you mean it")
    if answer and _inside(answer.endpoint.host, network):
        raise InvalidInput(option, words, f"covers the tunnel's own endpoint {answer.endpoint}; correct the controller")


def _check_size(option: str, mesh: List[fields.Network]) -> None:
    """Refuse the default route, also when it comes in many pieces."""
    for version, bits in ((4, 32), (6, 128)):
        networks_of_version = [network for network in mesh if network.version == version]
        if sum(network.num_addresses for network in networks_of_version) > 2 ** (bits - SMALLEST_PREFIX):
            raise InvalidInput(option, ", ".join(map(str, networks_of_version)),
                               "would send much of the internet into the tunnel; set allow_default_route if you mean it")


def _overlap(one: fields.Network, other: fields.Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _inside(words: str, network: fields.Network) -> bool:
    try:
        return ipaddress.ip_address(words) in network
    except ValueError:
        return False      # a host name: its address is checked when it is known

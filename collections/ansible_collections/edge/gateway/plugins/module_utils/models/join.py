# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh membership: what this host asks of a controller, what it is answered, and what stands afterwards."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..errors import InvalidInput
from . import fields
from .target import Endpoint, Url, endpoint, url

MAX_NETWORKS = 64
# together, the networks of a mesh are no larger than one of this prefix length: all private networks are smaller
SMALLEST_PREFIX = 6
SPECIAL = [ipaddress.ip_network(words) for words in
           ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8")]


@dataclass(frozen=True)
class Answer:
    """The controller's answer, parsed: nothing of it reaches a file in any other form."""

    node_ip: str
    controller_pubkey: str
    endpoint: Endpoint
    allowed_ips: Tuple[str, ...]

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "answer.") -> Answer:
        """Build an answer from the controller's JSON or from ``join.json``; treats both as hostile."""
        for name in ("node_ip", "controller_pubkey", "endpoint", "allowed_ips"):
            if not params.get(name):
                raise InvalidInput(where + name, "", "is missing; the controller must answer node_ip, "
                                                     "controller_pubkey, endpoint and allowed_ips")
        return cls(
            node_ip=_node_ip(where + "node_ip", params["node_ip"]),
            controller_pubkey=fields.key(where + "controller_pubkey", params["controller_pubkey"]),
            endpoint=endpoint(where + "endpoint", params["endpoint"]),
            allowed_ips=networks(where + "allowed_ips", params["allowed_ips"]),
        )

    def as_dict(self) -> Dict[str, Any]:
        """The answer in the form of the controller's contract."""
        return {"node_ip": self.node_ip, "controller_pubkey": self.controller_pubkey,
                "endpoint": str(self.endpoint), "allowed_ips": list(self.allowed_ips)}


def networks(option: str, value: object) -> Tuple[str, ...]:
    """Networks as a list or a comma-separated string, canonical and without repetition."""
    words: object = [part.strip(" ") for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)) or not 0 < len(words) <= MAX_NETWORKS:
        raise InvalidInput(option, value, f"is not a list of 1 to {MAX_NETWORKS} networks; write it like 10.50.0.0/24")
    return tuple(sorted({str(fields.network(option, word)) for word in words}))


def _node_ip(option: str, value: object) -> str:
    words = fields.text(option, value)
    address, _slash, length = words.partition("/")
    parsed = fields.unicast(option, address)
    if _slash and length != str(parsed.max_prefixlen):
        raise InvalidInput(option, value, f"is a network; the address of one node is expected, like {parsed}")
    return str(parsed)


@dataclass(frozen=True)
class Membership:
    """One tunnel of this host. ``answer`` is None until the controller has been asked."""

    interface: str
    controller_url: Optional[Url]
    node_id: str
    persistent_keepalive: int = 25
    listen_port: int = 0
    mtu: int = 0
    allowed_ips: Tuple[str, ...] = ()
    answer: Optional[Answer] = None

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> Membership:
        """Build a membership from task parameters or from ``join.json``."""
        given = {name: value for name, value in params.items() if value is not None}
        location = given.get("controller_url")
        answer = given.get("answer")
        if answer is not None and not isinstance(answer, dict):
            raise InvalidInput("answer", answer, "is not an object; it holds node_ip, controller_pubkey, endpoint and allowed_ips")
        if not location and not answer:
            raise InvalidInput("controller_url", "", "is missing; give controller_url, or join_answer")
        if "node_id" not in given:
            raise InvalidInput("node_id", "", "is missing; give the name of this host at the controller")
        return cls(
            interface=fields.interface("interface", given.get("interface", "wg0")),
            controller_url=url("controller_url", location, ("http", "https"), with_path=True) if location else None,
            node_id=fields.node_id("node_id", given["node_id"]),
            persistent_keepalive=fields.integer("persistent_keepalive", given.get("persistent_keepalive", 25), 0, 65535),
            listen_port=fields.integer("listen_port", given.get("listen_port", 0), 0, 65535),
            mtu=_mtu("mtu", given.get("mtu", 0)),
            allowed_ips=networks("allowed_ips", given["allowed_ips"]) if given.get("allowed_ips") else (),
            answer=Answer.parse(answer) if answer else None,
        )

    @property
    def settled(self) -> Answer:
        """The answer of a membership that has one; only such a one is ever written."""
        if self.answer is None:
            raise InvalidInput("answer", "", "is not known yet; join with a controller that answers")
        return self.answer

    @property
    def routes(self) -> Tuple[str, ...]:
        """The networks behind the tunnel: the override, or what the controller answered."""
        return self.allowed_ips or (self.answer.allowed_ips if self.answer else ())

    @property
    def mesh(self) -> List[fields.Network]:
        """The networks behind the tunnel, parsed."""
        return [ipaddress.ip_network(network) for network in self.routes]

    def answered(self, answer: Optional[Answer]) -> Membership:
        """The same membership with this answer."""
        return replace(self, answer=answer)

    def as_dict(self) -> Dict[str, Any]:
        """Everything, in the form of ``join.json``."""
        return {
            "interface": self.interface, "controller_url": str(self.controller_url) if self.controller_url else None,
            "node_id": self.node_id, "persistent_keepalive": self.persistent_keepalive,
            "listen_port": self.listen_port, "mtu": self.mtu, "allowed_ips": list(self.allowed_ips),
            "answer": self.answer.as_dict() if self.answer else None,
        }

    def __str__(self) -> str:
        assigned = "assigned by the controller"
        lines = [
            f"  controller: {self.controller_url or 'none, joined by a given answer'}",
            f"  node id: {self.node_id}",
            f"  address: {self.answer.node_ip if self.answer else assigned}",
            f"  peer: {f'{self.answer.controller_pubkey} at {self.answer.endpoint}' if self.answer else assigned}",
            f"  allowed ips: {', '.join(self.routes) or assigned}",
            f"  persistent keepalive: {self.persistent_keepalive} s",
        ]
        lines += [f"  listen port: {self.listen_port}"] if self.listen_port else []
        lines += [f"  mtu: {self.mtu}"] if self.mtu else []
        return "joined\n" + "\n".join(lines)


def edit_of(params: Mapping[str, Any]) -> Callable[[Dict[str, Membership]], Dict[str, Membership]]:
    """The edit that a task asks for: join (or change the membership on) one interface, or leave it."""
    name = fields.interface("interface", params["interface"])
    if params["state"] == "left":
        return lambda current: {other: item for other, item in current.items() if other != name}
    given = Membership.parse({**params, "answer": params["join_answer"]})

    def join(current: Dict[str, Membership]) -> Dict[str, Membership]:
        known = current.get(name)
        same = known is not None and (known.controller_url, known.node_id) == (given.controller_url, given.node_id)
        # what the controller answered last time is what it is expected to answer again
        carried = given.answered(known.answer) if known and same and given.answer is None else given
        return {**current, name: carried}

    return join


def _mtu(option: str, value: object) -> int:
    return fields.integer(option, value, 1280, 9000) if value else 0


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
    for name in ("node_ip", "controller_pubkey"):
        old = getattr(known.answer, name) if known and known.answer else None
        if old is not None and old != getattr(new.answer, name):
            raise InvalidInput(f"answer.{name}", getattr(new.answer, name), f"differs from what this host joined with ({old}); "
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
    if new.answer and (known is None or known.answer is None or known.answer.node_ip != new.answer.node_ip):
        for words in sorted(around.host_networks):
            if _inside(new.answer.node_ip, ipaddress.ip_network(words, strict=False)):
                raise InvalidInput("answer.node_ip", new.answer.node_ip, f"lies in this host's own network {words}; "
                                                                         "give the mesh other addresses")


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

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh membership: what this host asks of a controller, what it is answered, and what stands afterwards."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from ..errors import InvalidInput
from . import fields
from .target import Endpoint, Url, endpoint, url

MAX_NETWORKS = 64


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


def check_same(known: Optional[Answer], new: Answer) -> None:
    """Raise InvalidInput when a repeated join is answered with another identity."""
    if known is None:
        return
    for name in ("node_ip", "controller_pubkey"):
        old, now = getattr(known, name), getattr(new, name)
        if old != now:
            raise InvalidInput(f"answer.{name}", now, f"differs from what this host joined with ({old}); "
                                                      "set rejoin if the controller really changed")


def check_networks(membership: Membership, host_networks: Iterable[str], way_in: Optional[str],
                   allow_default_route: bool) -> None:
    """Raise InvalidInput when the tunnel would take over traffic that is not the mesh's.

    Args:
        host_networks: networks of the host's other interfaces, in CIDR notation.
        way_in: address that Ansible's SSH connection comes from, if there is one.
        allow_default_route: accept networks that cover everything, or the way in.
    """
    answer = membership.answer
    if answer is None:
        return
    if not allow_default_route:
        for network in membership.mesh:
            if network.prefixlen < 8:
                raise InvalidInput("answer.allowed_ips", str(network), "would send most traffic of this host into the "
                                                                       "tunnel; set allow_default_route if you mean it")
            if way_in and _inside(way_in, network):
                raise InvalidInput("answer.allowed_ips", str(network), f"covers {way_in}, where this SSH connection comes "
                                                                       "from; set allow_default_route if you mean it")
        _check_overlaps(membership, answer, host_networks)


def _check_overlaps(membership: Membership, answer: Answer, host_networks: Iterable[str]) -> None:
    for network in membership.mesh:
        if network.is_loopback or network.is_multicast or network.is_link_local:
            raise InvalidInput("answer.allowed_ips", str(network), "is a loopback, link-local or multicast network; "
                                                                   "correct the controller")
        if _inside(answer.endpoint.host, network):
            raise InvalidInput("answer.allowed_ips", str(network), f"covers the tunnel's own endpoint "
                                                                   f"{answer.endpoint}; correct the controller")
    for words in host_networks:
        local = ipaddress.ip_network(words, strict=False)
        if _inside(answer.node_ip, local):
            raise InvalidInput("answer.node_ip", answer.node_ip, f"lies in this host's own network {local}; "
                                                                 "give the mesh other addresses")
        for network in membership.mesh:
            if network.version == local.version and network.overlaps(local):
                raise InvalidInput("answer.allowed_ips", str(network), f"overlaps this host's own network {local}; "
                                                                       "give the mesh other addresses")


def _inside(words: str, network: fields.Network) -> bool:
    try:
        return ipaddress.ip_address(words) in network
    except ValueError:
        return False      # a host name: its address is checked when it is known

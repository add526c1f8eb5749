# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh membership: what this host asks of a controller, what it is answered, and what stands afterwards."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..errors import MISSING, InvalidInput
from . import fields
from .answer import Answer, networks, with_length
from .target import Url, url
from .tunnel import TunnelConfig, TunnelPeer, node_routing


@dataclass(frozen=True)
class Membership:
    """One tunnel of this host.

    Attributes:
        controller_url: None when the answer is given, by the role hub for example.
        allowed_ips: networks behind the tunnel, instead of those that were answered.
        answer: None until the controller has been asked.
        client_networks: networks of clients that come to this host through the tunnel with their own address.
        preshared: digest of the key shared with the peer, empty without one; the key itself is kept in the interface's file alone.
        probe_mtu, probed_mtu: whether the path to the peer is to be measured, and the MTU that was found, 0 before that.
    """

    interface: str
    controller_url: Optional[Url]
    node_id: str
    persistent_keepalive: int = 25
    listen_port: int = 0
    mtu: int = 0
    allowed_ips: Tuple[str, ...] = ()
    answer: Optional[Answer] = None
    client_networks: Tuple[str, ...] = ()
    preshared: str = ""
    probe_mtu: bool = False
    probed_mtu: int = 0

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> Membership:
        """Build a membership from task parameters or from ``join.json``."""
        given = {name: value for name, value in params.items() if value is not None}
        location = given.get("controller_url")
        answer = given.get("answer")
        if answer is not None and not isinstance(answer, dict):
            raise InvalidInput("answer", answer, "is not an object; it holds node_ip, controller_pubkey, endpoint and allowed_ips")
        if not location and answer is None:
            raise InvalidInput("controller_url", "", "is missing; give controller_url, or join_answer")
        if "node_id" not in given:
            raise InvalidInput("node_id", "", "is missing; give the name of this host at the controller")
        item = cls(
            interface=fields.interface("interface", given.get("interface", "wg0")),
            controller_url=url("controller_url", location, ("http", "https"), with_path=True) if location else None,
            node_id=fields.node_id("node_id", given["node_id"]),
            persistent_keepalive=fields.integer("persistent_keepalive", given.get("persistent_keepalive", 25), 0, 65535),
            listen_port=fields.integer("listen_port", given.get("listen_port", 0), 0, 65535),
            mtu=_mtu("mtu", given.get("mtu", 0)),
            allowed_ips=networks("allowed_ips", given["allowed_ips"]) if given.get("allowed_ips") else (),
            client_networks=networks("client_networks", given["client_networks"]) if given.get("client_networks") else (),
            preshared=_digest("preshared", given.get("preshared", "")),
            probe_mtu=fields.boolean("probe_mtu", given.get("probe_mtu", False)),
            probed_mtu=_mtu("probed_mtu", given.get("probed_mtu", 0)),
        )
        return item._fitting(Answer.parse(answer) if answer else None)

    def _fitting(self, answer: Optional[Answer]) -> Membership:
        item = replace(self, answer=answer)
        if item.client_networks and any(network.endswith("/0") for network in item.routes):
            raise InvalidInput("client_networks", ", ".join(item.client_networks), "cannot go with a default route through the tunnel, "
                               "which brings every answer back through it already; leave one of the two out")
        return item

    @property
    def settled(self) -> Answer:
        """The answer of a membership that has one; only such a one is ever written."""
        if self.answer is None:
            raise InvalidInput("join_answer", MISSING, "is empty; register this host at the hub with wg_peer, and give its answer")
        return self.answer

    @property
    def routes(self) -> Tuple[str, ...]:
        """The networks behind the tunnel: the override, or what the controller answered."""
        return self.allowed_ips or (self.answer.allowed_ips if self.answer else ())

    @property
    def mesh(self) -> List[fields.Network]:
        """The networks behind the tunnel, parsed."""
        return [ipaddress.ip_network(network) for network in self.routes]

    def answered(self, answer: Answer) -> Membership:
        """The same membership with this answer; the path to another endpoint has to be measured anew."""
        moved = self.answer is None or self.answer.endpoint != answer.endpoint
        return replace(self._fitting(answer), probed_mtu=0 if moved else self.probed_mtu)

    def as_dict(self) -> Dict[str, Any]:
        """Everything, in the form of ``join.json``."""
        return {
            "interface": self.interface, "controller_url": str(self.controller_url) if self.controller_url else None,
            "node_id": self.node_id, "persistent_keepalive": self.persistent_keepalive,
            "listen_port": self.listen_port, "mtu": self.mtu, "allowed_ips": list(self.allowed_ips),
            "answer": self.answer.as_dict() if self.answer else None, "client_networks": list(self.client_networks),
            "preshared": self.preshared, "probe_mtu": self.probe_mtu, "probed_mtu": self.probed_mtu,
        }

    def config(self, endpoint: str, preshared_key: str) -> TunnelConfig:
        """The interface that this membership needs.

        Args:
            endpoint: the peer as address and port; a name would make wg-quick's unit wait for DNS at boot.
        """
        answer = self.settled
        name = str(answer.endpoint) if not fields.is_numeric(answer.endpoint.host) else ""
        peer = TunnelPeer(answer.controller_pubkey, tuple(sorted({*self.routes, *self.client_networks})), endpoint, name,
                          self.persistent_keepalive, preshared_key)
        routing = node_routing(self.interface, answer.addresses, self.routes, self.client_networks) if self.client_networks else None
        return TunnelConfig(tuple(map(with_length, answer.addresses)), (peer,), self.listen_port, self.mtu or self.probed_mtu, routing)

    def __str__(self) -> str:
        assigned = "assigned by the controller" if self.controller_url else "assigned by the hub"
        answer = self.answer
        lines = [
            f"controller: {self.controller_url or 'none, joined by a given answer'}",
            f"node id: {self.node_id}",
            f"address: {', '.join(answer.addresses) if answer else assigned}",
            f"peer: {f'{answer.controller_pubkey} at {answer.endpoint}' if answer else assigned}",
            f"allowed ips: {', '.join(self.routes) or assigned}",
            f"persistent keepalive: {self.persistent_keepalive} s",
        ]
        lines += [f"clients with their own address: {', '.join(self.client_networks)}"] if self.client_networks else []
        lines += [f"preshared key: {self.preshared}..."] if self.preshared else []
        lines += [f"listen port: {self.listen_port}"] if self.listen_port else []
        lines += [f"mtu: {self.mtu}"] if self.mtu else []
        lines += [f"mtu: {self.probed_mtu or 'measured when joining'}"] if self.probe_mtu and not self.mtu else []
        return "\n  ".join(["joined", *lines])


def edit_of(params: Mapping[str, Any]) -> Callable[[Dict[str, Membership]], Dict[str, Membership]]:
    """The edit that a task asks for: join (or change the membership on) one interface, or leave it."""
    name = fields.interface("interface", params["interface"])
    if params["state"] == "left":
        return lambda current: {other: item for other, item in current.items() if other != name}
    given = Membership.parse({**params, "answer": params["join_answer"], "preshared": digest_of(params["preshared_key"])})

    def join(current: Dict[str, Membership]) -> Dict[str, Membership]:
        known = current.get(name)
        same = known is not None and (known.controller_url, known.node_id) == (given.controller_url, given.node_id)
        # what the controller answered last time is what it is expected to answer again
        carried = given.answered(known.answer) if known and known.answer and same and given.answer is None else given
        if known and known.answer and carried.answer and known.answer.endpoint == carried.answer.endpoint and carried.probe_mtu:
            carried = replace(carried, probed_mtu=known.probed_mtu)
        return {**current, name: carried}

    return join


def _mtu(option: str, value: object) -> int:
    return fields.integer(option, value, 1280, 9000) if value else 0


def preshared(value: Optional[str]) -> str:
    """The key shared with a peer, empty for none; the value stays out of the message."""
    try:
        return fields.key("preshared_key", value) if value else ""
    except InvalidInput:
        raise InvalidInput("preshared_key", MISSING, "is not a WireGuard key; make one with 'wg genpsk', "
                                                     "or with the filter edge.gateway.preshared_key") from None


def digest_of(value: Optional[str]) -> str:
    """How a shared key is told from another one where it must not be shown: eight digits of its SHA-256."""
    key = preshared(value)
    return hashlib.sha256(key.encode()).hexdigest()[:8] if key else ""


def _digest(option: str, value: object) -> str:
    words = fields.text(option, value)
    if words and not fields.matches(r"[0-9a-f]{8}", words):
        # who put the key itself there does not want to see it in a log
        raise InvalidInput(option, MISSING, "is not the digest of a key; restore the file")
    return words

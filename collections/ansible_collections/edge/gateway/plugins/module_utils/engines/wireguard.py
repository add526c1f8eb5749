# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memberships: ``join.json`` says what this host has joined and how, the interface is where that takes effect."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Optional, Set

from ..errors import MISSING, ControllerError, InvalidInput, VerifyFailed
from ..formats import wireguard
from ..host import Host
from ..models import fields, join_rules, path
from ..models.join import Membership, preshared
from ..models.mesh_state import age_of, is_connected
from ..models.target import Endpoint, Url
from . import controller, memberships, path_mtu, system
from .base import BaseEngine
from .interface import Interface

Memberships = Dict[str, Membership]
# to wait for an answer to a new key
HANDSHAKE_SECONDS = 15.0


@dataclass(frozen=True)
class JoinOptions:
    """How to join, as opposed to what: nothing of this is kept, but for the shared key in the interface's file."""

    asking: Optional[controller.Asking] = None
    rejoin: bool = False
    allow_default_route: bool = False
    allow_lockout: bool = False
    preshared_key: str = ""
    rotate_key: bool = False


def join_options(params: Mapping[str, Any]) -> JoinOptions:
    """The options of a task that say how to join."""
    asking = controller.Asking(
        params["join_token"], params["validate_certs"], params["ca_path"],
        timeout=fields.integer("timeout", params["timeout"], 1, 3600),
        retries=fields.integer("retries", params["retries"], 0, 1000), delay=fields.integer("delay", params["delay"], 0, 3600),
    ) if params["controller_url"] else None
    if asking and not (asking.token.isascii() and asking.token.isprintable()):
        raise InvalidInput("join_token", MISSING, "holds characters that a header cannot carry; paste it again")
    return JoinOptions(asking, params["rejoin"], params["allow_default_route"], params["allow_lockout"],
                       preshared(params["preshared_key"]), params["rotate_key"])


class MeshEngine(BaseEngine[Membership]):
    """Memberships of one host, of which one interface is worked on.

    Args:
        config_dir: where wg-quick looks for its files; the private key lies beside the file.
    """

    def __init__(self, host: Host, interface: str, config_dir: str, data_dir: str, options: JoinOptions) -> None:
        super().__init__(host)
        self.name, self.options, self.data_dir = interface, options, data_dir
        self.interface = Interface(host, interface, config_dir, wireguard.JOIN, options.rotate_key)
        self.tunnel = self.interface.tunnel
        self.store = memberships.store(host, data_dir)
        self._looked_up: Dict[str, str] = {}
        self._handshake_before = 0

    def load(self) -> Memberships:
        """The membership on this interface, if any."""
        return {name: item for name, item in memberships.load(self.host, self.data_dir).items() if name == self.name}

    def read(self) -> Mapping[str, object]:
        """The files and the running tunnel."""
        standing = self.interface.read(known=bool(self.load()))
        return {} if standing is None else {self.name: standing}

    def render(self, items: Memberships) -> Mapping[str, object]:
        """The files and the tunnel that a membership needs; a stand-in while there is no answer, or no next key."""
        wanted: Dict[str, object] = {}
        for name, item in items.items():
            if item.answer is None:
                wanted[name] = "not joined yet"
            elif self.options.rotate_key and not self.interface.rotated and not self.interface.next_public_key():
                wanted[name] = "with another key"
            else:
                wanted[name] = self.interface.wanted(item.config(self._endpoint(item), self.options.preshared_key))
        return wanted

    def check(self, before: Memberships, after: Memberships) -> None:
        """Refuse what would take over the host's own traffic, or cut the way that Ansible came in."""
        way_in = system.way_in(self.host)
        for name, item in after.items():
            if item.controller_url and self.options.asking:
                # looked at again once the controller has answered
                self.warnings += [words for words in controller.warnings(item.controller_url) if words not in self.warnings]
            if before.get(name) != item:
                around = join_rules.Surroundings(frozenset(system.addresses(self.host, leave_out=self.name)),
                                                 system.routes(self.host, leave_out=self.name), way_in.client if way_in else None)
                join_rules.check_networks(item, before.get(name), around, self.options.allow_default_route)
                join_rules.check_identity(item, None if self.options.rejoin else before.get(name),
                                          self.interface.public_key(self.interface.private_key()))
        if way_in and not self.options.allow_lockout:
            join_rules.check_way_in(before.get(self.name), after.get(self.name), way_in.client, way_in.address)

    def ready(self, after: Memberships) -> None:
        """Raise without the tools, or without an answer, or a next key, that somebody else has to bring."""
        self.host.need("wg", "wireguard-tools")
        self.host.need("wg-quick", "wireguard-tools")
        self.host.need("ip", "iproute2")
        for item in after.values():
            if item.controller_url is not None:
                continue
            _told = item.settled      # raises where the hub has told nothing
            if self.options.rotate_key and not self.interface.next_public_key():
                raise InvalidInput("rotate_key", True, "needs a next key that the hub knows already; make one with wg_key and register it "
                                                       "with wg_peer, or use the playbook rotate_keys.yml")

    def settle(self, before: Memberships, after: Memberships) -> Memberships:
        """Make the key, then ask the controller; a host that has joined already outlives a controller that is away."""
        settled = {}
        for name, item in after.items():
            public_key = self.interface.public_key(self.interface.make_key(upcoming=self.options.rotate_key))
            told = item
            if item.controller_url is not None and self.options.asking is not None:
                told = self._ask(item, item.controller_url, self.options.asking, public_key)
            settled[name] = self._measured(told)
        return settled

    def _ask(self, item: Membership, url: Url, asking: controller.Asking, public_key: str) -> Membership:
        try:
            return item.answered(controller.join(url, item.node_id, public_key, asking))
        except ControllerError as problem:
            if item.answer is None or not problem.retryable or self.options.rotate_key:
                raise
            self.warnings.append(f"{problem.message}; this host has joined before and keeps its tunnel")
            return item

    def _measured(self, item: Membership) -> Membership:
        """The membership with the MTU of the path to the peer, measured once for each endpoint."""
        if not item.probe_mtu or item.mtu or item.probed_mtu:
            return item
        address = self._endpoint(item).rpartition(":")[0].strip("[]")
        size = path_mtu.probe(address)
        if size is None:
            self.warnings.append(f"the path to {item.settled.endpoint} could not be measured (nobody answers to ICMP echo there); "
                                 "wg-quick's own choice stands, give mtu if large packets do not come through")
            return item
        return replace(item, probed_mtu=path.tunnel_mtu(size, 6 if ":" in address else 4))

    def write(self, before: Memberships, after: Memberships) -> None:
        """Keep the membership, write the files, then change the tunnel no more than needed."""
        kept = memberships.load(self.host, self.data_dir)
        kept.pop(self.name, None)
        kept.update(after)
        if kept:
            self.store.save([item.as_dict() for _name, item in sorted(kept.items())])
        else:
            self.store.clear()
        item = after.get(self.name)
        if item is None or item.answer is None:
            self.interface.remove()
            return
        if self.options.rotate_key:
            self._handshake_before = self._latest_handshake()
            # handshakes are told in whole seconds: one in this second could not be told from the next
            while int(time.time()) == self._handshake_before:
                time.sleep(0.05)
        self.interface.write(item.config(self._endpoint(item), self.options.preshared_key))
        if self.interface.took_back and item.controller_url and self.options.asking:
            # the controller has taken the next key for ours
            self._ask(item, item.controller_url, self.options.asking, self.interface.public_key(self.interface.private_key()))

    def confirm(self, before: Memberships, after: Memberships, touched: Set[str]) -> None:
        """After a change of the key, the peer must have answered to the new one."""
        if not self.options.rotate_key or self.name not in after:
            return
        end = time.monotonic() + HANDSHAKE_SECONDS
        self.tunnel.call(after[self.name].settled.controller_pubkey, after[self.name].persistent_keepalive)
        while self._latest_handshake() <= self._handshake_before:
            if time.monotonic() > end:
                raise VerifyFailed("the peer does not answer to the new key; the old one has been restored, "
                                   "see whether the hub knows the new one and run again", "rotate_key")
            time.sleep(0.05)

    def _latest_handshake(self) -> int:
        link = self.tunnel.dump()
        return max((peer.latest_handshake for peer in link.peers), default=0) if link else 0

    def report(self, item: Optional[Membership]) -> Dict[str, Any]:
        """The return values of a membership; empty ones where there is none yet."""
        answer = item.answer if item else None
        return {
            "interface": self.name, "public_key": self.interface.public_key(self.interface.private_key()),
            "node_ip": answer.node_ip if answer else "", "node_ips": list(answer.addresses) if answer else [],
            "controller_pubkey": answer.controller_pubkey if answer else "",
            "endpoint": str(answer.endpoint) if answer else "", "allowed_ips": list(item.routes) if item else [],
        }

    def _endpoint(self, item: Membership) -> str:
        """The peer's address and port. A name is looked up and its address kept, so that a boot never waits for DNS.

        It is looked up again when the peer has not answered for a while, which may be because it has moved.
        """
        endpoint = item.settled.endpoint
        if fields.is_numeric(endpoint.host):
            return str(endpoint)
        known = self.load().get(self.name)
        current = wireguard.peer_endpoint(self.interface.text() or "") or ""
        if not known or not known.answer or known.answer.endpoint != endpoint:
            current = ""
        if current and is_connected(age_of(self._latest_handshake(), time.time())):
            return current
        if str(endpoint) not in self._looked_up:
            self._looked_up[str(endpoint)] = self._look_up(item, endpoint, current)
        return self._looked_up[str(endpoint)]

    def _look_up(self, item: Membership, endpoint: Endpoint, current: str) -> str:
        found = [str(Endpoint(address, endpoint.port)) for address in self.host.resolve(endpoint.host)]
        if current and (not found or current in found):
            return current
        if not found:
            raise InvalidInput("answer.endpoint", str(endpoint), "has a name that cannot be resolved; check this host's DNS and run again")
        address = fields.unicast("answer.endpoint", found[0].rpartition(":")[0].strip("[]"))
        if any(address in network for network in item.mesh if network.version == address.version and network.prefixlen):
            raise InvalidInput("answer.endpoint", str(endpoint), f"is {address}, which lies behind the tunnel itself; correct its name")
        return str(Endpoint(str(ipaddress.ip_address(address)), endpoint.port))

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh interface: its key, its wg-quick file, the running tunnel and its routes."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

from ..errors import ControllerError, InvalidInput, StateRefused
from ..formats import wireguard
from ..host import Host
from ..models import fields
from ..models import join as rules
from ..models.join import Membership
from ..models.target import Endpoint, Url
from . import controller, memberships, system, tunnel
from .base import BaseEngine

Memberships = Dict[str, Membership]
SECRET_MODE = 0o600


@dataclass(frozen=True)
class JoinOptions:
    """How to join, as opposed to what: nothing of this is kept."""

    asking: Optional[controller.Asking] = None
    rejoin: bool = False
    allow_default_route: bool = False


def join_options(params: Mapping[str, Any]) -> JoinOptions:
    """The options of a task that say how to join."""
    asking = controller.Asking(
        params["join_token"], params["validate_certs"], params["ca_path"],
        timeout=fields.integer("timeout", params["timeout"], 1, 3600),
        retries=fields.integer("retries", params["retries"], 0, 1000), delay=fields.integer("delay", params["delay"], 0, 3600),
    ) if params["controller_url"] else None
    if asking and not (asking.token.isascii() and asking.token.isprintable()):
        raise InvalidInput("join_token", "(hidden)", "holds characters that a header cannot carry; paste it again")
    return JoinOptions(asking, params["rejoin"], params["allow_default_route"])


class MeshEngine(BaseEngine[Membership]):
    """Memberships of one host, of which one interface is worked on.

    Args:
        config_dir: where wg-quick looks for its files; the private key lies beside the file.
    """

    def __init__(self, host: Host, interface: str, config_dir: str, data_dir: str, options: JoinOptions) -> None:
        super().__init__(host)
        self.interface, self.config_dir, self.options = interface, config_dir, options
        self.config_file = f"{config_dir}/{interface}.conf"
        self.key_file = f"{config_dir}/{interface}.key"
        self.tunnel = tunnel.Tunnel(host, interface, self.config_file)
        self.store = memberships.store(host, data_dir)
        self.data_dir = data_dir

    def load(self) -> Memberships:
        """The membership on this interface, if any."""
        return {name: item for name, item in memberships.load(self.host, self.data_dir).items() if name == self.interface}

    def read(self) -> Mapping[str, object]:
        """The file and the running tunnel."""
        text = self._config()
        if text is not None and not wireguard.is_ours(text):
            raise StateRefused(f"{self.config_file} was not written by edge.gateway; move it away, "
                               "or choose another interface", self.config_file)
        running = self.tunnel.read()
        if text is None and running is None:
            return {}
        if text is None and not self.load():
            raise StateRefused(f"interface {self.interface} exists, but was not set up by edge.gateway; "
                               "choose another interface", self.interface)
        return {self.interface: (text, running, self._modes())}

    def render(self, items: Memberships) -> Mapping[str, object]:
        """The file and the tunnel that a membership needs; a stand-in while the controller has not answered."""
        wanted: Dict[str, object] = {}
        for name, item in items.items():
            if item.answer is None:
                wanted[name] = "not joined yet"
                continue
            private_key = self._private_key()
            text = wireguard.render(item, private_key, self._endpoint(item))
            wanted[name] = (text, self.tunnel.wanted(item, self._public_key(private_key)), (SECRET_MODE, SECRET_MODE))
        return wanted

    def check(self, before: Memberships, after: Memberships) -> None:
        """Refuse networks that would take over the host's own traffic."""
        for name, item in after.items():
            if item.controller_url and self.options.asking:
                self.warnings = controller.warnings(item.controller_url)
            if before.get(name) != item:
                connection = system.way_in(self.host)
                around = rules.Surroundings(frozenset(system.addresses(self.host, leave_out=self.interface)),
                                            system.routes(self.host, leave_out=self.interface),
                                            connection[0] if connection else None)
                rules.check_networks(item, before.get(name), around, self.options.allow_default_route)
                rules.check_identity(item, None if self.options.rejoin else before.get(name),
                                     self._public_key(self._private_key()))

    def ready(self, after: Memberships) -> None:
        """Raise without the tools."""
        self.host.need("wg", "wireguard-tools")
        self.host.need("wg-quick", "wireguard-tools")
        self.host.need("ip", "iproute2")

    def settle(self, before: Memberships, after: Memberships) -> Memberships:
        """Make the key, then ask the controller; a host that has joined already outlives a controller that is away."""
        settled = {}
        for name, item in after.items():
            public_key = self._public_key(self._make_key())
            if item.controller_url is None or self.options.asking is None:
                settled[name] = item
            else:
                settled[name] = self._ask(item, item.controller_url, self.options.asking, public_key)
        return settled

    def _ask(self, item: Membership, url: Url, asking: controller.Asking, public_key: str) -> Membership:
        try:
            return item.answered(controller.join(url, item.node_id, public_key, asking))
        except ControllerError as problem:
            if item.answer is None or not problem.retryable:
                raise
            self.warnings.append(f"{problem.message}; this host has joined before and keeps its tunnel")
            return item

    def write(self, before: Memberships, after: Memberships) -> None:
        """Keep the membership, write the file, then change the tunnel no more than needed."""
        kept = memberships.load(self.host, self.data_dir)
        kept.pop(self.interface, None)
        kept.update(after)
        if kept:
            self.store.save([item.as_dict() for _name, item in sorted(kept.items())])
        else:
            self.store.clear()
        item = after.get(self.interface)
        if item is None or item.answer is None:
            self.tunnel.stop()
            self.host.remove(self.config_file)
            return
        text = wireguard.render(item, self._private_key(), self._endpoint(item))
        self.host.make_directory(self.config_dir)
        old = self._config()
        self._keep_private(text)
        self.tunnel.apply(text, self.tunnel.wanted(item, self._public_key(self._private_key())),
                          anew=old is None or wireguard.set_up_once(old) != wireguard.set_up_once(text))

    def report(self, item: Optional[Membership]) -> Dict[str, Any]:
        """The return values of a membership; empty ones where there is none yet."""
        answer = item.answer if item else None
        return {
            "interface": self.interface, "public_key": self._public_key(self._private_key()),
            "node_ip": answer.node_ip if answer else "", "controller_pubkey": answer.controller_pubkey if answer else "",
            "endpoint": str(answer.endpoint) if answer else "", "allowed_ips": list(item.routes) if item else [],
        }

    def _modes(self) -> Tuple[Optional[int], ...]:
        """Permission bits of the two files that hold the private key."""
        found = (self.host.mode(path) for path in (self.config_file, self.key_file))
        return tuple(stat.S_IMODE(status.st_mode) if status else None for status in found)

    def _keep_private(self, text: str) -> None:
        """Write the interface's file, and the key's again, where content or mode differ."""
        modes = self._modes()
        if text != self._config() or modes[0] != SECRET_MODE:
            self.host.write(self.config_file, text, SECRET_MODE)
        if modes[1] != SECRET_MODE:
            self.host.write(self.key_file, self._private_key() + "\n", SECRET_MODE)

    def _config(self) -> Optional[str]:
        data = self.host.read(self.config_file, own=True)
        return None if data is None else data.decode("utf-8", "replace")

    def _private_key(self) -> str:
        data = self.host.read(self.key_file, own=True)
        if data is None:
            return ""
        try:
            return fields.key("private key", data.decode("ascii", "replace").strip())
        except InvalidInput:
            raise StateRefused(f"{self.key_file} does not hold a WireGuard key; restore it, or move it away "
                               "to join with a new identity", self.key_file) from None

    def _make_key(self) -> str:
        """The private key; made once, when there is none. An unreadable one is an error, never replaced."""
        key = self._private_key()
        if not key:
            key = self.host.run(["wg", "genkey"]).out.strip()
            self.host.make_directory(self.config_dir)
            self.host.write(self.key_file, key + "\n")
        return key

    def _public_key(self, private_key: str) -> str:
        if not private_key or self.host.find("wg") is None:
            return ""
        return self.host.run(["wg", "pubkey"], stdin=private_key).out.strip()

    def _endpoint(self, item: Membership) -> str:
        """The peer's address and port. A name is resolved once and kept, so that a boot never waits for DNS."""
        endpoint = item.settled.endpoint
        if fields.is_numeric(endpoint.host):
            return str(endpoint)
        known = self.load().get(self.interface)
        current = wireguard.peer_endpoint(self._config() or "")
        if current and known and known.answer and known.answer.endpoint == endpoint:
            return current
        address = fields.unicast("answer.endpoint", self.host.resolve(endpoint.host))
        return str(Endpoint(str(address), endpoint.port))

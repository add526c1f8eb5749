# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One WireGuard interface of ours: its private key, its files, and the tunnel that runs by them."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import Optional, Tuple

from ..errors import InvalidInput, StateRefused
from ..formats import routing, wireguard
from ..host import Host
from ..models import fields
from ..models.tunnel import TunnelConfig
from .tunnel import Running, Tunnel

SECRET_MODE = 0o600
MODULES = {wireguard.JOIN: "a membership", wireguard.HUB: "a hub"}


@dataclass(frozen=True)
class Standing:
    """An interface as it stands, or as it should.

    Attributes:
        text, routing: contents of its two files, None for one that is not there.
        running: the tunnel, None when there is none.
        modes: permission bits of the files that hold the private key.
        pending: whether a next key lies there, which is to replace the present one.
    """

    text: Optional[str]
    routing: Optional[str]
    running: Optional[Running]
    modes: Tuple[Optional[int], ...]
    pending: bool


class Interface:
    """The interface ``name``, whose files lie in ``config_dir``, where wg-quick looks for them.

    Args:
        author: the module of ours that writes it: :data:`.wireguard.JOIN` or :data:`.wireguard.HUB`.
        rotate: whether the next key is to take the place of the present one.
    """

    def __init__(self, host: Host, name: str, config_dir: str, author: str, rotate: bool = False) -> None:
        self.host, self.name, self.config_dir = host, name, config_dir
        self.author, self.rotate = author, rotate
        self.config_file, self.routing_file = f"{config_dir}/{name}.conf", f"{config_dir}/{name}.routing"
        self.key_file, self.next_key_file = f"{config_dir}/{name}.key", f"{config_dir}/{name}.key.next"
        self.tunnel = Tunnel(host, name, self.config_file, self.routing_file)
        self._replaced_key = ""
        self.took_back = False

    def read(self, known: bool) -> Optional[Standing]:
        """How it stands, None when there is nothing.

        Args:
            known: whether we have set it up, as far as the state says.

        Raises:
            StateRefused: somebody else has set it up.
        """
        text = self.text()
        if text is not None and not wireguard.is_by(self.author, text):
            other = next((what for author, what in MODULES.items() if wireguard.is_by(author, text)), "")
            raise StateRefused(f"{self.config_file} {f'is the file of {other}' if other else 'was not written by edge.gateway'}; "
                               "move it away, or choose another interface", self.config_file)
        running = self.tunnel.read()
        if text is None and running is None:
            return None
        if text is None and not known:
            raise StateRefused(f"interface {self.name} exists, but was not set up by edge.gateway; choose another interface", self.name)
        return Standing(text, self._text_of(self.routing_file), running, self._modes(), self.host.mode(self.next_key_file) is not None)

    def wanted(self, config: TunnelConfig) -> Standing:
        """How it should stand for this configuration, with the key that it will have."""
        key = self.private_key()
        return Standing(
            wireguard.render(self.author, config, key, self.routing_file), self._routing_text(config),
            self.tunnel.wanted(config, self.public_key(key)), (SECRET_MODE, SECRET_MODE), pending=False)

    def write(self, config: TunnelConfig) -> None:
        """Write the files, then change the tunnel no more than needed."""
        self.host.make_directory(self.config_dir)
        old, running, modes = self.text(), self.tunnel.read(), self._modes()
        self._settle_key()
        key, script = self.private_key(), self._routing_text(config)
        text = wireguard.render(self.author, config, key, self.routing_file)
        if script is not None and script != self._text_of(self.routing_file):
            self.host.write(self.routing_file, script, SECRET_MODE)
        if text != old or modes[0] != SECRET_MODE:
            self.host.write(self.config_file, text, SECRET_MODE)
        if modes[1] != SECRET_MODE:
            self.host.write(self.key_file, key + "\n", SECRET_MODE)
        self.tunnel.apply(running, text, config, self.tunnel.wanted(config, self.public_key(key)),
                          anew=old is None or wireguard.needs_wg_quick(old) != wireguard.needs_wg_quick(text))
        if script is None:
            self.host.remove(self.routing_file)

    def remove(self) -> None:
        """Take the interface down, now and at boot, and its files away; the key stays."""
        self.tunnel.stop()
        for path in (self.config_file, self.routing_file, self.next_key_file):
            self.host.remove(path)

    @property
    def rotated(self) -> bool:
        """Whether this run has replaced the key."""
        return bool(self._replaced_key)

    def text(self) -> Optional[str]:
        """Content of the file that wg-quick reads, None when there is none."""
        return self._text_of(self.config_file)

    def private_key(self) -> str:
        """The key that the interface has, or will have; empty when there is none yet."""
        return (self._key_of(self.next_key_file) if self.rotate else "") or self._key_of(self.key_file)

    def public_key(self, private_key: str) -> str:
        """The public key that belongs to a private one; empty where that cannot be told."""
        if not private_key or self.host.find("wg") is None:
            return ""
        return self.host.run(["wg", "pubkey"], stdin=private_key).out.strip()

    def make_key(self, upcoming: bool = False) -> str:
        """The private key (or the next one); made once, when there is none. An unreadable one is an error, never replaced."""
        path = self.next_key_file if upcoming else self.key_file
        key = self._key_of(path)
        if not key:
            key = self.host.run(["wg", "genkey"]).out.strip()
            self.host.make_directory(self.config_dir)
            self.host.write(path, key + "\n", SECRET_MODE)
        return key

    def next_public_key(self) -> str:
        """The public key of the next key, empty when there is none."""
        return self.public_key(self._key_of(self.next_key_file))

    def _settle_key(self) -> None:
        """Let the next key take its place, when that is what this run is for; else there is none.

        A run writes twice only to take the change back: then the replaced key returns.
        """
        if self._replaced_key:
            self.took_back = True
            self.host.write(self.key_file, self._replaced_key + "\n", SECRET_MODE)
            return
        upcoming = self._key_of(self.next_key_file) if self.rotate else ""
        if upcoming:
            self._replaced_key = self._key_of(self.key_file)
            self.host.write(self.key_file, upcoming + "\n", SECRET_MODE)
        self.host.remove(self.next_key_file)

    def _routing_text(self, config: TunnelConfig) -> Optional[str]:
        return None if config.routing is None else routing.script(self.author, self.name, config.routing)

    def _modes(self) -> Tuple[Optional[int], ...]:
        found = (self.host.mode(path) for path in (self.config_file, self.key_file))
        return tuple(stat.S_IMODE(status.st_mode) if status else None for status in found)

    def _text_of(self, path: str) -> Optional[str]:
        data = self.host.read(path, own=True)
        return None if data is None else data.decode("utf-8", "replace")

    def _key_of(self, path: str) -> str:
        data = self.host.read(path, own=True)
        if data is None:
            return ""
        try:
            return fields.key("private key", data.decode("ascii", "replace").strip())
        except InvalidInput:
            raise StateRefused(f"{path} does not hold a WireGuard key; restore it, or move it away "
                               "to join with a new identity", path) from None

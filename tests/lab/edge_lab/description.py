# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's networks and hosts, read from the Ansible inventory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Network:
    """One layer-2 network."""

    name: str
    subnet: str
    internal: bool
    lab_address: str | None


@dataclass(frozen=True)
class Host:
    """One systemd host; volumes are (folder under the lab's state, mount point) pairs."""

    name: str
    addresses: tuple[tuple[str, str], ...]
    volumes: tuple[tuple[str, str], ...]

    @property
    def ssh_address(self) -> str:
        """The address that ssh uses: the first one."""
        return self.addresses[0][1]


@dataclass(frozen=True)
class Description:
    """All of it."""

    networks: tuple[Network, ...]
    hosts: tuple[Host, ...]

    def fingerprint(self, image: str) -> str:
        """A value that changes when the lab has to be built anew."""
        return hashlib.sha256(f"{self!r} {image}".encode()).hexdigest()[:16]


def load(inventory: Path) -> Description:
    """Read the description out of the inventory file."""
    root: dict[str, Any] = yaml.safe_load(inventory.read_text())["all"]
    networks = tuple(
        Network(name, entry["subnet"], entry.get("internal", False), entry.get("lab_address"))
        for name, entry in root["vars"]["lab_networks"].items()
    )
    hosts = tuple(
        Host(name, tuple(entry["lab_addresses"].items()), tuple(entry.get("lab_volumes", {}).items()))
        for group in root["children"].values()
        for name, entry in group["hosts"].items()
    )
    return Description(networks, hosts)

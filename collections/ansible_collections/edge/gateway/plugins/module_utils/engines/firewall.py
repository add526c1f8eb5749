# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewalls that can carry forwards, and which of them a host uses."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Protocol, Tuple

from ..host import Host
from ..models.choices import BOOT_FILES
from ..models.forward import Forward, Forwards
from . import system
from .nftables import NftablesBackend


class Rules(Protocol):
    """What a firewall holds for forwards, live or wanted; two are compared part by part."""

    @property
    def structure(self) -> object:
        """All that the forwards share."""

    @property
    def elements(self) -> Mapping[str, object]:
        """What each forward has for itself, by its id."""


class Backend(Protocol):
    """One firewall. It touches what is marked as ours and nothing else."""

    name: str
    boot_file: str
    warnings: List[str]

    def __init__(self, host: Host, interface: str) -> None: ...

    def check(self, forward: Forward) -> None:
        """Raise InvalidInput, naming the option, when this firewall cannot do what the forward asks for."""

    def ready(self, forwards: Forwards) -> None:
        """Raise MissingTool without the firewall's programs."""

    def read(self) -> Rules:
        """What the kernel holds; nothing without the program to look with. Faster after :meth:`wanted` for what is there."""

    def counts(self) -> Dict[str, Tuple[int, int]]:
        """By forward id, connections opened and bytes of their first packets, as of the last :meth:`read`."""

    def wanted(self, forwards: Forwards) -> Rules:
        """What these forwards need."""

    def boot_text(self, forwards: Forwards) -> str:
        """What the boot unit loads."""

    def apply(self, forwards: Forwards) -> None:
        """Make the kernel's rules the wanted ones; atomic as far as the firewall can be."""

    def clear(self) -> None:
        """Take all that is ours away, because another firewall carries the forwards now."""


def _iptables(host: Host, interface: str) -> Backend:
    # not imported where it is not used: a module's code is compiled anew on every run
    from .iptables import IptablesBackend  # noqa: PLC0415
    return IptablesBackend(host, interface)


BACKENDS: Dict[str, Callable[[Host, str], Backend]] = {"nftables": NftablesBackend, "iptables": _iptables}


def backend_for(host: Host, name: str, interface: str) -> Backend:
    """The firewall to drive: the one named, else the one the roles chose for this host, else the one that is there."""
    return BACKENDS[name if name != "auto" else system.choices(host).backend or _installed(host)](host, interface)


def _installed(host: Host) -> str:
    # while the kernel has what nft has loaded, iptables would only add to it
    carried = host.mode(BOOT_FILES["nftables"]) is not None
    return "iptables" if host.find("nft") is None and host.find("iptables") is not None and not carried else "nftables"


def left_behind(host: Host, backend: Backend) -> List[str]:
    """Other firewalls that still carry our forwards; their files for the boot tell."""
    return [name for name, path in BOOT_FILES.items() if name != backend.name and host.mode(path) is not None]


def ready_to_clear(host: Host, backend: Backend, interface: str) -> None:
    """Raise MissingTool without the programs of another firewall that still carries our forwards: there nothing could be closed."""
    for name in left_behind(host, backend):
        BACKENDS[name](host, interface).ready({})


def clear(host: Host, name: str, interface: str) -> None:
    """Take our forwards away from a firewall, because another one carries them now."""
    BACKENDS[name](host, interface).clear()
    host.remove(BOOT_FILES[name])

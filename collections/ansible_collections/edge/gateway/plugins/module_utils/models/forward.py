# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One port forward. The rules among several, and between them and the host, are in ``forward_rules``."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from ..errors import MISSING, InvalidInput
from . import fields

PROTOCOLS = ["tcp", "udp", "both"]
SOURCE_NAT = ["masquerade", "none"]
NEEDED = ("forward_id", "public_port", "target_ip")
OPTIONAL = ("target_port", "proto", "source_ranges", "source_nat", "hairpin", "comment", "expires", "state")
OPTIONS = frozenset([*NEEDED, *OPTIONAL])
Forwards = Dict[str, "Forward"]


class Forward(NamedTuple):
    """Packets to the public ports of the edge go to ports of ``target_ip`` in the mesh.

    Attributes:
        first_port, last_port: the public ports; equal for a single one.
        target_ip: canonical IPv4 or IPv6 address; clients of the same family can use the forward.
        target_port: the port that ``first_port`` goes to; a range keeps its order.
        source_ranges: canonical networks of those who may use it; empty for anyone.
        source_nat: ``masquerade``, or ``none`` when the target shall see the client's address.
        hairpin: whether mesh nodes may use it too, by an address of the edge.
        expires: when it ends by itself, as :func:`.fields.moment` has it; empty for never.
    """

    forward_id: str
    first_port: int
    last_port: int
    target_ip: str
    target_port: int
    proto: str = "tcp"
    source_ranges: Tuple[str, ...] = ()
    source_nat: str = "masquerade"
    hairpin: bool = False
    comment: str = ""
    expires: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> Forward:
        """Build a forward from task parameters or from a state file.

        Args:
            params: option name to value; None means "not given", and what is no option of a forward is not looked at.
            where: prefix for option names in errors, such as ``forwards[3].``.
        """
        try:
            return cls._parse(params.get)
        except InvalidInput as problem:
            raise problem.within(where) from None

    @classmethod
    def _parse(cls, get: Callable[[str], Any]) -> Forward:
        forward_id, public, target = get("forward_id"), get("public_port"), get("target_ip")
        if forward_id is None or public is None or target is None:
            missing = next(name for name in NEEDED if get(name) is None)
            raise InvalidInput(missing, MISSING, "is missing; every forward needs forward_id, public_port and target_ip")
        # the usual values by hand: thousands are parsed at a time, and most of each is usual
        first, last = (public, public) if public.__class__ is int and 0 < public < 65536 else fields.ports("public_port", public)
        port, proto, nat, hairpin = get("target_port"), get("proto"), get("source_nat"), get("hairpin")
        sources, comment, expires = get("source_ranges"), get("comment"), get("expires")
        if port is None:
            port = first
        elif port.__class__ is not int or not 0 < port < 65536:
            port = fields.port("target_port", port)
        forward = cls(
            fields.identifier("forward_id", forward_id), first, last, fields.unicast_text("target_ip", target), port,
            "tcp" if proto is None or proto == "tcp" else fields.choice("proto", proto, PROTOCOLS),
            () if sources is None or sources == [] else _sources("source_ranges", sources),
            "masquerade" if nat is None else fields.choice("source_nat", nat, SOURCE_NAT),
            False if hairpin is None else fields.boolean("hairpin", hairpin),
            "" if comment is None or comment == "" else fields.comment("comment", comment),
            "" if expires is None or expires == "" else fields.moment("expires", expires),
        )
        if last > first or sources or hairpin:
            _check_together(forward)
        return forward

    @property
    def public_port(self) -> str:
        """The public ports as a user writes them."""
        return str(self.first_port) if self.first_port == self.last_port else f"{self.first_port}-{self.last_port}"

    @property
    def protocols(self) -> Tuple[str, ...]:
        """The transport protocols it stands for."""
        return ("tcp", "udp") if self.proto == "both" else (self.proto,)

    @property
    def family(self) -> int:
        """4 or 6: the IP version of its target, and so of its clients."""
        return 6 if ":" in self.target_ip else 4

    @property
    def shift(self) -> int:
        """What is added to a public port to get the target's."""
        return self.target_port - self.first_port

    def as_dict(self) -> Dict[str, Any]:
        """The forward with the names of the options, as modules return it (``public_port`` is a string there)."""
        return {"forward_id": self.forward_id, "public_port": self.public_port, "target_ip": self.target_ip,
                "target_port": self.target_port, "proto": self.proto, "source_ranges": list(self.source_ranges),
                "source_nat": self.source_nat, "hairpin": self.hairpin, "comment": self.comment, "expires": self.expires}

    def as_kept(self) -> Dict[str, Any]:
        """The forward as the state file holds it: what is at its default is left out."""
        kept: Dict[str, Any] = {"forward_id": self.forward_id, "public_port": self.public_port, "target_ip": self.target_ip,
                                "target_port": self.target_port}
        # field by field, since thousands are kept at a time
        if self.proto != "tcp":
            kept["proto"] = self.proto
        if self.source_ranges:
            kept["source_ranges"] = list(self.source_ranges)
        if self.source_nat != "masquerade":
            kept["source_nat"] = self.source_nat
        if self.hairpin:
            kept["hairpin"] = True
        if self.comment:
            kept["comment"] = self.comment
        if self.expires:
            kept["expires"] = self.expires
        return kept

    def __str__(self) -> str:
        """One row of a table of forwards; columns keep their places, so that a diff shows only what differs."""
        host = f"[{self.target_ip}]" if self.family == 6 else self.target_ip
        target = f"{host}:{self.target_port}"
        if self.last_port > self.first_port:
            target += f"-{self.last_port + self.shift}"
        words = [f"{self.proto:<4} {self.public_port:<11} -> {target:<21}"]
        if self.source_ranges:
            words.append(f"from {', '.join(self.source_ranges)}")
        if self.source_nat != "masquerade":
            words.append("keeps the client's address")
        if self.hairpin:
            words.append("also from the mesh")
        if self.comment:
            words.append(f"# {self.comment}")
        if self.expires:
            words.append(f"until {self.expires}")
        return "  ".join(words).rstrip(" ")


def check_names(entry: Mapping[str, Any], where: str) -> None:
    """Raise InvalidInput for an entry of a file that names something else than the options of a forward."""
    if not OPTIONS.issuperset(entry):
        unknown = sorted(str(name) for name in set(entry) - OPTIONS)[0]
        raise InvalidInput(f"{where}{unknown}", entry.get(unknown, ""), "is not an option of a forward; correct its name, one of "
                           + ", ".join([*NEEDED, *OPTIONAL]))


def _check_together(forward: Forward) -> None:
    if forward.last_port + forward.shift > 65535:
        raise InvalidInput("target_port", forward.target_port,
                           f"is too high: the last port of {forward.public_port} would go to "
                           f"{forward.last_port + forward.shift}, and ports end at 65535; choose a lower one")
    if forward.source_ranges and not any((":" in network) == (forward.family == 6) for network in forward.source_ranges):
        raise InvalidInput("source_ranges", ", ".join(forward.source_ranges),
                           f"has no IPv{forward.family} network, and target_ip {forward.target_ip} serves IPv{forward.family} "
                           "clients only: nobody could use it; add their networks")
    if forward.hairpin and forward.source_nat == "none":
        raise InvalidInput("hairpin", True, "cannot go with source_nat none: the answer would not come back through the edge; "
                                            "leave one of them out")


def _sources(option: str, value: object) -> Tuple[str, ...]:
    if isinstance(value, str):
        value = [item.strip() for item in value.split(",")]       # as Ansible reads a list that was given as text
    if not isinstance(value, (list, tuple)):
        raise InvalidInput(option, value, "is not a list of networks; write it like ['203.0.113.0/24']")
    words = tuple(value)
    known = _known_networks(words) if all(isinstance(item, str) for item in words) else None
    return known if known is not None else _networks(option, words)


@functools.lru_cache(maxsize=None)
def _known_networks(words: Tuple[str, ...]) -> Optional[Tuple[str, ...]]:
    # thousands of forwards share few allow-lists
    try:
        return _networks("", words)
    except InvalidInput:
        return None


def _networks(option: str, words: Tuple[object, ...]) -> Tuple[str, ...]:
    networks = {fields.exact_network(option, item) for item in words}
    ordered = sorted(networks, key=lambda item: (item.version, int(item.network_address), item.prefixlen))
    return tuple(str(item) for item in ordered)

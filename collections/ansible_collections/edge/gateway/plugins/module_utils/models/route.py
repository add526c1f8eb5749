# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTPS host route, and the rules that hold among several."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Sequence, Tuple

from ..errors import InvalidInput
from . import fields
from .target import Url, url

FIELDS = ("route_id", "hostname", "path_prefix", "target_url", "entrypoint", "certresolver")
MAX_ENTRIES = 100
# the entrypoint for plain HTTP; TLS ends on all others
PLAIN_ENTRYPOINT = "web"

# loopback names of Debian's and Red Hat's /etc/hosts, and the metadata services of clouds that have no link-local address
LOCAL_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "metadata.google.internal"}
METADATA = {"fd00:ec2::254"}

Routes = Dict[str, "Route"]


@dataclass(frozen=True, order=True)
class Route:
    """Requests for ``hostname`` (below ``path_prefix``) go to one of ``target_url``."""

    route_id: str
    hostname: Tuple[str, ...]
    target_url: Tuple[Url, ...]
    entrypoint: Tuple[str, ...] = ("websecure",)
    path_prefix: str = ""
    certresolver: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> Route:
        """Build a route from task parameters or from the header of a route file.

        Args:
            params: option name to value; None means "not given".
            where: prefix for option names in errors, such as ``routes[3].``.
        """
        given = {name: value for name, value in params.items() if value is not None}
        for name in ("route_id", "hostname", "target_url"):
            if not given.get(name):
                raise InvalidInput(where + name, "", "is missing; every route needs route_id, hostname and target_url")
        names = tuple(_pattern(where + "hostname", name) for name in _several(where + "hostname", given["hostname"]))
        if len(set(names)) != len(names):
            raise InvalidInput(where + "hostname", given["hostname"], "names one host twice; keep one of the two")
        entrypoints = tuple(_name(where + "entrypoint", name)
                            for name in _several(where + "entrypoint", given.get("entrypoint") or ["websecure"]))
        if given.get("certresolver") and set(entrypoints) == {PLAIN_ENTRYPOINT}:
            raise InvalidInput(where + "certresolver", given["certresolver"],
                               f"is of no use on the entrypoint {PLAIN_ENTRYPOINT}, which is plain HTTP; "
                               "add websecure or leave it out")
        return cls(
            route_id=fields.identifier(where + "route_id", given["route_id"]),
            hostname=names,
            target_url=tuple(url(where + "target_url", target, ("http", "https", "h2c"))
                             for target in _several(where + "target_url", given["target_url"])),
            entrypoint=entrypoints,
            path_prefix=_path(where + "path_prefix", given.get("path_prefix", "")),
            certresolver=_name(where + "certresolver", given["certresolver"]) if given.get("certresolver") else "",
        )

    def as_dict(self) -> Dict[str, Any]:
        """The route with the names of the options, as modules return it."""
        return {
            "route_id": self.route_id, "hostname": list(self.hostname), "path_prefix": self.path_prefix,
            "target_url": [str(target) for target in self.target_url], "entrypoint": list(self.entrypoint),
            "certresolver": self.certresolver,
        }

    def __str__(self) -> str:
        where = ", ".join(f"{name}{self.path_prefix}" for name in self.hostname)
        words = f"{where} -> {', '.join(map(str, self.target_url))}  on {', '.join(self.entrypoint)}"
        return f"{words}, certificate by {self.certresolver}" if self.certresolver else words


def _several(option: str, value: object) -> Sequence[object]:
    entries = value if isinstance(value, (list, tuple)) else [value]
    if len(entries) > MAX_ENTRIES:
        raise InvalidInput(option, f"{len(entries)} entries", f"is too long; give at most {MAX_ENTRIES}")
    return entries


def _pattern(option: str, value: object) -> str:
    words = fields.text(option, value)
    if words.startswith("*."):
        return "*." + fields.hostname(option, words[2:])
    return fields.hostname(option, words)


def _name(option: str, value: object) -> str:
    name = fields.text(option, value)
    if not fields.matches(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise InvalidInput(option, value, "is not a name that Traefik's static configuration can hold; "
                                          "use letters, digits, '_' and '-'")
    return name


def _path(option: str, value: object) -> str:
    path = fields.text(option, value)
    if path in ("", "/"):
        return ""
    if not fields.matches(r"(/[A-Za-z0-9._~-]+)+/?", path):
        raise InvalidInput(option, value, "is not a plain path; write it like /api")
    return path


def check_clashes(routes: Routes, known: Routes) -> None:
    """Raise InvalidInput when two routes claim the same host and path on one entrypoint; the one that stood before keeps it.

    Args:
        known: the routes before the change.
    """
    owners: Dict[Tuple[str, str, str], str] = {}
    for route in sorted(routes.values(), key=lambda item: (known.get(item.route_id) != item, item)):
        for name in route.hostname:
            for entrypoint in route.entrypoint:
                owner = owners.setdefault((entrypoint, name, route.path_prefix), route.route_id)
                if owner != route.route_id:
                    raise InvalidInput("hostname", name, f"of {route.route_id} is already served by {owner}; "
                                                         "change one of them or remove that route")


def check_targets(route: Route, own: Iterable[str]) -> None:
    """Raise InvalidInput when a target is the edge itself (its API would become public) or cloud metadata.

    Args:
        own: addresses of the host.
    """
    addresses = set(own)
    for target in route.target_url:
        try:
            local = fields.is_local(ipaddress.ip_address(target.host)) or target.host in {*addresses, *METADATA}
        except ValueError:
            local = target.host in LOCAL_NAMES or target.host.endswith(".localhost")
        if local:
            raise InvalidInput("target_url", str(target), f"of {route.route_id} is the edge itself or a link-local "
                                                          "address; give a mesh node, or set allow_local_target "
                                                          "if you mean it")

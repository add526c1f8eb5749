# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs and endpoints: where a route, a join request or a tunnel goes.

``urlsplit`` alone is no validator (it drops newlines, takes ``good@127.0.0.1`` and checks a port only when asked),
so the text is matched against an allow-list first and every part is parsed by its own rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Tuple

from ..errors import MISSING, InvalidInput
from . import fields

# of tcp there is none: 0, so that a URL without a port can be told
DEFAULT_PORTS = {"http": 80, "https": 443, "h2c": 80, "tcp": 0}


@dataclass(frozen=True, order=True)
class Url:
    """A URL of scheme, host and port, and for a controller a base path. IPv6 hosts are kept without brackets."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def host(option: str, value: str, whole: object) -> str:
    """A host name or an IP address; a name that some resolvers read as an address (127.1, 0x7f000001) is neither."""
    words = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if fields.is_numeric(words):
        return str(fields.address(option, words))
    if fields.matches(r"(.*\.)?0[xX][0-9a-fA-F]+", words):
        raise InvalidInput(option, whole, "has a number for a host; write the address like 10.50.0.12")
    return fields.hostname(option, words)


def url(option: str, value: object, schemes: Tuple[str, ...], with_path: bool = False) -> Url:
    """A URL without user, query or fragment.

    Args:
        schemes: the schemes that are accepted.
        with_path: whether a path is accepted; otherwise only '/' or nothing.
    """
    words = fields.text(option, value)
    found = re.fullmatch(r"([a-z0-9]+)://([^/@?#\s]+)(/[A-Za-z0-9._~/-]*)?", words) if words.isprintable() else None
    if found is None or found.group(1) not in schemes:
        # before an @ stands a password, as a rule, and behind a ? or # often a token
        shown = MISSING if re.search("[@?#]", words) else value
        raise InvalidInput(option, shown, f"is not a URL of {' or '.join(schemes)}; write it like "
                           f"{schemes[0]}://10.50.0.12:8080 (no user, no query, no fragment)")
    scheme, where, path = found.group(1), found.group(2), (found.group(3) or "").rstrip("/")
    if path and not with_path:
        raise InvalidInput(option, value, "has a path, which a target cannot have; give scheme, host and port only")
    name, port = split_port(option, where, value, DEFAULT_PORTS[scheme])
    return Url(scheme, host(option, name, value), port, path)


def split_port(option: str, where: str, whole: object, default: int) -> Tuple[str, int]:
    """``host``, ``host:port``, ``[v6]`` or ``[v6]:port`` into its two parts."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]+)(?::([^:]*))?", where)
    if found is None:
        raise InvalidInput(option, whole, "has no readable host and port; write host:port, with an IPv6 address in [ ]")
    if found.group(2) is None:
        return found.group(1), default
    return found.group(1), fields.port(f"{option} port", found.group(2))


@dataclass(frozen=True)
class Endpoint:
    """Where the tunnel's packets go: a host name or address, and a UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint(option: str, value: object) -> Endpoint:
    """``host:port`` of a WireGuard peer; an address that cannot be a peer is refused."""
    words = fields.text(option, value)
    name, port = split_port(option, words, value, 0)
    if not port:
        raise InvalidInput(option, value, "has no port; write it like 203.0.113.7:51820")
    canonical = host(option, name, value)
    if fields.is_numeric(canonical):
        fields.unicast(option, canonical)
    return Endpoint(canonical, port)

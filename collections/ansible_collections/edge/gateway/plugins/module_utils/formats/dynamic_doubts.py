# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What in a file of others Traefik 3.7 does not take although it is YAML; another version may. Names count without their case."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Tuple

# what a file may define: protocol and kind
KINDS = {
    "http": ("routers", "services", "middlewares", "serversTransports", "models"),
    "tcp": ("routers", "services", "middlewares", "serversTransports", "models"),
    "udp": ("routers", "services"),
    "tls": ("options", "certificates", "stores"),
}
# the options of those that are short: protocol, kind and the way to them
FIELDS: Mapping[Tuple[str, ...], str] = {
    ("http", "routers"): "entrypoints middlewares service rule parentrefs rulesyntax priority tls observability "
                         "deniedencodedpathcharacters",
    ("tcp", "routers"): "entrypoints middlewares service rule rulesyntax priority tls",
    ("udp", "routers"): "entrypoints service",
    ("http", "routers", "tls"): "options certresolver domains",
    ("tcp", "routers", "tls"): "options certresolver domains passthrough",
    ("http", "services"): "loadbalancer weighted mirroring failover highestrandomweight",
    ("http", "services", "loadbalancer"): "sticky servers strategy healthcheck passivehealthcheck passhostheader responseforwarding "
                                          "serverstransport",
    ("http", "middlewares"): "addprefix stripprefix stripprefixregex replacepath replacepathregex chain ipwhitelist ipallowlist headers "
                             "errors ratelimit redirectregex redirectscheme basicauth digestauth forwardauth inflightreq buffering "
                             "circuitbreaker compress passtlsclientcert retry contenttype grpcweb plugin encodedcharacters",
}
# which are something without any option
EMPTY = frozenset(["tls", "sticky", "cookie", "compress", "contenttype", "ipstrategy", "proxyprotocol", "plugin"])
MIDDLEWARES = ("http", "middlewares")
TEXTS = ("customrequestheaders", "customresponseheaders")


def doubt(value: Mapping[Any, Any]) -> str:
    """The first thing that Traefik would not take, in words that follow "it"; an empty string when there is none."""
    return next(_doubts(value), "")


def _doubts(value: Mapping[Any, Any]) -> Iterator[str]:
    for protocol, kinds in KINDS.items():
        part = value.get(protocol)
        if part is None:
            continue
        if not isinstance(part, dict) or not part:
            yield f"has nothing under {protocol}"
            continue
        known = {kind.lower(): kind for kind in kinds}
        for name, entries in part.items():
            kind = known.get(str(name).lower())
            where = f"{protocol}.{name}"
            if kind is None:
                yield f"has {where}, which Traefik does not know"
            elif entries is None or kind != "certificates" and (not isinstance(entries, dict) or not entries):
                yield f"has nothing under {where}"
            elif kind != "certificates":
                yield from _within(protocol, kind, entries)


def _within(protocol: str, kind: str, entries: Dict[Any, Any]) -> Iterator[str]:
    for name, entry in entries.items():
        where = f"{protocol}.{kind}.{name}"
        if not isinstance(entry, dict):
            yield f"has nothing under {where}"
        else:
            yield from _options(where, (protocol, kind), entry)


def _options(where: str, way: Tuple[str, ...], options: Dict[Any, Any]) -> Iterator[str]:
    known = FIELDS.get(way)
    if way[-1] in TEXTS and all(content is None for content in options.values()):
        yield f"has nothing in {where}"
    for name, content in options.items():
        word = str(name).lower()
        if known is not None and word not in known.split():
            yield f"has {where}.{name}, which Traefik does not know"
        elif content == {} and word not in EMPTY or content is True and way == MIDDLEWARES and word not in EMPTY:
            yield f"has nothing under {where}.{name}"
        elif word == "priority" and not _is_whole(content) or word == "passhostheader" and not _is_truth(content):
            yield f"has a {where}.{name} of {content!r}"
        elif isinstance(content, dict):
            yield from _options(f"{where}.{name}", (*way, word), content)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) or isinstance(value, str) and value.lstrip("+-").isdigit()


def _is_truth(value: object) -> bool:
    return isinstance(value, bool) or value is None or str(value).lower() in ("true", "false", "1", "0", "t", "f")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules among several routes, and between a route and the host: what Traefik would take without a word and serve otherwise."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, FrozenSet, Iterable, Iterator, Mapping, NamedTuple, Optional, Tuple

from ..errors import MISSING, InvalidInput
from . import fields
from .middleware import REFERENCE
from .options import split_reference
from .route import PLAIN_ENTRYPOINT, Route, Routes
from .target import Url, url

# loopback names of Debian's and Red Hat's /etc/hosts, and the metadata services of clouds that have no link-local address
LOCAL_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "metadata.google.internal"}
METADATA = {"fd00:ec2::254", "100.100.100.200"}


class Claim(NamedTuple):
    """A host that something serves on an entrypoint.

    Attributes:
        owner: for a person, such as ``route shop`` or a file's name.
        path: what it serves of the host; None for whole connections.
        tls: the options of TLS that it wants there, in canonical form.
    """

    owner: str
    entrypoint: str
    host: str
    path: Optional[str]
    tls: Any = None


def claims(route: Route) -> Iterator[Claim]:
    """What a route claims."""
    path = None if route.tcp else route.path_prefix
    tls = route.extras.get("tls_options") if route.extras else None
    for entrypoint in route.entrypoint:
        for name in route.hostname:
            yield Claim(route.route_id, entrypoint, name, path, tls if entrypoint != PLAIN_ENTRYPOINT else None)


def check_clashes(routes: Routes, known: Routes, others: Iterable[Claim] = ()) -> None:
    """Raise InvalidInput when two claim the same host and path on one entrypoint; the one that stood before keeps it.

    Args:
        known: the routes before the change.
        others: what files of others claim.
    """
    owners: Dict[Tuple[str, str, Optional[str]], str] = {}
    hosts: Dict[Tuple[str, str], Claim] = {}
    late = [item for name, item in sorted(routes.items()) if known.get(name) is not item and known.get(name) != item]
    if not late:
        return
    ids, asked = {item.route_id for item in late}, {name for item in late for name in item.hostname}
    for claim in others:
        owners[claim.entrypoint, claim.host, claim.path] = claim.owner
        hosts.setdefault((claim.entrypoint, claim.host), claim._replace(tls=...))
    for item in routes.values():
        # most have nothing to do with the change, and there may be thousands
        if not asked.isdisjoint(item.hostname) and item.route_id not in ids:
            for claim in claims(item):
                owners[claim.entrypoint, claim.host, claim.path] = claim.owner
                hosts.setdefault((claim.entrypoint, claim.host), claim)
    for item in late:
        for claim in claims(item):
            _refuse_taken(claim, owners, hosts)


def _refuse_taken(claim: Claim, owners: Dict[Tuple[str, str, Optional[str]], str], hosts: Dict[Tuple[str, str], Claim]) -> None:
    owner = owners.setdefault((claim.entrypoint, claim.host, claim.path), claim.owner)
    first = hosts.setdefault((claim.entrypoint, claim.host), claim)
    if owner == claim.owner and (first.path is None) != (claim.path is None):
        owner = first.owner         # connections are told apart before requests: one of the two would never be reached
    if owner != claim.owner:
        raise InvalidInput("hostname", claim.host, f"of {claim.owner} is already served by {owner}; "
                                                   "change one of them or remove that route")
    if first.tls is not ... and first.tls != claim.tls:
        # Traefik would take its default options for all of them
        raise InvalidInput("tls_options", MISSING, f"of {claim.owner} differ from those of {first.owner}, which serves {claim.host} too; "
                                                   "a host has one set of TLS options on an entrypoint, give both the same")


def check_targets(route: Route, own: Iterable[str]) -> None:
    """Raise InvalidInput when a target is the edge itself (its API would become public) or cloud metadata.

    Args:
        own: addresses of the host.
    """
    addresses = set(own)
    for option, target in _addressed(route):
        try:
            address = ipaddress.ip_address(target.host)
            local = fields.is_local(address) or target.host in {*addresses, *METADATA}
            if address.is_multicast or target.host == "255.255.255.255":
                raise InvalidInput(option, str(target), f"of {route.route_id} is the address of many hosts; give the one of a mesh node")
        except ValueError:
            local = target.host in LOCAL_NAMES or target.host.endswith(".localhost")
        if local:
            raise InvalidInput(option, str(target), f"of {route.route_id} is the edge itself or a link-local address; "
                                                    "give a mesh node, or set allow_local_target if you mean it")


def _addressed(route: Route) -> Iterator[Tuple[str, Url]]:
    for target in route.targets:
        yield "target_url", target
    for entry in route.middlewares:
        if "forward_auth" in entry:
            address = entry["forward_auth"]["address"]
            yield "middlewares.forward_auth.address", url("address", address.partition("?")[0], ("http", "https"), with_path=True)


def transport_files(route: Route) -> Iterator[Tuple[str, str]]:
    """Option and path of the files that Traefik reads to talk to the targets. Of one that is missing it says so in its log alone."""
    transport = route.extras.get("servers_transport", {})
    for path in transport.get("root_cas", ()):
        yield "servers_transport.root_cas", path
    for pair in transport.get("certificates", ()):
        yield from ((f"servers_transport.certificates.{name}", path) for name, path in sorted(pair.items()))


class Static(NamedTuple):
    """What Traefik's static configuration offers to routes.

    Attributes:
        entrypoints: their names.
        resolvers: name of each certificate resolver, and its challenge: ``http``, ``tls``, ``dns`` or an empty string.
        directory: the directory that the file provider loads, an empty string when it loads none.
        watched: whether it notices changes there.
    """

    entrypoints: FrozenSet[str]
    resolvers: Mapping[str, str]
    directory: str
    watched: bool


def check_static(route: Route, static: Static) -> None:
    """Raise InvalidInput for an entrypoint or certificate resolver that Traefik does not have.

    It would serve nothing, or the default certificate, and say so in its log alone.
    """
    for name in route.entrypoint:
        if name not in static.entrypoints:
            raise InvalidInput("entrypoint", name, f"of {route.route_id} is none of Traefik's entrypoints ({_listed(static.entrypoints)}); "
                                                   "correct it, or add that entryPoint to the static configuration")
    wild = next((name for name in route.hostname if name.startswith("*.")), None)
    if wild and static.resolvers.get(route.certresolver) in ("http", "tls"):
        raise InvalidInput("certresolver", route.certresolver, f"of {route.route_id} cannot bring a certificate for {wild}: wildcards need "
                                                               "a resolver with dnsChallenge; name one, or exact host names")
    if route.certresolver and route.certresolver not in static.resolvers:
        raise InvalidInput("certresolver", route.certresolver,
                           f"of {route.route_id} is none of Traefik's certificate resolvers ({_listed(static.resolvers)}); "
                           "correct it, or add it to edge_gateway_certificate_resolvers")


def knows_no_wildcards(version: str) -> bool:
    """Whether that version of Traefik takes the rule of a wildcard for an exact name (seen with 3.6; 3.7 knows them)."""
    found = fields.found(r"^v?([0-9]+)\.([0-9]+)", version)
    return bool(found) and tuple(map(int, found[0])) < (3, 7)


def ordered_from_outside(route: Route, static: Optional[Static]) -> bool:
    """Whether the authority has to reach this edge by the route's names before it issues the certificate."""
    return bool(route.certresolver) and (static is None or static.resolvers.get(route.certresolver) != "dns")


def check_pointed(name: str, found: FrozenSet[str], own: FrozenSet[str]) -> str:
    """A sentence when a name does not point at this edge; empty when it does, or when that cannot be told.

    Args:
        found: addresses of the name.
        own: public addresses of the edge. Behind address translation that nobody told of, there are none.
    """
    if not found:
        return f"hostname {name} does not exist in DNS: no certificate can be issued for it until it points at this edge"
    if not own or found & own:
        return ""
    return (f"hostname {name} points at {', '.join(sorted(found))}, not at this edge ({', '.join(sorted(own))}): no certificate can be "
            "issued for it; correct its DNS record, or set edge_gateway_public_addresses if the edge has that address")


def public(addresses: Iterable[str]) -> FrozenSet[str]:
    """Those addresses of a host that the whole world can reach."""
    return frozenset(words for words in addresses if ipaddress.ip_address(words).is_global)


def references(route: Route) -> Iterator[Tuple[str, str, str, str]]:
    """What a route borrows from other configuration: option, kind (``http middlewares``), name and provider."""
    protocol = "tcp" if route.tcp else "http"
    for number, entry in enumerate(route.middlewares):
        if REFERENCE in entry:
            yield (f"middlewares[{number}].{REFERENCE}", f"{protocol} middlewares", *split_reference(entry[REFERENCE]))
    tls = route.extras.get("tls_options", {}) if route.extras else {}
    if REFERENCE in tls and tls[REFERENCE] != "default":
        yield (f"tls_options.{REFERENCE}", "tls options", *split_reference(tls[REFERENCE]))


def missing_reference(route: Route, option: str, kind: str, name: str) -> InvalidInput:
    """The error for something borrowed that nobody lends: Traefik would turn the router off."""
    noun = {"http middlewares": "HTTP middleware", "tcp middlewares": "TCP middleware", "tls options": "set of TLS options"}[kind]
    return InvalidInput(option, name, f"of {route.route_id} is no {noun} of any other file in dynamic_dir; "
                                      "correct the name, or add it there first")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "it has none"

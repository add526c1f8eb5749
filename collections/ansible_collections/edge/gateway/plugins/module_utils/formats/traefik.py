# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route as Traefik's dynamic configuration (file provider, Traefik v3): routers, services and what they use.

Names of ours: router and service carry the route's id; what else a route needs has the id, a dash and a capital letter, which
no id has. Options of TLS are named by their content, since routes that share a host must share the name of their options too.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ..models import middleware
from ..models.middleware import REFERENCE
from ..models.options import split_reference
from ..models.route import PLAIN_ENTRYPOINT, Route

# of a second router for plain HTTP
PLAIN_SUFFIX = "-HTTP"
# characters of "Host(`a`)": no exact name's rule is ranked lower
SHORTEST_RULE = 9
# where Traefik's spelling is not the camel case of ours
SPELLING = {"root_cas": "rootCAs", "excluded_ips": "excludedIPs", "force_sts_header": "forceSTSHeader", "disable_http2": "disableHTTP2",
            "ipv6_subnet": "ipv6Subnet", "add_auth_cookies_to_response": "addAuthCookiesToResponse"}
# options whose keys are names of headers, not of options
FREE_KEYS = {"headers", "custom_request_headers", "custom_response_headers"}

Config = Dict[str, Any]


def document(route: Route) -> Config:
    """All that one route needs: ``{"http" or "tcp": {...}}``, and ``tls`` when it has options of TLS of its own."""
    protocol = "tcp" if route.tcp else "http"
    service, transport = _service(route), _transport(route)
    parts: Config = {"routers": {name: _router(route, name) for name in router_names(route)}}
    if transport:
        service["loadBalancer"]["serversTransport"] = transport_name(route.route_id, transport)
    parts["services"] = {route.route_id: service}
    own = {name: entry for name, entry in zip(_middleware_names(route), route.middlewares) if REFERENCE not in entry}
    if own:
        parts["middlewares"] = {name: camel(middleware.in_effect(entry)) for name, entry in own.items()}
    if transport:
        parts["serversTransports"] = {transport_name(route.route_id, transport): transport}
    found = {protocol: parts}
    tls = _own_tls(route)
    if tls:
        found["tls"] = {"options": {tls_name(tls): tls}}
    return found


def reported(route: Route, refused: bool = False) -> Dict[Tuple[str, str, str], Optional[Config]]:
    """What Traefik's API must hold once a route is live: by protocol, kind and name; None for what must not be there.

    What was asked for before and no longer is, must be gone: so the options that are not wanted are listed with their defaults.

    Args:
        refused: without the defaults that Traefik fills in, which it does not for what it refuses.
    """
    wanted: Dict[Tuple[str, str, str], Optional[Config]] = {}
    (protocol, parts), = ((name, part) for name, part in document(route).items() if name != "tls")
    for kind in ("routers", "services", "middlewares"):
        for name, entry in parts.get(kind, {}).items():
            wanted[protocol, kind, name] = _qualified(_spelt_out(kind, entry, refused))
    wanted.update({(protocol, "routers", name): None for name in possible_names(route.route_id) if name not in parts["routers"]})
    return wanted


# what Traefik reports of options that are not given
NO_CHECK: Config = {"scheme": None, "method": None, "status": None, "port": None, "hostname": None, "headers": None, "interval": "30s",
                    "timeout": "5s", "followRedirects": True}
NO_COOKIE: Config = {"secure": None, "httpOnly": None, "sameSite": None, "maxAge": None, "path": "/", "domain": None}


def _spelt_out(kind: str, entry: Config, refused: bool) -> Config:
    """An entry with what Traefik reports where nothing was said, as far as this collection can say it."""
    if kind == "routers":
        tls = {"certResolver": None, "passthrough": None, **entry["tls"]} if "tls" in entry else None
        if refused:
            return {"middlewares": None, **entry, "tls": tls}
        if tls and "options" not in tls:
            tls["options"] = None if tls["passthrough"] else "default"
        return {"middlewares": None, "priority": len(entry["rule"]), **entry, "tls": tls}
    if kind == "services":
        balancer = {"healthCheck": None, "sticky": None, "serversTransport": None, **entry["loadBalancer"]}
        balancer["servers"] = [{"weight": None, **server} for server in balancer["servers"]]
        if "url" in balancer["servers"][0]:
            balancer.setdefault("passHostHeader", True)
        if balancer["healthCheck"] is not None:
            balancer["healthCheck"] = {**NO_CHECK, **balancer["healthCheck"]}
        if balancer["sticky"] is not None:
            balancer["sticky"] = {"cookie": {**NO_COOKIE, **balancer["sticky"]["cookie"]}}
        return {"loadBalancer": balancer}
    return entry


def holds(found: object, wanted: object) -> bool:
    """Whether all that is wanted stands in what Traefik reports, which adds its defaults."""
    if isinstance(wanted, dict):
        # nothing said of a map is as good as an empty one
        return isinstance(found, dict) and all(
            holds(found.get(name), value) or value == {} and name not in found for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    # false, zero and empty are what Traefik leaves out, and of a router that it refuses the provider in references
    return found == wanted or not found and not wanted or isinstance(wanted, str) and f"{found}@file" == wanted


def _qualified(entry: Config) -> Config:
    """References as Traefik reports them, with their provider."""
    balancer = entry.get("loadBalancer")
    if isinstance(balancer, dict) and balancer.get("serversTransport"):
        return {"loadBalancer": {**balancer, "serversTransport": f"{balancer['serversTransport']}@file"}}
    if entry.get("middlewares"):
        return {**entry, "middlewares": ["@".join(split_reference(name)) for name in entry["middlewares"]]}
    return entry


def router_names(route: Route) -> Tuple[str, ...]:
    """The routers of a route. One serves either TLS or plain HTTP, so a route on both kinds of entrypoints has two."""
    if len(route.entrypoint) > 1 and PLAIN_ENTRYPOINT in route.entrypoint:
        return route.route_id, route.route_id + PLAIN_SUFFIX
    return (route.route_id,)


def possible_names(route_id: str) -> Tuple[str, str]:
    """All names that a route's routers can have."""
    return route_id, route_id + PLAIN_SUFFIX


def names(route: Route) -> Iterator[Tuple[str, str]]:
    """Kind (``http routers``) and name of all that a route puts into Traefik."""
    for part, kinds in document(route).items():
        for kind, entries in kinds.items():
            yield from ((f"{part} {kind}", name) for name in entries)


def _router(route: Route, name: str) -> Config:
    several = len(router_names(route)) > 1
    plain = name.endswith(PLAIN_SUFFIX) if several else route.entrypoint == (PLAIN_ENTRYPOINT,)
    points = [point for point in route.entrypoint if not several or (point == PLAIN_ENTRYPOINT) == plain]
    entry: Config = {"rule": rule(route), "entryPoints": points, "service": route.route_id}
    rank = priority(route)
    if rank is not None:
        entry["priority"] = rank
    if route.middlewares:
        entry["middlewares"] = _middleware_names(route)
    if not plain:
        entry["tls"] = _router_tls(route)
    return entry


def _router_tls(route: Route) -> Config:
    if route.pass_through:
        return {"passthrough": True}
    tls: Config = _resolver(route) if route.certresolver else {}
    options = route.extras.get("tls_options") if route.extras else None
    if options:
        own = _own_tls(route)
        tls["options"] = tls_name(own) if own else options[REFERENCE]
    # never an empty map; the default certificate is served unless a resolver is named
    return tls or {"options": "default"}


def _resolver(route: Route) -> Config:
    if not any(name.startswith("*.") for name in route.hostname):
        return {"certResolver": route.certresolver}
    # Traefik would order all names of the rule at once, and an order for a name and for a wildcard that covers it is refused
    main, *others = [name for name in route.hostname if name.startswith("*.") or "*." + name.partition(".")[2] not in route.hostname]
    return {"certResolver": route.certresolver, "domains": [{"main": main, **({"sans": others} if others else {})}]}


def _own_tls(route: Route) -> Config:
    options = route.extras.get("tls_options", {}) if route.extras else {}
    return camel(options) if options and REFERENCE not in options else {}


def _middleware_names(route: Route) -> List[str]:
    # the digest tells whether Traefik has read this content: it reports its own defaults beside it
    return [entry.get(REFERENCE) or f"{route.route_id}-M{number}-{_digest(entry)}" for number, entry in enumerate(route.middlewares, 1)]


def _service(route: Route) -> Config:
    if route.tcp:
        return {"loadBalancer": {"servers": [{"address": target[len("tcp://"):]} for target in route.target_url]}}
    servers: List[Config] = [{"url": target} for target in route.target_url]
    given = route.extras
    for server, weight in zip(servers, given.get("weight", ())):
        server["weight"] = weight
    rest = {name: given[name] for name in ("pass_host_header", "health_check", "sticky") if name in given}
    return {"loadBalancer": {"servers": servers, **camel(rest)}}


def _transport(route: Route) -> Config:
    if "proxy_protocol" in route.extras:
        return {"proxyProtocol": {"version": route.extras["proxy_protocol"]}}
    return camel(route.extras.get("servers_transport", {}))


def transport_name(route_id: str, transport: Config) -> str:
    """The name holds a digest: Traefik reports no contents of transports, and so its report tells whether it has read this one."""
    return f"{route_id}-T{_digest(transport)}"


def tls_name(tls: Config) -> str:
    """The name of a set of TLS options, from its content."""
    return f"edge-gateway-TLS{_digest(tls)}"


def _digest(value: Config) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def camel(value: Mapping[str, Any]) -> Config:
    """Options with Traefik's own spelling of their names."""
    return {SPELLING.get(name) or re.sub(r"_([a-z0-9])", lambda found: found.group(1).upper(), name): _camel_inside(name, item)
            for name, item in value.items()}


def _camel_inside(name: str, item: Any) -> Any:
    if isinstance(item, dict):
        # a middleware is called headers too; its options are no headers
        return dict(item) if name in FREE_KEYS and not any(key in MIDDLEWARE_HEADERS for key in item) else camel(item)
    if isinstance(item, list):
        return [camel(entry) if isinstance(entry, dict) else entry for entry in item]
    return item


MIDDLEWARE_HEADERS = set(middleware.TABLES["headers"][0])


def rule(route: Route) -> str:
    """The router's rule (Traefik v3 syntax). Names hold no backtick, so quoting them is safe."""
    matcher = "HostSNI" if route.tcp else "Host"
    hosts = " || ".join(_host(matcher, name) for name in route.hostname)
    if not route.path_prefix:
        return hosts
    return f"({hosts}){_path(route)}" if len(route.hostname) > 1 else hosts + _path(route)


def _host(matcher: str, name: str) -> str:
    # a wildcard too: of HostRegexp Traefik knows no domain, so that it gives such a host neither options of TLS nor a certificate
    return f"{matcher}(`{name}`)"


def _path(route: Route) -> str:
    return f" && PathPrefix(`{route.path_prefix}`)" if route.path_prefix else ""


def priority(route: Route) -> Optional[int]:
    """What to rank the rule by, where its length, which Traefik takes, would be wrong; None where it is right.

    A wildcard's rule is long, yet the exact name wins, whatever its path. Several names make a rule long, yet the one
    with a path wins: such a route counts as if it had one name.
    """
    if "priority" in route.extras:
        return int(route.extras["priority"])
    if any(name.startswith("*.") for name in route.hostname):
        return min(1 + route.path_prefix.count("/"), SHORTEST_RULE - 1)
    if len(route.hostname) == 1:
        return None
    lengths = [len(_host("Host", name)) for name in route.hostname]
    return max(lengths) + len(_path(route)) if route.path_prefix else min(lengths)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Traefik reports of routes beside what was asked for. Names of options are compared without their case and underscores."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

from contract.edge_traefik import Traefik, document
from contract.route_samples import Options

KINDS = [f"{protocol}/{kind}" for protocol in ("http", "tcp") for kind in ("routers", "services", "middlewares")]
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
HEADERS = ("custom_request_headers", "custom_response_headers", "health_check.headers")
PRESET = {"sts_seconds": 31536000, "sts_include_subdomains": True, "frame_deny": True, "content_type_nosniff": True}


def key(name: str) -> str:
    """An option's name, however it is spelt."""
    return name.replace("_", "").lower()


def plain(value: Any) -> Any:
    """A value in a form that does not depend on how it is written: durations in seconds, networks with their length, texts."""
    if isinstance(value, bool):
        return value
    text = str(value)
    if re.fullmatch(r"([0-9.]+(h|ms|µs|us|ns|m|s))+", text):
        return round(sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(h|ms|µs|us|ns|m|s)", text)), 6)
    try:
        return str(ipaddress.ip_network(text)) if re.search("[.:]", text) else text
    except ValueError:
        return text


def lacks(where: str, asked: Any, found: Any) -> Iterator[str]:
    """All that was asked for and is not so; what is not on is the same as what is not there."""
    if isinstance(asked, dict):
        if where.endswith(HEADERS):
            if asked != found:
                yield f"{where}: {asked} is {found}"
            return
        known = {key(name): value for name, value in found.items()} if isinstance(found, dict) else {}
        for name, value in asked.items():
            yield from lacks(f"{where}.{name}", value, known.get(key(name)))
    elif isinstance(asked, list):
        if not isinstance(found, list) or len(asked) != len(found):
            yield f"{where}: {asked} is {found}"
        else:
            for number, pair in enumerate(zip(asked, found)):
                yield from lacks(f"{where}[{number}]", *pair)
    elif plain(asked) != plain(found) and (asked or found):
        yield f"{where}: {asked!r} is {found!r}"


def ascii_host(name: str) -> str:
    """As browsers ask for it."""
    return name.lower().encode("idna").decode() if not name.isascii() else name.lower()


def matches(rule: str, name: str) -> bool:
    """Whether a rule names a host, in the form of which Traefik knows the domain."""
    host = ascii_host(name)
    return f"Host(`{host}`)" in rule or f"HostSNI(`{host}`)" in rule


class Reports:
    """All that Traefik reports now, and what the files of the routes hold that it does not report."""

    def __init__(self, folder: Path) -> None:
        self.kinds = {kind: Traefik.reported(kind) for kind in KINDS}
        self.tls: Dict[str, Any] = {}
        self.transports: Dict[str, Any] = {}
        for path in folder.glob("*.yml"):
            parts = document(path)
            self.tls.update(parts.get("tls", {}).get("options", {}))
            for protocol in ("http", "tcp"):
                self.transports.update(parts.get(protocol, {}).get("serversTransports", {}))
        self.used: Dict[str, set[str]] = {kind: set() for kind in KINDS}

    def routers(self, protocol: str, route: Options) -> List[Options]:
        """The routers of a route, told by its first host."""
        found = [entry for entry in self.kinds[f"{protocol}/routers"].values() if matches(entry["rule"], route["hostname"][0])]
        self.used[f"{protocol}/routers"].update(entry["name"] for entry in found)
        return found

    def of(self, kind: str, name: str) -> Options:
        """A service or middleware by the name that a router has for it."""
        whole = name if "@" in name else f"{name}@file"
        self.used[kind].add(whole)
        return self.kinds[kind].get(whole, {})

    def strangers(self, lent: List[str]) -> Iterator[str]:
        """What belongs to no route."""
        for kind in KINDS:
            yield from (f"{kind}: {name} belongs to no route" for name in set(self.kinds[kind]) - self.used[kind] - set(lent))


def differences(routes: List[Options], folder: Path) -> List[str]:
    """Everything about these routes that Traefik does not report as it was asked for."""
    reports, wrong = Reports(folder), []
    for route in routes:
        wrong += [f"{route['route_id']}: {words}" for words in of_route(reports, route)]
    return wrong + list(reports.strangers(["auth@file", "few@file"]))


def of_route(reports: Reports, route: Options) -> Iterator[str]:
    """One route: its routers together serve its entrypoints, and each says the same."""
    protocol = "tcp" if route["target_url"][0].startswith("tcp:") else "http"
    routers = reports.routers(protocol, route)
    points = sorted(point for entry in routers for point in entry["entryPoints"])
    if points != sorted(route.get("entrypoint") or ["websecure"]):
        yield f"entrypoints {points}"
    for router in routers:
        if router["status"] != "enabled":
            yield f"router {router['name']} is {router['status']}: {router.get('error')}"
        yield from of_router(reports, protocol, route, router)


def of_router(reports: Reports, protocol: str, route: Options, router: Options) -> Iterator[str]:
    """Hosts, path, priority, middlewares in their order, service, TLS."""
    yield from (f"no {host} in {router['rule']}" for host in route["hostname"] if not matches(router["rule"], host))
    if router["rule"].count("Host") != len(route["hostname"]):
        yield f"other hosts in {router['rule']}"
    path = re.findall(r"PathPrefix\(`([^`]*)`\)", router["rule"])
    if path != [name for name in [route.get("path_prefix", "").rstrip("/")] if name]:
        yield f"paths {path}"
    if "priority" in route and router["priority"] != route["priority"]:
        yield f"priority {router['priority']}"
    yield from of_middlewares(reports, protocol, route.get("middlewares", []), router.get("middlewares", []))
    yield from of_service(reports, protocol, route, reports.of(f"{protocol}/services", router["service"]))
    yield from of_tls(reports, route, router)


def of_middlewares(reports: Reports, protocol: str, asked: List[Options], names: List[str]) -> Iterator[str]:
    """Each by its place: what the router names first is what was asked for first."""
    if len(asked) != len(names):
        yield f"middlewares {names} for {asked}"
    for wanted, name in zip(asked, names):
        (kind, options), = wanted.items()
        if kind == "name":
            if name != (options if "@" in options else f"{options}@file"):
                yield f"middleware {name} is not {options}"
            continue
        found = reports.of(f"{protocol}/middlewares", name)
        if key(kind) != found.get("type"):
            yield f"middleware {name} is {found.get('type')}, not {kind}"
        content = next((value for part, value in found.items() if key(part) == key(kind)), None)
        if options.get("preset"):
            options = {**PRESET, **{part: value for part, value in options.items() if part != "preset"}}
        yield from lacks(kind, options, content)


def of_service(reports: Reports, protocol: str, route: Options, service: Options) -> Iterator[str]:
    """Targets with their weights, and what is done about them."""
    balancer = service.get("loadBalancer", {})
    servers = balancer.get("servers", [])
    if protocol == "tcp":
        yield from lacks("targets", [{"address": target[len("tcp://"):]} for target in route["target_url"]], servers)
    else:
        if [server["url"] for server in servers] != [re.sub(r"^(http://.*|h2c://.*):80$|^(https://.*):443$", r"\1\2", target)
                                                     for target in route["target_url"]]:
            yield f"targets {servers}"
        if "weight" in route and [server.get("weight") for server in servers] != route["weight"]:
            yield f"weights {servers}"
        yield from lacks("health_check", route.get("health_check", {}), balancer.get("healthCheck"))
        yield from lacks("sticky", route.get("sticky", {}), balancer.get("sticky"))
        if ("sticky" in route) != ("sticky" in balancer) or ("health_check" in route) != ("healthCheck" in balancer):
            yield f"sticky or health check {balancer}"
        if balancer.get("passHostHeader") is not route.get("pass_host_header", True):
            yield f"passHostHeader {balancer.get('passHostHeader')}"
    asked = {"proxy_protocol": {"version": route["proxy_protocol"]}} if "proxy_protocol" in route else route.get("servers_transport", {})
    name = balancer.get("serversTransport", "").partition("@")[0]
    yield from lacks("transport", asked, reports.transports.get(name))
    if bool(asked) != bool(name):
        yield f"transport {name!r} for {asked}"


def of_tls(reports: Reports, route: Options, router: Options) -> Iterator[str]:
    """TLS where it belongs, with the options, resolver and passing through that were asked for, and no others."""
    tls, asked = router.get("tls"), route.get("tls_options") or {}
    if (tls is None) != (router["entryPoints"] == ["web"]):
        yield f"tls {tls} on {router['entryPoints']}"
    if tls is None:
        return
    if tls.get("certResolver", "") != route.get("certresolver", "") or bool(tls.get("passthrough")) != bool(route.get("passthrough")):
        yield f"tls {tls}"
    name = tls.get("options", "default")
    if "name" in asked or not asked:
        if name != asked.get("name", "default"):
            yield f"tls options {name}"
    else:
        yield from lacks("tls_options", asked, reports.tls.get(name))


def returned(routes: List[Options], found: List[Options]) -> List[str]:
    """What the module's own list of routes does not say as it was asked for."""
    known = {route["route_id"]: route for route in found}
    wrong = []
    for route in routes:
        asked = without_hashes(route)
        asked.update({"hostname": [ascii_host(name) for name in route["hostname"]],
                      "path_prefix": route.get("path_prefix", "").rstrip("/")})
        # targets are compared with Traefik's; what is on when nothing is said need not be said
        del asked["target_url"]
        if asked.get("pass_host_header"):
            del asked["pass_host_header"]
        wrong += [f"{route['route_id']}: {words}" for words in lacks("", asked, without_hashes(known[route["route_id"]]))]
    return wrong


def without_hashes(route: Options) -> Options:
    """A route but for its users."""
    kept = [{kind: "" if kind == "basic_auth" else options for kind, options in entry.items()} for entry in route.get("middlewares", [])]
    return {**route, "middlewares": kept}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the older system: files of Traefik's file provider, each with a router and its service, as options of ``traefik_route``.

Its agent wrote, for a route ``vm-123``, the file ``vm-123.yml`` with a router ``vm-123`` (``rule``, ``entryPoints``, ``tls.certResolver``)
and a service ``vm-123-svc`` (``loadBalancer.servers[].url``). What people added, and a route cannot say, is told and left out.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ..errors import InvalidInput, Unreadable, shown, words_of
from ..models import fields
from ..models.route import PLAIN_ENTRYPOINT, Route, Routes
from . import route_file
from .dynamic_file import simple_rule
from .yaml_text import NoParser, NotYaml, load

MOST_BYTES, MOST_IN_ALL, MOST_FILES = 1024 * 1024, 32 * 1024 * 1024, 10000
BY_HAND = "write the route yourself"
ROUTER = frozenset({"rule", "entryPoints", "service", "tls", "priority"})
BALANCER = frozenset({"servers", "passHostHeader"})


class Found(NamedTuple):
    """Routes, where each comes from, by id, and what was left out."""

    routes: Routes
    origins: Dict[str, List[str]]
    notes: List[str]


def worth_reading(sizes: Mapping[str, int]) -> Tuple[List[str], List[str]]:
    """Of files by their size in bytes, those to be read, and sentences about the others."""
    names: List[str] = []
    notes: List[str] = []
    left = MOST_IN_ALL
    for name, size in sorted(sizes.items()):
        if size > min(left, MOST_BYTES) or len(names) == MOST_FILES:
            notes.append(f"the file {shown(name)} was left out: it has more than {MOST_BYTES >> 20} MiB, or there are too many; {BY_HAND}")
        else:
            names.append(name)
            left -= size
    return names, notes


def of_files(files: Iterable[Tuple[str, Optional[bytes]]], directory: str, notes: Iterable[str] = ()) -> Found:
    """The routes that Traefik serves by these files.

    Args:
        files: names and contents; None for one that cannot be read.
        notes: of :func:`worth_reading`.
    """
    found = Found({}, {}, list(notes))
    documents: Dict[str, Dict[str, Any]] = {}
    services: Dict[str, Any] = {}
    for name, data in sorted(files, key=lambda file: file[0]):
        where = f"{directory}/{name}"
        try:
            document = _document(name, data)
        except ValueError as problem:
            found.notes.append(f"the file {shown(where)} was left out: {words_of(problem)}")
            continue
        documents[where] = _routers(document, where, services, found.notes)
    for where, routers in documents.items():
        for name, entry in routers.items():
            words = [str(name), str(name).lower(), *([where.rpartition("/")[2].rpartition(".")[0]] if len(routers) == 1 else [])]
            wish = next((word for word in words if fields.matches(r"[a-z0-9][a-z0-9._-]{0,62}", word)), words[0])
            _take(found, f"the router {shown(str(name))} in {shown(where)}", {"route_id": wish}, entry, services)
    return found


def of_state(entries: Iterable[Mapping[str, Any]], path: str) -> Found:
    """The routes of ``state.json``, by which the agent remembered what it had written."""
    found = Found({}, {}, [])
    for number, entry in enumerate(entries):
        try:
            route = Route.parse(entry, f"http_routes[{number}].")
        except InvalidInput as problem:
            found.notes.append(f"an entry of {path} was left out: {problem.message}")
            continue
        found.routes[route.route_id] = route
        found.origins[route.route_id] = [f"http_routes of {path}"]
    return found


def compared(files: Found, state: Found, path: str) -> Found:
    """What the files say, since Traefik serves by them, with a note for each route of which the state says otherwise."""
    notes = files.notes + state.notes
    for name, route in state.routes.items():
        if name not in files.routes:
            notes.append(f"the route {name} of {path} was left out: no file says the same, so Traefik does not serve it; {BY_HAND}")
        elif files.routes[name] != route:
            notes.append(f"the route {name} is taken as its file has it, and {path} has it otherwise; compare the two")
    return files._replace(notes=notes)


def _document(name: str, data: Optional[bytes]) -> Dict[Any, Any]:
    """The content of one file.

    Raises:
        ValueError: it cannot be taken; says why, with a remedy.
    """
    if data is None:
        raise Unreadable("it is no regular file that can be read; put one in its place")
    if name.lower().endswith(".toml"):
        raise Unreadable(f"it is TOML; {BY_HAND}")
    try:
        text = data.decode("utf-8")
        if route_file.is_ours(text):
            return {}
        if "{{" in text:
            raise Unreadable(f"it is a template of Go; {BY_HAND}")
        value = load(text, first=True, plain=True)
    except UnicodeError:
        raise Unreadable("it is not UTF-8; correct it") from None
    except NoParser:
        raise Unreadable(f"this host has no PyYAML that can read it; install it, or {BY_HAND}") from None
    except NotYaml as problem:
        raise Unreadable(f"it is not plain YAML ({shown(str(problem))}); correct it") from None
    if value is not None and not isinstance(value, dict):
        raise Unreadable("it holds no dictionary; correct it")
    return value or {}


def _routers(document: Mapping[Any, Any], where: str, services: Dict[str, Any], notes: List[str]) -> Dict[Any, Any]:
    """The routers of a file; its services are added to the others."""
    http = document.get("http")
    parts = http if isinstance(http, dict) else {}
    others = [str(name) for name in document if name != "http"] + [
        f"http.{name}" for name, part in parts.items() if name not in ("routers", "services") or not isinstance(part, dict)]
    notes += [f"{shown(name)} in {shown(where)} was left out: only HTTP routers and their services become routes; {BY_HAND}"
              for name in others]
    for name, entry in _dictionary(parts.get("services")).items():
        services.setdefault(str(name), entry)
    return _dictionary(parts.get("routers"))


def _dictionary(value: object) -> Dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _take(found: Found, origin: str, named: Mapping[str, Any], entry: object, services: Mapping[str, Any]) -> None:
    try:
        route = Route.parse({**named, **_options(_dictionary(entry), services)})
        if route.route_id in found.routes:
            raise Unreadable(f"{found.origins[route.route_id][0]} has the same name; rename one of the two")
    except (InvalidInput, ValueError) as problem:
        found.notes.append(f"{origin} was left out: {words_of(problem)}")
    else:
        found.routes[route.route_id] = route
        found.origins[route.route_id] = [origin]


def _options(router: Mapping[Any, Any], services: Mapping[str, Any]) -> Dict[str, Any]:
    """The options of the route that does what a router does.

    Raises:
        ValueError: a route cannot say that; says why, with a remedy.
    """
    unknown = sorted(str(name) for name in router if name not in ROUTER)
    if unknown:
        raise Unreadable(f"it has {shown(unknown[0])}; {BY_HAND}, with the options of traefik_route for that")
    rule = router.get("rule")
    simple = simple_rule(rule) if isinstance(rule, str) else None
    if simple is None:
        raise Unreadable(f"its rule {shown(rule)} is not about host names and a path alone; {BY_HAND}")
    points = router.get("entryPoints")
    points = [points] if isinstance(points, str) else points
    if not isinstance(points, list) or not points:
        raise Unreadable(f"it names no entrypoint, so Traefik serves it on all; {BY_HAND}, with those that are meant")
    tls = router.get("tls")
    if ("tls" in router) == (PLAIN_ENTRYPOINT in points) or len(points) > 1 and PLAIN_ENTRYPOINT in points:
        raise Unreadable(f"a route has TLS on every entrypoint but {PLAIN_ENTRYPOINT}, and this one has not; {BY_HAND}")
    if "tls" in router and (not isinstance(tls, dict) or set(tls) - {"certResolver"}):
        raise Unreadable(f"its tls says more than certResolver; {BY_HAND}")
    priority = {"priority": router["priority"]} if "priority" in router else {}
    return {"hostname": simple[0], "path_prefix": simple[1], "entrypoint": points, "certresolver": _dictionary(tls).get("certResolver"),
            **priority, **_targets(router.get("service"), services)}


def _targets(name: object, services: Mapping[str, Any]) -> Dict[str, Any]:
    service = services.get(re.sub(r"@file\Z", "", name)) if isinstance(name, str) else None
    balancer = service.get("loadBalancer") if isinstance(service, dict) and set(service) == {"loadBalancer"} else None
    servers = balancer.get("servers") if isinstance(balancer, dict) else None
    if not isinstance(balancer, dict) or not isinstance(servers, list) or not servers or not set(balancer) <= BALANCER:
        raise Unreadable(f"its service {shown(name)} is not a plain list of servers in these files; {BY_HAND}")
    if not all(isinstance(server, dict) and set(server) == {"url"} for server in servers):
        raise Unreadable(f"the servers of its service {shown(name)} have more than a url; {BY_HAND}")
    keep = {"pass_host_header": balancer["passHostHeader"]} if "passHostHeader" in balancer else {}
    return {"target_url": [server["url"] for server in servers], **keep}

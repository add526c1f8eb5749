# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random routes over all options that the documentation offers; each is valid, and they are valid together."""

from __future__ import annotations

import random
from typing import Any, Callable, Dict, List

from contract.route_samples import DOCUMENTED, KINDS, Options, draw

# what someone else's file defines, so that routes can name it
LENT = """
http: {middlewares: {auth: {stripPrefix: {prefixes: [/lent]}}}}
tcp: {middlewares: {few: {inFlightConn: {amount: 9}}}}
tls: {options: {modern: {minVersion: VersionTLS13}}}
"""
VERSIONS = ["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"]


class RouteWish:
    """A source of routes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.number = 0

    def route(self) -> Options:
        """The next one, of a name and hosts of its own."""
        self.number += 1
        source = self.random
        route: Options = {"route_id": source.choice([f"r-{self.number}", f"{self.number}", f"r.{self.number}_x"]), "hostname": self.hosts()}
        route.update(self.connections() if source.random() < 0.2 else self.requests())
        return {name: value for name, value in route.items() if value is not None}

    def hosts(self) -> List[str]:
        """One to three names."""
        forms = [f"h{self.number}.test", f"*.w{self.number}.test", f"münchen{self.number}.test", f"UP{self.number}.Test",
                 f"a-b.c{self.number}.example", "x" * 63 + f".l{self.number}.test"]
        return self.random.sample(forms, self.random.choice([1, 1, 1, 2, 3]))

    def sometimes(self, make: Callable[[], Any], share: float = 0.3) -> Any:
        """Something, or nothing."""
        return make() if self.random.random() < share else None

    def requests(self) -> Options:
        """Options of a route for HTTP."""
        source = self.random
        hosts = source.sample(["10.50.0.12", "10.50.0.13", "[fd50::14]", "node.test"], source.choice([1, 1, 2, 3]))
        targets = [f"{source.choice(['http', 'https', 'h2c'])}://{host}{source.choice(['', ':80', ':443', ':8080'])}" for host in hosts]
        points = source.choice([["web"], ["websecure"], ["web", "websecure"], None])
        return {
            "target_url": targets, "entrypoint": points, "path_prefix": self.sometimes(lambda: source.choice(["/", "/api", "/a.b/c_d/~e"])),
            "weight": self.sometimes(lambda: [source.choice([1, 2, 5]), *(source.choice([0, 1, 3]) for _ in targets[1:])]),
            "priority": self.sometimes(lambda: source.choice([1, 7, 1000, 2 ** 31 - 1])),
            "middlewares": self.sometimes(self.middlewares, 0.8),
            "certresolver": self.sometimes(lambda: "le", 0.1) if points != ["web"] else None,
            "tls_options": self.sometimes(self.tls_options) if points != ["web"] else None,
            **{name: self.sometimes(lambda name=name: self.nested(name))  # type: ignore[misc]
               for name in ("health_check", "sticky", "servers_transport")},
            "pass_host_header": self.sometimes(lambda: source.choice([True, False])),
        }

    def connections(self) -> Options:
        """Options of a route for TCP."""
        source = self.random
        passing = source.choice([True, False, None])
        kinds = [{"ip_allow_list": {"source_range": ["203.0.113.0/24"]}}, {"in_flight_conn": {"amount": 4}}, {"name": "few"}]
        return {
            "target_url": [f"tcp://{host}" for host in source.sample(["10.50.0.20:5432", "[fd50::21]:1", "node.test:65535"],
                                                                     source.choice([1, 2]))],
            "passthrough": passing, "proxy_protocol": self.sometimes(lambda: source.choice([1, 2])),
            "expires": self.sometimes(lambda: f"2{source.randint(100, 999)}-01-31T18:00:00Z"),
            "priority": self.sometimes(lambda: source.choice([1, 9999])),
            "middlewares": self.sometimes(lambda: source.sample(kinds, source.choice([1, 2]))),
            "tls_options": self.sometimes(self.tls_options) if not passing else None,
        }

    def middlewares(self) -> List[Options]:
        """A few, of which some kinds may come twice."""
        return [self.middleware() for _ in range(self.random.choice([1, 1, 2, 4]))]

    def middleware(self) -> Options:
        """One of any kind, with a share of its options."""
        source = self.random
        kind = source.choice([*sorted(set(KINDS) - {"in_flight_conn"}), "name", "headers", "headers"])
        if kind == "name":
            return {"name": source.choice(["auth", "auth@file"])}
        return {kind: self.suited(kind, draw(source, f"middlewares.{kind}", KINDS[kind], source.choice([0, 0.2, 0.5, 1])))}

    def suited(self, kind: str, options: Options) -> Options:
        """What goes together, and something where nothing would make no sense."""
        one_of: Dict[str, List[str]] = {"basic_auth": ["users", "users_file"],
                                        "compress": ["included_content_types", "excluded_content_types"]}
        names = [name for name in one_of.get(kind, []) if name in options]
        for name in names[1:]:
            del options[name]
        if kind == "basic_auth" and not names:
            options["users_file"] = draw(self.random, "middlewares.basic_auth.users_file", {}, 1)
        criterion = options.get("source_criterion")
        if criterion is not None:
            options["source_criterion"] = self.one(criterion, {"request_host": True})
        for place in (options, options.get("source_criterion", {})):
            if "ip_strategy" in place:
                place["ip_strategy"] = self.one(place["ip_strategy"], {"depth": 2})
        if "tls" in options:
            # certificate and key go together
            options["tls"] = draw(self.random, "middlewares.forward_auth.tls", KINDS["forward_auth"]["suboptions"]["tls"], 1)
        useful: Dict[str, Options] = {"headers": {"frame_deny": True}, "buffering": {"max_request_body_bytes": 7}}
        return options if any(options.values()) or kind not in useful else useful[kind]

    def one(self, options: Options, otherwise: Options) -> Options:
        """One of several options that exclude each other."""
        names = sorted(options)
        if not names:
            return otherwise
        name = self.random.choice(names)
        return {name: options[name]}

    def nested(self, name: str) -> Options:
        """Health check, sticky sessions or transport."""
        found: Options = draw(self.random, name, DOCUMENTED[name], self.random.choice([0.2, 0.5, 1]))
        if name == "servers_transport":
            found = {key: value for key, value in found.items() if value != {}} or {"disable_http2": True}
        return found

    def tls_options(self) -> Options:
        """Those of someone else, or some with versions in order."""
        if self.random.random() < 0.2:
            return {"name": "modern"}
        offered = {name: option for name, option in DOCUMENTED["tls_options"]["suboptions"].items() if name != "name"}
        found: Options = draw(self.random, "tls_options", {"suboptions": offered}, self.random.choice([0.2, 0.5, 1]))
        auth = found.get("client_auth", {})
        if "Verify" in auth.get("client_auth_type", ""):
            auth["ca_files"] = draw(self.random, "tls_options.client_auth.ca_files", {}, 1)
        versions = sorted(found[name] for name in ("min_version", "max_version") if name in found)
        if len(versions) == 2:
            found["min_version"], found["max_version"] = versions
        return found or {"sni_strict": False}


def used(routes: List[Options]) -> Dict[str, int]:
    """How often each option and kind of middleware is used: a test of many routes should try them all."""
    found: Dict[str, int] = {}
    for route in routes:
        for name in [*route, *(kind for entry in route.get("middlewares", []) for kind in entry)]:
            found[name] = found.get(name, 0) + 1
    return found

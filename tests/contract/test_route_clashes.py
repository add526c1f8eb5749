# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not fit the routes that stand, the files of others or the static configuration: refused by name before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import yaml
from contract.edge_traefik import DYNAMIC, document
from contract.hostile_routes import GOOD, TCP
from contract.route_refusals import call, fault, faults, hand_in
from contract.route_samples import Options

pytestmark = pytest.mark.usefixtures("standing_routes")
WAYS = ["options", "list", "json", "yaml"]
STATIC: Options = {"entryPoints": {"web": {"address": ":80"}, "websecure": {"address": ":443"}},
                   "certificatesResolvers": {"le": {"acme": {"storage": "/x", "httpChallenge": {"entryPoint": "web"}}}},
                   "providers": {"file": {"directory": str(DYNAMIC), "watch": True}}}
SECURE = {"entrypoint": ["websecure"]}
LOOSE, STRICT = {"min_version": "VersionTLS12"}, {"min_version": "VersionTLS13"}
# beside: a.test and b.test/api on web, a file of someone else that takes foreign.test, secure.test with TLS 1.3
CLASHES: List[Tuple[str, Options]] = [
    ("hostname", {"hostname": ["stands.test"]}), ("hostname", {"hostname": ["STANDS.test"]}),
    ("hostname", {"hostname": ["x.test", "stands.test"]}), ("hostname", {"hostname": ["stands.test"], "entrypoint": ["web", "websecure"]}),
    ("hostname", {"hostname": ["foreign.test"]}), ("hostname", {"hostname": ["stands.test"], "path_prefix": "/"}),
    ("hostname", {**TCP, "hostname": ["db.test"]}), ("hostname", {**TCP, "hostname": ["secure.test"]}),
    ("hostname", {**SECURE, "hostname": ["db.test"], "path_prefix": "/x"}),
    ("tls_options", {**SECURE, "hostname": ["secure.test"], "path_prefix": "/x"}),
    ("tls_options", {**SECURE, "hostname": ["secure.test"], "path_prefix": "/x", "tls_options": LOOSE}),
    ("tls_options", {**SECURE, "hostname": ["x.test", "secure.test"], "path_prefix": "/x"}),
    ("route_id", {"route_id": "mine"}),
    ("name", {"middlewares": [{"name": "auth"}]}), ("name", {"middlewares": [{"compress": {}}, {"name": "new-M1"}]}),
    ("name", {"middlewares": [{"name": "auth@file"}]}), ("name", {"middlewares": [{"name": "x@internal"}]}),
    ("name", {**SECURE, "tls_options": {"name": "modern"}}),
    ("name", {**TCP, "middlewares": [{"name": "auth"}]}),
]
UNKNOWN: List[Tuple[str, Options]] = [
    ("entrypoint", {"entrypoint": ["nope"]}), ("entrypoint", {"entrypoint": ["web", "nope"]}), ("entrypoint", {"entrypoint": ["Web"]}),
    ("certresolver", {**SECURE, "certresolver": "nope"}), ("certresolver", {**SECURE, "certresolver": "LE"}),
]


@pytest.mark.parametrize("way", WAYS)
def test_clashes(way: str, tmp_path: Path) -> None:
    """Host and path of another route or file, connections that would take a host's requests, options of TLS that another route of the
    host does not have, and names that nothing bears."""
    wrong = faults(way, CLASHES, tmp_path)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("way", WAYS)
def test_what_the_static_configuration_does_not_have(way: str, tmp_path: Path) -> None:
    """Told before anything is written, in check mode too, given as data or as a file."""
    (tmp_path / "traefik.yml").write_text(yaml.safe_dump(STATIC))
    wrong = []
    for option, changes in UNKNOWN:
        for given in ({"static": STATIC}, {"static_config": str(tmp_path / "traefik.yml")}):
            for dry in (True, False):
                wrong.append(fault(hand_in(way, {**GOOD, **changes}, tmp_path, _ansible_check_mode=dry, **given), way, option))
    assert not any(wrong), "\n".join(wrong)
    assert call(**{**GOOD, **SECURE, "certresolver": "le"}, static=STATIC)["changed"]


def test_the_other_owner_is_named() -> None:
    """Of a clash the route, or the file of someone else."""
    for owner, host in (("stands", "stands.test"), ("mine.yml", "foreign.test")):
        assert owner in call(**{**GOOD, "hostname": [host]})["msg"]
    assert "secure" in call(**{**GOOD, **SECURE, "hostname": ["secure.test"], "path_prefix": "/x"})["msg"]


def test_clashes_within_one_list() -> None:
    """Between routes that are all new, and the same id twice; nothing of the list is written."""
    second = {**GOOD, "route_id": "two"}
    for option, other in (("hostname", second), ("hostname", {**second, "hostname": ["x.test", "NEW.test"]}),
                          ("route_id", {**GOOD, "hostname": ["x.test"]}), ("route_id", {"route_id": "new", "state": "absent"})):
        result = call(routes=[GOOD, other])
        assert not fault(result, "list", option) and "new" in result["msg"], result
    result = call(routes=[{**GOOD, **SECURE, "tls_options": STRICT}, {**second, **SECURE, "path_prefix": "/x", "tls_options": LOOSE}])
    assert not fault(result, "list", "tls_options") and not (DYNAMIC / "new.yml").exists(), result


def test_neighbours_do_not_clash() -> None:
    """Another path, entrypoint or priority, a wildcard beside an exact name, what the same run gives up, and equal options of TLS."""
    entries = [
        {**GOOD, "hostname": ["stands.test"], "path_prefix": "/api"}, {**GOOD, **SECURE, "route_id": "tls", "hostname": ["stands.test"]},
        {**GOOD, "route_id": "wild", "hostname": ["*.test"]},
        {**GOOD, **SECURE, "route_id": "same", "hostname": ["secure.test"], "path_prefix": "/x", "tls_options": STRICT},
        {"route_id": "db", "state": "absent"}, {**GOOD, **TCP, "route_id": "db2", "hostname": ["db.test"]},
    ]
    result = call(routes=entries)
    assert result["added"] == ["db2", "new", "same", "tls", "wild"] and result["removed"] == ["db"], result


def names_of(route: Options) -> Dict[str, List[str]]:
    """What the file of a route defines, by protocol and kind."""
    assert call(**route)["changed"]
    parts = document(DYNAMIC / "new.yml")
    call(route_id="new", state="absent")
    return {f"{protocol} {kind}": list(entries) for protocol, kinds in parts.items() for kind, entries in kinds.items()}


@pytest.mark.parametrize("changes", [
    {"middlewares": [{"compress": {}}], "servers_transport": {"disable_http2": True}, "entrypoint": ["web", "websecure"],
     "tls_options": STRICT}, {**TCP, "middlewares": [{"in_flight_conn": {"amount": 3}}], "proxy_protocol": 1}])
def test_names_that_a_file_of_someone_else_has(changes: Options) -> None:
    """Router, service, middleware and transport: Traefik would skip one of the two without a word."""
    route = {**GOOD, **changes}
    found = names_of(route)
    assert len(found) >= 4, found
    for kind, names in found.items():
        for name in names:
            protocol, _, part = kind.partition(" ")
            write_foreign(protocol, part, name)
            for dry in (True, False):
                wrong = fault(call(**route, _ansible_check_mode=dry), "options", "route_id")
                assert not wrong, f"{kind} {name}: {wrong}"
    (DYNAMIC / "other.yml").unlink()
    assert call(**route)["changed"]


def write_foreign(protocol: str, kind: str, name: str) -> None:
    """A file of someone else with one entry of that name."""
    samples: Options = {"routers": {"rule": "Host(`o.test`)", "service": "mine"},
                        "services": {"loadBalancer": {"servers": [{"url": "http://x"}]}}, "options": {"minVersion": "VersionTLS12"},
                        "middlewares": {"compress": True}, "serversTransports": {"serverName": "x"}}
    if protocol == "tcp":
        samples.update({"routers": {"rule": "HostSNI(`o.test`)", "service": "mine", "tls": {"passthrough": True}},
                        "services": {"loadBalancer": {"servers": [{"address": "x:1"}]}}, "middlewares": {"inFlightConn": {"amount": 1}},
                        "serversTransports": {"dialTimeout": "1s"}})
    (DYNAMIC / "other.yml").write_text(yaml.safe_dump({protocol: {kind: {name: samples[kind]}}}))


def test_names_that_another_file_defines_are_found() -> None:
    """Middlewares and options of TLS of someone else can be used, with and without the provider's name."""
    defined: Any = {"http": {"middlewares": {"auth": {"stripPrefix": {"prefixes": ["/x"]}}}},
                    "tcp": {"middlewares": {"few": {"inFlightConn": {"amount": 1}}}}, "tls": {"options": {"modern": STRICT_OPTIONS}}}
    (DYNAMIC / "other.yml").write_text(yaml.safe_dump(defined))
    for name in ("auth", "auth@file"):
        call(**{**GOOD, **SECURE, "middlewares": [{"name": name}], "tls_options": {"name": "modern"}})
        assert document(DYNAMIC / "new.yml")["http"]["routers"]["new"]["middlewares"] == [name]
    assert call(**{**GOOD, **TCP, "route_id": "conn", "hostname": ["conn.test"], "middlewares": [{"name": "few"}]})["changed"]
    for option, changes in (("name", {**GOOD, "route_id": "n2", "hostname": ["n2.test"], "middlewares": [{"name": "few"}]}),
                            ("name", {**GOOD, **TCP, "route_id": "n2", "hostname": ["n2.test"], "middlewares": [{"name": "auth"}]})):
        assert not fault(call(**changes), "options", option), "of the other protocol"


STRICT_OPTIONS = {"minVersion": "VersionTLS13"}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules with hostile parameters, and on a host whose files and tools say hostile things; in check mode, which touches nothing."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple
from unittest import mock

from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.engines import traefik_api
from ansible_collections.edge.gateway.plugins.module_utils.engines.http import Response
from ansible_collections.edge.gateway.plugins.module_utils.errors import CommandFailed, first_line
from ansible_collections.edge.gateway.plugins.module_utils.host import Host, Result
from unit.samples import ANSWER, KEY, OTHER_KEY

from . import hostile, samples
from .judge import Wrong
from .modules import MODULES, Given, Module, Options, parameters
from .watch import WATCH, is_below

LOCK = "/run/edge-gateway"
# what these answer does not change while nothing is changed
Answers = Dict[Tuple[object, ...], Result]


def clean(result: Options) -> None:
    """Raise Wrong for a result that cannot be told, or tells a secret."""
    try:
        text = json.dumps(result, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError) as problem:
        raise Wrong(f"result cannot be told ({type(problem).__name__})") from None
    if hostile.MARK in text:
        raise Wrong(f"result tells a secret: {text[max(0, text.index(hostile.MARK) - 200) :][:300]}")


def call(module: Module, params: Options, *, diff: bool = True) -> bool:
    """Check mode; whether it was accepted."""
    try:
        validated = module.validator.validate(params)
    except Exception:  # noqa: BLE001  Ansible's own business
        return False
    if validated.error_messages:
        return False
    # by its own options it may start a program
    entry.check_paths(module.spec, validated.validated_parameters)
    programs = [str(validated.validated_parameters.get("binary"))]
    with WATCH.watching(LOCK, programs=programs):
        result = module.action({**validated.validated_parameters, "diff_wanted": diff}, True)
    clean(result)
    return True


class Parameters:
    """Every module, every option; options are made from the specs, so a new one is fuzzed by itself."""

    name, share = "options", 40_000
    expected: Tuple[type[BaseException], ...] = (OSError,)

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.really: Callable[..., Result] = Host.run
        self.scanned: Callable[..., Any] = Host.scan

    def make(self, dice: random.Random) -> Given:
        """A module and its parameters; those that take more get more."""
        names = [name for name, module in MODULES.items() for _ in range(1 + len(module.spec) // 4)]
        name = dice.choice(names)
        return name, parameters(dice, MODULES[name])

    def run(self, given: Given) -> bool:
        """In check mode; a program that was asked once is not asked again."""
        name, params = given

        def answer(host: Host, argv: Sequence[str], stdin: str = "", **options: Any) -> Result:
            key = (*argv, stdin, options.get("check", True))
            if key not in self.answers:
                self.answers[key] = self.really(host, argv, stdin, **options)
            return self.answers[key]

        def scan(host: Host, directory: str) -> Any:
            # the whole of this machine is no directory of Traefik's
            return self.scanned(host, directory) if is_below(directory, "/etc/traefik") else {}

        with mock.patch.object(Host, "run", answer), mock.patch.object(Host, "scan", scan):
            return call(MODULES[name], params)

    def finish(self) -> List[str]:
        """Nothing is kept."""
        return []


PLANTED: Dict[str, List[bytes]] = {
    "/forwards.json": samples.STATES["forwards"],
    "/join.json": samples.STATES["memberships"],
    "/peers.json": samples.STATES["peers"],
    "/gateway.json": samples.CHOICES,
    "/hub.json": samples.HUBS,
    "/history.json": samples.HISTORIES,
    "/traefik.yml": samples.STATIC,
    "/state.json": samples.SEED_STATES,
    "/inbound.nft": samples.INBOUND,
    "/openings": samples.OPENINGS,
    "/proc/net/tcp": samples.PROCNET,
    "/proc/net/udp6": samples.PROCNET,
    "/proc/net/ip_tables_names": [b"nat\nfilter\n"],
    "/wg0.key": [b"GPuOE0nA9xZwJ0AqMmPgKCnBQbJ0fWzXqDkhxkUdHWE=\n"],
    "/wg0.conf": [b"# Written by edge.gateway.wg_join; a change made here is undone by its next run.\n[Interface]\nPrivateKey = x\n"],
    "/wg0.routing": [b"#!/bin/sh\n{ echo 1 >/proc/sys/net/ipv4/ip_forward; } 2>/dev/null\n"],
    "/token": [b"x"],
    "/acme.json": samples.ACME_STORES,
}
FILES_OF_TRAEFIK = [*samples.TRAEFIK_FILES, *samples.ROUTE_FILES]
CASES: List[Given] = [
    ("dnat_forward_info", {}),
    ("dnat_forward", samples.FORWARDS[0]),
    ("dnat_forward", {**samples.FORWARDS[0], "backend": "iptables"}),
    ("traefik_route_info", {}),
    ("traefik_route", {**samples.ROUTES[0], "wait": False}),
    ("traefik_route", {**samples.ROUTES[0], "wait": True}),
    ("wg_join_info", {}),
    ("gateway_health", {"max_age": 1}),
    ("seed_import", {"seed_dir": "/d"}),
    ("gateway_import", {"seed_dir": "/d", "traefik_dir": "/etc/traefik/dynamic"}),
    ("inbound_filter", {"open": [{"port": "443"}]}),
    ("gateway_backup", {"node": "edge1", "_key": "00" * 32}),
    ("gateway_restore", {"node": "edge1", "_packed": samples.PACKED}),
    ("wg_join", {"node_id": "edge-1", "join_answer": ANSWER}),
    ("wg_join", {"state": "left"}),
    ("wg_key", {}),
    ("wg_peer", {"node_id": "node1", "node_pubkey": OTHER_KEY, "hub": {"pools": ["10.50.0.0/24"]}}),
    ("wg_peer", {"peers": [], "purge": True}),
    ("traefik_certificates", {"certificates": []}),
]


class HostileHost:
    """A host of which everything that is read may be damaged: each answer with a chance, by the input's own dice."""

    name, share = "host", 18_000
    expected: Tuple[type[BaseException], ...] = (OSError,)

    def make(self, dice: random.Random) -> Tuple[str, Options, int]:
        """A call, and the dice of the host."""
        name, params = dice.choice(CASES)
        return name, params, dice.getrandbits(32)

    def run(self, given: Tuple[str, Options, int]) -> bool:
        """In check mode."""
        name, params, seed = given
        with hostile_host(random.Random(seed)):
            return call(MODULES[name], params)

    def finish(self) -> List[str]:
        """Nothing is kept."""
        return []


def printed(dice: random.Random, argv: Sequence[str]) -> Result:
    """What a tool prints."""
    tool, words = argv[0], " ".join(argv)
    kinds = {
        "ip": samples.IP_JSON,
        "wg": samples.WG_DUMPS if "dump" in words else [KEY.encode() + b"\n"],
        "journalctl": samples.JOURNALS,
        "systemctl": [*samples.STATUSES, b"enabled\n", b"active\n"],
        "nft": samples.NFT_JSON if "-j" in argv else samples.NFT_TEXT,
    }
    known = kinds.get(tool, [*samples.SAVES, b"iptables v1.8.9 (nf_tables)\n"] if "tables" in tool else [b"Version: 3.7.15\n"])
    data = dice.choice(known)
    if dice.random() < 0.7:
        data = hostile.document_bytes(dice, known) if known in (samples.IP_JSON, samples.NFT_JSON) else hostile.mangled(dice, data, known)
    return Result(dice.choice([0, 0, 0, 0, 0, 1]), data.decode("utf-8", "replace"), hostile.text(dice).encode("utf-8", "replace").decode())


@contextlib.contextmanager
def hostile_host(dice: random.Random) -> Iterator[None]:
    """Files and tools that say what they should not."""

    def run(host: Host, argv: Sequence[str], stdin: str = "", timeout: float = 60.0, check: bool = True, **others: bool) -> Result:
        result = printed(dice, argv)
        if check and result.rc:
            raise hostile_failure(argv, result)
        return result

    known_files: Dict[str, Optional[bytes]] = {}

    def read(host: Host, path: str, *arguments: object, **options: object) -> Optional[bytes]:
        # nobody changes it meanwhile
        if path not in known_files:
            known_files[path] = content(path)
        return known_files[path]

    def content(path: str) -> Optional[bytes]:
        known = next((items for name, items in PLANTED.items() if path.endswith(name)), None)
        known = known if known is not None or "/etc/traefik" not in path else FILES_OF_TRAEFIK
        if known is None or dice.random() < 0.3:
            return None
        if dice.random() < 0.4:
            return dice.choice(known)
        return hostile.document_bytes(dice, known) if known[0][:1] == b"{" else hostile.mangled(dice, dice.choice(known), known)

    def exchange(method: str, url: object, path: str, *arguments: object, **options: object) -> Response:
        return Response(dice.choice([200, 200, 200, 404, 500, 301]), "application/json", hostile.document_bytes(dice, samples.API))

    def read_many(host: Host, directory: str, names: Sequence[str]) -> Iterator[Tuple[str, Optional[bytes]]]:
        return ((name, read(host, f"/etc/traefik/dynamic/{name}")) for name in names)

    with contextlib.ExitStack() as stack:
        for name, replacement in {
            "run": run,
            "read": read,
            "read_through": read,
            "read_many": read_many,
            "find": lambda host, tool: f"/usr/sbin/{tool}",
        }.items():
            stack.enter_context(mock.patch.object(Host, name, replacement))
        stack.enter_context(mock.patch.object(traefik_api, "exchange", exchange))
        yield


def hostile_failure(argv: Sequence[str], result: Result) -> Exception:
    """As Host.run fails."""
    return CommandFailed(f"'{' '.join(argv)}' failed: {first_line(result.err or result.out)}", argv[0])

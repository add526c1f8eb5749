# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sick hosts: each answers as the page sick_hosts.rst says, in time and with nothing half done, and the next run makes a well host right.

    tests/lab/lab isolate .venv/bin/python -m chaos.sick          (in tests; CASE ... runs some by name)

A case makes its host really sick, by what sick_hosts.py has. One is run without its sickness, in order to see that this test can fail.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Tuple

from ansible.module_utils.common import warnings
from ansible_collections.edge.gateway.plugins.module_utils.engines import traefik_api
from contract import edge_traefik, mesh, world
from contract.edge_traefik import DYNAMIC, Traefik
from contract.forwarding import IPV6_FORWARDING, SYSCTL_DIR, invoke
from contract.hostile_controller import tls_certificate
from contract.mesh import HUB, Controller
from contract.world import CONFIG_DIR, STATE_DIR, WIREGUARD_DIR
from unit.servers import Handler, serving

from . import sick_hosts as sick
from .calls import FORWARD, ROUTE, standing
from .figures import note

Sickness = Callable[[], ContextManager[None]]
KEPT = (STATE_DIR, CONFIG_DIR, DYNAMIC, WIREGUARD_DIR)
MOVED = {**FORWARD, "target_port": 81}
SIX = {**FORWARD, "forward_id": "six", "target_ip": "fd50::12"}
MOVED_ROUTE = {**ROUTE, "target_url": "http://10.50.0.13:8080", "wait": True, "entrypoint": "web", "wait_timeout": 5}
UNSEEN_ROUTE = {**MOVED_ROUTE, "wait": False}
JOIN: Dict[str, Any] = {"join_token": mesh.TOKEN, "node_id": "edge-1", "timeout": 1, "retries": 0, "delay": 0}
AN_HOUR = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
TEMPORARY = {**FORWARD, "forward_id": "temporary", "public_port": "22016", "expires": AN_HOUR}
# for a machine with other work; commands and controllers that hang have times of their own within it
SECONDS = 8.0


@dataclass(frozen=True)
class Case:
    """One sick host.

    Attributes:
        wish: what is asked for; with it the standing forward, route or membership would change, or not.
        words: what the answer holds, in its message, warnings or lists of ids.
        code: of the failure, empty where the run succeeds all the same.
        health: part, status and words of what the health says, meanwhile.
        later: whether the first run of the well host has something to do.
        own_process: the sickness reaches only programs that are started.
    """

    sick: Sickness
    words: Tuple[str, ...]
    code: str = ""
    module: str = "dnat_forward"
    wish: Dict[str, Any] = field(default_factory=lambda: MOVED)
    health: Tuple[str, str, str] = ("", "", "")
    later: bool = True
    own_process: bool = False


class Host:
    """A host with a forward and a route."""

    def prepare(self) -> None:
        """As the case finds it."""
        world.reset()
        IPV6_FORWARDING.write_text("0")
        for path in DYNAMIC.iterdir():
            path.unlink()
        assert invoke("dnat_forward", **FORWARD)["changed"] and invoke("traefik_route", **{**ROUTE, "entrypoint": "web"})["changed"]

    def place(self) -> ContextManager[None]:
        """The network namespace that it is."""
        return contextlib.nullcontext()

    def kept(self) -> object:
        """All that a run may change."""
        return standing() if DYNAMIC.exists() else world.ruleset()


class Member(Host):
    """A host of a mesh, or one that is about to join."""

    def __init__(self, controller: Controller, joined: bool) -> None:
        self.controller, self.joined = controller, joined

    def prepare(self) -> None:
        """Joined, or with nothing but its key."""
        mesh.remove_edge()
        world.reset()
        self.controller.down = not self.joined
        with self.place():
            assert invoke("wg_join", **JOIN, controller_url=self.controller.url).get("changed", False) is self.joined
        self.controller.down = False

    def place(self) -> ContextManager[None]:
        """The edge of contract/mesh.py."""
        return world.inside("edge")

    def kept(self) -> object:
        """Its files and its tunnel."""
        return mesh.snapshot()


def run(case: Case, module: str, wish: Dict[str, Any], dry: bool = False) -> Dict[str, Any]:
    """One run; what it returned, with its own warnings only."""
    warnings._global_warnings.clear()
    start = world.module if case.own_process else invoke
    return start(module, **wish, _ansible_check_mode=dry)


def told(answer: Dict[str, Any]) -> str:
    """What a person reads of an answer."""
    return json.dumps([answer.get(name) for name in ("msg", "warnings", "repaired", "remedy")])


def health(case: Case) -> List[str]:
    """What is wrong with the health of the sick host."""
    part, status, words = case.health
    if not part:
        return []
    found = run(case, "gateway_health", {"interface": case.wish.get("interface")}).get("parts", {}).get(part, {})
    right = found.get("status") == status and words in found["message"] and found["remedy"] and found["help"]
    return [] if right else [f"the health says {found} of {part}"]


def answered(case: Case) -> List[str]:
    """What is wrong with the answers of the sick host."""
    wrong = health(case)
    for dry in (True, False):
        begun = time.monotonic()
        answer = run(case, case.module, case.wish, dry)
        took = time.monotonic() - begun
        code = answer.get("code", "failed without a code") if answer.get("failed") else ""
        wrong += [f"took {took:.0f} s"] if took > SECONDS else []
        # check mode asks no controller and writes nothing: what it does not meet it cannot tell
        wrong += [f"{'check mode' if dry else 'the run'}: {code or 'no failure'}: {told(answer)}"] if code not in (
            (case.code, "") if dry else (case.code,)) else []
        if not dry:
            said = told(answer)
            wrong += [f"does not say {word!r}: {said}" for word in case.words if word not in said]
            wrong += [f"has no remedy: {said}"] if code and not answer.get("remedy") else []
    return wrong


def troubles(host: Host, case: Case) -> List[str]:
    """What is wrong with a case, the well host after it included."""
    host.prepare()
    with host.place():
        with case.sick():
            before = host.kept()
            wrong = answered(case)
            wrong += ["something was changed"] if case.code and host.kept() != before else []
        well = replace(case, own_process=False)
        first, second = (run(well, case.module, case.wish) for _run in range(2))
    wrong += [f"when it is well: {told(first)}"] if first.get("changed") is not case.later else []
    return wrong + ([f"the run after that: {told(second)}"] if second.get("changed") is not False else [])


def read_only(*folders: Path) -> Sickness:
    """These cannot be written to."""
    return lambda: sick.read_only(*folders)


def full(*folders: Path) -> Sickness:
    """There is no space in these."""
    return lambda: sick.full(*folders)


ON_HOST: Dict[str, Case] = {
    "disk full": Case(full(*KEPT), ("No space left on device", "free space"), "failed", health=("disk", "failed", "0 MiB free")),
    "disk full, a route": Case(full(*KEPT), ("No space left on device", "free space"), "failed", "traefik_route", UNSEEN_ROUTE),
    "read-only": Case(read_only(*KEPT), ("Read-only file system", "make it writable"), "failed", health=("disk", "failed", "read-only")),
    "read-only, the boot file alone": Case(read_only(CONFIG_DIR), ("/etc/edge-gateway", "Read-only"), "failed"),
    "read-only, the kernel's settings alone": Case(read_only(SYSCTL_DIR), ("/etc/sysctl.d", "Read-only"), "failed", wish=SIX),
    "read-only, a route": Case(read_only(DYNAMIC.parent), ("Read-only file system",), "failed", "traefik_route", UNSEEN_ROUTE),
    "no nft": Case(sick.without_nft, ("nft is not installed", "install the package nftables"), "missing_tool",
                   health=("forwards", "degraded", "1 in effect, but nft is not installed")),
    "no nft, and iptables is there": Case(lambda: sick.replaced(sick.NFT), ("install the package nftables",), "missing_tool"),
    "old nft": Case(sick.old_nft, ("nft 0.9.3 of this host is too old", "install nftables 1.0"), "command_failed"),
    "no Traefik": Case(sick.without_traefik, ("is not a directory", "apply the role edge.gateway.traefik"), "state_refused",
                       "traefik_route", UNSEEN_ROUTE),
    "full conntrack table": Case(sick.full_conntrack, (), health=("forwarding", "failed", "connections is full"), later=False),
    "missing interface": Case(contextlib.nullcontext, ("has not joined a mesh on nope0",), wish={**MOVED, "interface": "nope0"},
                              health=("mesh", "failed", "has not joined a mesh on nope0"), later=False),
    "clock ahead, an end that has passed": Case(lambda: sick.clock(400), ("has passed, it is ", "give a later time"), "invalid_input",
                                                wish={**MOVED, "expires": AN_HOUR}, own_process=True),
    "clock ahead, a list with an end": Case(lambda: sick.clock(400), (), wish={"forwards": [MOVED, TEMPORARY]}, own_process=True),
    "clock behind": Case(lambda: sick.clock(-400), (), health=("converge", "degraded", "the clock went back"), later=False,
                         own_process=True),
    "everything flushed": Case(sick.flushed, ('["one"]',), wish=FORWARD, health=("forwards", "failed", "not in effect"), later=False),
    "kernel without IPv6": Case(sick.no_ipv6, (), later=False),
    "kernel without IPv6, an IPv6 forward": Case(sick.no_ipv6, ("needs IPv6, which is switched off", "the other version"),
                                                 "invalid_input", wish=SIX),
    "IPv6 switched off, an IPv6 forward": Case(sick.ipv6_off, ("needs IPv6, which is switched off",), "invalid_input", wish=SIX),
}
BESIDE_TRAEFIK: Dict[str, Callable[[Traefik], Case]] = {
    "dead Traefik": lambda traefik: Case(lambda: sick.dead(traefik), ("does not answer (Connection refused)", "start Traefik"),
                                         "unreachable", "traefik_route", MOVED_ROUTE, health=("traefik", "failed", "does not answer")),
    "dead Traefik, nobody waits": lambda traefik: Case(lambda: sick.dead(traefik), (), "", "traefik_route", UNSEEN_ROUTE,
                                                       health=("routes", "failed", "are not served"), later=False),
    "hung Traefik": lambda traefik: Case(lambda: sick.hung(traefik), ("no complete answer within", "start Traefik"), "unreachable",
                                         "traefik_route", MOVED_ROUTE, health=("routes", "failed", "does not answer")),
}


def drip(handler: Handler, _number: int) -> None:
    """A byte a second."""
    for letter in b"HTTP":
        handler.wfile.write(bytes([letter]))
        time.sleep(1)


@contextlib.contextmanager
def sulking(controller: Controller, react: Callable[[Handler, int], None]) -> Iterator[None]:
    """The controller does this, and then again what it did."""
    assert controller.server is not None
    usual, controller.server.react = controller.server.react, react
    try:
        yield
    finally:
        controller.server.react = usual


@contextlib.contextmanager
def two_addresses(controller: Controller) -> Iterator[None]:
    """The controller gives an IPv6 address too, and this host has none."""
    usual = controller.answer
    controller.answer = {**usual, "node_ip": f"{mesh.NODE_IP},fd50::5"}
    with sick.ipv6_off():
        yield
    controller.answer = usual


@contextlib.contextmanager
def no_interface() -> Iterator[None]:
    """Somebody has deleted it."""
    mesh.remove_edge()
    yield


def joining(controller: Controller, url: str, secure: str, ca_path: str) -> Dict[str, Tuple[bool, Case]]:
    """The cases of a mesh, and whether the host has joined it."""
    def silent() -> ContextManager[None]:
        return sulking(controller, lambda _handler, _number: time.sleep(2))

    usual = {**JOIN, "controller_url": url}
    by_name = {**usual, "timeout": 3, "controller_url": url.replace(HUB, "controller.example.com")}
    other = {**usual, "persistent_keepalive": 20}
    by_tls = {**usual, "timeout": 5, "controller_url": secure, "ca_path": ca_path}
    asked = Case(silent, ("no complete answer within 1 seconds", "check that it runs"), "controller", "wg_join", usual)
    keeps = replace(asked, words=("no complete answer within 1 seconds", "keeps its tunnel"), code="", later=False)
    return {
        "disk full, a membership": (True, Case(full(*KEPT), ("No space left", "free space"), "failed", "wg_join", other)),
        "read-only, a membership": (True, Case(read_only(*KEPT), ("Read-only",), "failed", "wg_join", other)),
        "missing interface, it was deleted": (
            True, Case(no_interface, (), "", "wg_join", usual, ("mesh", "failed", "wg0 is down"), later=False)),
        "hung controller": (False, asked), "hung controller, a member": (True, keeps),
        "dripping controller": (False, replace(asked, sick=lambda: sulking(controller, drip))),
        "dripping controller, a member": (True, replace(keeps, sick=lambda: sulking(controller, drip))),
        "DNS gone, the controller's name": (
            False, Case(sick.no_dns, ("controller.example.com cannot be resolved",), "controller", "wg_join", by_name, own_process=True)),
        "DNS gone, the hub's name": (
            False, Case(sick.no_dns, ("cannot be resolved", "check this host's DNS"), "invalid_input", "wg_join", usual, own_process=True)),
        "DNS gone, a member": (True, Case(sick.no_dns, (), "", "wg_join", usual, later=False, own_process=True)),
        "clock behind, the controller's certificate": (
            True, Case(lambda: sick.clock(-400), ("not valid yet", "correct this host's clock"), "controller", "wg_join", by_tls,
                       ("mesh", "degraded", "the clock went back"), own_process=True)),
        "clock ahead, the controller's certificate": (
            True, Case(lambda: sick.clock(400), ("has expired", "correct this host's clock"), "controller", "wg_join", by_tls,
                       ("mesh", "degraded", "last handshake on wg0 345"), own_process=True)),
        "IPv6 switched off, an IPv6 address": (
            False, Case(lambda: two_addresses(controller), ("IPv6 is disabled",), "command_failed", "wg_join", usual)),
    }


@contextlib.contextmanager
def controllers() -> Iterator[Tuple[Controller, str, str]]:
    """A controller on a hub that has a name; where it speaks TLS, and its certificate."""
    key = mesh.add_hub()
    with contextlib.ExitStack() as stack:
        stack.enter_context(sick.hosts(f"{HUB} hub.example.com controller.example.com"))
        controller = stack.enter_context(mesh.controller(key))
        controller.answer["endpoint"] = "hub.example.com:51820"
        certificate = tls_certificate(sick.RUN / "controller.pem", HUB)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

        def react(handler: Handler, number: int) -> None:
            assert controller.server is not None
            controller.server.seen.append(server.seen[-1])
            controller.react(handler, number)

        with world.inside("hub"):
            server = stack.enter_context(serving(react, context, HUB))
        yield controller, f"https://{HUB}:{server.port}", f"{certificate}.crt"
    mesh.remove_edge()


def cases() -> Iterator[Tuple[str, Host, Case]]:
    """All of them, each on its host."""
    host = Host()
    for name, case in ON_HOST.items():
        yield name, host, case
    with tempfile.TemporaryDirectory() as folder, edge_traefik.started(Path(folder)) as traefik:
        for name, make in BESIDE_TRAEFIK.items():
            yield name, host, make(traefik)
    with controllers() as (controller, secure, ca_path):
        for name, (joined, case) in joining(controller, controller.url, secure, ca_path).items():
            yield name, Member(controller, joined), case


def names() -> List[str]:
    """What the cases are called."""
    return [*ON_HOST, *BESIDE_TRAEFIK, *joining(Controller(""), "", "", "")]


def stands() -> None:
    """Make what the cases need: folders, and nft where a shim takes its name away."""
    (sick.RUN / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(sick.NFT, sick.RUN / "bin/nft")
    os.environ["PATH"] = f"{sick.RUN}/bin:{os.environ['PATH']}"
    DYNAMIC.mkdir(exist_ok=True)
    traefik_api.ANSWER_SECONDS = 1.0


def main(chosen: List[str]) -> int:
    """Make hosts sick, and tell."""
    begun, count = time.monotonic(), 0
    wrong: List[str] = []
    stands()
    control = ON_HOST["disk full"]
    blind = not troubles(Host(), replace(control, sick=contextlib.nullcontext))
    for name, host, case in cases():
        if chosen and name not in chosen:
            continue
        count += 1
        start = time.monotonic()
        wrong += [f"{name}: {words}" for words in troubles(host, case)]
        if chosen or time.monotonic() - start > SECONDS:
            print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)
    print(*wrong, *(["the control is not noticed: a well host counts as sick"] if blind else []), sep="\n")
    if not chosen:
        note("sick", "make chaos-sick", count, f"{len(wrong)} bad answers", time.monotonic() - begun, percent=100)
    return 1 if wrong or blind or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

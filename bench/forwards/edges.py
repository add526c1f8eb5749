# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One edge for each way to forward: a namespace between the client's and the node's, two hops for all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Callable, Dict, List

from ..common import space
from ..common.space import BenchError, sh
from . import cases, process

ROUTED = ("plain", "tracking")
CLIENT, NODE, MESH = "client", "node", "wg0"
SOURCES, OUTSIDER = 4, 200
# no round may wait for what the one before has left: sockets in TIME_WAIT, and flows whose connection was reset
SETTINGS = {"ipv4__tcp_max_tw_buckets": 512, "ipv4__ip_local_port_range": "1024 65535", "core__somaxconn": 4096}
TRACKING = {"netfilter__nf_conntrack_tcp_timeout_close": 1, "netfilter__nf_conntrack_tcp_timeout_time_wait": 1}


@dataclass(frozen=True)
class Edge:
    """An edge that forwards in one way, and how a client reaches the node through it."""

    name: str
    number: int
    count: int
    tracked: bool = True
    routed: bool = False
    transparent: bool = False
    restricted: bool = False

    @property
    def namespace(self) -> str:
        """Its network namespace."""
        return f"edge{self.number}"

    def outside(self, host: int) -> str:
        """An address on the client's side."""
        return f"198.18.{self.number}.{host}"

    def inside(self, host: int) -> str:
        """An address on the node's side."""
        return f"10.60.{self.number}.{host}"

    @property
    def service(self) -> List[str]:
        """Address and port that the client connects to."""
        return [self.inside(2), str(cases.SERVICE)] if self.routed else [self.outside(1), str(self.port)]

    @property
    def port(self) -> int:
        """The public port that is measured: the last one."""
        return cases.FIRST_PORT + self.count - 1

    @property
    def seen(self) -> str:
        """Whose address the node must see."""
        return "self" if self.transparent else self.inside(1)

    def build(self) -> None:
        """The namespace and its two cables."""
        space.add_namespace(self.namespace, **SETTINGS, **TRACKING, ipv4__ip_forward=1)
        clients = [f"{self.outside(10 + other)}/24" for other in range(SOURCES)]
        space.connect((CLIENT, f"c{self.number}", [*clients, f"{self.outside(OUTSIDER)}/24"]),
                      (self.namespace, "lan", [f"{self.outside(1)}/24"]))
        space.connect((NODE, f"n{self.number}", [f"{self.inside(2)}/24"]), (self.namespace, MESH, [f"{self.inside(1)}/24"]))
        if self.routed:
            sh("ip", "-n", CLIENT, "route", "add", f"{self.inside(0)}/24", "via", self.outside(1))
        if self.transparent:
            sh("ip", "-n", NODE, "route", "add", f"{self.outside(0)}/24", "via", self.inside(1))

    def forwards(self) -> List[cases.Forward]:
        """What it forwards."""
        items = cases.forwards(self.count, self.inside(2))
        return cases.restricted(items, f"{self.outside(0)}/25") if self.restricted else items


Loader = Callable[[Edge, Path], None]


def _nothing(_edge: Edge, _folder: Path) -> None:
    """Plain routing."""


def _one_rule(edge: Edge, _folder: Path) -> None:
    sh("nft", "-f", "-", namespace=edge.namespace, stdin=cases.one_rule(edge.forwards()[-1], MESH))


def _tracking(edge: Edge, _folder: Path) -> None:
    sh("nft", "-f", "-", namespace=edge.namespace, stdin=cases.TRACKING)


def _dnat_only(edge: Edge, _folder: Path) -> None:
    sh("nft", "-f", "-", namespace=edge.namespace, stdin=cases.one_rule(edge.forwards()[-1], MESH, masquerade=False))


def _ours(edge: Edge, folder: Path) -> None:
    space.forget_files()
    process.apply(folder, edge.namespace, edge.forwards())
    space.forget_files()


def _iptables(variant: str) -> Loader:
    def load(edge: Edge, _folder: Path) -> None:
        sh(f"iptables-{variant}-restore", namespace=edge.namespace, stdin=cases.per_rule(edge.forwards(), MESH))
    return load


LOADERS: Dict[str, Loader] = {
    "plain": _nothing, "tracking": _tracking, "hand": _one_rule, "hand-no-snat": _dnat_only, "ours": _ours, "lists": _ours,
    "traefik": _nothing, "seed-nft": _iptables("nft"), "seed-legacy": _iptables("legacy"),
}


def plan(sizes: List[int]) -> List[Edge]:
    """All edges: limits and peers with one forward, the others at every size."""
    wanted = [("plain", 1), ("tracking", 1), ("hand-no-snat", 1), ("hand", 1), ("traefik", 1)]
    wanted += [(name, size) for name in ("ours", "lists", "seed-nft", "seed-legacy") for size in sizes]
    return [Edge(name, number, count, routed=name in ROUTED, tracked=name not in ("plain", "traefik"),
                 transparent=name in (*ROUTED, "hand-no-snat"), restricted=name == "lists")
            for number, (name, count) in enumerate(wanted, 1)]


def build(edges: List[Edge], folder: Path) -> None:
    """Client, node and all edges, each with its rules."""
    for name in (CLIENT, NODE):
        space.add_namespace(name, **SETTINGS)
    for edge in edges:
        edge.build()
        LOADERS[edge.name](edge, folder)
        space.say(f"edge {edge.number} of {len(edges)}: {edge.name} with {edge.count}")


def start_traefik(edge: Edge, program: List[str], folder: Path) -> Popen[str]:
    """Traefik as a TCP proxy in front of the node."""
    routes = folder / "tcp.yml"
    routes.write_text(f"""tcp:
  routers: {{one: {{rule: "HostSNI(`*`)", entryPoints: [tcp], service: one}}}}
  services: {{one: {{loadBalancer: {{servers: [{{address: "{edge.inside(2)}:{cases.SERVICE}"}}]}}}}}}
""")
    log = folder / "traefik.log"
    running = space.start([*program, f"--entrypoints.tcp.address=:{edge.port}", f"--providers.file.filename={routes}",
                           "--global.checknewversion=false", "--global.sendanonymoususage=false"], edge.namespace, log=log)
    end = time.monotonic() + 20
    while f":{edge.port}" not in sh("ss", "-Hltn", namespace=edge.namespace):
        if running.poll() is not None or time.monotonic() > end:
            space.stop(running)
            raise BenchError(f"Traefik does not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)
    return running

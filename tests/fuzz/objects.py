# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards, routes, memberships, registrations: what is accepted is read back as the same, and real tools take it and list it as it is."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any, Callable, Dict, List, Set, Tuple

import yaml
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.forwards import ForwardEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.formats import route_file, traefik, wireguard
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from ansible_collections.edge.gateway.plugins.module_utils.models.hub import Registration
from ansible_collections.edge.gateway.plugins.module_utils.models.inbound import Inbound
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from contract import world
from contract.forwarding import ANY_NODE
from contract.route_wishes import RouteWish
from contract.wishes import Wish
from unit.samples import ANSWER

from . import hostile, samples
from .judge import Wrong, same

FOREIGN = 'table ip fuzz_foreign {\n  chain c {\n    tcp dport 22 accept comment "not ours"\n  }\n}\n'
PRIVATE_KEY = "GPuOE0nA9xZwJ0AqMmPgKCnBQbJ0fWzXqDkhxkUdHWE="
MEMBERS: List[Dict[str, Any]] = [
    {
        "interface": "wg0",
        "controller_url": "https://controller.test",
        "node_id": "edge-1",
        "answer": ANSWER,
        "mtu": 1380,
        "listen_port": 51820,
        "persistent_keepalive": 25,
        "client_networks": ["198.51.100.0/24"],
    },
    {
        "interface": "wg0",
        "node_id": "edge-1",
        "answer": {**ANSWER, "node_ip": "10.50.0.5,fd50::5", "allowed_ips": "10.50.0.0/24,fd50::/64"},
    },
]
NUMBERS = itertools.count()
BATCH, BATCHES, TUNNELS = 300, 3, 40
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Keys = Dict[Tuple[str, int, int], Tuple[str, int]]


def _route_options(dice: random.Random) -> Dict[str, Any]:
    return RouteWish(dice.getrandbits(30)).route()


KINDS: Dict[str, Tuple[Callable[[random.Random], Dict[str, Any]], Callable[[Any], Any], float]] = {
    "forward": (lambda dice: Wish(dice.getrandbits(30)).options(f"w-{dice.getrandbits(20)}"), Forward.parse, 0.5),
    "route": (_route_options, Route.parse, 0.2),
    "membership": (lambda dice: dict(dice.choice(MEMBERS)), Membership.parse, 0.15),
    "registration": (lambda dice: dict(dice.choice(samples.WG_PEERS[:2])), Registration.parse, 0.1),
    "inbound": (
        lambda dice: {"open": [{"port": "443", "comment": "x", "source_ranges": ["198.51.100.0/24"]}], "mesh": "wg0"},
        Inbound.parse,
        0.05,
    ),
}


def keys_of(item: Forward) -> Keys:
    """Where each of its packets goes, by protocol, IP version and port; worked out here once more."""
    return {
        (proto, 6 if ":" in item.target_ip else 4, port): (item.target_ip, item.target_port + port - item.first_port)
        for proto in ("tcp", "udp")
        if item.proto in (proto, "both")
        for port in range(item.first_port, item.last_port + 1)
    }


def listed() -> Keys:
    """The same, from what nft lists of our table."""
    found: Keys = {}
    for entry in json.loads(world.sh("nft", "-j", "list", "table", "inet", "edge_gateway"))["nftables"]:
        body = entry.get("map") or {}
        name, _underscore, kind = str(body.get("name", "")).partition("_")
        if name not in ("tcp4", "tcp6", "udp4", "udp6") or kind not in ("", "ranges"):
            continue
        for entry_key, target in body.get("elem", []):
            key = entry_key["elem"]["val"] if isinstance(entry_key, dict) and "elem" in entry_key else entry_key
            first, last = key["range"] if isinstance(key, dict) else (key, key)
            for port in range(first, last + 1):
                address, to = target["concat"] if isinstance(target, dict) else (target, port)
                found[name[:3], int(name[3]), port] = (address, to)
    return found


class Objects:
    """Options of one object, mostly good ones that were changed in a place or two."""

    name, share = "objects", 40_000
    expected: Tuple[type[BaseException], ...] = ()

    def __init__(self) -> None:
        self.forwards: List[Forwards] = [{}]
        self.taken: Set[Tuple[str, int, int]] = set()
        self.members: List[Membership] = []

    def make(self, dice: random.Random) -> Tuple[str, Any]:
        """A kind, and its options."""
        kind = dice.choices(list(KINDS), [share for _make, _parse, share in KINDS.values()])[0]
        good = KINDS[kind][0](dice)
        return kind, good if dice.random() < 0.15 else hostile.mutated(dice, good, [KINDS[kind][0](dice)])

    def run(self, given: Tuple[str, Any]) -> bool:
        """Parse it, and what it is written as."""
        kind, options = given
        if not isinstance(options, dict):
            return False
        parse = KINDS[kind][1]
        item = parse(options)
        kept = (
            item.as_kept()
            if kind == "forward"
            else {"open": item.as_dict()["open"], "mesh": item.mesh}
            if kind == "inbound"
            else item.as_dict()
        )
        same(parse(json.loads(json.dumps(kept))), item, kind)
        if not str(item).replace("\n", "").isprintable():
            raise Wrong(f"{kind} shows a control character")
        if kind == "forward":
            self._keep(item)
        elif kind == "route":
            _route(item)
        elif kind == "membership" and item.answer is not None and len(self.members) < TUNNELS:
            self.members.append(item)
        return True

    def _keep(self, item: Forward) -> None:
        keys = set(keys_of(item))
        if keys & self.taken or item.forward_id in self.forwards[-1] or len(keys) > 400 or item.expires:
            return
        if len(self.forwards[-1]) == BATCH:
            if len(self.forwards) == BATCHES:
                return
            self.forwards.append({})
            self.taken = set()
        self.forwards[-1][item.forward_id] = item
        self.taken |= set(keys)

    def finish(self) -> List[str]:
        """Load the forwards for real with nft, the tunnels with wg; what they list must be what was asked for."""
        wrong = [words for batch in self.forwards if batch for words in loaded(batch)]
        if self.members:
            # of a name that no earlier one has, whose process may not have ended yet
            name = f"fuzz{next(NUMBERS)}"
            world.sh("wireguard-go", name)
            wrong += [words for item in self.members for words in tunnel(name, item)]
            world.sh("ip", "link", "delete", name)
        return wrong


def _route(item: Route) -> None:
    text = route_file.render(item)
    same(yaml.load(text, LOADER), traefik.document(item), "route in YAML")
    if "{{" in text:
        raise Wrong("route has a template")


def loaded(batch: Forwards) -> List[str]:
    """These forwards and no others stand in the kernel, and the tables of others are as they were."""
    world.reset()
    world.nft(FOREIGN)
    before = world.sh("nft", "-a", "list", "table", "ip", "fuzz_foreign")
    engine = ForwardEngine(Host(), str(world.STATE_DIR), "wg0", "nftables", allow_outside_mesh=True, reply_nodes=ANY_NODE)
    try:
        converge(engine, lambda current: batch, False)
    except GatewayError as problem:
        return [f"accepted forwards are refused by the host: {problem.message}"]
    wanted = {key: target for item in batch.values() for key, target in keys_of(item).items()}
    found = listed()
    wrong = [
        f"{key} goes to {found.get(key)}, asked for {wanted.get(key)}"
        for key in sorted({*wanted, *found})
        if wanted.get(key) != found.get(key)
    ]
    if world.sh("nft", "-a", "list", "table", "ip", "fuzz_foreign") != before:
        wrong.append("a table of somebody else has changed")
    world.reset()
    return wrong[:3]


def tunnel(name: str, item: Membership) -> List[str]:
    """``wg setconf`` takes what is written, and lists the peer that was asked for."""
    endpoint = "203.0.113.7:51820"
    config = item.config(endpoint, "")
    text = wireguard.render(wireguard.JOIN, config, PRIVATE_KEY, "/etc/wireguard/wg0.routing")
    try:
        world.sh("wg", "setconf", name, "/dev/stdin", stdin=wireguard.strip(text, 51820))
        link = wireguard.parse_dump(world.sh("wg", "show", name, "dump"))
    except AssertionError as problem:
        return [f"wg refuses a membership: {problem}"]
    peers = [(peer.public_key, peer.allowed_ips, peer.keepalive, peer.endpoint) for peer in link.peers]
    asked = [(peer.public_key, tuple(sorted(peer.allowed_ips)), peer.keepalive, endpoint) for peer in config.peers]
    return [] if peers == asked else [f"wg has {peers}, asked for {asked}"]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that come from elsewhere (files, answers, the output of tools) through the code that reads them, without a host.

What is accepted must be the same again after it has been written and read once more.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.edge.gateway.plugins.module_utils.formats import (
    archive,
    dynamic_file,
    inbound,
    ip_json,
    iptables_parse,
    iptables_save,
    listing,
    nft_ruleset,
    openings,
    pem,
    procnet,
    route_file,
    routing,
    sealed,
    seed,
    seed_routes,
    state_file,
    strict_json,
    systemd,
    traefik_log,
    traefik_static,
    wireguard,
    yaml_text,
)
from ansible_collections.edge.gateway.plugins.module_utils.formats.strict_json import dump_rows, parse_object
from ansible_collections.edge.gateway.plugins.module_utils.models.answer import Answer
from ansible_collections.edge.gateway.plugins.module_utils.models.call import Call
from ansible_collections.edge.gateway.plugins.module_utils.models.choices import Choices
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.held_certificate import Certificate
from ansible_collections.edge.gateway.plugins.module_utils.models.history import History
from ansible_collections.edge.gateway.plugins.module_utils.models.hub import Hub, Registration
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from unit.backup_samples import PLACES

from . import hostile, samples
from .judge import Wrong, same


@dataclass(frozen=True)
class Format:
    """One kind of text.

    Attributes:
        samples: good texts.
        parse: reads one.
        again: of what was read, the text of it, where it is ever written again.
        is_json: whether it is damaged as a document too.
    """

    samples: List[bytes]
    parse: Callable[[bytes], Any]
    again: Optional[Callable[[Any], bytes]] = None
    is_json: bool = False


def _state(noun: str, parse: Callable[..., Any], name_of: Callable[[Any], str]) -> Format:
    return Format(
        samples.STATES[noun],
        lambda data: state_file.parse(data, noun, parse, name_of),
        lambda items: dump_rows(noun, [item.as_dict() for item in items.values()], schema=1).encode(),
        is_json=True,
    )


def _chains(data: bytes) -> object:
    return nft_ruleset.with_words(nft_ruleset.parse(data.decode("utf-8", "replace")), data.decode("utf-8", "replace"))


def _words(data: bytes) -> str:
    # as Host.run hands over what a program prints
    return data.decode("utf-8", "replace")


def _save(data: bytes) -> object:
    return (
        iptables_save.parse(_words(data), "ip", "iptables-nft"),
        iptables_save.unreadable(_words(data)),
        seed.rules_of(_words(data), [Forward.parse(item) for item in samples.FORWARDS[:3]], "wg0", True),
    )


def _ip(data: bytes) -> object:
    entries = ip_json.parse(_words(data))
    return routing.parse_rules(4, "wg0", entries), routing.parse_table(4, 217, "wg0", entries)


def _seed_state(data: bytes) -> object:
    return seed.parse_state(data, "/data/state.json"), seed_routes.of_state(
        seed.entries_of(data, "/data/state.json", seed.ROUTES), "/data/state.json"
    )


def _route_text(data: bytes) -> Route:
    kept = route_file.intact(data)
    if kept is not None:
        return route_file.restored([kept])[0]
    return route_file.parse(data.decode("utf-8", "replace"))[0]


def _link(data: bytes) -> wireguard.Link:
    return wireguard.parse_dump(_words(data))


def _config(data: bytes) -> object:
    text = _words(data)
    return (
        wireguard.needs_wg_quick(text),
        wireguard.peer_endpoint(text),
        wireguard.preshared_keys(text),
        wireguard.is_by(wireguard.JOIN, text),
    )


def _call(data: bytes) -> Call:
    document = parse_object(data)
    return Call.parse(document.get("path"), document.get("body"))


def _static(data: bytes) -> object:
    try:
        return traefik_static.understand(yaml_text.load(_words(data)))
    except yaml_text.NoParser:
        return None


def _certificate(data: bytes) -> object:
    return [pem.validity(der) for der in pem.chain(_words(data))]


CALLS = samples.as_bytes(
    {"path": "tcp/forwards", "body": samples.FORWARDS[0]},
    {"path": "edge1/http/routes", "body": samples.ROUTES[0]},
    {"path": "wg/status", "body": {}},
    {"path": "tcp/forwards", "body": {"forward_id": "a", "state": "absent"}},
)
KEY = bytes(range(32))
CONFIG = b"""# Written by edge.gateway.wg_join; a change made here is undone by its next run.
[Interface]\nPrivateKey = x\nAddress = 10.50.0.5/32\n\n[Peer]\nPublicKey = y
Endpoint = 203.0.113.7:51820
AllowedIPs = 10.50.0.0/24, 0.0.0.0/0
PersistentKeepalive = 25\n"""
FORMATS: Dict[str, Format] = {
    "answer": Format(
        samples.ANSWERS, lambda data: Answer.parse(parse_object(data)), lambda item: json.dumps(item.as_dict()).encode(), is_json=True
    ),
    "json": Format([*samples.ANSWERS, *samples.API], strict_json.parse_value, lambda value: json.dumps(value).encode(), is_json=True),
    "forwards.json": _state("forwards", Forward.parse, lambda item: item.forward_id),
    "join.json": _state("memberships", Membership.parse, lambda item: item.interface),
    "peers.json": _state("peers", Registration.parse, lambda item: item.node_id),
    "gateway.json": Format(samples.CHOICES, lambda data: Choices.parse(parse_object(data)), is_json=True),
    "hub.json": Format(samples.HUBS, lambda data: Hub.parse(parse_object(data)), is_json=True),
    "history.json": Format(
        samples.HISTORIES, lambda data: History.parse(parse_object(data)), lambda item: json.dumps(item.as_dict()).encode(), is_json=True
    ),
    "backup": Format(
        samples.BACKUPS, lambda data: archive.parse(data, PLACES, "the backup"), lambda item: archive.render(item).encode(), is_json=True
    ),
    "sealed": Format([sealed.sealed(b"{}" * 40, KEY).encode()], lambda data: sealed.opened(data.decode("ascii", "replace"), KEY)),
    "src.json": Format(samples.LISTS[:2], lambda data: listing.parse(data, "x.json", "forwards"), is_json=True),
    "src.yml": Format([*samples.LISTS, *samples.TRAEFIK_FILES], lambda data: listing.parse(data, "x.yml", "forwards")),
    "call": Format(CALLS, _call, is_json=True),
    "route file": Format(samples.ROUTE_FILES, _route_text, lambda item: route_file.render(item).encode()),
    "foreign file": Format(samples.TRAEFIK_FILES, lambda data: dynamic_file.examine("x.yml", data)),
    "static": Format(samples.STATIC, _static),
    "seed files": Format([samples.SEED_FILE, *samples.TRAEFIK_FILES], lambda data: seed_routes.of_files([("x.yml", data)], "/d")),
    "seed state": Format(samples.SEED_STATES, _seed_state, is_json=True),
    "nft -j": Format(samples.NFT_JSON, _chains, is_json=True),
    "nft": Format(
        samples.NFT_TEXT, lambda data: (nft_ruleset.rule_text(_words(data), 4), openings.handles(_words(data), "edge-gateway-1"))
    ),
    "iptables-save": Format(samples.SAVES, _save),
    "iptables-save, ours": Format(samples.SAVES, lambda data: iptables_parse.parse(_words(data), 4, "wg0", "iptables")),
    "wg dump": Format(samples.WG_DUMPS, _link),
    "wg0.conf": Format([CONFIG], _config),
    "ip -json": Format(samples.IP_JSON, _ip, is_json=True),
    "systemctl show": Format(samples.STATUSES, lambda data: systemd.parse_status(_words(data))),
    "/proc/net": Format(
        samples.PROCNET,
        lambda data: (procnet.listening_ports(data.decode("ascii", "replace"), "tcp"), procnet.listening_ports(_words(data), "udp")),
    ),
    "journal": Format(samples.JOURNALS, lambda data: traefik_log.order_failures(_words(data))),
    "certificate": Format([samples.CERTIFICATE], _certificate),
    "api certificate": Format(
        samples.as_bytes(json.loads(samples.API[3])[0]), lambda data: Certificate.parse(parse_object(data)), is_json=True
    ),
    "inbound.nft": Format(
        samples.INBOUND, lambda data: inbound.parse(data.decode("utf-8", "replace")), lambda item: inbound.render(item).encode()
    ),
    "inbound, loaded": Format(samples.NFT_JSON, lambda data: inbound.parse_listing(_words(data)), is_json=True),
    "openings": Format(samples.OPENINGS, lambda data: openings.commands_in(_words(data))),
}
Given = Tuple[str, bytes]


class Formats:
    """All of them, a text at a time."""

    name, share = "formats", 100_000
    expected: Tuple[type[BaseException], ...] = (ValueError,)

    def make(self, dice: random.Random) -> Given:
        """A format, and a text for it."""
        name = dice.choice(sorted(FORMATS))
        found = FORMATS[name]
        if found.is_json:
            return name, hostile.document_bytes(dice, found.samples)
        if dice.random() < 0.02:
            return name, dice.choice([hostile.encoded(hostile.text(dice)), dice.randbytes(dice.randint(0, 300))])
        return name, hostile.mangled(dice, dice.choice(found.samples), found.samples)

    def run(self, given: Given) -> bool:
        """Read it; and, when it is written again, read that."""
        name, data = given
        found = FORMATS[name]
        try:
            value = found.parse(data)
        except UnicodeError as problem:
            raise Wrong(f"{name}: {type(problem).__name__}, which no caller tells in a sentence") from None
        if found.again is not None:
            written = found.again(value)
            same(found.parse(written), value, name)
        return True

    def finish(self) -> List[str]:
        """Nothing is kept."""
        return []

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host forwards and routes without us: nat rules of iptables and nftables, and what the older system's agent kept."""

from __future__ import annotations

import posixpath
from functools import partial
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from ..errors import GatewayError, InvalidInput, MissingTool, StateRefused
from ..formats import iptables_save, nft_ruleset, seed, seed_routes
from ..formats.remedies import TOOLS
from ..formats.seed_routes import Found
from ..host import Host
from ..models import filtering as f
from ..models.filtering import Chain
from ..models.forward import Forward
from ..models.imports import Draft, Imported, NatReader, combine
from ..models.nat import Table
from . import foreign, system

NAMES = {4: "ip", 6: "ip6"}
LOADED = (".yml", ".yaml", ".toml")


def nat_readers(host: Host, interface: str, notes: List[str]) -> List[NatReader]:
    """The nat tables of both IP versions, ready to be read.

    Args:
        interface: the mesh interface.
        notes: gets a sentence for each table that could not be read.
    """
    heads, own = foreign.base_chains(host, notes), system.own_addresses(host)
    return [NatReader([Table(chains, family, interface, own) for chains in _tables(host, family, heads, notes)], family)
            for family in NAMES]


def _tables(host: Host, family: int, heads: List[Chain], notes: List[str]) -> Iterator[List[Chain]]:
    name = NAMES[family]
    by_table: Dict[Tuple[str, str], List[Chain]] = {}
    for head in heads:
        if head.hook and head.family in ("inet", name):
            by_table.setdefault((head.family, head.table), []).append(head)
    places = [place for place, found in by_table.items() if any(head.kind == "nat" for head in found)]
    readers: List[Callable[[], List[Chain]]] = [partial(_with_words, host, *place) if not foreign.is_iptables(by_table[place]) else
                                                partial(_saved, host, name, "nft") for place in places]
    if host.find("nft") is None:
        readers.append(partial(_saved, host, name, "nft"))
    if "nat" in foreign.legacy_tables(host, name):
        readers.append(partial(_saved, host, name, "legacy"))
    for read in readers:
        try:
            yield read()
        except GatewayError as problem:
            notes.append(f"a nat table of IPv{family} was left out: {problem.message}")


def _saved(host: Host, family: str, variant: str) -> List[Chain]:
    text = foreign.saved(host, family, variant, "nat")
    if variant == "nft" and host.find("nft") and (not text or iptables_save.unreadable(text)):
        chains = _with_words(host, family, "nat")
        if not text and any(rule.translation == f.UNREAD for chain in chains for rule in chain.rules):
            # the older system's agent had its own iptables, in a container
            raise MissingTool(f"{TOOLS[family]}-nft-save", "iptables")
        return chains
    return iptables_save.parse(text, family, f"iptables-{variant}")


def _with_words(host: Host, family: str, table: str) -> List[Chain]:
    """The chains of a table of nft's own, their rules with nft's words for them."""
    words = host.run(["nft", "-a", "-t", "list", "table", family, table]).out
    return nft_ruleset.with_words(nft_ruleset.parse(host.run(["nft", "-j", "-t", "list", "table", family, table]).out), words)


def look(host: Host, interface: str, seed_dir: Optional[str], traefik_dir: Optional[str], rules: bool) -> Tuple[Imported, Found]:
    """The forwards and the routes that there are.

    Args:
        seed_dir: what the older system's agent had as ``/data``; None for no such system.
        traefik_dir: where it had Traefik's dynamic files; None for the place that its compose file gives them.
        rules: whether rules are looked at.

    Raises:
        StateRefused: there is no ``state.json`` in ``seed_dir``, or not such a file.
    """
    notes: List[str] = []
    drafts = list(drafts_of_state(host, seed_dir, notes)) if seed_dir else []
    for reader in nat_readers(host, interface, notes) if rules else ():
        drafts += reader.read()
        notes += reader.notes
    return combine(drafts, notes), _routes(host, seed_dir, traefik_dir)


def state_file(host: Host, directory: str) -> Tuple[bytes, str]:
    """What the older system's agent remembered, and the path of that file.

    Raises:
        StateRefused: there is none.
    """
    path = f"{directory}/state.json"
    data = host.read(path)
    if data is None:
        raise StateRefused(f"{path} does not exist; give the directory that the older system's agent had as /data", path)
    return data, path


def drafts_of_state(host: Host, directory: str, notes: List[str]) -> Iterator[Draft]:
    """The forwards of the older system.

    Args:
        notes: gets a sentence for each that cannot be had here.

    Raises:
        StateRefused: there is no ``state.json``, or not such a file.
    """
    data, path = state_file(host, directory)
    for number, entry in enumerate(seed.entries_of(data, path, seed.FORWARDS)):
        try:
            forward = Forward.parse(entry, f"{seed.FORWARDS}[{number}].")
        except InvalidInput as problem:
            notes.append(f"an entry of {path} was left out: {problem.message}")
        else:
            yield Draft(forward.forward_id, forward, (f"{seed.FORWARDS} of {path}",))


def _routes(host: Host, seed_dir: Optional[str], traefik_dir: Optional[str]) -> Found:
    if traefik_dir is None and seed_dir is None:
        return Found({}, {}, [])
    directory = traefik_dir or posixpath.normpath(f"{seed_dir}/../traefik/dynamic")
    there = host.scan(directory)
    names, notes = seed_routes.worth_reading({name: found.st_size for name, found in there.items() if name.lower().endswith(LOADED)})
    files = seed_routes.of_files(host.read_many(directory, names) if names else (), directory, notes)
    if seed_dir is None:
        return files
    data, path = state_file(host, seed_dir)
    state = seed_routes.of_state(seed.entries_of(data, path, seed.ROUTES), path)
    if there or not state.routes:
        return seed_routes.compared(files, state, path)
    return state._replace(notes=[*state.notes, f"the routes are those of {path}, since there are no files in {directory}; "
                                               "give traefik_dir if they lie elsewhere, and look again"])

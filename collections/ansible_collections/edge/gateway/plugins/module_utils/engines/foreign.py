# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's firewalls: which of their chains would drop what our forwards let in, and what opens them.

An accept of ours does not help against a drop of theirs: the kernel asks every chain of a hook. Nothing is written here,
and nothing is listed but the tables that stand in the way of forwarded packets, without the elements of their sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from ..errors import GatewayError
from ..formats import iptables_save, nft_ruleset, remedies
from ..formats.nftables import FAMILY, TABLE
from ..formats.remedies import TOOLS
from ..host import Host
from ..models import filtering as f
from ..models.filtering import Chain
from ..models.finding import Finding, Report
from ..models.judging import Judgement, Ruleset
from ..models.passage import Probe, classes, packets
from . import system

HOOKS = ("prerouting", "forward", "postrouting")
EFFECTS = {f.REJECT: "rejects", f.NOTRACK: "hides from connection tracking", f.REDIRECT: "sends elsewhere"}
# kinds of forwards that are followed one by one when rules tell forwards apart by port or target; and that number times
# the number of rules, which takes a few seconds
CLASSES_LIMIT, WORK_LIMIT = 200, 1000000

Place = Tuple[str, str]


def hindrances(host: Host, interface: str, probes: Sequence[Probe]) -> Report:
    """Which foreign chains stand in the way of these forwards.

    Costs one ``nft -j list chains`` where nobody else filters forwarded packets.

    Args:
        interface: the mesh interface.
    """
    notes: List[str] = []
    chains = foreign_chains(host, {probe.family for probe in probes}, notes) if probes else []
    if not any(chain.hook in HOOKS for chain in chains):
        return Report(notes=tuple(notes))
    ruleset = Ruleset(chains)
    groups = sorted(classes(probes, ruleset), key=len, reverse=True)
    limit = max(1, min(CLASSES_LIMIT, WORK_LIMIT // (1 + sum(len(chain.rules) for chain in chains))))
    skipped = sum(len(group) for group in groups[limit:])
    if skipped:
        notes.append(f"{skipped} of {len(probes)} forwards were not checked against the firewalls of others, "
                     "whose rules name too many ports or targets one by one")
    cases: Dict[Tuple[int, int, int], _Case] = {}
    doubts: Set[str] = set()
    uplinks = {family: uplinks_of(host, interface, family) for family in {probe.family for probe in probes}}
    for group in groups[:limit]:
        for uplink in uplinks[group[0].family] or [""]:
            for word, packet in packets(group[0], interface, uplink):
                for judgement in ruleset.judge(packet):
                    if judgement.passes is None:
                        doubts.add(str(judgement.base))
                    elif judgement.passes is False:
                        key = id(judgement.base), id(judgement.place), id(judgement.rule)
                        cases.setdefault(key, _Case(judgement, {}, {}, {})).add(word, uplink, group)
    return Report(tuple(_finding(host, interface, case, ruleset) for case in cases.values()), tuple(sorted(doubts)), tuple(notes))


@dataclass
class _Case:
    """One cause of drops while it is being gathered; dictionaries keep the order of what was found."""

    judgement: Judgement
    words: Dict[str, None]
    uplinks: Dict[str, None]
    groups: Dict[int, List[Probe]]

    def add(self, word: str, uplink: str, group: List[Probe]) -> None:
        self.words[word] = self.uplinks[uplink] = None
        self.groups[id(group)] = group


def _finding(host: Host, interface: str, case: _Case, ruleset: Ruleset) -> Finding:
    base = case.judgement.base
    probes = tuple(probe for group in case.groups.values() for probe in group)
    need = remedies.Need(interface, next(iter(case.uplinks)), tuple(case.words), probes)
    remedy, commands = remedies.remedy(base, ruleset.names(base), need)
    rule = case.judgement.rule
    return Finding(str(case.judgement.place or base), _cause(host, case.judgement), EFFECTS.get(rule.verdict if rule else "", "drops"),
                   tuple(case.words), tuple(name for name in case.uplinks if name), remedy, commands, probes, base)


def _cause(host: Host, judgement: Judgement) -> str:
    rule, place = judgement.rule, judgement.place
    if rule is None or place is None:
        return "policy drop"
    text = rule.text
    if not text and host.find("nft"):
        words = ["nft", "-a", "-t", "list", "chain", place.family, place.table, place.name]
        text = nft_ruleset.rule_text(host.run(words, check=False).out, rule.handle)
    return f"rule '{text or rule.verdict}'"


def uplinks_of(host: Host, interface: str, family: int) -> List[str]:
    """Interfaces by which clients come in: those of the default routes, else all with an address; empty when none is seen."""
    hops = [hop for route in system.ip_json(host, f"-{family}", "route", "show", "default") for hop in (route, *route.get("nexthops", []))]
    found = [str(hop["dev"]) for hop in hops if "dev" in hop]
    if not found:
        found = [str(link["ifname"]) for link in system.ip_json(host, f"-{family}", "address", "show", "up")]
    return [name for name in dict.fromkeys(found) if name not in (interface, "lo")]


def foreign_chains(host: Host, families: Iterable[int], notes: List[str]) -> List[Chain]:
    """Chains of all tables but ours that filter forwarded packets of these families (4, 6).

    Args:
        notes: gets a sentence for each table that could not be read.
    """
    wanted = sorted("ip" if family == 4 else "ip6" for family in families)
    readers: Dict[str, Callable[[], List[Chain]]] = {}
    for family, table, heads in _tables(host, {"inet", *wanted}, notes):
        readers[f"{family} {table}"] = partial(_read_table, host, family, table, heads)
    for family in wanted:
        if host.find("nft") is None and _variant(host, family) == "nft":
            readers[f"{family} (iptables-nft)"] = partial(_read_dump, host, family, "nft", "")
        for table in legacy_tables(host, family):
            readers[f"{family} {table} (iptables-legacy)"] = partial(_read_dump, host, family, "legacy", table)
    chains: List[Chain] = []
    for name, read in readers.items():
        try:
            chains += read()
        except GatewayError as problem:
            notes.append(f"table {name} could not be read ({problem.message}): whether it drops forwarded packets is not known")
    return chains


def _tables(host: Host, families: Set[str], notes: List[str]) -> Iterator[Tuple[str, str, List[Chain]]]:
    """Family, name and base chains of the tables to look into."""
    tables: Dict[Place, List[Chain]] = {}
    for head in base_chains(host, notes):
        if head.hook in HOOKS and head.family in families and (head.family, head.table) != (FAMILY, TABLE):
            tables.setdefault((head.family, head.table), []).append(head)
    for (family, table), heads in tables.items():
        # iptables keeps its nat table from dropping anything but by policy
        if not (is_iptables(heads) and table == "nat" and all(head.policy == f.ACCEPT for head in heads)):
            yield family, table, heads


def base_chains(host: Host, notes: List[str]) -> List[Chain]:
    """The chains that nft knows, without their rules."""
    if host.find("nft") is None:
        return []
    try:
        return nft_ruleset.parse(host.run(["nft", "-j", "list", "chains"]).out)
    except GatewayError as problem:
        notes.append(f"the chains of this host could not be listed ({problem.message}): whether one drops forwarded packets "
                     "is not known")
        return []


def is_iptables(found: Iterable[Chain]) -> bool:
    """Whether these base chains of a table are those that iptables makes."""
    return all(head.family in TOOLS and head.table in iptables_save.PRIORITIES and head.name in iptables_save.HOOKS for head in found)


def _read_table(host: Host, family: str, table: str, heads: List[Chain]) -> List[Chain]:
    if is_iptables(heads) and _save_tool(host, family, "nft"):
        dump = saved(host, family, "nft", table)
        if not iptables_save.unreadable(dump):
            return iptables_save.parse(dump, family, "iptables-nft")
    return nft_ruleset.parse(host.run(["nft", "-j", "-t", "list", "table", family, table]).out)


def _read_dump(host: Host, family: str, variant: str, table: str) -> List[Chain]:
    return iptables_save.parse(saved(host, family, variant, table), family, f"iptables-{variant}")


def saved(host: Host, family: str, variant: str, table: str) -> str:
    """The rules of one table, or of all when it has no name; nothing where the tool is missing."""
    tool = _save_tool(host, family, variant)
    return host.run([tool, "-t", table] if table else [tool]).out if tool else ""


def _save_tool(host: Host, family: str, variant: str) -> Optional[str]:
    """The program that prints the rules of one variant (``nft``, ``legacy``), None when it is not installed."""
    named = f"{TOOLS[family]}-{variant}-save"
    if host.find(named):
        return named
    return f"{TOOLS[family]}-save" if _variant(host, family) == variant else None


def _variant(host: Host, family: str) -> str:
    """Which variant plain iptables is on this host; empty when there is none."""
    tool = f"{TOOLS[family]}-save"
    if host.find(tool) is None:
        return ""
    # before 1.8 there was one variant only, and the version does not name it
    return "nft" if "nf_tables" in host.run([tool, "--version"], check=False).out else "legacy"


def legacy_tables(host: Host, family: str) -> List[str]:
    """The tables that the legacy variant has here."""
    names = system.legacy_tables(host, 4 if family == "ip" else 6)
    return [name for name in names if name in iptables_save.PRIORITIES]

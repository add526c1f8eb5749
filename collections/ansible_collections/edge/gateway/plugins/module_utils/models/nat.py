# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's nat chains, asked which of their rules a forward could stand for.

What a forward cannot say, and what an earlier rule may take away from a later one, is told and left out: nothing is guessed.
"""

from __future__ import annotations

import ipaddress
from typing import Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import shown
from . import filtering as f
from .filtering import Chain, Condition, Fact, Known, Rule, Span

OURS, OUR_TABLE = "this collection", "edge_gateway"
# who makes chains by programs of its own, by the beginning of their names
OWNERS = {"DOCKER": "Docker", "KUBE-": "Kubernetes", "CNI-": "a container network", "NETAVARK": "Podman", "LIBVIRT": "libvirt",
          "cali-": "Calico", "CILIUM": "Cilium", "OLD_CILIUM": "Cilium", "FLANNEL": "flannel", "EDGE-GATEWAY": OURS}
PROTOCOLS = frozenset({"tcp", "udp"})
# rules that are looked at, since chains may be called from many places
MOST_RULES = 100000
DEPTH_LIMIT = 32
BEYOND = {f.IIF: "the interface by which it comes in", f.OIF: "an interface", f.TARGET: "the address that it is sent to",
          f.SPORT: "the client's port", f.MARK: "a mark", f.STATE: "the state of its connection", f.STATUS: "the state of its connection",
          f.TARGET_TYPE: "the kind of address that it is sent to", f.SOURCE_TYPE: "the kind of address that it comes from"}
SOMETHING = "something that a forward cannot say"
# a client of whom no rule speaks, by IP version
STRANGER = {4: "1.2.3.4", 6: "2a00::1:2:3:4"}


class Limits(NamedTuple):
    """For which packets a rule is.

    Attributes:
        protos, ports, sources: empty for any.
        beyond: what else it depends on; empty when nothing.
        owner: whose program made the chain it stands in; empty for nobody's that is known.
        apart: whether it is for packets that no forward takes: from the mesh, to another host, of open connections.
    """

    protos: FrozenSet[str] = frozenset()
    ports: Tuple[Span, ...] = ()
    sources: Tuple[Span, ...] = ()
    beyond: str = ""
    owner: str = ""
    apart: bool = False

    def within(self, outer: Limits) -> Optional[Limits]:
        """What is left of it behind a jump for which others hold; None for nothing."""
        protos = self.protos & outer.protos if self.protos and outer.protos else self.protos or outer.protos
        if self.protos and outer.protos and not protos:
            return None
        twice = self.ports and outer.ports or self.sources and outer.sources
        return Limits(protos, self.ports or outer.ports, self.sources or outer.sources,
                      self.beyond or outer.beyond or ("the conditions of the jump to it" if twice else ""), apart=self.apart or outer.apart)

    def overlaps(self, other: Limits) -> bool:
        """Whether one packet may be meant by both."""
        ports = not self.ports or not other.ports or any(
            low <= other_high and other_low <= high for low, high in self.ports for other_low, other_high in other.ports)
        return ports and (not self.protos or not other.protos or bool(self.protos & other.protos))


class Place(NamedTuple):
    """A rule where it stands."""

    chain: Chain
    rule: Rule
    limits: Limits

    def __str__(self) -> str:
        words = self.rule.text or f"with the handle {self.rule.handle}"
        return f"the rule {shown(words)} in {self.chain}"


def limits_of(conditions: Sequence[Condition], family: int, mesh: str, own: Sequence[int]) -> Optional[Limits]:
    """What the conditions of a rule on the way in say; None for one of the other IP version, or of no packet at all.

    Args:
        family: 4 or 6.
        mesh: the mesh interface, from which no forward takes anything; nor from the loopback one.
        own: addresses of the host, to which a forward's packets are sent; empty when they are not known.
    """
    found: Optional[Limits] = Limits()
    facts: Dict[str, Fact] = {f.FAMILY: _name(str(family)), f.TARGET_TYPE: _name("local"), f.STATE: _name("new"),
                              f.STATUS: Known(), f.DIRECTION: _name("original"), f.IIF: Known(maybe=None, never=frozenset({mesh, "lo"}))}
    for condition in conditions:
        answer = condition.matches(facts)
        if own and condition.field == f.TARGET and not any(condition.matches({f.TARGET: (address, address)}) for address in own):
            answer = False
        if answer is False and condition.field == f.FAMILY:
            return None
        if not answer:
            found = (_limit(condition) if answer is None else Limits(apart=True)).within(found or Limits())
        if found is None:
            return None
    return found


def _limit(condition: Condition) -> Limits:
    if not condition.negated and condition.field == f.PROTO:
        return Limits(protos=condition.names)
    if not condition.negated and condition.field == f.DPORT:
        return Limits(ports=condition.spans)
    if not condition.negated and condition.field == f.SOURCE:
        return Limits(sources=condition.spans)
    return Limits(beyond=BEYOND.get(condition.field, SOMETHING))


def _name(name: str) -> Known:
    return Known(frozenset({name}))


class Table:
    """The chains of one table of one IP version.

    Args:
        mesh: the mesh interface.
        own: addresses of the host.

    Attributes:
        skipped: whether chains call each other so often that not all of it was looked at.
    """

    def __init__(self, chains: Iterable[Chain], family: int, mesh: str, own: Iterable[str] = ()) -> None:
        self.chains = {chain.name: chain for chain in chains}
        self.family, self.mesh = family, mesh
        addresses = [ipaddress.ip_address(words) for words in own]
        self.own = [int(address) for address in addresses if address.version == family and not address.is_loopback]
        self.skipped = False
        self._left = MOST_RULES

    def hooked(self, hook: str) -> List[Chain]:
        """The base chains of a hook, in their order."""
        found = [chain for chain in self.chains.values() if chain.hook == hook and chain.kind == "nat"]
        return sorted(found, key=lambda chain: chain.priority)

    def places(self, chain: Chain, outer: Limits = Limits(), depth: int = 0) -> Iterator[Place]:  # noqa: B008  a tuple
        """The rules that decide, in the order in which a packet on its way in meets them; those behind jumps included."""
        owner = owner_of(chain) or outer.owner
        gone: List[Limits] = []     # what has left this chain for the one that called it
        for rule in chain.rules:
            self._left -= 1
            self.skipped = self.skipped or self._left < 0 or depth > DEPTH_LIMIT
            if self.skipped:
                return
            own = limits_of(rule.conditions, self.family, self.mesh, self.own)
            limits = own.within(outer) if own else None
            if limits is None or rule.verdict == f.CONTINUE:
                continue
            limits = limits._replace(owner=owner, beyond=limits.beyond or ("what earlier rules of its chain leave of it" if any(
                limits.overlaps(other) for other in gone) else ""))
            inner = self.chains.get(rule.target) if rule.verdict in (f.JUMP, f.GOTO) else None
            if inner:
                yield from self.places(inner, limits, depth + 1)
            if not chain.hook and rule.verdict in (f.RETURN, f.GOTO):
                gone.append(limits)
            elif not inner or rule.verdict == f.GOTO:
                yield Place(chain, rule, limits)

    def hides_source(self, proto: str, target: str, ports: Span, client: str) -> Optional[bool]:
        """Whether a client's packet leaves for the mesh with another source; None when that cannot be told.

        Args:
            ports: those of the target.
            client: the client's address.
        """
        number, source = int(ipaddress.ip_address(target)), int(ipaddress.ip_address(client))
        facts: Dict[str, Fact] = {
            f.FAMILY: _name(str(self.family)), f.PROTO: _name(proto), f.OIF: _name(self.mesh), f.SOURCE: (source, source), f.DPORT: ports,
            f.TARGET: (number, number), f.TARGET_TYPE: _name("unicast"), f.SOURCE_TYPE: _name("unicast"), f.DIRECTION: _name("original"),
            f.STATE: Known(frozenset({"new", "dnat"}), frozenset({"snat"})), f.STATUS: Known(frozenset({"dnat"}), frozenset({"snat"})),
            f.MARK: (0, 0)}
        self._left = MOST_RULES
        maybe = set()
        for chain in self.hooked("postrouting"):
            for certain, hides in self._ends(chain, facts, True, 0):
                maybe.add(hides)
                if certain:
                    break
            else:
                maybe.add(False)
        if self._left < 0:
            return None
        return True in maybe if len(maybe) < 2 else None

    def _ends(self, chain: Chain, facts: Dict[str, Fact], certain: bool, depth: int) -> Iterator[Tuple[bool, bool]]:
        """The ways in which a packet may leave the table: whether that is certain, and whether its source is hidden then."""
        for rule in chain.rules:
            self._left -= 1
            matches = rule.matches(facts) if self._left >= 0 and depth <= DEPTH_LIMIT else False
            inner = self.chains.get(rule.target) if rule.verdict in (f.JUMP, f.GOTO) else None
            if matches is False or rule.verdict == f.CONTINUE:
                continue
            if inner:
                yield from self._ends(inner, facts, certain and matches is True, depth + 1)
            elif rule.verdict != f.RETURN or chain.hook:
                yield certain and matches is True, rule.translation == f.TO_SOURCE
            if rule.verdict in (f.RETURN, f.GOTO):
                if matches:
                    return
                certain = False


def owner_of(chain: Chain) -> str:
    """Whose program makes such a chain; empty for nobody's that is known."""
    if chain.backend == "nft" and chain.table == OUR_TABLE:
        return OURS
    return next((owner for start, owner in OWNERS.items() if chain.name.startswith(start)), "")

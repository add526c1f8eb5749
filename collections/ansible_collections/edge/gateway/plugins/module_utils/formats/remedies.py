# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What opens somebody else's chain for our forwards, in the words of the tool that made it.

Sources: ufw(8) "ROUTING", docs.docker.com "Packet filtering and firewalls", firewalld.policies(5), iptables(8), nft(8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection, Dict, List, Tuple

from ..models.filtering import TRACKING, TRANSLATION, Chain
from ..models.passage import ANSWER, Probe

ROLE = "set edge_gateway_open_foreign: true and run the firewall role"
TOOLS = {"ip": "iptables", "ip6": "ip6tables"}
MATCHES = {
    "nft": {"into": "oifname {mesh}", "out of": "iifname {mesh}", "not into": "oifname != {mesh}", "translated": "ct status dnat",
            "port": "{proto} dport {ports}", "dash": "-"},
    "iptables": {"into": "-o {mesh}", "out of": "-i {mesh}", "not into": "! -o {mesh}", "translated": "-m conntrack --ctstate DNAT",
                 "port": "-p {proto} --dport {ports}", "dash": ":"},
}
# rules by public port that are still proposed one by one
COMMANDS_LIMIT = 50


@dataclass(frozen=True)
class Need:
    """What must pass a chain.

    Attributes:
        mesh: the mesh interface.
        uplink: where clients come in, empty when not known.
        words: what is dropped.
        probes: the forwards at stake, at least one.
    """

    mesh: str
    uplink: str
    words: Tuple[str, ...]
    probes: Tuple[Probe, ...]


def remedy(base: Chain, names: Collection[str], need: Need) -> Tuple[str, Tuple[str, ...]]:
    """Half a sentence for people, and the commands that do it for all these forwards (none when only the owner can).

    Args:
        base: the base chain that drops.
        names: all chains of its table.
    """
    if base.table == "firewalld_policy_drop":
        return "firewalld is in panic mode; end it with 'firewall-cmd --panic-off'", ()
    if base.table == "firewalld":
        return (f"let a policy of firewalld accept from the zone of {need.uplink or 'the clients'} to the zone of {need.mesh}, or keep "
                "StrictForwardPorts=no in firewalld.conf"), ()
    # ufw and Docker write their own chains anew, but leave these two alone
    chain = "DOCKER-USER" if base.hook == "forward" and any(rule.target == "DOCKER-USER" for rule in base.rules) else base.name
    commands = tuple(_commands(base, chain, need))
    if len(commands) > COMMANDS_LIMIT:
        return f"accept the public ports of these {len(need.probes)} forwards at the top of it", ()
    if base.hook == "forward" and any(name.startswith("ufw-") for name in names):
        return f"allow each with ufw, such as '{_ufw(need)}', or {ROLE}", commands
    more = f" (and {len(commands) - 2} more)" if len(commands) > 2 else ""
    return f"run {' and '.join(repr(command) for command in commands[:2])}{more}, or {ROLE}", commands


def _ufw(need: Need) -> str:
    probe, where = need.probes[0], f"in on {need.uplink} " if need.uplink else ""
    ports = ":".join(str(port) for port in sorted(set(probe.target_ports)))
    return f"ufw route allow {where}out on {need.mesh} to {probe.target_ip} port {ports} proto {probe.proto}"


def _commands(base: Chain, chain: str, need: Need) -> List[str]:
    """A rule at the top for each direction, by public port where nothing else tells forwards yet.

    In the forward hook both directions, even if one is open now: whoever closes the other half later shall find it open.
    """
    found: Dict[str, None] = {}
    for answers in (False, True) if base.hook == "forward" else sorted({word == ANSWER for word in need.words}):
        for probe in need.probes:
            match = _match(base, need.mesh, answers, probe)
            if base.backend == "nft":
                found[f"nft insert rule {base.family} {base.table} {chain} {match} accept"] = None
            else:
                tool = TOOLS[base.family] + base.backend[len("iptables"):]
                found[f"{tool} -t {base.table} -I {chain} {match} -j ACCEPT"] = None
    return list(found)


def _match(base: Chain, mesh: str, answers: bool, probe: Probe) -> str:
    """What selects one direction of forwards, as narrow as the place allows, in the language of the chain."""
    words = MATCHES["nft" if base.backend == "nft" else "iptables"]
    early = base.hook == "prerouting"
    if answers:
        way = words["not into"] if base.hook == "postrouting" else words["out of"]
        return (way if early and base.priority <= TRACKING else f"{way} {words['translated']}").format(mesh=mesh)
    if not early:
        return f"{words['into']} {words['translated']}".format(mesh=mesh)
    if base.priority > TRANSLATION:
        return words["translated"]
    first, last = probe.public_ports
    return words["port"].format(proto=probe.proto, ports=str(first) if first == last else f"{first}{words['dash']}{last}")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a host to learn about other people's firewalls: little, nothing that changes it, and failures are notes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import foreign
from ansible_collections.edge.gateway.plugins.module_utils.errors import CommandFailed
from ansible_collections.edge.gateway.plugins.module_utils.formats import remedies
from ansible_collections.edge.gateway.plugins.module_utils.host import Host, Result
from ansible_collections.edge.gateway.plugins.module_utils.models.filtering import Chain, Rule
from ansible_collections.edge.gateway.plugins.module_utils.models.finding import Report
from ansible_collections.edge.gateway.plugins.module_utils.models.passage import Probe
from unit.probes import probe_of

DATA = Path(__file__).parent / "data"
PROBE = probe_of("tcp", "22015", "10.50.0.12", "8080", "vm-1")
LIST_CHAINS = "nft -j list chains"
TOOLS = ("nft", "iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save", "iptables-save", "ip")
NO_CHAINS = json.dumps({"nftables": []})


class Machine(Host):
    """A host that answers from a dictionary and remembers what it was asked."""

    def __init__(self, answers: Dict[str, str], tools: Sequence[str] = TOOLS, files: Optional[Dict[str, str]] = None) -> None:
        self.answers = {LIST_CHAINS: NO_CHAINS, "ip -json -4 route show default": '[{"dev": "eth0"}]', **answers}
        self.tools, self.files, self.asked = tools, files or {}, []  # type: ignore[var-annotated]

    def find(self, tool: str) -> Optional[str]:
        """Whether the tool is among the given ones."""
        return f"/usr/sbin/{tool}" if tool in self.tools else None

    def run(self, argv: Sequence[str], stdin: str = "", timeout: float = 60.0, check: bool = True, holds_lock: bool = False) -> Result:
        """The answer to these very words; there is none to others."""
        self.asked.append(" ".join(argv))
        if self.asked[-1] in self.answers:
            return Result(0, self.answers[self.asked[-1]], "")
        if check:
            raise CommandFailed(f"'{self.asked[-1]}' failed: no answer", argv[0])
        return Result(1, "", "no answer")

    def read(self, path: str, own: bool = False, most: int = 0) -> Optional[bytes]:
        """One of the given files."""
        return self.files[path].encode() if path in self.files else None


def data(name: str) -> str:
    """A recorded answer."""
    return (DATA / name).read_text()


def head(table: str, name: str = "base", **changes: Any) -> Dict[str, Any]:
    """A base chain as nft lists it."""
    return {"chain": {"family": "inet", "table": table, "name": name, "handle": 1, "type": "filter", "hook": "forward", "prio": 0,
                      "policy": "accept", **changes}}


def listing(*entries: Dict[str, Any]) -> str:
    """A listing of nft."""
    return json.dumps({"nftables": list(entries)})


def test_without_others_one_call_is_all() -> None:
    """Our own table, and chains on other hooks, are not looked into."""
    machine = Machine({LIST_CHAINS: listing(head("edge_gateway"), head("x", hook="input", policy="drop"), head("y", family="bridge"),
                                            head("z", family="ip6"), {"chain": {"family": "inet", "table": "y", "name": "sub"}})})
    assert foreign.hindrances(machine, "wg0", [PROBE]) == Report() and machine.asked == [LIST_CHAINS]


def test_without_forwards_nothing_is_asked() -> None:
    """There is nothing to hinder."""
    machine = Machine({})
    assert foreign.hindrances(machine, "wg0", []) == Report() and machine.asked == []


def test_docker() -> None:
    """Tables of iptables are read with iptables, its nat table (which may not drop) not at all; the finding says it all."""
    dump = data("foreign_docker-28-iptables-nft.txt")
    machine = Machine({LIST_CHAINS: data("foreign_docker-28-chains.json"), "iptables-nft-save -t filter": dump[dump.index("*filter"):],
                       "iptables-nft-save -t raw": "*raw\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"})
    report = foreign.hindrances(machine, "wg0", [PROBE])
    assert [str(finding) for finding in report.findings] == [
        "chain FORWARD of table ip filter (iptables-nft), policy drop, drops new connections and open connections and answers of forwards "
        "by eth0; run 'iptables-nft -t filter -I DOCKER-USER -o wg0 -m conntrack --ctstate DNAT -j ACCEPT' and "
        "'iptables-nft -t filter -I DOCKER-USER -i wg0 -m conntrack --ctstate DNAT -j ACCEPT', or set edge_gateway_open_foreign: true "
        "and run the firewall role"]
    assert report.findings[0].probes == (PROBE,) and (report.doubts, report.notes) == ((), ())
    assert set(machine.asked) == {LIST_CHAINS, "iptables-nft-save -t filter", "iptables-nft-save -t raw", "ip -json -4 route show default"}


@pytest.mark.parametrize("tools", [TOOLS, ("nft", "ip")])
def test_tables_that_iptables_cannot_read_are_read_by_nft(tools: Sequence[str]) -> None:
    """Where nft's own rules stand in them, and where iptables is not installed; never with the elements of sets."""
    entries = [head("filter", "FORWARD", family="ip", policy="drop")]
    machine = Machine({LIST_CHAINS: listing(*entries), "nft -j -t list table ip filter": listing(*entries),
                       "iptables-nft-save -t filter": "# Table `filter' is incompatible, use 'nft' tool.\n"}, tools)
    (finding,) = foreign.hindrances(machine, "wg0", [PROBE]).findings
    assert finding.chain == "chain FORWARD of table ip filter" and finding.commands[0].startswith("nft insert rule ip filter FORWARD")
    assert "nft -j -t list table ip filter" in machine.asked


def test_the_rule_is_shown_in_nfts_words() -> None:
    """One more question, only when there is something to show; without an answer the verdict has to do."""
    rule = {"rule": {"family": "inet", "table": "x", "chain": "base", "handle": 7, "expr": [{"reject": None}]}}
    answers = {LIST_CHAINS: listing(head("x")), "nft -j -t list table inet x": listing(head("x"), rule)}
    (finding,) = foreign.hindrances(Machine(answers), "wg0", [PROBE]).findings
    assert (finding.cause, finding.effect) == ("rule 'reject'", "rejects")
    answers["nft -a -t list chain inet x base"] = "table inet x {\n\tchain base {\n\t\treject with tcp reset # handle 7\n"
    (finding,) = foreign.hindrances(Machine(answers), "wg0", [PROBE]).findings
    assert finding.cause == "rule 'reject with tcp reset'"


def test_a_table_that_cannot_be_read_is_a_note() -> None:
    """The others are looked at all the same."""
    drop = head("y", policy="drop")
    machine = Machine({LIST_CHAINS: listing(head("x"), drop), "nft -j -t list table inet y": listing(drop)})
    report = foreign.hindrances(machine, "wg0", [PROBE])
    assert [finding.chain for finding in report.findings] == ["chain base of table inet y"]
    assert report.notes == ("table inet x could not be read ('nft -j -t list table inet x' failed: no answer): whether it drops "
                            "forwarded packets is not known",)


@pytest.mark.parametrize("answer", [None, "not JSON", "[]"])
def test_chains_that_cannot_be_listed_are_a_note(answer: Optional[str]) -> None:
    """An nft that fails, or prints something else."""
    machine = Machine({LIST_CHAINS: answer} if answer else {})
    if answer is None:
        del machine.answers[LIST_CHAINS]
    report = foreign.hindrances(machine, "wg0", [PROBE])
    assert report.findings == () and [note[:44] for note in report.notes] == ["the chains of this host could not be listed "]


def test_legacy_tables_are_read_only_when_they_are_loaded() -> None:
    """Only those that the kernel lists, and only of the families of the forwards."""
    answers = {f"iptables-legacy-save -t {table}": f"*{table}\n:FORWARD DROP [0:0]\nCOMMIT\n" for table in ("filter", "mangle")}
    files = {"/proc/net/ip_tables_names": "filter\nstrange\n", "/proc/net/ip6_tables_names": "filter\n"}
    machine = Machine(answers, files=files)
    (finding,) = foreign.hindrances(machine, "wg0", [PROBE]).findings
    assert finding.chain == "chain FORWARD of table ip filter (iptables-legacy)"
    assert [words for words in machine.asked if "legacy" in words] == ["iptables-legacy-save -t filter"]
    assert foreign.hindrances(Machine(answers), "wg0", [PROBE]) == Report()


@pytest.mark.parametrize(("version", "variant"), [("iptables-save v1.8.9 (nf_tables)", "nft"), ("iptables-save v1.8.9 (legacy)", "legacy"),
                                                  ("iptables-save v1.6.1", "legacy")])
def test_hosts_with_plain_iptables_only(version: str, variant: str) -> None:
    """No nft, no names for the variants: the version tells which one it is."""
    dump = "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"
    machine = Machine({"iptables-save --version": version, "iptables-save": dump, "iptables-save -t filter": dump},
                      ("iptables-save", "ip"), {"/proc/net/ip_tables_names": "filter\n"} if variant == "legacy" else {})
    (finding,) = foreign.hindrances(machine, "wg0", [PROBE]).findings
    assert finding.chain == f"chain FORWARD of table ip filter (iptables-{variant})"


def test_a_host_without_any_tool() -> None:
    """Nothing can be asked, and nothing is said."""
    machine = Machine({}, (), {"/proc/net/ip_tables_names": "filter\n"})
    assert foreign.hindrances(machine, "wg0", [PROBE]) == Report() and machine.asked == []


@pytest.mark.parametrize(("routes", "addresses", "expected"), [
    ([{"dev": "eth0"}, {"dev": "eth1"}, {"dev": "eth0"}], [], ["eth0", "eth1"]), ([{"dev": "wg0"}], [{"ifname": "eth2"}], []),
    ([{"nexthops": [{"dev": "eth3"}, {"dev": "wg0"}]}], [], ["eth3"]),
    ([], [{"ifname": "lo"}, {"ifname": "eth2"}, {"ifname": "wg0"}], ["eth2"]), ([], [], []),
])
def test_uplinks(routes: List[Any], addresses: List[Any], expected: List[str]) -> None:
    """Where the default routes go, else every interface with an address; never the mesh."""
    machine = Machine({"ip -json -4 route show default": json.dumps(routes), "ip -json -4 address show up": json.dumps(addresses)})
    assert foreign.uplinks_of(machine, "wg0", 4) == expected


def test_one_uplink_that_is_closed_is_a_finding() -> None:
    """A client may come by either of two."""
    rule = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth1"}}
    entries = [head("x"), {"rule": {"family": "inet", "table": "x", "chain": "base", "handle": 2, "expr": [rule, {"drop": None}]}}]
    machine = Machine({LIST_CHAINS: listing(head("x")), "nft -j -t list table inet x": listing(*entries),
                       "ip -json -4 route show default": '[{"dev": "eth0"}, {"dev": "eth1"}]'})
    (finding,) = foreign.hindrances(machine, "wg0", [PROBE]).findings
    assert finding.uplinks == ("eth1",)


def machine_with(verdict: str, policy: str, *ports: int) -> Machine:
    """A host whose firewall has a rule for each of some target ports, in both directions."""
    rules = [{"rule": {"family": "inet", "table": "x", "chain": "base", "handle": port, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": field}}, "right": port}}, {verdict: None}]}}
        for port in ports for field in ("dport", "sport")]
    base = head("x", policy=policy)
    return Machine({LIST_CHAINS: listing(base), "nft -j -t list table inet x": listing(base, *rules)})


def test_ten_thousand_forwards() -> None:
    """Judged in a moment; the finding holds those that are hindered, and no other."""
    probes = [Probe("tcp", (port, port), f"10.50.{port // 250}.{port % 250}", (port, port), str(port)) for port in range(10000, 20000)]
    started = time.monotonic()
    (finding,) = foreign.hindrances(machine_with("accept", "drop", 12000, 13000), "wg0", probes).findings
    assert time.monotonic() - started < 3
    assert {probe.name for probe in probes} - {probe.name for probe in finding.probes} == {"12000", "13000"}


def test_rules_that_name_forwards_one_by_one_are_followed_to_a_limit() -> None:
    """What was not looked at is said."""
    ports = range(10000, 10000 + foreign.CLASSES_LIMIT + 50)
    report = foreign.hindrances(machine_with("drop", "accept", *ports), "wg0",
                                [Probe("tcp", (port, port), "10.50.0.12", (port, port), str(port)) for port in ports])
    assert {probe.name for finding in report.findings for probe in finding.probes} == {str(port) for port in ports[:foreign.CLASSES_LIMIT]}
    assert report.notes[0].startswith(f"50 of {len(ports)} forwards were not checked")


def test_the_largest_kinds_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """With very many rules, the kinds that hold most forwards are followed: here, the one that no rule names."""
    monkeypatch.setattr(foreign, "WORK_LIMIT", 10)
    probes = [Probe("tcp", (port, port), "10.50.0.12", (port, port), str(port)) for port in (80, 81, 443, 444, 445)]
    report = foreign.hindrances(machine_with("accept", "drop", 80, 81, 443), "wg0", probes)
    assert [probe.name for finding in report.findings for probe in finding.probes] == ["444", "445"]
    assert report.notes[0].startswith("3 of 5 forwards were not checked")


NEW, BACK = ("new connections",), ("answers", "open connections")
IN_DOCKER = ["FORWARD", "DOCKER-USER"]
TO_DOCKER = (Rule((), "jump", "DOCKER-USER"),)


@pytest.mark.parametrize(("base", "names", "words", "commands"), [
    (Chain("nft", "inet", "x", "f", "forward"), [], NEW, ["nft insert rule inet x f oifname wg0 ct status dnat accept",
                                                         "nft insert rule inet x f iifname wg0 ct status dnat accept"]),
    (Chain("nft", "ip", "x", "f", "forward"), [], BACK, ["nft insert rule ip x f oifname wg0 ct status dnat accept",
                                                       "nft insert rule ip x f iifname wg0 ct status dnat accept"]),
    (Chain("nft", "inet", "x", "f", "prerouting", -300), [], NEW, ["nft insert rule inet x f udp dport 6000-6010 accept"]),
    (Chain("nft", "inet", "x", "f", "prerouting", -150), [], NEW, ["nft insert rule inet x f udp dport 6000-6010 accept"]),
    (Chain("nft", "inet", "x", "f", "prerouting", 0), [], NEW, ["nft insert rule inet x f ct status dnat accept"]),
    (Chain("nft", "inet", "x", "f", "prerouting", -300), [], BACK[:1], ["nft insert rule inet x f iifname wg0 accept"]),
    (Chain("nft", "inet", "x", "f", "postrouting", 0), [], BACK[:1], ["nft insert rule inet x f oifname != wg0 ct status dnat accept"]),
    (Chain("iptables-legacy", "ip", "mangle", "FORWARD", "forward"), [], NEW,
     ["iptables-legacy -t mangle -I FORWARD -o wg0 -m conntrack --ctstate DNAT -j ACCEPT",
      "iptables-legacy -t mangle -I FORWARD -i wg0 -m conntrack --ctstate DNAT -j ACCEPT"]),
    (Chain("iptables-nft", "ip6", "filter", "FORWARD", "forward", rules=TO_DOCKER), IN_DOCKER, BACK[:1],
     ["ip6tables-nft -t filter -I DOCKER-USER -o wg0 -m conntrack --ctstate DNAT -j ACCEPT",
      "ip6tables-nft -t filter -I DOCKER-USER -i wg0 -m conntrack --ctstate DNAT -j ACCEPT"]),
    (Chain("iptables-nft", "ip", "filter", "FORWARD", "forward"), IN_DOCKER, NEW,
     ["iptables-nft -t filter -I FORWARD -o wg0 -m conntrack --ctstate DNAT -j ACCEPT",
      "iptables-nft -t filter -I FORWARD -i wg0 -m conntrack --ctstate DNAT -j ACCEPT"]),
    (Chain("iptables-nft", "ip", "raw", "PREROUTING", "prerouting", -300), [], NEW,
     ["iptables-nft -t raw -I PREROUTING -p udp --dport 6000:6010 -j ACCEPT"]),
    (Chain("iptables-nft", "ip", "raw", "PREROUTING", "prerouting", -300), [], BACK[:1],
     ["iptables-nft -t raw -I PREROUTING -i wg0 -j ACCEPT"]),
    (Chain("iptables-nft", "ip", "mangle", "POSTROUTING", "postrouting", -150), [], BACK[:1],
     ["iptables-nft -t mangle -I POSTROUTING ! -o wg0 -m conntrack --ctstate DNAT -j ACCEPT"]),
    (Chain("iptables-nft", "ip", "filter", "FORWARD", "forward", rules=TO_DOCKER), [*IN_DOCKER, "ufw-user-forward"], NEW,
     ["iptables-nft -t filter -I DOCKER-USER -o wg0 -m conntrack --ctstate DNAT -j ACCEPT",
      "iptables-nft -t filter -I DOCKER-USER -i wg0 -m conntrack --ctstate DNAT -j ACCEPT"]),
    (Chain("nft", "inet", "firewalld", "filter_FORWARD", "forward"), [], NEW, []),
    (Chain("nft", "inet", "firewalld_policy_drop", "raw_prerouting", "prerouting"), [], NEW, []),
])
def test_openings(base: Chain, names: List[str], words: Tuple[str, ...], commands: List[str]) -> None:
    """At the top of the chain that drops, or where its owner wants such rules, as narrow as the place allows."""
    need = remedies.Need("wg0", "eth0", words, (probe_of("udp", "6000-6010", "10.50.0.12", "6000-6010"),))
    remedy, found = remedies.remedy(base, names, need)
    assert list(found) == commands
    owner = {"firewalld": "StrictForwardPorts=no", "firewalld_policy_drop": "--panic-off",
             "filter": "ufw route allow in on eth0 out on wg0 to 10.50.0.12 port 6000:6010 proto udp"}
    assert owner[base.table] in remedy if not commands or "ufw-user-forward" in names else all(command in remedy for command in commands)


@pytest.mark.parametrize(("count", "shown", "commands"), [(2, "'", 2), (3, "' (and 1 more), or set", 3), (50, "(and 48 more)", 50),
                                                           (51, "accept the public ports of these 51 forwards", 0)])
def test_openings_by_public_port(count: int, shown: str, commands: int) -> None:
    """Before translation each forward needs its own; people see two of them, and nobody gets hundreds."""
    probes = tuple(probe_of("tcp", str(port), "10.50.0.12", "80") for port in range(1, count + 1)) * 2
    need = remedies.Need("wg0", "", NEW, probes if commands else probes[:count])
    remedy, found = remedies.remedy(Chain("nft", "inet", "x", "f", "prerouting", -300), [], need)
    assert shown in remedy and len(found) == commands

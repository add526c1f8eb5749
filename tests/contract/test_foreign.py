# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's firewalls: what is said of them is what real packets meet, before and after the fitting opening."""

from __future__ import annotations

import contextlib
import random
import shlex
import socket
import threading
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import foreign
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.finding import Report
from ansible_collections.edge.gateway.plugins.module_utils.models.passage import Probe
from contract import world
from contract.talk import SILENCE_SECONDS, Echo, tcp, udp
from contract.world import TESTS, inside, nft, sh

CLIENT, EDGE, EDGE_MESH, NODE = "198.51.100.2", "198.51.100.1", "10.50.0.1", "10.50.0.12"
CLIENT6, EDGE6, EDGE_MESH6, NODE6 = "2001:db8:1::2", "2001:db8:1::1", "fd50::1", "fd50::12"
NAMESPACES = ("client", "gateway", "node")
PORT, TARGET_PORT = 22015, 8080
RECORDED = TESTS / "unit/data"
# as the collection's own table does it
OURS = f"""
table inet edge_gateway {{
  chain prerouting {{ type nat hook prerouting priority -100;
    iifname != "wg0" fib daddr type local meta l4proto {{ tcp, udp }} th dport {PORT} dnat ip to {NODE}:{TARGET_PORT}
    iifname != "wg0" fib daddr type local meta l4proto {{ tcp, udp }} th dport {PORT} dnat ip6 to [{NODE6}]:{TARGET_PORT}
  }}
  chain postrouting {{ type nat hook postrouting priority 100; oifname "wg0" ct status dnat masquerade; }}
  chain forward {{ type filter hook forward priority 0;
    oifname "wg0" ct status dnat accept
    oifname "wg0" ct state established,related accept
    oifname "wg0" drop
    iifname "wg0" ct state established,related accept
    iifname "wg0" drop
  }}
}}
"""
PROBES = {(family, proto): Probe(proto, (PORT, PORT), address, (TARGET_PORT, TARGET_PORT))
          for family, address in ((4, NODE), (6, NODE6)) for proto in ("tcp", "udp")}


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """client -- edge -- node in both families; the edge's default route is the client's side."""
    for name in NAMESPACES:
        world.add_namespace(name)
        with inside(name):
            Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    world.connect(("client", "eth0", f"{CLIENT}/24"), ("gateway", "up0", f"{EDGE}/24"))
    world.connect(("node", "eth0", f"{NODE}/24"), ("gateway", "wg0", f"{EDGE_MESH}/24"))
    for name, device, address in (("client", "eth0", CLIENT6), ("gateway", "up0", EDGE6), ("gateway", "wg0", EDGE_MESH6),
                                  ("node", "eth0", NODE6)):
        sh("ip", "-n", name, "address", "add", f"{address}/64", "dev", device, "nodad")
    for name, router in (("client", EDGE), ("node", EDGE_MESH), ("gateway", CLIENT),
                         ("client", EDGE6), ("node", EDGE_MESH6), ("gateway", CLIENT6)):
        sh("ip", "-n", name, "route", "add", "default", "via", router)
    yield
    world.remove_namespaces(*NAMESPACES)


@pytest.fixture(scope="module", autouse=True)
def servers(network: None) -> Iterator[None]:
    """The node's service in both families."""
    with inside("node"):
        echo = Echo("node", NODE, TARGET_PORT)
        listener = socket.create_server((NODE6, TARGET_PORT), family=socket.AF_INET6)
    threading.Thread(target=answer, args=(listener,), daemon=True).start()
    yield
    echo.close()
    listener.close()


def answer(listener: socket.socket) -> None:
    """Send back what each of the clients sends first."""
    with contextlib.suppress(OSError):
        while True:
            connection, _peer = listener.accept()
            with contextlib.suppress(OSError), connection:
                connection.settimeout(1)
                connection.sendall(connection.recv(100))


@pytest.fixture(autouse=True)
def clean_edge(network: None) -> None:
    """Our forward stands, and no rule of anybody else is left of the test before."""
    with inside("gateway"):
        sh("nft", "flush", "ruleset")
        for tool, names in (("iptables-legacy", "ip_tables_names"), ("ip6tables-legacy", "ip6_tables_names")):
            for table in Path(f"/proc/thread-self/net/{names}").read_text().split():
                sh(tool, "-t", table, "-F")
                sh(tool, "-t", table, "-X")
                for hook in ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"):
                    sh(tool, "-t", table, "-P", hook, "ACCEPT", check=False)
        sh("conntrack", "-F", check=False)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        nft(OURS)


def arrives(proto: str = "tcp", family: int = 4) -> bool:
    """Whether a client's connection reaches the node and its answer comes back."""
    with inside("client"):
        if proto == "udp":
            return bool(udp(EDGE, PORT))
        return bool(tcp(EDGE if family == 4 else EDGE6, PORT, SILENCE_SECONDS))


def ask(proto: str = "tcp", family: int = 4) -> Report:
    """What is said about that connection."""
    with inside("gateway"):
        return foreign.hindrances(Host(), "wg0", [PROBES[family, proto]])


def load(text: str) -> None:
    """Load rules on the edge: a script of nft, or a dump of iptables if it says which one, such as ``#iptables-legacy``."""
    with inside("gateway"):
        if not text.startswith("#"):
            nft(text)
            return
        tool, _newline, dump = text.partition("\n")
        sh(f"{tool[1:]}-restore", stdin=dump)


def recorded(tool: str, name: str, family: str = "") -> str:
    """A recorded dump of iptables, for one of its variants."""
    return f"#{'ip6tables' if family else 'iptables'}-{tool}\n{(RECORDED / name).read_text()}"


def chain(hook: str, priority: int, *rules: str, policy: str = "accept", kind: str = "filter", more: str = "") -> str:
    """A hand-written table with one base chain."""
    text = "\n".join(rules)
    return f"table inet admin {{\n{more}\nchain base {{ type {kind} hook {hook} priority {priority}; policy {policy};\n{text}\n}}\n}}\n"


def iptables(tool: str, table: str, *rules: str) -> str:
    """A dump of one table, given its lines."""
    return f"#{tool}\n*{table}\n" + "\n".join(rules) + "\nCOMMIT\n"


FIREWALLD = (RECORDED / "foreign_firewalld-1.3.3.nft").read_text()
STRICT_FIREWALLD = FIREWALLD.replace("ct status dnat accept", "")
DOCKER, UFW, UFW_OPEN, UFW6 = ("foreign_docker-28-iptables-nft.txt", "foreign_ufw-0.36.2-iptables.txt",
                               "foreign_ufw-0.36.2-route-allow-iptables.txt", "foreign_ufw-0.36.2-ip6tables.txt")
ESTABLISHED = "ct state established,related accept"
LOOKUP = 'chain up { oifname "wg0" VERDICT; }'

# their rules also ask for a client's address
UNSURE = ("docker", "iptables, network")
# rules, then the protocols that get through; "?" where that depends on what nobody knows beforehand
CASES = {
    "nobody": ("", "tcp udp"),
    "docker": (recorded("nft", DOCKER), ""),
    "docker, legacy": (recorded("legacy", "foreign_docker-28-iptables-legacy.txt"), ""),
    "ufw": (recorded("nft", UFW), ""),
    "ufw, legacy": (recorded("legacy", UFW), ""),
    "ufw, opened for another port": (recorded("nft", UFW_OPEN).replace("--dport 8080", "--dport 8081").replace("eth0", "up0"), ""),
    "ufw, opened by another interface": (recorded("nft", UFW_OPEN), ""),
    "ufw, opened for tcp": (recorded("nft", UFW_OPEN).replace("eth0", "up0"), "tcp"),
    "ufw, legacy, opened for tcp": (recorded("legacy", UFW_OPEN).replace("eth0", "up0"), "tcp"),
    "firewalld": (FIREWALLD, "tcp udp"),
    "firewalld, strict": (STRICT_FIREWALLD, ""),
    "firewalld, panic": ("table inet firewalld_policy_drop {\n chain raw_prerouting {\n"
                         "type filter hook prerouting priority raw + 9; policy drop;\n}\n}\n", ""),
    "default deny, final reject": (chain("forward", 0, ESTABLISHED, "reject with icmpx type admin-prohibited"), ""),
    "default deny, accepts dnat": (chain("forward", 0, ESTABLISHED, "ct status dnat accept", policy="drop"), "tcp udp"),
    "accepts new only": (chain("forward", 0, "ct state new accept", policy="drop"), ""),
    "accepts the way in only": (chain("forward", 5, 'oifname "wg0" accept', policy="drop"), ""),
    "accepts answers only": (chain("forward", 5, 'iifname "wg0" accept', policy="drop"), ""),
    "answers dropped before routing": (chain("prerouting", 0, 'iifname "wg0" drop'), ""),
    "answers dropped before tracking": (chain("prerouting", -300, 'iifname "wg0" drop'), ""),
    "answers dropped on the way out": (chain("postrouting", 0, 'oifname "up0" drop'), ""),
    "dropped on the way out": (chain("postrouting", 200, 'oifname "wg0" ct state new drop'), ""),
    "public port dropped before tracking": (chain("prerouting", -300, f"udp dport {PORT} drop"), "tcp"),
    "public port dropped before translation": (chain("prerouting", -150, f"tcp dport {PORT} drop"), "udp"),
    "public port dropped after translation": (chain("prerouting", -90, f"tcp dport {PORT} drop"), "tcp udp"),
    "target port dropped after translation": (chain("prerouting", -90, f"tcp dport {TARGET_PORT} drop"), "udp"),
    "public port accepted in forward": (chain("forward", 0, ESTABLISHED, f"tcp dport {PORT} accept", policy="drop"), ""),
    "target port accepted in forward": (chain("forward", 0, ESTABLISHED, f"tcp dport {TARGET_PORT} accept", policy="drop"), "tcp"),
    "original port accepted": (chain("forward", 0, ESTABLISHED, f"meta l4proto tcp ct original proto-dst {PORT} accept",
                                     policy="drop"), "tcp"),
    "only for local addresses": (chain("prerouting", -150, 'iifname "wg0" accept', "fib daddr type != local drop"), "tcp udp"),
    "only new states, before tracking": (chain("prerouting", -300, "ct state invalid drop"), ""),
    "only new states, after tracking": (chain("prerouting", -150, "ct state invalid drop"), "tcp udp"),
    "connections untracked": (chain("prerouting", -300, f"tcp dport {PORT} notrack"), "udp"),
    "connections untracked too late": (chain("prerouting", -150, f"tcp dport {PORT} notrack"), "tcp udp"),
    "sent elsewhere before": (chain("prerouting", -110, f"tcp dport {PORT} dnat ip to 10.50.0.99:1", kind="nat"), "udp"),
    "sent elsewhere after": (chain("prerouting", -90, f"tcp dport {PORT} dnat ip to 10.50.0.99:1", kind="nat"), "tcp udp"),
    "nat chain that drops": (chain("prerouting", -110, kind="nat", policy="drop"), ""),
    "zones by a map": (chain("forward", 0, 'iifname vmap { "up0" : jump up, "wg0" : accept }', more=LOOKUP.replace("VERDICT", "drop")), ""),
    "zones by a map, open": (chain("forward", 0, 'iifname vmap { "up0" : jump up, "wg0" : accept }', policy="drop",
                                   more=LOOKUP.replace("VERDICT", "accept")), "tcp udp"),
    "pairs by a map": (chain("forward", 0, 'iifname . oifname vmap { "up0" . "wg0" : accept, "wg0" . "up0" : accept }',
                             policy="drop"), "tcp udp"),
    "pairs in a set": (chain("forward", 0, ESTABLISHED, 'iifname . oifname { "lo" . "wg0", "up0" . "wg0" } accept', policy="drop"),
                       "tcp udp"),
    "a jump comes back": (chain("forward", 0, ESTABLISHED, "jump up", 'oifname "wg0" accept', policy="drop",
                                more="chain up { tcp dport 1 accept; return; }"), "tcp udp"),
    "a goto does not": (chain("forward", 0, ESTABLISHED, "goto up", 'oifname "wg0" accept', policy="drop",
                              more="chain up { tcp dport 1 accept; return; }"), ""),
    "no mark": (chain("forward", 0, ESTABLISHED, "meta mark 0x10 accept", policy="drop"), ""),
    "a mark set by another": (chain("forward", 0, ESTABLISHED, "meta mark 0x10 accept", policy="drop", more='chain early {\n'
                                    'type filter hook prerouting priority -150;\nmeta mark set 0x10\n}'), "?"),
    "one client only": (chain("forward", 0, ESTABLISHED, f"ip saddr {CLIENT} accept", policy="drop"), "?"),
    "a rate": (chain("forward", 0, ESTABLISHED, "limit rate 100/second accept", policy="drop"), "?"),
    "a set by name": (chain("forward", 0, ESTABLISHED, "ip daddr @nodes accept", policy="drop",
                            more=f"set nodes {{ type ipv4_addr; elements = {{ {NODE} }}; }}"), "?"),
    "a map by name": (chain("forward", 0, "iifname vmap @zones", policy="drop",
                            more='map zones { type ifname : verdict; elements = { "up0" : accept, "wg0" : accept }; }'), "?"),
    "at the priority of the translation": (chain("prerouting", -100, f"tcp dport {TARGET_PORT} drop"), "?"),
    "mangle policy": (iptables("iptables-nft", "mangle", ":FORWARD DROP [0:0]"), ""),
    "raw policy, legacy": (iptables("iptables-legacy", "raw", ":PREROUTING DROP [0:0]"), ""),
    "iptables, way in only": (iptables("iptables-nft", "filter", ":FORWARD DROP [0:0]", "-A FORWARD -i up+ -o wg0 -j ACCEPT"), ""),
    "iptables, both ways": (iptables("iptables-nft", "filter", ":FORWARD DROP [0:0]", "-A FORWARD ! -i wg0 -o wg0 -j ACCEPT",
                                     "-A FORWARD -i wg0 -m state --state ESTABLISHED -j ACCEPT"), "tcp udp"),
    "iptables, state dnat": (iptables("iptables-legacy", "filter", ":FORWARD DROP [0:0]",
                                      "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT"), "tcp udp"),
    "iptables, status and port": (iptables("iptables-nft", "filter", ":FORWARD DROP [0:0]", "-A FORWARD -i wg0 -j ACCEPT",
                                           f"-A FORWARD -p tcp -m multiport --dports 1:2,{TARGET_PORT} -j ACCEPT",
                                           "-A FORWARD -p udp -m comment --comment \"-j DROP\" -m addrtype --dst-type LOCAL -j ACCEPT"),
                                  "tcp"),
    "iptables, network": (iptables("iptables-nft", "filter", ":FORWARD ACCEPT [0:0]", "-A FORWARD ! -d 10.50.0.0/24 -o wg0 -j ACCEPT",
                                   "-A FORWARD -d 10.50.0.8/29 -p tcp -j REJECT --reject-with icmp-port-unreachable"), "udp"),
    "iptables, goto": (iptables("iptables-nft", "filter", ":FORWARD DROP [0:0]", ":X - [0:0]", "-A FORWARD -g X",
                                "-A FORWARD -j ACCEPT", "-A X -p tcp -j ACCEPT", "-A X -j RETURN"), "tcp"),
    "iptables, a rate": (iptables("iptables-nft", "filter", ":FORWARD DROP [0:0]", "-A FORWARD -m limit --limit 99/sec -j ACCEPT"), "?"),
    "nft's words in a table of iptables": ("table ip filter {\n chain FORWARD { type filter hook forward priority 0; policy drop;\n"
                                           "ct state vmap { established : accept }\n}\n}\n", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_is_what_happens(name: str) -> None:
    """Where rules depend on what nobody can know, nothing is said; everywhere else, exactly what happens."""
    text, through = CASES[name]
    if text:
        load(text)
    for proto in ("tcp", "udp"):
        report = ask(proto)
        assert not report.notes
        if through == "?":
            assert (report.findings, bool(report.doubts)) == ((), True) or proto == "udp" and "tcp" in text
            continue
        assert arrives(proto) == (proto in through.split())
        assert bool(report.findings) == (proto not in through.split())
        assert not report.doubts or name.startswith(UNSURE)


@pytest.mark.parametrize("name", [name for name, (_text, through) in CASES.items() if through != "?" and "tcp" not in through])
def test_the_commands_of_the_remedy_open_it(name: str) -> None:
    """They are run as they are: the connection arrives then, and nothing is said any more. firewalld's user must do it."""
    load(CASES[name][0])
    report = ask()
    assert report.findings and not arrives()
    for _round in range(3):              # behind one closed door there may be another
        commands = [command for finding in report.findings for command in finding.commands]
        for command in commands:
            with inside("gateway"):
                sh(*shlex.split(command))
        report = ask()
    owned = name.startswith("firewalld")
    assert arrives() != owned and bool(report.findings) == owned


@pytest.mark.parametrize("tool", ["nft", "legacy"])
def test_the_finding_names_chain_and_owner(tool: str) -> None:
    """Docker's and ufw's users read the name that their tool shows, and what to do with that tool."""
    load(recorded(tool, DOCKER if tool == "nft" else "foreign_docker-28-iptables-legacy.txt"))
    (finding,) = ask().findings
    assert (finding.chain, finding.cause) == (f"chain FORWARD of table ip filter (iptables-{tool})", "policy drop")
    assert finding.traffic == ("new connections", "open connections", "answers") and finding.uplinks == ("up0",)
    assert finding.commands[0] == f"iptables-{tool} -t filter -I DOCKER-USER -o wg0 -m conntrack --ctstate DNAT -j ACCEPT"
    load(recorded(tool, UFW))
    (finding,) = ask().findings
    assert f"ufw route allow in on up0 out on wg0 to {NODE} port {TARGET_PORT} proto tcp" in finding.remedy


def test_the_finding_shows_the_rule_as_nft_does() -> None:
    """A rule of nft's is shown in nft's words."""
    load(STRICT_FIREWALLD)
    (finding,) = ask().findings
    assert finding.chain == "chain filter_FWD_public of table inet firewalld"
    assert finding.cause == "rule 'reject with icmpx admin-prohibited'"


@pytest.mark.parametrize("name", ["ufw6", "drop4", "drop6", "nobody"])
def test_ipv6(name: str) -> None:
    """The rules of a family count for that family only."""
    load({"ufw6": recorded("nft", UFW6, "6"), "nobody": "table inet x",
          "drop4": "table ip x { chain y { type filter hook forward priority 0; policy drop; }; }",
          "drop6": chain("forward", 0, "meta nfproto ipv6 drop")}[name])
    for family in (4, 6):
        passes = not ask("tcp", family).findings
        assert passes == arrives("tcp", family) == (family == 4 and name != "drop4" or name in ("drop4", "nobody") and family == 6)


MATCHES = ['iifname "up0"', 'iifname "wg0"', 'oifname "wg0"', 'oifname != "wg0"', 'iifname { "up0", "lo" }', "ct state new",
           "ct state established", "ct state != new", "ct status dnat", "ct direction reply", f"tcp dport {PORT}",
           f"tcp dport {TARGET_PORT}", f"tcp sport {TARGET_PORT}", f"tcp dport {{ {PORT}, {TARGET_PORT} }}", "th dport >= 10000",
           f"ip daddr {NODE}", "ip saddr 10.50.0.0/24", "ip daddr != 10.50.0.0/16", "meta l4proto udp", "meta nfproto ipv4",
           "fib daddr type local", "limit rate 1000/second"]
VERDICTS = ["accept", "drop", "jump one", "jump two", "goto two", "return", "counter"]
PLACES: List[Tuple[str, int]] = [("prerouting", -300), ("prerouting", -150), ("prerouting", 0), ("forward", -1), ("forward", 1),
                                 ("postrouting", 0), ("postrouting", 300)]
# what nft or the kernel refuses at a hook
ABSENT = {"prerouting": "oifname", "postrouting": "iifname", "forward": "nothing"}


@pytest.mark.parametrize("seed", range(25))
def test_random_rules(seed: int) -> None:
    """What is said of rules that nobody thought of is what happens."""
    dice = random.Random(seed)
    hook, priority = dice.choice(PLACES)
    usable = [match for match in MATCHES if ABSENT[hook] not in match]

    def rules(count: int, verdicts: List[str]) -> str:
        return "\n".join(f"{' '.join(dice.sample(usable, dice.randint(0, 2)))} {dice.choice(verdicts)}" for _ in range(count))

    two = f"chain two {{\n{rules(2, ['accept', 'drop', 'return', 'counter'])}\n}}\n"
    one = f"chain one {{\n{rules(3, [word for word in VERDICTS if 'one' not in word])}\n}}\n"
    try:
        load(chain(hook, priority, rules(5, VERDICTS), policy=dice.choice(["accept", "drop"]), more=two + one))
    except AssertionError:
        pytest.skip("nft sees that these rules contradict each other")
    report = ask()
    if report.findings or not report.doubts:
        assert arrives() == (not report.findings)


def test_asking_loads_and_changes_nothing() -> None:
    """No table of iptables appears by being looked for."""
    with inside("gateway"):
        before = sh("nft", "list", "ruleset"), Path("/proc/thread-self/net/ip_tables_names").read_text()
        foreign.hindrances(Host(), "wg0", list(PROBES.values()))
        assert before == (sh("nft", "list", "ruleset"), Path("/proc/thread-self/net/ip_tables_names").read_text())

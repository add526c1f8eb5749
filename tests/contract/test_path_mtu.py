# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a packet gets from an edge to its hub, with a router between them that is narrow behind and may tell nobody."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from typing import Any, Dict, Iterator, Optional

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import path_mtu
from ansible_collections.edge.gateway.plugins.module_utils.formats import icmp
from ansible_collections.edge.gateway.plugins.module_utils.models.path import first_sizes
from contract import mesh, world
from contract.mesh import CONF, Controller, join
from contract.world import inside, nft, sh

EDGE = {4: "198.51.100.2", 6: "2001:db8:1::2"}
NEAR = {4: "198.51.100.1", 6: "2001:db8:1::1"}
FAR = {4: "203.0.113.1", 6: "2001:db8:2::1"}
HUB = {4: "203.0.113.2", 6: "2001:db8:2::2"}
NAMESPACES = ("edge", "router", "hub")
ALL_PACKETS = 3               # ETH_P_ALL
# IP_TRANSPARENT and its sibling: send from addresses of others
TRANSPARENT = {4: (socket.IPPROTO_IP, 19), 6: (socket.IPPROTO_IPV6, 75)}
WIDE, NARROW = 1500, 1413
# what a tunnel over the narrow path may carry: less 60 bytes of WireGuard's, and a multiple of 16
FITTING = 1344
both_versions = pytest.mark.parametrize("version", [4, 6])
# what is dropped, by name: at the router that knows of the narrow link, or anywhere on the way
SILENT = {4: "icmp type destination-unreachable drop", 6: "icmpv6 type packet-too-big drop"}
NO_ECHO = {4: "icmp type echo-request drop", 6: "icmpv6 type echo-request drop"}


@pytest.fixture(name="path", scope="module", autouse=True)
def narrow_path(hub_key: str) -> Iterator[None]:
    """edge -- router -- hub, beside the cable between edge and hub."""
    world.add_namespace("router")
    for name in NAMESPACES:
        with inside(name):
            sh("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
    world.connect(("edge", "up0", f"{EDGE[4]}/24"), ("router", "near0", f"{NEAR[4]}/24"))
    world.connect(("router", "far0", f"{FAR[4]}/24"), ("hub", "up0", f"{HUB[4]}/24"))
    for name, device, address in (("edge", "up0", EDGE), ("router", "near0", NEAR), ("router", "far0", FAR), ("hub", "up0", HUB)):
        sh("ip", "-n", name, "address", "add", f"{address[6]}/64", "dev", device, "nodad")
    with inside("router"):
        sh("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for name, network, router in (("edge", HUB, NEAR), ("hub", EDGE, FAR)):
        for version in (4, 6):
            sh("ip", "-n", name, f"-{version}", "route", "add", network[version], "via", router[version])
    yield
    world.remove_namespaces("router")


@pytest.fixture(autouse=True)
def nothing_learned(path: None) -> Iterator[None]:
    """A wide path that nobody filters, of which the edge's kernel knows nothing."""
    width(WIDE)
    for name in NAMESPACES:
        with inside(name):
            sh("nft", "flush", "ruleset")
    for version in ("-4", "-6"):
        sh("ip", "-n", "edge", version, "route", "flush", "cache")
    yield
    mesh.remove_edge()


def width(size: int) -> None:
    """The MTU of the link between router and hub."""
    for name, device in (("router", "far0"), ("hub", "up0")):
        sh("ip", "-n", name, "link", "set", device, "mtu", str(size))


def drops(hook: str, *rules: str, namespace: str = "router") -> None:
    """Let a host drop some packets."""
    with inside(namespace):
        lines = "\n".join(f"  {rule}" for rule in rules)
        nft(f"table inet {hook}_drops {{\n chain c {{\n  type filter hook {hook} priority 0\n{lines}\n }}\n}}\n")


def probe(version: int = 4, seconds: float = 2.0) -> Optional[int]:
    """What the edge finds out about its way to the hub, within the time."""
    start = time.monotonic()
    with inside("edge"):
        found = path_mtu.probe(HUB[version], seconds)
    assert time.monotonic() - start < seconds + 0.3
    return found


@both_versions
def test_a_plain_path(version: int) -> None:
    """As wide as the interface."""
    start = time.monotonic()
    assert probe(version) == WIDE
    assert time.monotonic() - start < 1


@both_versions
@pytest.mark.parametrize("filtered", [False, True], ids=["told", "black hole"])
@pytest.mark.parametrize("size", [1280, NARROW])
def test_a_narrow_link_behind_the_router(version: int, size: int, filtered: bool) -> None:
    """Found to the byte, whether the router says so or not, and again when the kernel has heard of it."""
    width(size)
    if filtered:
        drops("output", SILENT[version])
    assert [probe(version), probe(version)] == [size, size]


def test_a_wider_path_than_the_kernel_remembers() -> None:
    """What a router said some minutes ago, or somebody pretended, does not count as long as echoes are answered."""
    width(NARROW)
    assert probe() == NARROW
    width(WIDE)
    assert probe() == WIDE


@both_versions
def test_what_routers_tell_counts_without_echoes(version: int) -> None:
    """Echoes are dropped, 'fragmentation needed' is not; a second probe within the kernel's memory says the same."""
    width(NARROW)
    drops("input", NO_ECHO[version], namespace="hub")
    assert [probe(version), probe(version, 1)] == [NARROW, NARROW]


@both_versions
def test_a_silent_path_cannot_be_told(version: int) -> None:
    """Everything is dropped, or nothing is told about a path that may be wide."""
    drops("prerouting", "iifname near0 meta l4proto { icmp, udp } drop", "iifname near0 icmpv6 type echo-request drop",
          "iifname near0 meta l4proto udp drop")
    assert probe(version) is None
    assert probe(version, 0.5) is None


def test_there_is_no_way_at_all() -> None:
    """No route, or a neighbour who is not there: said at once, or in time."""
    with inside("edge"):
        assert path_mtu.probe("233.252.0.1", 0.5) is None
        assert path_mtu.probe("2001:db8:ffff::1") is None
        assert path_mtu.probe("198.51.100.77", 1) is None


def test_a_wide_link_and_lost_packets() -> None:
    """Of jumbo frames too the size is found, though every ninth packet is lost."""
    for name, device in (("edge", "up0"), ("router", "near0")):
        sh("ip", "-n", name, "link", "set", device, "mtu", "9000")
    width(8901)
    drops("forward", "numgen inc mod 9 == 0 drop")
    try:
        assert probe() == 8901
    finally:
        for name, device in (("edge", "up0"), ("router", "near0")):
            sh("ip", "-n", name, "link", "set", device, "mtu", "1500")


def test_a_first_burst_that_is_lost() -> None:
    """As a firewall that learns, or a link that wakes up, may do: all are sent once more."""
    width(NARROW)
    drops("output", SILENT[4])
    # those that are too large for the link do not come as far as this rule
    drops("forward", f"numgen inc mod 1000 < {len([size for size in first_sizes(WIDE) if size <= NARROW])} drop")
    assert probe() == NARROW


def test_a_host_that_answers_a_few_a_second() -> None:
    """It answers the largest that come first: never more than the path is found, and something at all."""
    width(NARROW)
    drops("output", SILENT[4])
    drops("forward", "icmp type echo-reply limit rate over 10/second burst 5 packets drop")
    found = probe()
    assert found is not None and NARROW - 20 < found <= NARROW


def test_the_way_past_a_tunnel_that_takes_everything() -> None:
    """With wg-quick's rule for a default route in the tunnel, echoes go where the tunnel's own packets go."""
    with inside("edge"):
        sh("ip", "route", "add", "blackhole", "default", "table", "51820")
        sh("ip", "rule", "add", "not", "fwmark", "51820", "table", "51820")
    assert probe() == WIDE


@both_versions
def test_answers_of_others_do_not_count(version: int) -> None:
    """Every echo is answered by the router too, each time with one thing wrong, and by rubbish: the path is as narrow as ever."""
    width(NARROW)
    drops("output", SILENT[version])
    stop, lies = threading.Event(), [0]
    family, protocol = ((socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6))[version == 6]
    with inside("router"), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PACKETS)) as ear, \
            socket.socket(family, socket.SOCK_RAW, protocol) as own, socket.socket(family, socket.SOCK_RAW, protocol) as spoofed:
        spoofed.setsockopt(*TRANSPARENT[version], 1)
        ear.bind(("near0", ALL_PACKETS))
        ear.settimeout(0.05)
        spoofed.bind((HUB[version], 0))

        def send(liar: socket.socket, identifier: int, number: int, size: int) -> None:
            request = bytearray(icmp.request(version, identifier & 0xFFFF, number & 0xFFFF, icmp.filling(version, size)))
            # the checksum of IPv4 covers the type as well; IPv6 has its own from the kernel
            request[0] = icmp.REPLY[version]
            if version == 4:
                request[2:4] = bytes(2)
                request[2:4] = icmp.checksum(bytes(request)).to_bytes(2, "big")
            liar.sendto(bytes(request), (EDGE[version], 0))

        def lie() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    packet = ear.recv(65535)
                    start = icmp.IP_HEADER[version]
                    if len(packet) < 1000 or packet[0] >> 4 != version or packet[start] != icmp.REQUEST[version]:
                        continue
                    _kind, _code, _check, identifier, number = icmp.HEADER.unpack_from(packet, start)
                    send(own, identifier, number, len(packet))
                    send(spoofed, identifier + 1, number, len(packet))
                    send(spoofed, identifier, number + 1000, len(packet))
                    send(spoofed, identifier, number, len(packet) - 1)
                    lies[0] += 4
                    spoofed.sendto(os.urandom(40), (EDGE[version], 0))

        thread = threading.Thread(target=lie)
        thread.start()
        try:
            assert probe(version) == NARROW
        finally:
            stop.set()
            thread.join()
    assert lies[0] > 20


@pytest.fixture(name="ctl")
def running_controller(hub_key: str) -> Iterator[Controller]:
    """A controller whose hub is reached over the router."""
    with mesh.controller(hub_key) as found:
        found.answer["endpoint"] = f"{HUB[4]}:51820"
        yield found


def counted() -> int:
    """Echo requests and discarded datagrams that left the edge since it was last asked."""
    with inside("edge"):
        objects: Dict[str, Any] = json.loads(sh("nft", "-j", "reset", "counters"))
    return sum(int(item["counter"]["packets"]) for item in objects["nftables"] if "counter" in item)


def test_a_join_that_measures(ctl: Controller) -> None:
    """Check mode sends nothing; the join writes the MTU to file and interface; a second run neither measures nor changes."""
    width(NARROW)
    drops("output", SILENT[4])
    with inside("edge"):
        nft("table inet watch {\n counter probes { }\n chain c {\n  type filter hook output priority 0\n"
            "  icmp type echo-request counter name probes\n  udp dport 9 counter name probes\n }\n}\n")
    given: Dict[str, Any] = {"join_answer": ctl.answer, "probe_mtu": True}
    assert join(True, **given).plan.changed
    assert counted() == 0
    assert join(**given).plan.changed
    assert 0 < counted() < 100
    assert f"MTU = {FITTING}\n" in CONF.read_text()
    link, = json.loads(sh("ip", "-n", "edge", "-json", "link", "show", "dev", "wg0"))
    assert link["mtu"] == FITTING
    before = mesh.snapshot()
    for dry in (True, False):
        assert not join(dry, **given).plan.changed
    assert mesh.snapshot() == before and counted() == 0


def test_full_packets_pass_the_tunnel_that_was_measured(ctl: Controller) -> None:
    """The MTU is right: a packet as large as the interface comes back through the black hole."""
    width(NARROW)
    drops("output", SILENT[4])
    join(controller_url=ctl.url, probe_mtu=True)
    assert mesh.hub_answers()
    with inside("edge"):
        assert "1 received" in sh("ping", "-c1", "-W2", "-Mdo", "-s", str(FITTING - 28), mesh.MESH_HUB, check=False)


def test_a_join_over_a_path_that_cannot_be_measured(ctl: Controller) -> None:
    """It joins all the same, and says so."""
    drops("prerouting", "iifname near0 icmp type echo-request drop", "iifname near0 udp dport 9 drop")
    outcome = join(join_answer=ctl.answer, probe_mtu=True)
    assert outcome.plan.changed and "could not be measured" in str(outcome.as_dict())
    assert "MTU" not in CONF.read_text() and mesh.interface_index()

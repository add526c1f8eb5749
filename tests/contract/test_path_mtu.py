# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large packets may be on the way to the hub, measured through real routers."""

from __future__ import annotations

import time
from typing import Iterator

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import path_mtu
from contract import world
from contract.world import inside, nft, sh

HUB, HUB6 = "203.0.113.9", "2001:db8:2::9"
NO_COMPLAINTS = """table inet filter {
 chain out { type filter hook output priority 0;
    icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }
}
"""
NO_ECHOES = """table inet filter {
 chain through { type filter hook forward priority 0;
    icmp type { echo-request, echo-reply } drop; icmpv6 type { echo-request, echo-reply } drop; }
}
"""


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """edge -- router -- hub."""
    names = ("p-edge", "p-router", "p-hub")
    for name in names:
        world.add_namespace(name)
    world.connect(("p-edge", "eth0", "198.51.100.2/24"), ("p-router", "in0", "198.51.100.1/24"))
    world.connect(("p-router", "out0", "203.0.113.1/24"), ("p-hub", "eth0", f"{HUB}/24"))
    for name, device, address in (("p-edge", "eth0", "2001:db8:1::2"), ("p-router", "in0", "2001:db8:1::1"),
                                  ("p-router", "out0", "2001:db8:2::1"), ("p-hub", "eth0", HUB6)):
        sh("ip", "-n", name, "address", "add", f"{address}/64", "dev", device, "nodad")
    for name, router, router6 in (("p-edge", "198.51.100.1", "2001:db8:1::1"), ("p-hub", "203.0.113.1", "2001:db8:2::1")):
        sh("ip", "-n", name, "route", "add", "default", "via", router)
        sh("ip", "-n", name, "-6", "route", "add", "default", "via", router6)
    with inside("p-router"):
        sh("sysctl", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    with inside("p-edge"):
        # a new link is not used for IPv6 before its own address has been looked for there
        while "1 received" not in sh("ping", "-c1", "-W1", HUB6, check=False):
            pass
    yield
    world.remove_namespaces(*names)


def narrow(mtu: int, rules: str = "") -> None:
    """The way behind the router, and what the router keeps to itself; nobody remembers the way before."""
    for name, device in (("p-router", "out0"), ("p-hub", "eth0")):
        sh("ip", "-n", name, "link", "set", device, "mtu", str(mtu))
    for name in ("p-edge", "p-hub"):
        for family in ("-4", "-6"):
            sh("ip", "-n", name, family, "route", "flush", "cache")
    with inside("p-router"):
        nft(f"flush ruleset\n{rules}\n")


def measured(address: str) -> object:
    """What the edge finds, in the time it may take."""
    begun = time.monotonic()
    with inside("p-edge"):
        found = path_mtu.probe(address)
    assert time.monotonic() - begun < 3
    return found


@pytest.mark.parametrize("address", [HUB, HUB6])
@pytest.mark.parametrize(("mtu", "rules"), [(1500, ""), (1400, ""), (1400, NO_COMPLAINTS), (1333, NO_COMPLAINTS), (1280, NO_COMPLAINTS),
                                            (1400, NO_ECHOES)])
def test_the_largest_packet(address: str, mtu: int, rules: str) -> None:
    """To the byte: with a router that complains, with one that drops in silence, and where echoes are not answered."""
    narrow(mtu, rules)
    assert measured(address) == mtu


@pytest.mark.parametrize("address", [HUB, HUB6])
def test_nobody_tells(address: str) -> None:
    """Neither an echo nor a complaint comes back; nor is there a host at all, or a way."""
    narrow(1400, NO_ECHOES + NO_COMPLAINTS.replace("filter {", "filter2 {"))
    assert measured(address) is None
    assert measured("203.0.113.77" if address == HUB else "2001:db8:2::77") is None
    assert measured("not an address") is None


def test_a_wider_way_than_the_interface() -> None:
    """The edge's own interface is the narrow place."""
    narrow(1500)
    sh("ip", "-n", "p-edge", "link", "set", "eth0", "mtu", "1420")
    try:
        assert measured(HUB) == 1420
    finally:
        sh("ip", "-n", "p-edge", "link", "set", "eth0", "mtu", "1500")

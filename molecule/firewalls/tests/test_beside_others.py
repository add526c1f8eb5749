# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Forwards beside ufw, firewalld and Docker's rules: seen from outside, and what runs say about it.

There is no dockerd in the lab. Its rules are those that it loads, and its unit is a stand-in that loads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from edge_firewall import apply_twice, complaints, gets_through, health, one_line, repair, role, watch
from testinfra.host import Host

INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends"
DOCKER_RULES = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -o docker0 -j DOCKER
-A DOCKER-FORWARD -i docker0 -j ACCEPT
COMMIT
"""
DOCKER_UNIT = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/iptables-restore /etc/docker.rules
ExecReload=/usr/sbin/iptables-restore /etc/docker.rules
"""


@dataclass(frozen=True)
class Other:
    """Somebody else's firewall.

    Attributes:
        setup: commands for a shell that make it stand; SSH stays open throughout.
        chain: what a warning calls the chain that may drop.
        by_service: commands after which the units' additions alone bring the forwards back.
        by_hand: commands after which one run of the watch does.
        teardown: commands that take it away.
    """

    setup: str
    chain: str
    by_service: tuple[str, ...]
    by_hand: tuple[str, ...]
    teardown: str


OTHERS = {
    "ufw": Other(
        setup=f"{INSTALL} ufw && ufw allow 22/tcp && ufw default deny routed && ufw --force enable && systemctl restart ufw",
        chain="chain FORWARD of table ip filter",
        # the second: a policy that only a real restart sets again
        by_service=("systemctl restart ufw", "iptables -P FORWARD ACCEPT && systemctl reload-or-restart ufw"),
        by_hand=("iptables -F FORWARD && iptables -P FORWARD ACCEPT", "nft flush ruleset", "ufw reload"),
        teardown="ufw --force reset && systemctl disable --now ufw",
    ),
    "firewalld": Other(
        setup=f"{INSTALL} firewalld && systemctl enable --now firewalld && firewall-cmd --state",
        chain="of table inet firewalld",
        by_service=("systemctl restart firewalld", "systemctl reload firewalld"),
        # no "nft flush ruleset": firewalld itself does not survive that, its next reload shuts everybody out
        by_hand=("firewall-cmd --reload",),
        teardown="systemctl disable --now firewalld",
    ),
    "docker": Other(
        setup=f"{INSTALL} iptables && printf '%s' '{DOCKER_RULES}' >/etc/docker.rules && "
        f"printf '%s' '{DOCKER_UNIT}' >/etc/systemd/system/docker.service && systemctl daemon-reload && systemctl start docker",
        chain="chain FORWARD of table ip filter",
        by_service=("systemctl restart docker", "systemctl reload docker"),
        # nobody but Docker makes its chains again, so nothing here flushes what leads to them
        by_hand=("iptables -F DOCKER-USER", "iptables-restore /etc/docker.rules"),
        teardown="systemctl stop docker; rm -f /etc/systemd/system/docker.service && systemctl daemon-reload",
    ),
}


def our_table(edge: Host) -> str:
    """The table of the forwards, without what its counters have counted."""
    return re.sub(r"packets \d+ bytes \d+", "", edge.check_output("nft list table inet edge_gateway"))


@pytest.fixture(scope="module")
def quiet_edge(edge: Host) -> Host:
    """The edge as site.yml has left it, without the timer."""
    role()
    return edge


@pytest.fixture(scope="module", params=OTHERS)
def other(request: pytest.FixtureRequest, quiet_edge: Host) -> Iterator[Other]:
    """One firewall after the other; each finds a host with the forwards' own table only."""
    firewall = OTHERS[request.param]
    quiet_edge.check_output(firewall.setup)
    yield firewall
    quiet_edge.run(firewall.teardown)
    # what a firewall leaves behind when it is stopped
    quiet_edge.check_output("nft flush ruleset")
    watch(quiet_edge)


def test_a_run_tells_exactly_when_it_is_blocked(other: Other, client: Host) -> None:
    """Either the connection gets through, or the run names the chain; and the health agrees."""
    done, monitor = repair(), health()
    named = other.chain in one_line(done.output)
    assert gets_through(client, 3) is not named, done.output
    assert monitor.returncode == (2 if named else 0), monitor.output
    assert (other.chain in one_line(monitor.stdout)) is named


def test_its_restart_leaves_our_table_alone(other: Other, edge: Host) -> None:
    """It may drop what we accept, but it takes nothing of ours away; no timer and no run is needed."""
    before = our_table(edge)
    for command in other.by_service:
        edge.check_output(command)
        assert our_table(edge) == before, command


def test_it_is_opened_on_request(other: Other, client: Host) -> None:
    """Asked to open, the role does so where it can, once; a firewall that lets forwards through needs no opening."""
    apply_twice(edge_gateway_open_foreign=True)
    assert gets_through(client, 10)
    assert health().returncode == 0


def test_it_stays_open_when_the_firewall_starts_again(other: Other, edge: Host, client: Host) -> None:
    """The additions to the services bring the forwards back, without the timer and without Ansible."""
    for command in other.by_service:
        edge.check_output(command)
        assert gets_through(client, 10), command


def test_the_watch_repairs_what_is_done_by_hand(other: Other, edge: Host, client: Host) -> None:
    """systemd is not told of these; one look at most is needed."""
    for command in other.by_hand:
        edge.check_output(command)
        watch(edge)
        assert gets_through(client, 10), command
    assert complaints(edge) == []


def test_it_closes_again(other: Other, edge: Host, client: Host) -> None:
    """Set back, nothing of ours is left outside our table, and runs say again what is blocked."""
    again = apply_twice(edge_gateway_open_foreign=False)
    assert not edge.file("/etc/edge-gateway/openings").exists
    assert "edge-gateway-" not in edge.check_output("iptables-save; nft list ruleset")
    assert gets_through(client, 3) is (other.chain not in one_line(again.output)), again.output


def test_restarting_ufw_restarts_it(edge: Host) -> None:
    """A reload that is ours alone would make reload-or-restart do nothing."""
    for unit in ("ufw", "netfilter-persistent"):
        assert "ExecReload" not in edge.check_output(f"cat /etc/systemd/system/{unit}.service.d/*.conf")

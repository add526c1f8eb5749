# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Runs that change the mesh: for one host alone, with another key, of a hub that has moved, leaving; and that show no secret."""

from __future__ import annotations

from mesh_runs import INVENTORY, call, hub_peers, playbook
from runs import eventually, run_and_kill
from showing import processes_watched, where_shown
from testinfra.host import Host

SECRET = "lab-secret-of-the-whole-mesh"
TALKATIVE = ("-vvv", "--diff")
STRANGER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="


def private_key(host: Host) -> str:
    """The key that must show nowhere."""
    return str(host.check_output("cat /etc/wireguard/wg0.key"))


def shared_key(host: Host) -> str:
    """The key that both ends share."""
    return str(host.check_output("sed -n 's/^PresharedKey = //p' /etc/wireguard/wg0.conf | head -n 1"))


def test_a_run_for_one_host_leaves_the_others(hub: Host, node: Host) -> None:
    """Another edge is registered, a node is down, and the run is for edge1 alone: no peer goes."""
    assert call("hub", "wg_peer", {"node_id": "edge2", "node_pubkey": STRANGER})["changed"]
    node.check_output("systemctl stop edge-gateway-mesh@wg0.timer wg-quick@wg0")
    before = hub_peers(hub)
    assert len(before) == 3
    try:
        limited = playbook("site.yml", "--limit", "edge1")
        assert limited.returncode == 0 and limited.count("changed") == 0, limited.output
        assert hub_peers(hub) == before
    finally:
        node.check_output("systemctl start edge-gateway-mesh@wg0.timer wg-quick@wg0")
    assert call("hub", "wg_peer", {"node_id": "edge2", "state": "absent"})["removed"] == ["edge2"]


def test_an_edge_goes_on_while_the_hub_is_away(edge: Host) -> None:
    """Ansible does not reach it: the tunnel stays as it is, everything else of the edge is looked at; a key is not changed."""
    away = ("--inventory", "hub-away,", "--limit", "edge1", "-e", "edge_gateway_hub=hub-away")
    key = private_key(edge)
    assert playbook("playbooks/rotate_keys.yml", *away).returncode == 2 and private_key(edge) == key
    alone = playbook("site.yml", *away)
    # the next key that nobody waits for has gone again
    assert alone.returncode == 0 and alone.count("changed") == 1 and "UNREACHABLE" in alone.output, alone.output
    assert "Apply the routes" in alone.output and private_key(edge) == key


def test_keys_are_rotated(hub: Host, edge: Host, node: Host, client: Host) -> None:
    """Every host gets another one, no secret is shown on the way, and the tunnels are up."""
    old = [private_key(host) for host in (edge, node)]
    with processes_watched(hub, edge, node):
        rotated = playbook("playbooks/rotate_keys.yml", *TALKATIVE)
    assert rotated.returncode == 0, rotated.output
    new = [private_key(host) for host in (edge, node)]
    assert not set(old) & set(new)
    public = {host.check_output("wg show wg0 public-key") for host in (edge, node)}
    assert set(hub_peers(hub)) == public
    eventually(client, "printf hello | socat -t 1 - TCP:10.89.50.11:22001,connect-timeout=2", "echo from node1")
    secrets = [SECRET, *old, *new, private_key(hub), shared_key(edge), shared_key(node)]
    assert all(len(secret) >= 28 for secret in secrets) and len(set(secrets)) == len(secrets)
    assert not [secret for secret in secrets if secret in rotated.output]
    for host in (hub, edge, node):
        assert host.check_output(where_shown(secrets)) == ""
    nothing = playbook("site.yml")
    assert nothing.returncode == 0 and nothing.count("changed") == 0, nothing.output


def test_a_killed_rotation_is_healed(hub: Host, edge: Host, node: Host, client: Host) -> None:
    """Wherever it stopped, site.yml brings one key and a tunnel."""
    for seconds in (5.0,):
        run_and_kill(seconds, "ansible-playbook", *INVENTORY, "playbooks/rotate_keys.yml")
        healed = playbook("site.yml")
        assert healed.returncode == 0, healed.output
        assert set(hub_peers(hub)) == {host.check_output("wg show wg0 public-key") for host in (edge, node)}
        assert not node.file("/etc/wireguard/wg0.key.next").exists and not edge.file("/etc/wireguard/wg0.key.next").exists
        eventually(client, "printf hello | socat -t 1 - TCP:10.89.50.11:22001,connect-timeout=2", "echo from node1")


def test_the_hub_moves(hub: Host, edge: Host) -> None:
    """Its old address is gone, and its name leads to a new one: the unit finds it, without Ansible."""
    hub.check_output("ip address add 10.89.50.3/24 dev wan")
    # and it answers from there: wireguard-go of Debian 13 answers from the address that the route chooses, not from the one that was asked
    hub.check_output("ip route add 10.89.50.11 dev wan src 10.89.50.3")
    # the reboot has made the container's file anew; nothing has missed the name since
    assert not edge.file("/etc/hosts").contains("hub.lab.test")
    edge.check_output("echo 10.89.50.3 hub.lab.test >>/etc/hosts")
    edge.check_output("ip route add unreachable 10.89.50.2")
    try:
        edge.check_output("systemctl restart wg-quick@wg0")
        edge.check_output("systemctl start edge-gateway-mesh@wg0.service")
        eventually(edge, "ping -c 1 -W 1 10.50.0.1", "1 received")
        assert "hub.lab.test is now sought at 10.89.50.3:51820" in edge.check_output("journalctl --no-pager -u edge-gateway-mesh@wg0")
        assert "\nEndpoint = 10.89.50.3:51820\n" in edge.file("/etc/wireguard/wg0.conf").content_string
    finally:
        edge.check_output("ip route delete unreachable 10.89.50.2")
        hub.check_output("ip route delete 10.89.50.11 dev wan")
    nothing = playbook("site.yml", "--limit", "edge1")
    assert nothing.returncode == 0 and nothing.count("changed") == 0, nothing.output


def test_leaving_gives_the_address_back(hub: Host, node: Host) -> None:
    """And coming back gives the same one."""
    left = playbook("playbooks/join.yml", "-e", "edge_gateway_hosts=nodes", "-e", "state=left")
    assert left.returncode == 0 and left.count("changed") == 2, left.output
    assert len(hub_peers(hub)) == 1 and not node.interface("wg0").exists
    back = playbook("playbooks/join.yml", "-e", "edge_gateway_hosts=nodes")
    assert back.returncode == 0, back.output
    assert {"10.50.0.12/32", "fd50::2/128"} in hub_peers(hub).values()
    eventually(node, "ping -c 1 -W 1 10.50.0.1", "1 received")

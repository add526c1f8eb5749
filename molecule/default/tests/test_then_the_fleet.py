# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Edges one after the other: the first bad one stops the rest, whether it cannot be reached or is not healthy afterwards."""

from __future__ import annotations

from runs import playbook
from testinfra.host import Host

# an edge of the same inventory that is not there
OTHER = ("-i", "inventory/lab.yml", "-i", "edge2,", "-e", "edge_gateway_serial=1")


def test_an_edge_that_cannot_be_reached_stops_the_rest() -> None:
    """The next one is not even looked at."""
    done = playbook("site.yml", *OTHER, "-e", "edge_gateway_hosts=edge2,edge1", "-e", "ansible_timeout=2")
    edges = done.stdout.partition("PLAY [Converge the edge gateways]")[2]
    assert done.returncode != 0 and "UNREACHABLE" in done.output
    assert "[edge1]" not in edges, edges


def test_an_edge_that_is_not_healthy_stops_the_rest(edge: Host) -> None:
    """It was converged well, but somebody's firewall drops what it forwards; when that is gone, the next one has its turn."""
    edge.check_output("nft add table ip lab; nft add chain ip lab closed '{ type filter hook forward priority 0; policy drop; }'")
    try:
        stopped = playbook("site.yml", *OTHER, "-e", "edge_gateway_hosts=edge1,edge2")
    finally:
        edge.check_output("nft delete table ip lab")
    edges = stopped.stdout.partition("PLAY [Converge the edge gateways]")[2]
    assert stopped.returncode != 0 and "Let the next edge follow" in edges and "[edge2]" not in edges, stopped.output
    went_on = playbook("site.yml", *OTHER, "-e", "edge_gateway_hosts=edge1,edge2")
    assert "[edge2]" in went_on.stdout.partition("PLAY [Converge the edge gateways]")[2], went_on.output

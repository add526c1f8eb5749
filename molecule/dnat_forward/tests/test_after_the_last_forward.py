# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What is left on the edge after its last forward was deleted, and what was never ours."""

from __future__ import annotations

import json

from testinfra.host import Host


def test_no_masquerade_is_left(edge: Host) -> None:
    """Only the guard stands: no NAT chain, no element, no masquerade."""
    table = edge.check_output("nft list table inet edge_gateway")
    assert "masquerade" not in table
    assert "dnat ip to" not in table
    assert "elements" not in table
    assert 'oifname "wg0" jump to_mesh' in table and table.count("drop comment") == 2


def test_the_state_is_empty(edge: Host) -> None:
    """The forward is gone from what was asked for."""
    assert json.loads(edge.file("/var/lib/edge-gateway/forwards.json").content_string)["forwards"] == []


def test_the_boot_file_brings_nothing_back(edge: Host) -> None:
    """Loading it leaves the table as it is."""
    before = edge.check_output("nft list table inet edge_gateway")
    edge.check_output("systemctl reload edge-gateway-forwards.service")
    assert edge.check_output("nft list table inet edge_gateway") == before


def test_the_foreign_table_is_as_it_was(edge: Host) -> None:
    """What nftables.service loaded is what stands now."""
    before = edge.check_output("nft list table inet foreign")
    assert "22100 : 192.0.2.1" in before
    assert 'comment "not ours"' in before
    edge.check_output("systemctl restart nftables")
    assert edge.check_output("nft list table inet foreign") == before

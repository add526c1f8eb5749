# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter for what is addressed to the host: who is let in, and the file that says so."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import inbound as formats
from ansible_collections.edge.gateway.plugins.module_utils.models.inbound import Inbound, Opening
from unit.samples import refusal

USUAL: List[Dict[str, Any]] = [{"port": 22}, {"port": "80"}, {"port": "6000-6010", "proto": "udp", "source_ranges": ["203.0.113.0/24"]}]


def of(entries: List[Dict[str, Any]], mesh: str = "wg0") -> Inbound:
    """A filter that lets these in."""
    return Inbound.parse({"open": entries, "mesh": mesh})


@pytest.mark.parametrize(("params", "option"), [
    ({"open": 5}, "open"), ({"open": ["22"]}, "open"), ({"open": [{"port": 0}]}, "open[0].port"), ({"open": [{}]}, "open[0].port"),
    ({"open": [{"port": 22, "proto": "icmp"}]}, "open[0].proto"), ({"open": [{"port": 22, "colour": 1}]}, "open[0].colour"),
    ({"open": [{"port": 22, "source_ranges": ["x"]}]}, "open[0].source_ranges"), ({"open": [], "mesh": "a b"}, "mesh"),
    ({"open": [{"port": 22, "comment": 'x" accept'}]}, "open[0].comment"),
])
def test_refused(params: Dict[str, Any], option: str) -> None:
    assert option in refusal(Inbound.parse, params)


@pytest.mark.parametrize(("proto", "port", "client", "admitted"), [
    ("tcp", 22, "", True), ("tcp", 22, "198.51.100.1", True), ("udp", 22, "", False), ("tcp", 81, "", False), ("udp", 6005, "", True),
    ("udp", 6005, "203.0.113.9", True), ("udp", 6005, "198.51.100.1", False), ("udp", 6011, "", False),
    ("udp", 6005, "fe80::1%eth0", False),
])
def test_admits(proto: str, port: int, client: str, admitted: bool) -> None:
    assert any(item.admits(proto, port, client) for item in of(USUAL).openings) == admitted


def test_the_way_in_stays_open() -> None:
    """Another port of SSH is added, a known one is left, and a list that leaves the client out is refused."""
    assert of(USUAL).with_way_in(22, "198.51.100.1") == of(USUAL)
    assert of(USUAL).with_way_in(2222, "198.51.100.1").openings[0] == Opening("tcp", 2222, 2222, (), "this SSH connection")
    narrow = of([{"port": 22, "source_ranges": ["203.0.113.0/24", "2001:db8::/32"]}])
    assert narrow.with_way_in(22, "2001:db8::7") == narrow
    assert "198.51.100.1" in refusal(narrow.with_way_in, 22, "198.51.100.1")


def test_what_is_closed() -> None:
    assert of(USUAL).closes({("tcp", 22), ("tcp", 9100), ("udp", 6001), ("udp", 53)}) == ["tcp 9100", "udp 53"]


def test_file() -> None:
    """It can be read back, and every change of a rule changes all comments."""
    item = of(USUAL)
    text = formats.render(item)
    assert formats.parse(text) == item
    assert text.index("delete table") < text.index("chain input") and 'iifname "wg0" accept' in text
    assert "ip saddr { 203.0.113.0/24 } udp dport 6000-6010 accept" in text and text.count("drop") == 2
    assert not set(formats.comments(item)) & set(formats.comments(of(USUAL[:2])))
    assert "wg0" not in formats.render(of(USUAL, ""))


@pytest.mark.parametrize("text", ["", "x", formats.NOTICE, *(f"{formats.NOTICE}\n{formats.MARKER}{kept}\n" for kept in (
    "[]", "{", '{"open": 5}'))])
def test_no_file_of_ours(text: str) -> None:
    with pytest.raises(ValueError):
        formats.parse(text)


def test_listing() -> None:
    """A rule without a comment is not one of ours."""
    listing = {"nftables": [{"metainfo": {}}, {"rule": {"comment": "a #1"}}, {"chain": {}}, {"rule": {}}]}
    assert formats.parse_listing(json.dumps(listing)) == ["a #1", "a rule of somebody else"]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to and from the kernel."""

from __future__ import annotations

import errno
import struct

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import conntrack, netlink
from ansible_collections.edge.gateway.plugins.module_utils.formats.netlink import attribute, attributes, each, nested


@pytest.mark.parametrize("value", [b"", b"x", b"four", b"\0" * 9])
def test_attributes_are_read_back(value: bytes) -> None:
    """Whatever the padding."""
    data = attribute(3, value) + nested(4, attribute(1, b"inner")) + attribute(5, b"last")
    assert len(data) % 4 == 0
    assert attributes(data) == {3: value, 4: attribute(1, b"inner"), 5: b"last"}


@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 64, b"\xff" * 64, struct.pack("=HH", 3, 1) * 5, struct.pack("=HH", 5000, 1) + b"x"])
def test_rubbish_ends(data: bytes) -> None:
    """A length that makes no sense neither loops for ever nor reads beyond the end."""
    assert len(each(data)) <= len(data) // 4 + 1
    assert len(list(netlink.messages(data))) <= len(data) // 16 + 1


def test_a_request_is_a_message() -> None:
    """Header, family and payload."""
    sent = netlink.request(10, 13, 1, attribute(1, b"t\0"), netlink.DUMP)
    (kind, flags, number, body), = netlink.messages(sent)
    assert (kind, flags, number) == (10 << 8 | 13, netlink.REQUEST | netlink.DUMP, netlink.SEQUENCE)
    assert attributes(body) == {1: b"t\0"} and sent[16] == 1


def test_errors_are_told_from_acknowledgements() -> None:
    """Zero is a yes."""
    def error(code: int) -> bytes:
        body = struct.pack("=i", -code)
        return netlink.HEADER.pack(16 + len(body), netlink.ERROR, 0, 1, 0) + body
    assert [netlink.errno_of(body) for _k, _f, _n, body in netlink.messages(error(0) + error(errno.ENOENT))] == [0, errno.ENOENT]


def flow(proto: int, address: bytes, port: int, status: int = 0) -> bytes:
    """A flow as the kernel sends it: original direction, and more."""
    source, target = (1, 2) if len(address) == 4 else (3, 4)
    original = nested(1, nested(1, attribute(source, bytes(len(address))), attribute(target, address)),
                      nested(2, attribute(1, bytes([proto])), attribute(2, b"\x30\x39"), attribute(3, port.to_bytes(2, "big"))))
    return original + nested(2, b"") + attribute(3, bytes([0, 0, 0, status]))


def test_a_flow_is_known_by_where_it_was_sent_to() -> None:
    """Both IP versions."""
    four = conntrack.flow(flow(17, bytes([198, 51, 100, 1]), 53, 0x20))
    six = conntrack.flow(flow(6, b"\xfd" + bytes(14) + b"\x01", 80))
    assert four is not None and four[:4] == ("udp", "198.51.100.1", 53, True)
    assert six is not None and six[:4] == ("tcp", "fd00::1", 80, False)


def test_what_has_no_ports_is_no_flow_of_ours() -> None:
    """ICMP, and whatever else."""
    icmp = nested(1, nested(1, attribute(1, bytes(4)), attribute(2, bytes(4))), nested(2, attribute(1, b"\x01")))
    assert conntrack.flow(icmp) is None and conntrack.flow(b"") is None and conntrack.flow(nested(1, b"")) is None


def test_a_deletion_names_the_flow_as_the_kernel_did() -> None:
    """Its own bytes go back."""
    body = flow(17, bytes([198, 51, 100, 1]), 53)
    found = conntrack.flow(body)
    assert found is not None
    (kind, flags, _number, payload), = netlink.messages(conntrack.deletion(found))
    assert kind == 1 << 8 | 2 and flags & netlink.ACK and payload == nested(1, attributes(body)[1])

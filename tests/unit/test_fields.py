# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values: what is accepted and in which canonical form, and every hostile input of the threat model."""

from __future__ import annotations

import contextlib
from typing import Any, Callable

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.models import fields
from unit.samples import KEY, refusal

Parser = Callable[[str, object], object]

ACCEPTED = [
    (fields.identifier, "vm-123", "vm-123"),
    (fields.identifier, "a", "a"),
    (fields.identifier, "0.a_b-c", "0.a_b-c"),
    (fields.identifier, "a" * 63, "a" * 63),
    (fields.node_id, "Edge-1.example", "Edge-1.example"),
    (fields.interface, "wg0", "wg0"),
    (fields.interface, "mesh.bac-kup_00", "mesh.bac-kup_00"),
    (fields.port, 1, 1),
    (fields.port, "65535", 65535),
    (fields.port, "22015", 22015),
    (fields.comment, "ticket #12: opened by a.b@example.com / ops", "ticket #12: opened by a.b@example.com / ops"),
    (fields.comment, "  padded ", "padded"),
    (fields.comment, "", ""),
    (fields.comment, "x" * 64, "x" * 64),
    (fields.key, KEY, KEY),
    (fields.hostname, "App.Example.COM", "app.example.com"),
    (fields.hostname, "xn--mnchen-3ya.test", "xn--mnchen-3ya.test"),
    (fields.hostname, "münchen.test", "xn--mnchen-3ya.test"),
    (fields.hostname, "MÜNCHEN.test", "xn--mnchen-3ya.test"),
    (fields.hostname, "a" * 63 + ".test", "a" * 63 + ".test"),
    (fields.hostname, "localhost", "localhost"),
    (fields.hostname, "1.example", "1.example"),
]


@pytest.mark.parametrize(("parse", "value", "canonical"), ACCEPTED)
def test_accepted(parse: Parser, value: object, canonical: object) -> None:
    """A good value comes out in its canonical form and is stable when parsed again."""
    assert parse("option", value) == canonical
    assert parse("option", canonical) == canonical


@pytest.mark.parametrize("value", [
    "", "../../cron.d/x", "a/b", ".", "..", "-x", "_base", "x\0y", "a\n", "a\r", "a b", " a", "a" * 64, "a" * 256, "x@docker",
    "api@internal",
    "Web", "WEB", "ñandú", "٣", "²", "\u212a", "a{{b}}", "a`b", 'a"b', "a;b", "a$(id)", None, 5, True, ["a"], b"a",
])
def test_identifier_refuses(value: object) -> None:
    """An id becomes a file name and a Traefik name: nothing but the contract's characters, whole and in ASCII."""
    assert "route_id" in refusal(fields.identifier, "route_id", value)


@pytest.mark.parametrize("value", ["", "-a", "a\n", "a b", "a" * 64, "ü", "a/b", "../a", 'a"b', 7, None])
def test_node_id_refuses(value: object) -> None:
    """A node id is one plain word."""
    refusal(fields.node_id, "node_id", value)


@pytest.mark.parametrize("value", [
    "", "wg0\n", "a" * 16, "wg 0", "wg/0", "..", ".", "-wg", 'wg0"', "wg0;", "wg0 drop", "wg*", "ｗg0", None, 0, "%d",
])
def test_interface_refuses(value: object) -> None:
    """An interface name reaches the firewall and a file name."""
    refusal(fields.interface, "interface", value)


@pytest.mark.parametrize("value", [
    0, "0", 65536, "65536", -1, "-1", True, False, "true", 22.9, 8080.0, "8080.0", "080", "0x50", "８０８０", "５１８２０", "51_820",
    " 22",
    "22\n", " 22\n", "+22", "22 ", "1e3", "90-80", "1-65535", "20000-20100", "ssh", "22,80", "²", "٣", "", None, [22], {"port": 22},
    "1" * 5000, 10**30, "80 -j ACCEPT\n-P INPUT DROP", float("nan"),
])
def test_port_refuses(value: object) -> None:
    """A port is a plain decimal number, in digits that nft and Python read alike."""
    assert "public_port" in refusal(fields.port, "public_port", value)


@pytest.mark.parametrize("value", [
    'x"; flush ruleset; add table ip pwned; #', "line\nadd table inet pwned", "x\n", 'x" -j DROP\n-A INPUT -m comment --comment "pwned',
    "{{ env }}", "a;b", "a{b", "a}b", "$x", "back`tick", "back\\slash", "tab\there", "a\0b", "ümlaut", "x" * 65, " " * 65, "a\u2028b",
    "a'b",
    "a(b", "a*b", "a|b", "a&b", "a<b", None, 5, ["x"],
])
def test_comment_refuses(value: object) -> None:
    """A comment reaches the ruleset: no character that any firewall language uses."""
    assert "comment" in refusal(fields.comment, "comment", value)


@pytest.mark.parametrize("value", [
    "", KEY + "\n", KEY + "\nPostUp = x;", "!!" + KEY, KEY[:-1], KEY + "=", " " + KEY, KEY.replace("=", ""), "A" * 43 + "=",
    KEY[:-2] + "l=", KEY[:-2] + "n=", KEY.lower()[:-1] + "\u00bd", KEY.replace("+", "-"), f"{KEY}\n[Interface]\nPreUp = x", None, 5,
    KEY.encode(),
])
def test_key_refuses(value: object) -> None:
    """A key is what 'wg pubkey' prints, bit for bit; the all-zero key is none."""
    refusal(fields.key, "controller_pubkey", value)


@pytest.mark.parametrize("value", [
    "", " sp.test", "sp.test ", "p.test:8000", "a.test,b.test", "a.test b.test", "x.test`) || PathPrefix(`/", 'a"b.test', "a'b.test",
    '{{ env "CF_DNS_API_TOKEN" }}.test', "{{x}}.test", "a\nb.test", "a.test\n", "a\0.test", "a..test", ".test", "a.test.", "-a.test",
    "a-.test",
    "a_b.test", "*", "*.test", "a.*.test", "a" * 64 + ".test", ".".join(["a" * 49] * 5) + ".test", "10.50.0.12", "1.2.3", "127.1", "12",
    "::1",
    "[::1]", "http://a.test", "a.test/", "a/b.test", "a@b.test", "ü" * 64 + ".test", "a\u2024test`", "münchen.test\n", None, 5,
    ["a.test"],
])
def test_hostname_refuses(value: object) -> None:
    """A host name ends up between backticks in a rule: a DNS name and nothing else."""
    assert "hostname" in refusal(fields.hostname, "hostname", value)


@pytest.mark.parametrize(("value", "mapped"), [
    ("straße.test", "strasse.test"), ("faß.test", "fass.test"), ("βόλος.test", "xn--nxasmq6b.test"), ("a\u200db.test", "ab.test"),
    ("a\u200cb.test", "ab.test"),
])
def test_idna_never_changes_a_name_into_another(value: str, mapped: str) -> None:
    """IDNA 2003 maps these to a different domain than browsers do today (IDNA 2008): that one must not be served."""
    with contextlib.suppress(InvalidInput):
        assert fields.hostname("hostname", value) != mapped


@pytest.mark.parametrize(("value", "canonical"), [
    ("10.50.0.12", "10.50.0.12"), ("2001:DB8::1", "2001:db8::1"), ("2001:db8:0:0::1", "2001:db8::1"), ("fd00::", "fd00::"),
])
def test_address_accepts(value: str, canonical: str) -> None:
    """Addresses are written back in their shortest form."""
    assert str(fields.address("target_ip", value)) == canonical


NOT_ADDRESSES: list[Any] = [
    "", "010.100.0.2", "10.1", "127.1", "0x7f000001", "0x0a.1.1.1", "10.50.0.256", "10.50.0.12/32", "10.50.0.12\n", " 10.50.0.12",
    "10.50.0.12 ",
    "10.50.0.12:80", "10.50.0.1２", "１０.50.0.12", "::ffff:10.100.0.2", "::FFFF:a32:c", "0:0:0:0:0:ffff:127.0.0.1", "fe80::1%eth0",
    "fe80::1%",
    "fe80::1%\nPreUp = touch pwned #", "[::1]", "localhost", "ssh", "10.50.0.12;", "1.2.3.4.5", "1:2", "::g", 167772161, True, None,
    b"\x0a\x00\x00\x01", 1.5,
    "10.100.0.2 $(id) *", "10.100.0.2\rPostUp=x", "10.100.0.2\x0bPostUp=x", "10.100.0.2\u2028PostUp=x",
]


@pytest.mark.parametrize("value", NOT_ADDRESSES)
def test_address_refuses(value: object) -> None:
    """What 'ipaddress', nft or a resolver would read as another address, or pass on, is no address."""
    assert "target_ip" in refusal(fields.address, "target_ip", value)


@pytest.mark.parametrize("value", [
    "127.0.0.1", "127.255.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1",
    "fe80::1", "ff02::1",
])
def test_unicast_refuses(value: str) -> None:
    """A target is another host."""
    refusal(fields.unicast, "target_ip", value)


@pytest.mark.parametrize(("value", "canonical"), [
    ("10.50.0.0/24", "10.50.0.0/24"), ("10.50.0.77/16", "10.50.0.0/16"), ("10.50.0.1", "10.50.0.1/32"), ("0.0.0.0/0", "0.0.0.0/0"),
    ("FD00::1/64", "fd00::/64"), ("fd00::1", "fd00::1/128"),
])
def test_network_accepts(value: str, canonical: str) -> None:
    """Host bits are cleared, as WireGuard does."""
    assert str(fields.network("allowed_ips", value)) == canonical


@pytest.mark.parametrize("value", [
    "", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.0/00", "10.0.0.0/08", "10.0.0.0/33", "fd00::/129", "10.0.0.0/", "/8",
    "+10.0.0.0/8",
    "-10.0.0.0/8", "10.0.0.0/-1", "10.0.0.0/８", "10.0.0.0 /8", "10.0.0.0/8\n", "10.0.0.0/8\nPostUp = x",
    "fe80::1%\nPreUp = touch pwned #/64",
    "fe80::1%wg0/64", "010.0.0.0/8", "10/8", "::ffff:10.0.0.0/104", "10.0.0.0/8,11.0.0.0/8", "any", 167772160, True, None, ["10.0.0.0/8"],
])
def test_network_refuses(value: object) -> None:
    """A network is CIDR notation, nothing that only some parser takes for one."""
    refusal(fields.network, "allowed_ips", value)


@pytest.mark.parametrize("value", ["TCP", "tcp\n", "sctp", "", None, True, ["tcp"], "tcp,udp"])
def test_choice_refuses(value: object) -> None:
    """A choice is one of the words, exactly."""
    message = refusal(fields.choice, "proto", value, ["tcp", "udp", "both"])
    assert "tcp, udp, both" in message


@pytest.mark.parametrize("value", ["1\n", "01", " 1", "1.0", 1.0, True, "-1", "", None, 3601])
def test_integer_refuses(value: object) -> None:
    """Whole numbers come as numbers or plain digits, within their bounds, which the message names."""
    assert "0 to 3600" in refusal(fields.integer, "timeout", value, 0, 3600)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, by options, by a list, in JSON and in YAML: one sentence, and nothing changes."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from contract.forwarding import invoke, snapshot
from contract.refusals import (
    GOOD,
    WAYS,
    fault,
    fault_of_ours,
    hand_in,
    refused,
    refused_by_us,
)
from contract.world import CONFIG_DIR, sh

# some forwards stand already: none of them may be lost over a refusal
pytestmark = pytest.mark.usefixtures("standing")

PORTS = ["0", "65536", "-1", "99999", "080", "0x50", "８０８０", "٣٣", "80 ", " 80", "80\n", "+80", "8_080", "8080.0", "80,81", "ssh", "",
         "²",
         "6000-", "-6000", "6000-6000", "6010-6000", "0-10", "1-65536", "65535-65536", "6000-6010-6020", "6000 - 6010", "6000:6010",
         "6000–6010", "6000-６０１０", "06000-6010", "6000-+6010", "6000-6010\n", "6000--6010", "22:30"]
IPS = ["::1", "fe80::1", "::ffff:10.0.0.1", "::ffff:a00:1", "ff02::1", "::", "fd50::12%wg0", "fe80::1%eth0", "fd50::12%\n",
       "fd50::12/64", "[fd50::12]", "010.50.0.12", "10.50.12", "10.50.0.12/32", "10.50.0.12\n", " 10.50.0.12",
       "10.50.0.256", "127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "255.255.255.255", "169.254.169.254",
       "node-1", "localhost", "", "１０.50.0.12", "167772172", "0x0a32000c", "64:ff9b::a00:1\n", "fd50::g", "1.2.3.4:80"]
NETWORKS = ["198.51.100.7/24", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.0/",
            "10.0.0.0/8 ", "10.0.0.0/8\n", "010.0.0.0/8", "10.0.0/8", "anyone", "", "/8", "2001:db8::1/32", "2001:db8::/129",
            "fe80::1%a/128",
            "2001:db8::%\n/32", "10.0.0.0/８", "10.0.0.0-10.0.0.9", "198.51.100.7,203.0.113.7", "@allow4", "10.0.0.0/8 }; flush ruleset; {",
            "!10.0.0.0/8", "::ffff:10.0.0.0/104", "0/0"]
IDS = ["", "A", "-a", ".a", "_a", "a" * 64, "a b", "a\n", "a/b", "../a", "ä", "a;b", 'a"b', "a\u0000b", "ａ", "a:b", "a,b", "K"]
COMMENTS = ['x"; flush ruleset; add table ip pwned; #', "a\nb", "a\n", "x" * 65, "ä", "a'b", "a\\b", "a;b", "a{b", "a$b", "a`b`", "a\tb",
            "a\u0000b", "\u202eb", "a,b", "a(b)", "a=b", "a&b", "a|b", "a<b", "a*b", "a!b", "a%b", "a?b", "a[b]", "a~b", "a^b", "a+b"]
BAD: List[Tuple[str, Dict[str, Any]]] = [
    *(("public_port", {"public_port": value}) for value in PORTS),
    *(("target_ip", {"target_ip": value}) for value in IPS),
    *(("source_ranges", {"source_ranges": ["198.51.100.0/24", value]}) for value in NETWORKS),
    ("source_ranges", {"source_ranges": ["2001:db8::/32"]}),
    ("source_ranges", {"source_ranges": ["198.51.100.0/24"], "target_ip": "fd50::12"}),
    *(("forward_id", {"forward_id": value}) for value in IDS),
    *(("comment", {"comment": value}) for value in COMMENTS),
    *(("target_port", {"target_port": value}) for value in (0, -1, 65536, 2 ** 40)),
    ("target_port", {"public_port": "6000-6010", "target_port": 65526}),
    ("target_port", {"public_port": "6000-6001", "target_port": 65535}),
    ("proto", {"proto": "sctp"}), ("proto", {"proto": "TCP"}), ("proto", {"proto": ""}),
    ("source_nat", {"source_nat": "preserve"}), ("source_nat", {"source_nat": ""}), ("source_nat", {"source_nat": "None"}),
    ("state", {"state": "gone"}), ("state", {"state": ""}),
]
# what Ansible's own check of choices says comes first there, without our code and option
CHOICES = ("proto", "source_nat", "state")


@pytest.mark.parametrize("way", WAYS)
def test_bad_values(way: str, tmp_path: Path) -> None:
    """Each is refused in one sentence with the option, the value and a way out, in check mode and for real, and nothing moves."""
    before, wrong = snapshot(), []
    for option, changes in BAD:
        entry = {**GOOD, **changes}
        for dry in (True, False):
            result = hand_in(way, entry, tmp_path, _ansible_check_mode=dry)
            value = changes[option][-1] if isinstance(changes[option], list) else str(changes[option])
            # of a value that cannot be printed as it is, or is too long, the part that can
            shown = (re.findall(r"[A-Za-z0-9.:-]+", value) or [""])[0][:20]
            by_ansible = way in ("options", "list") and option in CHOICES
            found = fault(result, option, shown) if by_ansible else fault_of_ours(result, option, shown)
            if found:
                wrong.append(f"{changes!r}{' in check mode' if dry else ''}: {found}")
    assert not wrong, "\n".join(wrong)
    assert snapshot() == before


TYPES: List[Tuple[str, Any]] = [
    ("forward_id", True), ("forward_id", 5), ("forward_id", None), ("forward_id", ["a"]), ("forward_id", {"a": 1}),
    ("public_port", True), ("public_port", 8080.0), ("public_port", 8080.5), ("public_port", ["8080"]), ("public_port", {"8080": 1}),
    ("public_port", None), ("public_port", -5), ("public_port", 0), ("public_port", 65536), ("public_port", 10 ** 40),
    ("target_ip", True), ("target_ip", 167772161), ("target_ip", None), ("target_ip", ["10.50.0.12"]),
    ("target_port", True), ("target_port", False), ("target_port", 80.5), ("target_port", "eighty"), ("target_port", [80]),
    ("target_port", "８０"), ("target_port", 10 ** 40),
    ("proto", True), ("proto", ["tcp"]), ("source_nat", True), ("source_nat", 5),
    ("source_ranges", True), ("source_ranges", 5), ("source_ranges", {"10.0.0.0/8": 1}), ("source_ranges", [True]), ("source_ranges", [5]),
    ("source_ranges", [None]), ("source_ranges", [["10.0.0.0/8"]]), ("source_ranges", [{"a": 1}]),
    ("hairpin", "perhaps"), ("hairpin", 5), ("hairpin", [True]), ("hairpin", {}),
    ("comment", True), ("comment", ["a"]), ("comment", {"a": 1}), ("state", True), ("state", ["present"]),
]


@pytest.mark.parametrize("way", ["json", "yaml"])
def test_values_of_wrong_types_in_a_file(way: str, tmp_path: Path) -> None:
    """A file does not pass through Ansible's argument checks: a truth value is no port, a number no address."""
    before, wrong = snapshot(), []
    for option, value in TYPES:
        result = hand_in(way, {**GOOD, option: value}, tmp_path)
        found = fault_of_ours(result, option)
        if found:
            wrong.append(f"{option}: {value!r}: {found}")
    assert not wrong, "\n".join(wrong)
    assert snapshot() == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("missing", ["public_port", "target_ip", "forward_id"])
def test_what_must_be_given(way: str, missing: str, tmp_path: Path) -> None:
    """Left out is refused by name."""
    before = snapshot()
    result = hand_in(way, {name: value for name, value in GOOD.items() if name != missing}, tmp_path)
    refused(result, missing)
    assert snapshot() == before


@pytest.mark.parametrize("way", ["list", "json", "yaml"])
@pytest.mark.parametrize("typo", ["public_prot", "source_range", "hair_pin", "targetport", "Comment", "purge", "interface", "src",
                                  "active"])
def test_misspelt_options(way: str, typo: str, tmp_path: Path) -> None:
    """Named, not ignored: an allow-list under a misspelt name would leave the port open to all."""
    before = snapshot()
    message = refused(hand_in(way, {**GOOD, typo: ["198.51.100.0/24"]}, tmp_path), typo)
    assert way == "list" or "vm-1" in message or "forwards[0]" in message
    assert snapshot() == before


OVERLAPS: List[Tuple[Dict[str, Any], str]] = [
    ({"public_port": "5005"}, "range"), ({"public_port": "5000"}, "range"), ({"public_port": "5010"}, "range"),
    ({"public_port": "4990-5000"}, "range"), ({"public_port": "5010-5020"}, "range"), ({"public_port": "5003-5004"}, "range"),
    ({"public_port": "4000-6000"}, "range"), ({"public_port": "5005", "proto": "both"}, "range"),
    ({"public_port": "5005-5006", "target_port": 9000}, "range"), ({"public_port": "5100"}, "voice"),
    ({"public_port": "5100", "proto": "udp"}, "voice"), ({"public_port": "5090-5100", "proto": "udp"}, "voice"),
    ({"public_port": "5100-5101", "target_port": 7}, "voice"), ({"public_port": "5005", "target_ip": "fd50::12"}, "six"),
    ({"public_port": "5010-5011", "target_ip": "fd50::12", "target_port": 5011}, "six"),
    ({"public_port": "5005", "source_ranges": ["203.0.113.0/24"]}, "range"),
]


@pytest.mark.parametrize("way", WAYS)
def test_overlaps(way: str, tmp_path: Path) -> None:
    """With a forward that stands, in either protocol: both forwards are named. Another list of sources does not share a port."""
    before = snapshot()
    for changes, other in OVERLAPS:
        refused_by_us(hand_in(way, {**GOOD, "target_port": None, **changes}, tmp_path), "public_port", other, "vm-1")
    assert snapshot() == before


def test_overlaps_within_one_list(src: Path) -> None:
    """Between entries that are all new; a list that names one id twice is refused as well."""
    first = {**GOOD, "public_port": "6000-6010", "target_port": None}
    for changes in ({"public_port": "6010"}, {"public_port": "6010-6020"}, {"public_port": "6005", "proto": "both"}):
        src.write_text(json.dumps([first, {**GOOD, "forward_id": "vm-2", **changes}]))
        refused_by_us(invoke(src=str(src), remote_src=True), "public_port", "vm-1", "vm-2")
    src.write_text(json.dumps([GOOD, {**GOOD, "public_port": "22016"}]))
    refused(invoke(src=str(src), remote_src=True), "vm-1")
    refused(invoke(forwards=[GOOD, {**GOOD, "public_port": "22016"}]), "vm-1")
    refused(invoke(forwards=[GOOD, {"forward_id": "vm-1", "state": "absent"}]), "vm-1")


def test_neighbours_and_other_versions_do_not_overlap(src: Path) -> None:
    """Directly beside a range, the other protocol, the other IP version, and a port that the same run gives up."""
    entries = [
        {"forward_id": "below", "public_port": "4999", "target_ip": "10.50.0.12"},
        {"forward_id": "above", "public_port": "5011-5020", "target_ip": "10.50.0.12"},
        {"forward_id": "udp", "public_port": "5000-5010", "target_ip": "10.50.0.12", "proto": "udp"},
        {"forward_id": "voice", "state": "absent"},
        {"forward_id": "taken-over", "public_port": "5090-5110", "target_ip": "10.50.0.12"},
    ]
    src.write_text(json.dumps(entries))
    result = invoke(src=str(src), remote_src=True)
    assert result["added"] == ["above", "below", "taken-over", "udp"] and result["removed"] == ["voice"], result


@pytest.mark.parametrize("port", ["6000-6010", "6005-6006", "5999-6005"])
@pytest.mark.parametrize("shift", [None, 7000])
@pytest.mark.parametrize("version", [socket.AF_INET, socket.AF_INET6])
def test_a_listener_inside_a_range(port: str, shift: Any, version: socket.AddressFamily) -> None:
    """The service of the host would be lost: range and port are named."""
    before = snapshot()
    with socket.socket(version) as server:
        server.bind(("::" if version == socket.AF_INET6 else "0.0.0.0", 6005))
        server.listen()
        refused_by_us(invoke(**{**GOOD, "public_port": port, "target_port": shift}), "public_port", port, "6005")
        assert snapshot() == before
        assert invoke(**{**GOOD, "public_port": "6006-6010", "target_port": shift})["changed"]


def test_reserved_ports_inside_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port of this SSH connection, and what the roles have reserved for Traefik and WireGuard."""
    ports = [{"port": 443, "used_by": "traefik"}, {"port": 51820, "proto": "udp", "used_by": "wireguard"}]
    (CONFIG_DIR / "gateway.json").write_text(json.dumps({"schema": 1, "reserved_ports": ports[:1]}))
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.7 50000 192.0.2.10 2222")
    before = snapshot()
    refused_by_us(invoke(**{**GOOD, "public_port": "440-450", "target_port": None}), "public_port", "443", "traefik")
    refused_by_us(invoke(**{**GOOD, "public_port": "2000-2999", "target_port": 10000}), "public_port", "2222")
    refused_by_us(invoke(**{**GOOD, "public_port": "2222", "target_ip": "fd50::12"}), "public_port", "2222")
    assert snapshot() == before


def test_own_ipv6_address_as_target() -> None:
    """A target that is this host itself would send traffic in a circle."""
    sh("ip", "address", "add", "fd50::77/128", "dev", "lo")
    try:
        before = snapshot()
        refused_by_us(invoke(**{**GOOD, "target_ip": "fd50::77"}), "target_ip", "fd50::77")
        assert snapshot() == before
    finally:
        sh("ip", "address", "delete", "fd50::77/128", "dev", "lo")


def test_which_forms_go_together(src: Path) -> None:
    """One of forward_id, forwards and src; purge only with a list; a file only where one is named."""
    src.write_text(json.dumps([GOOD]))
    before = snapshot()
    forms: List[Tuple[Dict[str, Any], List[str]]] = [
        ({}, ["forward_id", "forwards", "src"]), ({**GOOD, "forwards": []}, ["forward_id", "forwards"]),
        ({**GOOD, "src": str(src), "remote_src": True}, ["forward_id", "src"]),
        ({"forwards": [], "src": str(src), "remote_src": True}, ["forwards", "src"]), ({**GOOD, "purge": True}, ["purge"]),
        ({"purge": True}, ["forwards", "src"]), ({"src": ""}, ["src"]),
    ]
    wrong = [f"{list(params)}: {found}" for params, words in forms for found in [fault(invoke(**params), *words)] if found]
    assert not wrong, "\n".join(wrong)
    assert snapshot() == before

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, however it is handed in: as options, in a JSON file, in a YAML file or in the state. Nothing is touched by it."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
import yaml
from contract import world
from contract.forwarding import IPV6_FORWARDING, SYSCTL_DIR, invoke, snapshot
from contract.world import CONFIG_DIR, STATE_DIR, ruleset, sh

STATE = STATE_DIR / "forwards.json"
GOOD: Dict[str, Any] = {"forward_id": "vm-1", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 80}
STANDING: List[Dict[str, Any]] = [
    {"forward_id": "range", "public_port": "5000-5010", "target_ip": "10.50.0.9", "source_ranges": ["198.51.100.0/24"]},
    {"forward_id": "voice", "public_port": "5100", "target_ip": "10.50.0.9", "proto": "both", "comment": "stands"},
    {"forward_id": "six", "public_port": "5000-5010", "target_ip": "fd50::9"},
]
WAYS = ("options", "list", "json", "yaml")


@pytest.fixture(autouse=True)
def standing_forwards() -> Iterator[None]:
    """Some forwards stand already: none of them may be lost over a refusal."""
    IPV6_FORWARDING.write_text("0")
    for path in SYSCTL_DIR.glob("*edge*"):
        path.unlink()
    result = invoke(forwards=STANDING)
    assert result.get("changed"), result
    yield
    IPV6_FORWARDING.write_text("0")


@pytest.fixture(name="src")
def source_file(tmp_path: Path) -> Path:
    """Where a list may be put."""
    return tmp_path / "forwards.json"


def hand_in(way: str, entry: Any, folder: Path, **more: Any) -> Dict[str, Any]:
    """One entry, the way it is asked for."""
    if way == "options":
        return invoke(**entry, **more)
    if way == "list":
        return invoke(forwards=[entry], **more)
    path = folder / f"forwards.{way}"
    path.write_text(json.dumps([entry]) if way == "json" else yaml.safe_dump([entry]), encoding="utf-8")
    return invoke(src=str(path), remote_src=True, **more)


# what ansible-core 2.19 adds to every failed result
NO_TRACEBACK = "(traceback unavailable)"


def fault(result: Dict[str, Any], *words: str) -> str:
    """What is wrong with a refusal: it must be one sentence that names what it must; nothing when it is in order."""
    if not result.get("failed") or result.get("changed"):
        return "not refused: " + str({name: result.get(name) for name in ("added", "updated", "removed", "forwards", "count")})[:400]
    message: str = result["msg"]
    found = [f"{word!r} is missing" for word in words if word not in message]
    found += [f"{mark!r} is in it" for mark in ("\n", "Traceback", "Error(") if mark in message]
    if result.get("exception", NO_TRACEBACK) != NO_TRACEBACK or len(message) > 600:
        found.append("a crash or a novel")
    return f"{', '.join(found)}: {message[:600]}" if found else ""


def fault_of_ours(result: Dict[str, Any], option: str, *words: str) -> str:
    """The same of our own validation, which also gives code and option to programs; in a list the option has a place before it."""
    wrong = fault(result, option, *words)
    if not wrong and (result.get("code"), str(result.get("option")).rsplit(".", maxsplit=1)[-1]) != ("invalid_input", option):
        wrong = f"code {result.get('code')}, option {result.get('option')}: {result['msg']}"
    if not wrong and not re.search("[;:,] ?.", result["msg"]):
        wrong = f"no remedy: {result['msg']}"
    return wrong


def refused(result: Dict[str, Any], *words: str) -> str:
    """The sentence with which something was refused."""
    assert not fault(result, *words)
    return str(result["msg"])


def refused_by_us(result: Dict[str, Any], option: str, *words: str) -> None:
    """Refused by our own validation."""
    assert not fault_of_ours(result, option, *words)


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


def absent_file(path: Path) -> None:
    """Nothing there."""


BROKEN: Dict[str, Any] = {
    "missing": absent_file, "directory": Path.mkdir, "empty": "", "blank": " \n\n", "not json": "[{", "text": "hello", "number": "5",
    "null": "null", "true": "true", "object without the list": "{}", "other key": '{"items": []}', "key beside the list":
    '{"forwards": [], "purge": true}', "list under another type": '{"forwards": {}}', "list is null": '{"forwards": null}',
    "numbers": "[1]", "texts": '["vm-1"]', "lists": "[[]]", "nulls": "[null]", "duplicate key":
    '[{"forward_id": "vm-1", "public_port": "1", "public_port": "2", "target_ip": "10.50.0.12"}]', "duplicate lists":
    '{"forwards": [], "forwards": []}', "nan":
    '[{"forward_id": "vm-1", "public_port": "1", "target_ip": "10.50.0.12", "target_port": NaN}]',
    "infinity": '[{"forward_id": "vm-1", "public_port": "1", "target_ip": "10.50.0.12", "target_port": Infinity}]',
    "float overflow": '[{"forward_id": "vm-1", "public_port": "1", "target_ip": "10.50.0.12", "target_port": 1e999}]',
    "long number": '[{"forward_id": "vm-1", "public_port": "1", "target_ip": "10.50.0.12", "target_port": ' + "9" * 6000 + "}]",
    "surrogate": '[{"forward_id": "vm-1", "public_port": "1", "target_ip": "10.50.0.12", "comment": "\\ud800"}]',
    "key that is no text": '[{"forward_id": "vm-1", "public_port": "1", "target_ip": "10.50.0.12", "\\ud800": 1}]',
    "trailing": "[] []", "not utf-8": b"[\xff\xfe]", "utf-16": json.dumps([GOOD]).encode("utf-16"), "nul": b"[]\x00", "binary":
    bytes(range(256)), "nested": "[" * 5_000_000 + "]" * 5_000_000, "nested objects": '{"forwards":' * 800_000,
    "nested deep inside": '[{"forward_id": ' + "[" * 100_000 + "]" * 100_000 + "}]",
}


@pytest.mark.parametrize("name", ["forwards.json", "forwards.yml"])
@pytest.mark.parametrize("purge", [False, True])
def test_broken_files(tmp_path: Path, name: str, purge: bool) -> None:
    """Each is refused in one sentence that names the file, soon, and purges nothing."""
    before, wrong = snapshot(), []
    for label, content in BROKEN.items():
        if purge and label.startswith("nested"):
            continue
        folder = tmp_path / label.replace(" ", "-")
        folder.mkdir()
        path = folder / name
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        started = time.monotonic()
        try:
            # in a process of its own what could take this one along
            act = world.module if label.startswith("nested") else invoke
            result = act("dnat_forward", src=str(path), remote_src=True, purge=purge)
            found = fault(result)
            named = any(word in result.get("msg", "") for word in ("src", name, "vm-1", "forwards["))
            if not found and (not named or result.get("code") != "invalid_input"):
                found = f"names no file, or code {result.get('code')}: {result['msg']}"
        except BaseException as problem:  # noqa: B902  (a crash is a wrong answer, too)
            found = f"{type(problem).__name__} {str(problem)[-300:]}"
        if not found and time.monotonic() - started > 5:
            found = f"took {time.monotonic() - started} s"
        if found:
            wrong.append(f"{label}: {found}")
    assert not wrong, "\n".join(wrong)
    assert snapshot() == before


def test_files_that_are_not_plain_files(tmp_path: Path) -> None:
    """A link or a pipe on the host is not followed and does not hang the run; nor does a device."""
    real = tmp_path / "real.json"
    real.write_text(json.dumps([GOOD]))
    link, pipe = tmp_path / "link.json", tmp_path / "pipe.json"
    link.symlink_to(real)
    os.mkfifo(pipe)
    before = snapshot()
    for path in (link, pipe, Path("/dev/null"), Path("/dev/zero")):
        result = world.module("dnat_forward", src=str(path), remote_src=True, purge=True)
        refused(result, str(path))
    assert snapshot() == before


YAML_HEAD = "- forward_id: vm-1\n  public_port: 22015\n  target_ip: 10.50.0.12\n"
BAD_YAML: Dict[str, str] = {
    "python object": '- !!python/object/apply:os.system ["touch /run/pwned"]\n',
    "python object in a value": YAML_HEAD + '  comment: !!python/object/apply:os.system ["touch /run/pwned"]\n',
    "python name": YAML_HEAD + "  comment: !!python/name:os.system ''\n",
    "unknown tag": YAML_HEAD + "  comment: !mine hello\n", "vault": YAML_HEAD + "  comment: !vault hello\n",
    "sexagesimal": YAML_HEAD.replace("22015", "22:30"), "sexagesimal target": YAML_HEAD + "  target_port: 1:30\n",
    "norwegian id": YAML_HEAD.replace("vm-1", "no"), "norwegian comment": YAML_HEAD + "  comment: no\n",
    "norwegian protocol": YAML_HEAD + "  proto: off\n",
    "duplicate key": YAML_HEAD + "  public_port: 22016\n", "duplicate list": "forwards: []\nforwards: []\n",
    "two documents": "[]\n---\n[]\n", "tab": "-\tforward_id: vm-1\n\tpublic_port: 1\n", "float": YAML_HEAD.replace("22015", "22015.0"),
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefghi", "bcdefghij")) + "forwards: *j\n",
    "recursive": "&a [*a]\n", "set": "!!set {a, b}\n", "merge": "- &base {target_ip: 10.50.0.12}\n- {<<: *base, forward_id: a}\n",
    "binary": YAML_HEAD + "  comment: !!binary aGVsbG8=\n", "no list": "forward_id: vm-1\n", "text": "hello\n",
    "only a comment": "# nothing\n", "infinite": YAML_HEAD + "  target_port: .inf\n", "null entry": "-\n",
    "key": YAML_HEAD + "  ? [a, b]\n  : c\n", "bool key":
    YAML_HEAD + "  yes: 1\n",
}


@pytest.mark.parametrize("label", BAD_YAML)
def test_bad_yaml(label: str, tmp_path: Path) -> None:
    """YAML's own ideas of objects, clocks and Norway open no port and run no program."""
    path = tmp_path / "forwards.yml"
    path.write_text(BAD_YAML[label])
    before, started = snapshot(), time.monotonic()
    refused(invoke(src=str(path), remote_src=True, purge=True))
    assert time.monotonic() - started < 5 and snapshot() == before and not Path("/run/pwned").exists()


def test_what_yaml_writes_plainly_is_read(tmp_path: Path) -> None:
    """Ports as numbers, ranges as they are, flow and block style, comments and yes: as a user writes them."""
    path = tmp_path / "forwards.yaml"
    path.write_text("# ours\nforwards:\n  - forward_id: a\n    public_port: 22015\n    target_ip: 10.50.0.12\n    hairpin: yes\n"
                    "  - {forward_id: b, public_port: 6000-6010, target_ip: 'fd50::12', proto: both, source_ranges: ['2001:db8::/32']}\n"
                    "  - forward_id: c\n    public_port: '1'\n    target_ip: 10.50.0.12\n    target_port: 5\n    source_nat: none\n")
    result = invoke(src=str(path), remote_src=True, purge=True)
    assert result["added"] == ["a", "b", "c"] and result["removed"] == ["range", "six", "voice"], result
    plain = {"target_ip": "10.50.0.12", "proto": "tcp", "source_ranges": [], "source_nat": "masquerade", "hairpin": False, "comment": ""}
    assert result["forwards"] == [
        {**plain, "forward_id": "a", "public_port": "22015", "target_port": 22015, "hairpin": True},
        {**plain, "forward_id": "b", "public_port": "6000-6010", "target_ip": "fd50::12", "target_port": 6000, "proto": "both",
         "source_ranges": ["2001:db8::/32"]},
        {**plain, "forward_id": "c", "public_port": "1", "target_port": 5, "source_nat": "none"},
    ]


EVERYTHING: List[Dict[str, Any]] = [
    {"forward_id": "a", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 80, "comment": "ops: ticket #4711 @home/x_y-z."},
    {"forward_id": "b", "public_port": 22016, "target_ip": "10.50.0.12", "target_port": "81", "proto": "udp"},
    {"forward_id": "c", "public_port": "6000-6010", "target_ip": "10.50.0.14", "proto": "both", "hairpin": True},
    {"forward_id": "d", "public_port": "7000-7003", "target_ip": "fd50::14", "target_port": 9000, "source_ranges": ["2001:db8::/32"]},
    {"forward_id": "e", "public_port": "8000", "target_ip": "10.50.0.14", "source_nat": "none",
     "source_ranges": ["203.0.113.7", "198.51.100.0/24", "198.51.100.7/32"]},
    {"forward_id": "six", "state": "absent"},
    {"forward_id": "range", "public_port": "5000-5010", "target_ip": "10.50.0.10", "state": "present"},
]


@pytest.mark.parametrize("way", ["json", "json object", "yaml", "yaml object"])
@pytest.mark.parametrize("purge", [False, True])
def test_a_file_is_the_list(way: str, purge: bool, tmp_path: Path) -> None:
    """The same result, state and kernel as the list written inline."""
    name = way.split(" ", maxsplit=1)[0]
    path = tmp_path / f"forwards.{name}"
    content: Any = {"forwards": EVERYTHING} if "object" in way else EVERYTHING
    path.write_text(json.dumps(content) if name == "json" else yaml.safe_dump(content))
    options: Dict[str, Any] = {"purge": purge, "_ansible_diff": True}
    results, states = [], []
    predicted = invoke(src=str(path), remote_src=True, _ansible_check_mode=True, **options)
    for params in ({"forwards": EVERYTHING}, {"src": str(path), "remote_src": True}):
        world.reset()
        invoke(forwards=STANDING)
        result = invoke(**params, **options)
        result.pop("invocation")
        results.append(result)
        states.append((STATE.read_bytes(), sh("nft", "list", "ruleset"), (CONFIG_DIR / "forwards.nft").read_bytes()))
    predicted.pop("invocation")
    assert results[0] == results[1] and states[0] == states[1]
    assert {name: predicted[name] for name in world.PREDICTED} == {name: results[0][name] for name in world.PREDICTED}
    assert results[0]["added"] == ["a", "b", "c", "d", "e"] and results[0]["updated"] == ["range"]
    assert results[0]["removed"] == (["six", "voice"] if purge else ["six"])


def test_summary_is_short() -> None:
    """Counts and ids only; the diff only for those who ask for diffs; the run itself is the same."""
    result = invoke(forwards=[GOOD, {"forward_id": "voice", "state": "absent"}], summary=True)
    assert result["added"] == ["vm-1"] and result["removed"] == ["voice"] and result["count"] == 3
    assert "forwards" not in result and "diff" not in result
    again = invoke(forwards=[{**GOOD, "comment": "new"}], summary=True, _ansible_diff=True, _ansible_check_mode=True)
    assert again["updated"] == ["vm-1"] and "vm-1" in again["diff"]["after"] and "forwards" not in again
    whole = invoke(forwards=[])
    assert [item["forward_id"] for item in whole["forwards"]] == ["range", "six", "vm-1"] and whole["count"] == 3


def many(count: int) -> List[Dict[str, Any]]:
    """A list of thousands, of all kinds."""
    return [{"forward_id": f"f-{number}", "public_port": str(10000 + number), "target_ip": f"10.50.{number // 250}.{number % 250 + 1}",
             "target_port": 80, "proto": ["tcp", "udp", "both"][number % 3],
             "source_ranges": [f"198.51.100.{number % 20 * 8}/29"] if number % 2 else []} for number in range(count)]


def test_ten_thousand_in_a_file(src: Path) -> None:
    """Work, twice without effect, and adding one is one element; a summary stays small; info lists every one as active."""
    entries = many(10_000)
    src.write_text(json.dumps(entries))
    result = world.module("dnat_forward", src=str(src), remote_src=True, purge=True, summary=True)
    assert result.get("count") == 10_000 and len(result["added"]) == 10_000, str(result)[:500]
    assert not world.module("dnat_forward", src=str(src), remote_src=True, purge=True, summary=True)["changed"]
    src.write_text(json.dumps([*entries[1:], {**GOOD, "public_port": "9999"}]))
    result = world.module("dnat_forward", src=str(src), remote_src=True, purge=True, summary=True)
    assert (result["added"], result["removed"], result["updated"], result["repaired"]) == (["vm-1"], ["f-0"], [], [])
    assert len(json.dumps(result)) < 2000
    info = world.module("dnat_forward_info")
    assert len(info["forwards"]) == 10_000 and all(item["active"] for item in info["forwards"])


def test_info_lists_everything() -> None:
    """Every option of every forward, as the module returned it; nothing is changed; a lost rule shows at its forward alone."""
    expected = invoke(forwards=EVERYTHING)["forwards"]
    before = snapshot()
    found = invoke("dnat_forward_info")["forwards"]
    assert [{name: item[name] for name in expected[0]} for item in found] == expected and all(item["active"] for item in found)
    assert snapshot() == before
    sh("nft", "delete", "element", "inet", "edge_gateway", "tcp6", "{ 7002 }")
    assert [item["forward_id"] for item in invoke("dnat_forward_info")["forwards"] if not item["active"]] == ["d"]


TAMPERED: List[Tuple[str, Any]] = [
    ("source_ranges", ["198.51.100.7/24"]), ("source_ranges", ["anyone"]), ("source_ranges", "198.51.100.0/24"), ("source_ranges", [5]),
    ("source_ranges", None), ("source_ranges", {}), ("source_ranges", ["2001:db8::/32"]),
    ("source_ranges", ["10.0.0.0/8 } ; flush ruleset"]),
    ("hairpin", "yes"), ("hairpin", 1), ("hairpin", None), ("hairpin", "false"), ("source_nat", "preserve"), ("source_nat", None),
    ("source_nat", False), ("public_port", "6010-6000"), ("public_port", "5000-"), ("public_port", 5000), ("public_port", "5000-70000"),
    ("public_port", "5100"), ("target_port", "80"), ("target_port", 65530), ("target_port", True), ("target_port", None),
    ("target_ip", "fe80::1"), ("target_ip", "::1"), ("target_ip", "fd50::9%\nx"), ("target_ip", "FD50::9"), ("proto", "sctp"),
    ("comment", "a\nb"), ("comment", 'x"; flush ruleset'), ("forward_id", "voice"), ("forward_id", "A B"), ("state", "absent"),
    ("unknown", 1),
]


@pytest.mark.parametrize(("option", "value"), TAMPERED)
def test_a_tampered_state_is_refused(option: str, value: Any) -> None:
    """Whatever the field: neither believed nor read as 'nothing wanted'; kernel and file stay, the file and its spare are named."""
    kept = json.loads(STATE.read_text())
    next(item for item in kept["forwards"] if item["forward_id"] == "range")[option] = value
    STATE.write_text(json.dumps(kept))
    before = snapshot()
    tries: List[Dict[str, Any]] = [{"forwards": [], "purge": True}, {"forwards": []}, GOOD, {"forward_id": "range", "state": "absent"}]
    for params in tries:
        for dry in (True, False):
            result = invoke(**params, _ansible_check_mode=dry)
            refused(result, "forwards.json", ".prev")
            assert result["code"] == "state_refused"
    info = invoke("dnat_forward_info")
    refused(info, "forwards.json")
    after = snapshot()
    assert after[0] == before[0] and after[1]["forwards.json"] == before[1]["forwards.json"] and after[2:] == before[2:]


PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Forward
      edge.gateway.dnat_forward:
        src: {src}
        purge: true
        summary: true
      register: result
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{{{ result | to_json }}}}"
        dest: {out}
        mode: "0600"
"""


def play(folder: Path, src: str, *words: str) -> Dict[str, Any]:
    """The task in a playbook in that folder, run by ansible-playbook itself; what the task returned."""
    playbook, out = folder / "play.yml", folder / "out.json"
    playbook.write_text(PLAY.format(src=src, out=out))
    command = Path(sys.executable).parent / "ansible-playbook"
    sh("env", f"ANSIBLE_COLLECTIONS_PATH={world.REPO}/collections", str(command), "-i", "localhost,", "-c", "local", "-e",
       f"ansible_python_interpreter={sys.executable}", *words, str(playbook))
    result: Dict[str, Any] = json.loads(out.read_text())
    return result


def test_a_file_of_the_control_node(tmp_path: Path) -> None:
    """Found where copy finds it (files beside the playbook), encrypted with Vault; a missing file is told in one sentence."""
    secret = tmp_path / "secret"
    secret.write_text("open sesame")
    files = tmp_path / "files"
    files.mkdir()
    (files / "mine.json").write_text(json.dumps(EVERYTHING[:5]))
    vault = Path(sys.executable).parent / "ansible-vault"
    sh(str(vault), "encrypt", "--vault-password-file", str(secret), str(files / "mine.json"))
    result = play(tmp_path, "mine.json", "--vault-password-file", str(secret))
    assert result["added"] == ["a", "b", "c", "d", "e"] and result["removed"] == ["range", "six", "voice"] and "forwards" not in result
    before = snapshot()
    message = refused(play(tmp_path, "other.json"), "other.json")
    assert "src" in message and snapshot() == before
    assert "10.50.0.12" in ruleset()

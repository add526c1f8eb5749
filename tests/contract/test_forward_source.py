# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, however it is handed in: as options, in a JSON file, in a YAML file or in the state. Nothing is touched by it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import yaml
from contract import world
from contract.forwarding import invoke, snapshot
from contract.refusals import (
    EVERYTHING,
    GOOD,
    STANDING,
    STATE,
    fault,
    refused,
)
from contract.world import CONFIG_DIR, sh

# some forwards stand already: none of them may be lost over a refusal
pytestmark = pytest.mark.usefixtures("standing")


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
    plain = {"target_ip": "10.50.0.12", "proto": "tcp", "source_ranges": [], "source_nat": "masquerade", "hairpin": False, "comment": "",
             "expires": ""}
    assert result["forwards"] == [
        {**plain, "forward_id": "a", "public_port": "22015", "target_port": 22015, "hairpin": True},
        {**plain, "forward_id": "b", "public_port": "6000-6010", "target_ip": "fd50::12", "target_port": 6000, "proto": "both",
         "source_ranges": ["2001:db8::/32"]},
        {**plain, "forward_id": "c", "public_port": "1", "target_port": 5, "source_nat": "none"},
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

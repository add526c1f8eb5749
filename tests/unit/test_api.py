# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's schemas, the check of a request before any host is contacted, and the document that a run ends with."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.context_objects import CLIArgs
from ansible_collections.edge.gateway.plugins.callback.api import CallbackModule
from ansible_collections.edge.gateway.plugins.module_utils.errors import (
    Busy,
    CommandFailed,
    GatewayError,
    InvalidInput,
    failure,
    help_for,
)
from ansible_collections.edge.gateway.plugins.modules import dnat_forward, traefik_route
from ansible_collections.edge.gateway.plugins.plugin_utils.backup_action import BackupAction
from ansible_collections.edge.gateway.plugins.plugin_utils.request import CheckedRequest, check_names
from gates import schemas
from unit.samples import TOKEN

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "collections/ansible_collections/edge/gateway"
SCHEMAS = COLLECTION / "docs/schemas"
FORWARD = {"forward_id": "vm-1", "public_port": "22015", "target_ip": "10.50.0.12"}


def test_shipped_schemas_are_current() -> None:
    """After a change of an option, run "make schemas"."""
    assert {path.name: path.read_text() for path in SCHEMAS.iterdir()} == schemas.schemas()


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_schemas_are_schemas(path: Path) -> None:
    """By the standard that they name."""
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


@pytest.mark.parametrize(("call", "task", "hidden"), [
    ("tcp_forward", "edge.gateway.dnat_forward", {"interface"}), ("http_route", "edge.gateway.traefik_route", {"dynamic_dir", "api_url"})])
def test_fields_are_the_options_that_the_playbook_passes_on(call: str, task: str, hidden: set[str]) -> None:
    """No field that nobody reads, and none that would be refused though it is read."""
    play, = yaml.safe_load((COLLECTION / f"playbooks/{call}.yml").read_text())
    assert set(play["vars"]["edge_gateway_api_call"]) == set(play["tasks"][0][task]) - hidden


@pytest.mark.parametrize(("request_body", "fits"), [
    (FORWARD, True), ({**FORWARD, "public_port": 22015}, True), ({**FORWARD, "public_port": "6000-6010", "proto": "udp"}, True),
    ({"forward_id": "vm-1", "state": "absent"}, True), ({"forwards": [{**FORWARD, "state": "absent"}]}, True), ({"src": "x.json"}, True),
    ({**FORWARD, "edge_gateway_hosts": "edge1"}, True), ({**FORWARD, "source_ranges": "203.0.113.0/24"}, True),
    ({"forward_id": "vm-1"}, False), ({**FORWARD, "publik_port": 1}, False), ({**FORWARD, "proto": "icmp"}, False), ({}, False),
    ({**FORWARD, "forward_id": "Vm"}, False), ({**FORWARD, "src": "x"}, False), ({**FORWARD, "public_port": 70000}, False),
])
def test_request_schema(request_body: Dict[str, Any], fits: bool) -> None:
    """What fits is understood; what a person may get wrong does not fit."""
    validator = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "tcp_forward.request.json").read_text()))
    assert validator.is_valid(request_body) == fits


@pytest.mark.parametrize(("problem", "remedy"), [
    (InvalidInput("a", "x; y", "is bad; correct it"), "correct it"),
    (InvalidInput("a", "x; y", "is bad"), "correct it"),
    (Busy("another run holds the lock; wait for it"), "wait for it"),
    (CommandFailed("nft failed"), "see what the program says, correct that and run again"),
    (GatewayError("no"), "correct that and run again"),
])
def test_every_failure_has_a_remedy(problem: GatewayError, remedy: str) -> None:
    """What stands behind the first semicolon; a value that holds one does not confuse it."""
    assert failure(problem)["remedy"] == remedy


class Checked(CheckedRequest):
    """An action without Ansible around it."""

    def __init__(self, module: Any) -> None:
        self.spec, self.constraints, self.parsed = module.ARGUMENTS, module.CONSTRAINTS, 0

    def parse(self, params: Dict[str, Any]) -> None:
        self.parsed += 1


@pytest.mark.parametrize(("module", "arguments", "option"), [
    (dnat_forward, {**FORWARD, "colour": "red"}, "colour"), (dnat_forward, {**FORWARD, "proto": "icmp"}, "proto"),
    (dnat_forward, {**FORWARD, "forwards": []}, "forward_id"), (dnat_forward, {**FORWARD, "target_port": "x"}, "target_port"),
    (dnat_forward, {"forwards": [{"forward_id": "a", "colour": 1}]}, "forwards.colour"), (dnat_forward, {"forwards": [{}]}, "forward_id"),
    (traefik_route, {"route_id": "a", "priority": "x"}, "priority"), (traefik_route, {"routes": 5}, "routes"),
])
def test_what_ansible_refuses_names_the_option(module: Any, arguments: Dict[str, Any], option: str) -> None:
    """Before the module's own parsing, which never sees it."""
    action = Checked(module)
    with pytest.raises(GatewayError) as caught:
        action.check(arguments, {})
    assert (caught.value.code, caught.value.option) == ("invalid_input", option)
    assert action.parsed == 0 and caught.value.remedy and "\n" not in caught.value.message


def test_good_arguments_are_parsed() -> None:
    action = Checked(dnat_forward)
    action.check(FORWARD, {})
    assert action.parsed == 1


class Unforeseen(CheckedRequest):
    """An action whose parsing fails as nobody has thought, or as Ansible itself does."""

    def __init__(self, problem: Exception) -> None:
        self.problem, self._task = problem, SimpleNamespace(args={"join_token": TOKEN})

    def check(self, arguments: Any, task_vars: Any) -> None:
        raise self.problem


class UnforeseenBackup(BackupAction):
    """The same of an action on a backup."""

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def validate_argument_spec(self, argument_spec: Any) -> Any:
        return None, {"node": "edge1"}

    def act(self, given: Any, node: str, task_vars: Any) -> Any:
        raise self.problem


@pytest.mark.parametrize("action", [Unforeseen, UnforeseenBackup])
def test_what_nobody_foresaw_is_told_without_its_text(action: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the control node too, where Ansible would print the text of an exception; its own errors stay its own."""
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {})
    result = action(ValueError(f"invalid literal: {TOKEN}")).run()
    assert (result["failed"], result["code"]) == (True, "internal") and "ValueError at test_api.py" in result["msg"]
    assert TOKEN not in json.dumps(result)
    with pytest.raises(AnsibleError):
        action(AnsibleError("no connection")).run()


def test_unknown_fields_of_a_call() -> None:
    """Variables of ours and of Ansible are no fields of a request."""
    check_names(["a", "edge_gateway_hosts", "ansible_host"], ["a", "b"])
    with pytest.raises(InvalidInput) as caught:
        check_names(["a", "zz", "c"], ["a", "b"])
    assert caught.value.option == "c" and "a, b" in caught.value.message


class Told:
    """A callback that is told of a run, as Ansible would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        monkeypatch.setattr(context, "CLIARGS", CLIArgs({"args": ["a.yml"], **given}))
        self.callback = CallbackModule()
        monkeypatch.setattr(self.callback, "get_option", lambda _name: 0)
        self.callback.v2_playbook_on_start(SimpleNamespace(_file_name="/x/tcp_forward.yml"))

    def result(self, values: Dict[str, Any], action: str = "edge.gateway.dnat_forward", host: str = "edge1") -> Any:
        """One result of a task."""
        task = SimpleNamespace(action=action, resolved_action=action, get_name=lambda: "a task")
        return SimpleNamespace(_host=SimpleNamespace(get_name=lambda: host), _task=task, _result=values)

    def stats(self, **hosts: Dict[str, int]) -> Any:
        """The recap."""
        zero = {"failures": 0, "unreachable": 0, "changed": 0}
        return SimpleNamespace(processed=dict.fromkeys(hosts, 1), summarize=lambda name: {**zero, **hosts[name]})


def test_document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Return values without Ansible's own, the last of each module; other modules' are left out."""
    told = Told(monkeypatch)
    told.callback.v2_runner_on_ok(told.result({"changed": True, "invocation": {}, "diff": {}, "_ansible_no_log": False, "warnings": ["w"]}))
    told.callback.v2_runner_on_ok(told.result({"changed": False}, "ansible.builtin.debug"))
    told.callback.v2_playbook_on_stats(told.stats(edge1={"changed": 1}))
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] and document["changed"] and document["playbooks"] == ["tcp_forward"]
    assert document["hosts"]["edge1"] == {
        "ok": True, "changed": True, "results": {"dnat_forward": {"changed": True}}, "errors": [], "warnings": ["w"]}


def test_rescued_failures_are_no_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And ignored ones neither; those that count have all four parts."""
    told = Told(monkeypatch)
    told.callback.v2_runner_on_failed(told.result({"msg": "no; do this", "failed": True}))
    told.callback.v2_runner_on_failed(told.result({"msg": "no", "failed": True}, host="edge2"), ignore_errors=True)
    told.callback.v2_runner_on_failed(told.result({"msg": "bad; mend it", "code": "busy", "option": "x", "retryable": True,
                                                  "help": help_for("busy")}, host="edge3"))
    told.callback.v2_runner_on_unreachable(told.result({"msg": "no route"}, host="edge4"))
    told.callback.v2_playbook_on_stats(told.stats(edge1={}, edge2={}, edge3={"failures": 1}, edge4={"unreachable": 1}))
    document = json.loads(capsys.readouterr().out)
    errors = {name: host["errors"] for name, host in document["hosts"].items()}
    assert not document["ok"] and errors["edge1"] == errors["edge2"] == []
    told_all = {"code": "busy", "option": "x", "message": "bad; mend it", "remedy": "mend it", "help": help_for("busy"),
                "retryable": True, "task": "a task"}
    assert errors["edge3"] == [told_all]
    assert errors["edge4"][0]["code"] == "host_unreachable"


def test_a_run_that_meant_nobody_is_no_success(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ansible itself ends such a run with 0."""
    told = Told(monkeypatch)
    with pytest.raises(SystemExit):
        told.callback.v2_playbook_on_stats(told.stats())
    document = json.loads(capsys.readouterr().out)
    assert not document["ok"] and document["errors"][0]["code"] == "no_hosts"


def test_one_document_for_several_playbooks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed at the end of the last; and once only."""
    told = Told(monkeypatch, args=["a.yml", "b.yml"])
    told.callback.v2_playbook_on_stats(told.stats(edge1={}))
    assert capsys.readouterr().out == ""
    told.callback.v2_playbook_on_start(SimpleNamespace(_file_name="b.yml"))
    told.callback.v2_playbook_on_stats(told.stats(edge1={}))
    told.callback._print()
    assert json.loads(capsys.readouterr().out)["playbooks"] == ["tcp_forward", "b"]


def test_an_aborted_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told too, when the process ends."""
    told = Told(monkeypatch)
    told.callback._print()
    document = json.loads(capsys.readouterr().out)
    assert not document["ok"] and document["errors"][0]["code"] == "aborted"

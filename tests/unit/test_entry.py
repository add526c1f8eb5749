# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Ansible comes in: results, failures, and secrets that never show."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Tuple

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.errors import Busy, ControllerError, InvalidInput, StateRefused
from ansible_collections.edge.gateway.plugins.modules import (
    dnat_forward,
    dnat_forward_info,
    gateway_health,
    traefik_route,
    traefik_route_info,
    wg_join,
    wg_join_info,
)
from unit.samples import TOKEN, one_sentence

SPEC: Dict[str, Dict[str, Any]] = {"name": {"type": "str"}, "token": {"type": "str", "no_log": True}}
Outputs = Tuple[int, Dict[str, Any], str]


def finish(main: Callable[[], None], capfd: pytest.CaptureFixture[str], **params: Any) -> Outputs:
    """Run a module's main as Ansible does: exit status, result, and everything that was printed."""
    with patch_module_args(params), pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    code = ended.value.code
    return int(code or 0), json.loads(out.strip().splitlines()[-1]), out + err


def run(action: entry.Action, capfd: pytest.CaptureFixture[str], **params: Any) -> Outputs:
    """The same for one action."""
    return finish(lambda: entry.run(SPEC, action), capfd, name="x", token=TOKEN, **params)


def test_result(capfd: pytest.CaptureFixture[str]) -> None:
    """What an action returns is the module's result; warnings are Ansible's."""
    code, result, printed = run(lambda params, dry: {"changed": True, "dry": dry, "warnings": ["mind the gap"]}, capfd,
    _ansible_check_mode=True)
    assert code == 0 and result["changed"] is True and result["dry"] is True
    # in the result, or on the screen when Ansible's own code for the control node is loaded beside it
    assert "mind the gap" in printed and "mind the gap" not in str({**result, "warnings": []})


@pytest.mark.parametrize(("problem", "code", "option", "retryable"), [
    (InvalidInput("public_port", "0x50", "is not a port; correct it"), "invalid_input", "public_port", False),
    (StateRefused("forwards.json is missing; restore it", "forwards.json"), "state_refused", "forwards.json", False),
    (Busy("another run has held lock for 30 seconds; wait and run again", "lock"), "busy", "lock", True),
    (ControllerError("controller_url refused the token; correct it", retryable=False), "controller", "controller_url", False),
    (ControllerError("controller_url does not answer; run again", retryable=True), "controller", "controller_url", True),
])
def test_an_expected_failure(problem: Exception, code: str, option: str, retryable: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """Message, code and option, whether to try again, and no traceback."""
    def action(_params: Dict[str, Any], _dry: bool) -> Dict[str, Any]:
        raise problem
    status, result, printed = run(action, capfd)
    assert status == 1 and result["failed"] is True
    assert (result["msg"], result["code"], result["option"]) == (str(problem), code, option)
    assert result["retryable"] is retryable
    assert "Traceback" not in printed


class TellTale(Exception):
    """An error whose text and fields hold a secret."""

    def __init__(self) -> None:
        super().__init__(f"header X-Join-Token: {TOKEN}", "PRIVATE-KEY-OF-WG0")


def boom(error: BaseException) -> entry.Action:
    """An action that fails in an unforeseen way, while handling another error that holds a secret too."""
    def action(_params: Dict[str, Any], _dry: bool) -> Dict[str, Any]:
        try:
            raise TellTale
        except TellTale:
            raise error from None
    return action


@pytest.mark.parametrize("error", [
    TellTale(), ValueError("PRIVATE-KEY-OF-WG0"), KeyError("PRIVATE-KEY-OF-WG0"), UnicodeEncodeError("ascii",
    "PRIVATE-KEY-OF-WG0\ud800", 18, 19, "x"),
    RecursionError("PRIVATE-KEY-OF-WG0"), AssertionError("PRIVATE-KEY-OF-WG0"),
], ids=lambda error: type(error).__name__)
def test_an_unexpected_failure_never_shows_its_text(error: BaseException, capfd: pytest.CaptureFixture[str]) -> None:
    """The kind of error and where it happened, nothing of what it says: it may hold a key that no_log knows nothing of."""
    status, result, printed = run(boom(error), capfd)
    assert status == 1 and (result["code"], result["retryable"]) == ("internal", False)
    assert type(error).__name__ in one_sentence(result["msg"])
    assert "test_entry.py" in result["msg"]
    assert TOKEN not in printed and "PRIVATE-KEY-OF-WG0" not in printed and "Traceback" not in printed


@pytest.mark.parametrize("error", [OSError(24, "PRIVATE-KEY-OF-WG0"), OSError("PRIVATE-KEY-OF-WG0")])
def test_what_the_kernel_refuses_is_told_in_its_words(error: OSError, capfd: pytest.CaptureFixture[str]) -> None:
    """By its number: the text may be anything."""
    status, result, printed = run(boom(error), capfd)
    assert status == 1 and result["code"] == "system" and os.strerror(error.errno or 0) in one_sentence(result["msg"])
    assert TOKEN not in printed and "PRIVATE-KEY-OF-WG0" not in printed


@pytest.mark.parametrize("error", [ValueError("PRIVATE-KEY-OF-WG0"), OSError(24, "PRIVATE-KEY-OF-WG0"), StateRefused("a; b", "c")])
def test_a_traceback_that_is_asked_for_shows_no_text(error: Exception, capfd: pytest.CaptureFixture[str],
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """ANSIBLE_DISPLAY_TRACEBACK=always: fail_json adds the exception that is being handled, and those before it, with all that they say."""
    tracebacks = pytest.importorskip("ansible.module_utils._internal._traceback", reason="ansible-core before 2.19 adds none")
    monkeypatch.setattr(tracebacks, "is_traceback_enabled", lambda event: True)
    error.__cause__ = TellTale()
    _status, result, printed = run(boom(error), capfd)
    assert "test_entry.py" in result["exception"], "Ansible does add one"
    assert TOKEN not in printed and "PRIVATE-KEY-OF-WG0" not in printed


FORWARD = {"forward_id": "vm-1", "public_port": "22015", "target_ip": "10.50.0.12"}
ROUTE = {"route_id": "web", "hostname": "a.test", "target_url": "http://10.50.0.12"}
JOIN = {"node_id": "edge", "controller_url": "http://10.0.0.1:9000", "join_token": TOKEN}


@pytest.mark.parametrize(("main", "params", "option"), [
    (dnat_forward.main, {**FORWARD, "public_port": "0x50"}, "public_port"),
    (dnat_forward.main, {**FORWARD, "public_port": True}, "public_port"),
    (dnat_forward.main, {**FORWARD, "target_ip": "010.100.0.2"}, "target_ip"),
    (dnat_forward.main, {**FORWARD, "comment": 'x"; flush ruleset'}, "comment"),
    (dnat_forward.main, {**FORWARD, "interface": 'wg0" drop'}, "interface"),
    (dnat_forward.main, {"forwards": [FORWARD, {**FORWARD, "forward_id": "../x"}]}, "forwards[1].forward_id"),
    (dnat_forward.main, {}, "forward_id"),
    (dnat_forward_info.main, {"interface": "wg 0"}, "interface"),
    (traefik_route.main, {**ROUTE, "hostname": "x.test`) || PathPrefix(`/"}, "hostname"),
    (traefik_route.main, {**ROUTE, "target_url": "http://u:p@h"}, "target_url"),
    (traefik_route.main, {**ROUTE, "api_url": "file:///etc/passwd"}, "api_url"),
    (traefik_route.main, {"routes": [{**ROUTE, "route_id": "x@docker"}]}, "routes[0].route_id"),
    (traefik_route_info.main, {"api_url": "http://u:p@h"}, "api_url"),
    (gateway_health.main, {"interface": "wg0\n"}, "interface"),
    (wg_join.main, {**JOIN, "controller_url": "file:///etc/shadow"}, "controller_url"),
    (wg_join.main, {**JOIN, "node_id": "a\nb"}, "node_id"),
    (wg_join.main, {**JOIN, "interface": "../x"}, "interface"),
    (wg_join.main, {**JOIN, "timeout": 0}, "timeout"),
    (wg_join.main, {**JOIN, "join_token": f"{TOKEN}\nX: y"}, "join_token"),
    (wg_join_info.main, {"interface": "a b"}, "interface"),
])
def test_modules_refuse_bad_input_before_they_look_at_the_host(main: Callable[[], None], params: Dict[str, Any], option: str,
                                                               capfd: pytest.CaptureFixture[str],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with the option's name; not a file is opened and not a program is run."""
    def touched(*_arguments: Any, **_options: Any) -> Any:
        raise AssertionError("the host was looked at")
    for name in ("run", "read", "write_all", "make_directory", "names", "mode", "lock"):
        monkeypatch.setattr(f"ansible_collections.edge.gateway.plugins.module_utils.host.Host.{name}", touched)
    status, result, printed = finish(main, capfd, **params)
    assert status == 1 and result.get("code") == "invalid_input", result["msg"]
    assert result["option"] == option and option in one_sentence(result["msg"])
    assert TOKEN not in printed


@pytest.mark.parametrize(("main", "params"), [
    (dnat_forward.main, {**FORWARD, "forwards": [FORWARD]}), (dnat_forward.main, {**FORWARD, "proto": "sctp"}), (traefik_route.main,
    {**ROUTE, "routes": [ROUTE]}),
    (wg_join.main, {"node_id": "edge"}), (wg_join.main, {"node_id": "edge", "controller_url": "http://c"}), (wg_join.main, {**JOIN,
    "join_answer": {"a": 1}}),
    (wg_join.main, {"controller_url": "http://c", "join_token": TOKEN}),
])
def test_options_that_do_not_go_together(main: Callable[[], None], params: Dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    """Ansible's own checks say so."""
    status, result, printed = finish(main, capfd, **params)
    assert status == 1 and result["failed"] and TOKEN not in printed


SECRET = {"type": "str", "no_log": True}


@pytest.mark.parametrize(("argument_spec", "held"), [
    ({"a": {"type": "str"}}, False), ({"a": SECRET}, False), ({"a": {"type": "dict", "options": {"b": {"type": "str"}}}}, False),
    ({"a": {"type": "list", "elements": "dict", "options": {"b": SECRET}}}, True),
    ({"a": {"type": "dict", "options": {"b": {"type": "dict", "options": {"c": SECRET}}}}}, True),
    ({"a": {"type": "dict", "options": {"b": {"type": "str", "no_log": False}}}}, False),
])
def test_calls_with_nested_secrets_are_not_logged(argument_spec: Dict[str, Any], held: bool) -> None:
    """Of those at the top, Ansible itself leaves out the value; of nested ones it may not find it."""
    assert entry.holds_secrets(argument_spec) == held


def test_such_a_call_writes_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by what Ansible calls at the start of a module, nor otherwise."""
    logged: list[str] = []
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.log", lambda self, msg, log_args=None: logged.append(str(msg)))
    argument_spec = {"a": {"type": "list", "elements": "dict", "options": {"b": SECRET}}}
    for spec_of_this, count in ((argument_spec, 0), ({"a": {"type": "list"}}, 1)):
        logged.clear()
        with patch_module_args({"a": [{"b": "first\nsecond"}]}), pytest.raises(SystemExit):
            entry.run(spec_of_this, lambda params, dry_run: {"changed": False})
        assert len(logged) == count

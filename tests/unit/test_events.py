# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook and its filter, without ansible-rulebook; with it they are run by ``make eda``."""

from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils.models.call import LISTS, PLAYBOOKS

COLLECTION = Path(__file__).parents[2] / "collections/ansible_collections/edge/gateway"
RULEBOOK, = yaml.safe_load((COLLECTION / "extensions/eda/rulebooks/api.yml").read_text())
FORWARD: Dict[str, Any] = {"forward_id": "vm-123-ssh", "public_port": 22015, "target_ip": "10.50.0.12"}


class BadRequest(Exception):
    """What aiohttp answers with status 400."""

    def __init__(self, text: str) -> None:
        super().__init__(text)


@pytest.fixture(name="main")
def filter_of_the_collection(monkeypatch: pytest.MonkeyPatch) -> Callable[[Dict[str, Any]], Dict[str, Any]]:
    """The filter, loaded as ansible-rulebook loads it; aiohttp comes with ansible-rulebook alone."""
    aiohttp = types.ModuleType("aiohttp")
    aiohttp.web = types.SimpleNamespace(HTTPBadRequest=BadRequest)     # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "aiohttp", aiohttp)
    main: Callable[[Dict[str, Any]], Dict[str, Any]] = runpy.run_path(
        str(COLLECTION / "extensions/eda/plugins/event_filter/api_call.py"))["main"]
    return main


def test_nothing_of_a_request_goes_further_but_the_call(main: Callable[[Dict[str, Any]], Dict[str, Any]]) -> None:
    """The whole event becomes an extra variable, its headers too."""
    event = {"payload": FORWARD, "meta": {"endpoint": "edge1/tcp/forwards", "headers": {"X-A": "{{ 1 }}"}, "hosts": "hub"}}
    assert main(event) == {"playbook": "tcp_forward", "gateway": "edge1", "forwards": [FORWARD], "meta": {"hosts": "edge1"}}
    assert main({"payload": {}, "meta": {"endpoint": "health"}}) == {"playbook": "health", "gateway": "", "meta": {"hosts": "all"}}


@pytest.mark.parametrize("event", [
    {}, {"meta": {}}, {"meta": {"endpoint": "tcp/forwards"}}, {"payload": FORWARD, "meta": {"endpoint": "x"}},
    {"payload": {**FORWARD, "comment": "{{ 1 }}"}, "meta": {"endpoint": "tcp/forwards"}}])
def test_what_is_refused_is_answered(main: Callable[[Dict[str, Any]], Dict[str, Any]], event: Dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"\A[^\n]+; [^\n]+\n\Z"):
        main(event)


def test_the_webhook_is_for_this_host_asks_for_a_token_and_is_filtered() -> None:
    source, = RULEBOOK["sources"]
    webhook = source["eda.builtin.webhook"]
    assert webhook["token"] == "{{ edge_gateway_webhook_token }}"
    assert webhook["host"] == "{{ edge_gateway_webhook_host | default('127.0.0.1') }}"
    assert source["filters"] == [{"edge.gateway.api_call": {}}]


def test_every_call_has_its_rule_and_its_playbook() -> None:
    found = {}
    for rule in RULEBOOK["rules"]:
        action = rule["action"]["run_playbook"]
        assert rule["name"].startswith("POST /")
        playbook = action["name"].rpartition(".")[2]
        assert action["name"] == f"edge.gateway.{playbook}" and (COLLECTION / f"playbooks/{playbook}.yml").exists()
        assert rule["condition"] == f'event.playbook == "{playbook}"'
        wanted = LISTS.get(playbook)
        assert action.get("extra_vars") == ({wanted: f"{{{{ event.{wanted} }}}}"} if wanted else None)
        found[rule["name"][len("POST /"):]] = playbook
    assert found == PLAYBOOKS

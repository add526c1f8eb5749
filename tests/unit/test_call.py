# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that come in over HTTP: what becomes a call, and what must never reach an Ansible run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models.call import Call
from unit.samples import refusal

# the bodies of the older system's description
FORWARD: Dict[str, Any] = {
    "forward_id": "vm-123-ssh", "public_port": 22015, "target_ip": "10.50.0.12", "target_port": 32215, "proto": "tcp"}
ROUTE: Dict[str, Any] = {"route_id": "vm-123", "hostname": "vm-123.service.com", "target_url": "http://10.50.0.12:8080",
                         "entrypoint": "websecure", "certresolver": "dnsresolver"}
TEMPLATES = ["{{ x }}", "a{{x", "{% if x %}", "{# x #}", "#jinja2:variable_start_string:'[%',variable_end_string:'%]'\n[% 6 * 7 %]",
             "#jinja2:", " #jinja2:x\n", "{{{", "x{{% raw %}"]
PLAIN = ["", "{", "}}", "%}", "{ {", "%{", "# jinja2:", "a #jinja2:b", "$(id)", "`id`", "[% 6 * 7 %]", "{\\{", "${x}", "!vault x"]
# in a process of its own: whoever has imported ansible.errors counts as a controller from then on, also for the other tests
TEMPLAR = """
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
try:
    from ansible.template import trust_as_template
except ImportError:
    trust_as_template = str     # before ansible-core 2.19 every text is trusted

def changed(text):
    try:
        return Templar(DataLoader(), {"x": 1}).template(trust_as_template(text)) != text
    except Exception:
        return True

print(json.dumps([changed(text) for text in json.load(sys.stdin)]))
"""


def test_the_bodies_of_the_older_system_are_calls() -> None:
    assert Call.parse("tcp/forwards", FORWARD) == Call("tcp_forward", "", {"forwards": [FORWARD]})
    assert Call.parse("edge1/http/routes", ROUTE) == Call("http_route", "edge1", {"routes": [ROUTE]})
    assert Call.parse("health", {}) == Call("health", "", {})
    assert Call.parse("edge1.example.com/join", {}) == Call("join", "edge1.example.com", {})


def test_a_removal_carries_the_id_alone() -> None:
    assert Call.parse("tcp/forwards", {**FORWARD, "state": "absent"}).variables == {"forwards": [
        {"forward_id": "vm-123-ssh", "state": "absent"}]}
    assert Call.parse("http/routes", {"route_id": "vm-123", "state": "absent"}).variables == {"routes": [
        {"route_id": "vm-123", "state": "absent"}]}


@pytest.mark.parametrize(("path", "body"), [("drift", {"kind": "drift", "gateway": "edge1"}), ("edge1/drift", {}),
                                            ("edge1/drift", {"gateway": "edge1"})])
def test_drift_is_about_one_gateway(path: str, body: object) -> None:
    assert Call.parse(path, body) == Call("site", "edge1", {})


@pytest.mark.parametrize("body", [
    {}, {"gateway": ""}, {"gateway": None}, {"gateway": ["edge1"]}, {"gateway": "edge1", "kind": "other"}, {"gateway": "edge1\n"},
    *({"gateway": name} for name in ("edge1,hub", "edge1:hub", "@file", "~e.*", "!edge1", "edge*", "edge[0]", "-e", "a b", "édge")),
    {"gateway": "edge1", "edge_gateway_hosts": "all"}])
def test_drift_of_anything_else_is_refused(body: object) -> None:
    refusal(Call.parse, "drift", body)


def test_drift_of_two_gateways_is_refused() -> None:
    refusal(Call.parse, "edge1/drift", {"gateway": "edge2"})


@pytest.mark.parametrize("path", [None, 5, "", "/", "forwards", "tcp/forwards/", "/tcp/forwards", "tcp/forwards\n", "xtcp/forwards",
                                  "a/b/health", "edge1,hub/health", "-e/health", "@x/health", "../health", "a b/health", "health/edge1"])
def test_other_paths_are_refused(path: object) -> None:
    assert refusal(Call.parse, path, FORWARD).startswith("path ")


@pytest.mark.parametrize("body", [None, 5, "x", [FORWARD], True])
def test_a_body_is_an_object(body: object) -> None:
    refusal(Call.parse, "tcp/forwards", body)


@pytest.mark.parametrize("name", [
    "ansible_connection", "ansible_python_interpreter", "ansible_host", "edge_gateway_hosts", "edge_gateway_interface", "src", "purge",
    "forwards", "summary", "reply_nodes", "gateway", "vars", "allow_outside_mesh", "controller_url", "join_token", "", "a\nb"])
@pytest.mark.parametrize("path", ["tcp/forwards", "http/routes", "join", "health", "drift"])
def test_only_options_of_one_entry_can_be_said(path: str, name: str) -> None:
    """A variable of any other name may choose what Ansible executes, and where."""
    body = {"tcp/forwards": FORWARD, "http/routes": ROUTE}.get(path, {})
    if (path, name) != ("drift", "gateway"):
        refusal(Call.parse, path, {**body, name: "local"})


def places(text: str) -> List[Dict[str, Any]]:
    """Bodies of a route with a text in each kind of place."""
    headers = [{"headers": {"custom_request_headers": {"X-A": text}}}, {"headers": {"custom_request_headers": {text: "a"}}}]
    return [{**ROUTE, "hostname": [text]}, {**ROUTE, text: 1}, {**ROUTE, "state": text}, {"route_id": text, "state": "absent"},
            {**ROUTE, "health_check": {"path": text}}, {"route_id": "a", "state": "absent", "hostname": {"a": [[text]]}},
            *({**ROUTE, "middlewares": [header]} for header in headers)]


@pytest.mark.parametrize("text", TEMPLATES)
def test_no_template_gets_through(text: str) -> None:
    for body in places(text):
        assert "would execute" in refusal(Call.parse, "http/routes", body)


def test_a_deep_body_is_no_trouble() -> None:
    deep: Any = "{{ x }}"
    for _ in range(100_000):
        deep = [deep]
    assert "would execute" in refusal(Call.parse, "http/routes", {**ROUTE, "middlewares": deep})


def test_ansible_takes_for_templates_what_is_refused_here() -> None:
    """The judge is Ansible itself, of the version that is installed."""
    done = subprocess.run([sys.executable, "-c", TEMPLAR], input=json.dumps([*TEMPLATES[:5], *PLAIN]), check=True, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert json.loads(done.stdout) == [True] * 5 + [False] * len(PLAIN)


def test_a_mistake_is_told_in_the_words_of_the_option() -> None:
    assert refusal(Call.parse, "tcp/forwards", {**FORWARD, "target_ip": "10.50.0.256"}).startswith("target_ip '10.50.0.256'")
    assert "is missing" in refusal(Call.parse, "http/routes", {"route_id": "a"})

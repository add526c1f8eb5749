# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""A program that knows nothing but JSON: it creates, lists and deletes, and is told what is wrong with a bad request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from runs import TOP, environment, run
from testinfra.host import Host

SCHEMAS = TOP / "collections/ansible_collections/edge/gateway/docs/schemas"
FORWARD = {"forward_id": "api-tcp", "public_port": 22017, "target_ip": "10.50.0.12", "target_port": 32215}
ROUTE = {"route_id": "api-web", "hostname": "api.edge.test", "target_url": "http://10.50.0.12:8080"}
# an address of the lab's network that no host has
NOBODY = {"ansible_host": "10.89.50.250", "ansible_ssh_common_args": "-o ConnectTimeout=1"}


def call(name: str, request: dict[str, Any] | None = None, *options: str) -> dict[str, Any]:
    """One call; exactly one document is printed, it fits its schema, and the exit code says the same."""
    done = run("ansible-playbook", f"edge.gateway.{name}", "-e", json.dumps(request or {}), *options,
               more={"ANSIBLE_STDOUT_CALLBACK": "edge.gateway.api"})
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    jsonschema.validate(answer, json.loads((SCHEMAS / f"{name}.answer.json").read_text()))
    assert (done.returncode == 0) == answer["ok"], done.output
    return answer


def wanted(request: dict[str, Any], name: str) -> dict[str, Any]:
    """A request that fits its schema."""
    jsonschema.validate(request, json.loads((SCHEMAS / f"{name}.request.json").read_text()))
    return request


@pytest.mark.parametrize(("name", "module", "request_body", "kind"), [
    ("tcp_forward", "dnat_forward", FORWARD, "forwards"), ("http_route", "traefik_route", ROUTE, "routes")])
def test_create_list_delete(name: str, module: str, request_body: dict[str, Any], kind: str) -> None:
    """Each call says what it has done, check mode what it would do, and the list tells the same."""
    key, identity = next(iter(request_body.items()))
    foreseen = call(name, wanted(request_body, name), "--check")
    assert foreseen["check_mode"] and foreseen["changed"] and identity in foreseen["hosts"]["edge1"]["results"][module]["added"]
    created = call(name, request_body)
    assert created["changed"] and created["hosts"]["edge1"]["results"][module]["added"] == [identity]
    assert not call(name, request_body)["changed"]
    listed = call(f"{name}s")["hosts"]["edge1"]["results"][f"{module}_info"][kind]
    assert [entry for entry in listed if entry[key] == identity]
    deleted = call(name, wanted({key: identity, "state": "absent"}, name))
    assert deleted["changed"] and deleted["hosts"]["edge1"]["results"][module]["removed"] == [identity]
    listed = call(f"{name}s")["hosts"]["edge1"]["results"][f"{module}_info"][kind]
    assert not [entry for entry in listed if entry[key] == identity]


@pytest.mark.parametrize(("name", "request_body", "option"), [
    ("tcp_forward", {**FORWARD, "public_port": "22a"}, "public_port"),
    ("tcp_forward", {**FORWARD, "source_range": "203.0.113.0/24"}, "source_range"),
    ("tcp_forward", {**FORWARD, "proto": "icmp"}, "proto"),
    ("tcp_forward", {"forwards": [FORWARD, {"forward_id": "x", "colour": "red"}]}, "forwards.colour"),
    ("tcp_forward", {"forward_id": "x"}, "public_port"),
    ("tcp_forward", {**FORWARD, "expires": "2020-01-01T00:00:00Z"}, "expires"),
    ("http_route", {**ROUTE, "hostname": "a b"}, "hostname"),
    ("http_route", {"route_id": "../x", "state": "absent"}, "route_id"),
    ("join", {"node_id": "a b"}, "node_id"),
])
def test_a_bad_request_is_answered_before_any_host_is_contacted(name: str, request_body: dict[str, Any], option: str) -> None:
    """With a code, the field and a remedy; the host of this call does not even exist."""
    answer = call(name, {**request_body, **NOBODY})
    error, = answer["hosts"]["edge1"]["errors"]
    assert (error["code"], error["option"]) == ("invalid_input", option), error
    assert error["remedy"] and error["message"].endswith(error["remedy"])


def test_what_only_the_host_can_refuse(edge: Host) -> None:
    """The same form of error comes back from there."""
    error, = call("tcp_forward", {**FORWARD, "public_port": 443})["hosts"]["edge1"]["errors"]
    assert (error["code"], error["option"]) == ("invalid_input", "public_port") and "443" in error["message"]


def test_nobody_and_nowhere() -> None:
    """A host that is not there, and a group that is not: no call that reached nobody is a success."""
    error, = call("tcp_forward", {**FORWARD, **NOBODY})["hosts"]["edge1"]["errors"]
    assert error["code"] == "host_unreachable" and "ping" in error["remedy"]
    answer = call("tcp_forward", {**FORWARD, "edge_gateway_hosts": "nobody"})
    assert answer["hosts"] == {} and answer["errors"][0]["code"] == "no_hosts"


def test_health_as_a_document() -> None:
    """Every part, with its figures."""
    result = call("health")["hosts"]["edge1"]["results"]["gateway_health"]
    parts = {"mesh", "forwarding", "forwards", "traefik", "routes", "certificates", "expiry", "disk", "converge"}
    assert result["status"] == "ok" and set(result["parts"]) == parts
    assert result["history"][0]["module"] in ("dnat_forward", "traefik_route")


def test_two_calls_at_once_lose_nothing() -> None:
    """They wait for each other on the host."""
    bodies = [{**FORWARD, "forward_id": f"api-{port}", "public_port": port} for port in (22018, 22019)]
    running = [subprocess.Popen([str(Path(sys.executable).parent / "ansible-playbook"), "edge.gateway.tcp_forward", "-e", json.dumps(body)],
                                cwd=TOP, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for body in bodies]
    assert [process.wait(timeout=120) for process in running] == [0, 0], [process.stdout and process.stdout.read() for process in running]
    names = {body["forward_id"] for body in bodies}
    listed = call("tcp_forwards")["hosts"]["edge1"]["results"]["dnat_forward_info"]["forwards"]
    assert names <= {entry["forward_id"] for entry in listed}
    removal = {"forwards": [{"forward_id": name, "state": "absent"} for name in sorted(names)]}
    assert set(call("tcp_forward", wanted(removal, "tcp_forward"))["hosts"]["edge1"]["results"]["dnat_forward"]["removed"]) == names

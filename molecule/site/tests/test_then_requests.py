# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The older system's request bodies, unchanged, as playbook runs; and one ad-hoc call."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from runs import Run, playbook, run
from testinfra.host import Host

EDGE = "10.89.50.11"
NAME = "vm-123.service.com"
CURL = f"curl --silent --insecure --max-time 5 --retry 5 --retry-all-errors --resolve {NAME}:443:{EDGE} https://{NAME}/"
ECHO = f"socat -t 3 - TCP:{EDGE}:22015,connect-timeout=3 </dev/null"
FILES = "molecule/site/files"
AD_HOC = "forward_id=by-hand public_port=22016 target_ip=10.50.0.12 target_port=32215 comment='asked for by ops'"


def request(name: str, *arguments: str) -> Run:
    """One request: the playbook with the body of this name."""
    playbook_name, _underscore, _state = name.partition("_absent")
    return playbook(f"playbooks/{playbook_name}.yml", "-e", f"@{FILES}/{name}.json", *arguments)


def ad_hoc(arguments: str) -> Run:
    """One ad-hoc call."""
    return run("ansible", "edge", "-m", "edge.gateway.dnat_forward", "-a", arguments)


@dataclass(frozen=True)
class Story:
    """What was asked for, and what could be seen after it."""

    runs: dict[str, Run]
    page: str
    echo: str
    page_after: str
    echo_after: str


@pytest.fixture(scope="module")
def story(client: Host) -> Story:
    """Create, list, use and delete."""
    runs = {"ad hoc": ad_hoc(AD_HOC), "ad hoc absent": ad_hoc("forward_id=by-hand state=absent")}
    for name in ("http_route", "tcp_forward"):
        runs[name] = request(name)
        runs[f"{name} again"] = request(name)
        runs[f"{name}s"] = playbook(f"playbooks/{name}s.yml")
    page, echo = client.run(CURL).stdout, client.run(ECHO).stdout
    for name in ("http_route_absent", "tcp_forward_absent"):
        runs[name] = request(name)
    page_after, echo_after = client.run(CURL).stdout, client.run(ECHO).stdout
    return Story(runs, page, echo, page_after, echo_after)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        *[("http_route", 1), ("http_route again", 0), ("http_routes", 0), ("http_route_absent", 1)],
        *[("tcp_forward", 1), ("tcp_forward again", 0), ("tcp_forwards", 0), ("tcp_forward_absent", 1)],
    ],
)
def test_each_request_succeeds(story: Story, name: str, changed: int) -> None:
    """Done once, a request has nothing to do the second time."""
    assert story.runs[name].returncode == 0, story.runs[name].output
    assert story.runs[name].count("changed") == changed, story.runs[name].output


@pytest.mark.parametrize("name", ["ad hoc", "ad hoc absent"])
def test_ad_hoc_calls_work(story: Story, name: str) -> None:
    """From the top of the repository, with the collection's module by its name."""
    assert story.runs[name].returncode == 0, story.runs[name].output
    assert "edge1 | CHANGED" in story.runs[name].stdout


def test_the_lists_show_what_was_created(story: Story) -> None:
    """Each with the values of its body."""
    for text in ("route_id: vm-123", "vm-123.service.com", "http://10.50.0.12:8080", "certresolver: dnsresolver", "vm-123: enabled"):
        assert text in story.runs["http_routes"].stdout
    for text in ("forward_id: vm-123-ssh", "public_port: '22015'", "target_ip: 10.50.0.12", "target_port: 32215", "active: true"):
        assert text in story.runs["tcp_forwards"].stdout


def test_they_carry_traffic(story: Story) -> None:
    """From the client to the node and back."""
    assert "hello from node1" in story.page
    assert f"Host: {NAME}" in story.page
    assert "echo from node1" in story.echo


def test_what_is_deleted_is_gone(story: Story, edge: Host) -> None:
    """The route's file, the forward's element and its entry in the state; nothing answers for them."""
    assert "hello" not in story.page_after
    assert story.echo_after == ""
    assert edge.check_output("ls -A /etc/traefik/dynamic") == "demo.yml"
    assert "vm-123" not in edge.check_output("nft list table inet edge_gateway")
    state = json.loads(edge.file("/var/lib/edge-gateway/forwards.json").content_string)
    assert [forward["forward_id"] for forward in state["forwards"]] == ["demo-echo"]

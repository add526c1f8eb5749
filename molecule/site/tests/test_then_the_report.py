# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""playbooks/report.yml: a page about an edge whose mesh is down, and about one that nobody can reach."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import playbook
from testinfra.host import Host

LOST = "edge: {hosts: {edge9: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_ssh_common_args: ''}}}\n"


@pytest.fixture
def broken(edge: Host) -> Iterator[None]:
    """The mesh of the edge is down."""
    edge.check_output("systemctl stop wg-quick@wg0")
    yield
    edge.check_output("systemctl start wg-quick@wg0")


def test_a_broken_fleet_has_a_page(broken: None, tmp_path: Path) -> None:
    """Both troubles stand in it, with what to do. It is no error, no host is changed, and check mode writes nothing."""
    (tmp_path / "lost.yml").write_text(LOST)
    page = tmp_path / "report.html"
    call = ("playbooks/report.yml", "-i", "inventory/lab.yml", "-i", str(tmp_path / "lost.yml"), "-e", f"edge_gateway_report={page}")
    predicted = playbook(*call, "--limit", "edge9", "--check")
    assert (predicted.returncode, predicted.count("changed")) == (0, 1), predicted.output
    assert not page.exists()
    done = playbook(*call, "--diff")
    assert (done.returncode, done.count("changed")) == (0, 1), done.output
    assert "<!doctype" not in done.output
    text = " ".join(html.unescape(re.sub("<[^>]+>", " ", page.read_text())).split())
    for words in ("1 of 2 edges has failed: edge1", "1 of 2 edges cannot be reached: edge9", "1 of 1 route and 1 of 1 forward lead nowhere",
                  "mesh: interface wg0 is down", "What to do: see journalctl -u wg-quick@wg0", "Connection refused", "demo.edge.test",
                  "demo-echo", "10.50.0.12: Cut off"):
        assert words in text, words

# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""A mistake at first contact: a wrong join token on an untouched edge, then the right one."""

from __future__ import annotations

import re

import pytest
from runs import Run, playbook, run
from testinfra.host import Host

LEFT_BEHIND = "ls -d /etc/wireguard/wg0.conf /var/lib/edge-gateway/join.json /sys/class/net/wg0 /etc/traefik /etc/edge-gateway"


@pytest.fixture(scope="module")
def refused() -> Run:
    """Make the edge anew, with no package lists at all, and run site.yml with a wrong token."""
    for command in (
        ["python3", "tests/lab/lab", "exec", "podman", "rm", "--force", "--time", "0", "edge1"],
        ["python3", "tests/lab/lab", "up"],
    ):
        done = run(*command)
        assert done.returncode == 0, done.output
    return playbook("site.yml", "-e", "edge_gateway_join_token=wrong-token")


def test_it_fails_with_one_sentence_that_names_the_token(refused: Run) -> None:
    """And without the token itself."""
    assert refused.returncode == 2, refused.output
    # the node's, which has joined long ago, and the edge's
    assert refused.count("failed") == 2
    message = re.sub(r"\s+", " ", refused.stdout.partition("fatal: [edge1]")[2])
    assert "msg: controller_url http://10.89.50.2:9000 refused the join token (HTTP 401); correct it and run again" in message
    assert "Traceback" not in refused.output
    assert "wrong-token" not in refused.output


def test_it_leaves_nothing_half_joined(refused: Run, edge: Host) -> None:
    """No interface, no answer, no configuration; and what comes after the join was not begun."""
    assert edge.run(LEFT_BEHIND).stdout == ""


def test_the_right_token_continues(refused: Run, client: Host) -> None:
    """With nothing to clean up first."""
    done = playbook("site.yml")
    assert done.returncode == 0, done.output
    assert "echo from node1" in client.check_output("socat -t 3 - TCP:10.89.50.11:22000,connect-timeout=3 </dev/null")

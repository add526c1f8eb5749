# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The join token and the private key are never shown, however much Ansible is asked to tell."""

from __future__ import annotations

import pytest
from runs import Run, playbook
from showing import processes_watched, where_shown
from testinfra.host import Host

TOKEN = "lab-join-token"
JOIN = "playbooks/join.yml"
TALKATIVE = ("-vvv", "--diff")


@pytest.fixture(scope="module")
def runs(edge: Host) -> dict[str, Run]:
    """Leave and join again, by the playbook, while every process of the edge is watched."""
    with processes_watched(edge):
        return {
            "left": playbook(JOIN, *TALKATIVE, "-e", "state=left"),
            "predicted": playbook(JOIN, *TALKATIVE, "--check"),
            "joined": playbook(JOIN, *TALKATIVE),
            "refused": playbook(JOIN, *TALKATIVE, "-e", "join_token=not-the-token"),
        }


@pytest.mark.parametrize(("name", "returncode"), [("left", 0), ("predicted", 0), ("joined", 0), ("refused", 2)])
def test_the_playbook_joins_and_leaves(runs: dict[str, Run], name: str, returncode: int) -> None:
    """A wrong token is refused on a host that has joined, too."""
    assert runs[name].returncode == returncode, runs[name].output
    assert runs[name].count("changed") == (0 if name == "refused" else 1)


@pytest.mark.parametrize("name", ["left", "predicted", "joined", "refused"])
def test_no_secret_is_shown(runs: dict[str, Run], edge: Host, name: str) -> None:
    """Neither in results, nor in diffs, nor in what -vvv adds."""
    key = edge.check_output("cat /etc/wireguard/wg0.key")
    assert len(key) == 44
    assert "join_token: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in runs["joined"].output
    for secret in (TOKEN, "not-the-token", key):
        assert secret not in runs[name].output


def test_no_secret_is_shown_by_the_host(runs: dict[str, Run], edge: Host) -> None:
    """Neither to those who list processes, nor in the journal, nor in a file that others can read."""
    assert runs["joined"].returncode == 0
    assert edge.run("grep -qaF 'wg syncconf' /run/sampler.out || grep -qaF wg-quick /run/sampler.out").succeeded
    assert edge.check_output(where_shown([TOKEN, "not-the-token", edge.check_output("cat /etc/wireguard/wg0.key")])) == ""


def test_only_root_can_read_the_key(edge: Host) -> None:
    """The key file, and the file of wg-quick that holds it too."""
    for path in ("/etc/wireguard/wg0.key", "/etc/wireguard/wg0.conf", "/var/lib/edge-gateway/join.json"):
        file = edge.file(path)
        assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o600")
    key = edge.check_output("cat /etc/wireguard/wg0.key")
    assert key not in edge.check_output("cat /var/lib/edge-gateway/join.json")
    assert not edge.run(f"journalctl --no-pager | grep -F -e '{key}' -e {TOKEN}").succeeded

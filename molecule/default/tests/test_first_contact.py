# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The first runs of site.yml on an untouched edge: predicted, done, done again, predicted again.

Nothing of the output is normalised: what check mode prints for a task is, letter by letter, what the real run prints.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import pytest
from runs import Run, playbook
from testinfra.host import Host

# apt's lists and archives may be refreshed by a prediction; Ansible's own temporary folder is not in any of these
SNAPSHOT = r"""
find /etc /usr/local /var/lib /var/cache \( -path /var/lib/apt -o -path /var/cache/apt \) -prune -o \
    -printf '%p %y %m %u:%g %l\n' | sort
find /etc /usr/local /var/lib /var/cache \( -path /var/lib/apt -o -path /var/cache/apt \) -prune -o \
    -type f -exec sha256sum {} + | sort -k 2
nft list ruleset
ip -o address show
ip route show
cat /proc/sys/net/ipv4/ip_forward
systemctl list-unit-files --state=enabled --no-legend --plain
getent passwd
"""


@dataclass(frozen=True)
class Story:
    """The runs, and the state of the host around the first of them."""

    untouched: str
    predicted: Run
    still_untouched: str
    done: Run
    again: Run
    predicted_again: Run


@pytest.fixture(scope="module")
def story(edge: Host) -> Story:
    """Run site.yml four times."""
    untouched = edge.run(SNAPSHOT).stdout
    predicted = playbook("site.yml", "--check", "--diff")
    return Story(
        untouched=untouched,
        predicted=predicted,
        still_untouched=edge.run(SNAPSHOT).stdout,
        done=playbook("site.yml", "--diff"),
        again=playbook("site.yml", "--diff"),
        predicted_again=playbook("site.yml", "--check", "--diff"),
    )


def differences(before: str, after: str) -> list[str]:
    """The lines that differ."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return list(lines)


def test_the_host_was_untouched(story: Story) -> None:
    """Otherwise the rest proves little."""
    for trace in ("/usr/bin/wg ", "traefik", "edge-gateway"):
        assert trace not in story.untouched


def test_check_mode_succeeds(story: Story) -> None:
    """On a host on which neither nft nor wg, nor a unit, nor a user exists yet."""
    assert story.predicted.returncode == 0, story.predicted.output
    assert story.predicted.count("changed") > 0


def test_check_mode_changes_nothing(story: Story) -> None:
    """No file, no rule, no address, no unit, no user."""
    assert differences(story.untouched, story.still_untouched) == []


def test_the_real_run_succeeds(story: Story) -> None:
    """In one go."""
    assert story.done.returncode == 0, story.done.output


def test_the_prediction_was_exact(story: Story) -> None:
    """Task by task: the same status and the same diff."""
    assert differences(story.predicted.tasks, story.done.tasks) == []
    assert story.predicted.count("changed") == story.done.count("changed")


def test_the_second_run_changes_nothing(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """And is fast; how fast is printed."""
    assert story.again.returncode == 0, story.again.output
    assert (story.again.count("changed"), story.again.count("failed")) == (0, 0), story.again.output
    tasks = len(re.findall(r"^(?:TASK|RUNNING HANDLER) \[", story.again.tasks, re.MULTILINE))
    with capsys.disabled():
        print(f"\nsite.yml with nothing to do: {tasks} tasks in {story.again.seconds:.1f} s")


def test_check_mode_foresees_no_change_then(story: Story) -> None:
    """A prediction of nothing."""
    assert story.predicted_again.returncode == 0, story.predicted_again.output
    assert (story.predicted_again.count("changed"), story.predicted_again.count("failed")) == (0, 0)
    assert story.predicted_again.tasks == story.again.tasks


def test_the_edge_works(story: Story, client: Host) -> None:
    """One request through each of the two ways in."""
    page = client.check_output("curl -sSk --retry 5 --retry-all-errors --resolve demo.edge.test:443:10.89.50.11 https://demo.edge.test/")
    assert "hello from node1" in page
    assert "echo from node1" in client.check_output("socat -t 3 - TCP:10.89.50.11:22000,connect-timeout=3 </dev/null")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The checksums of Traefik are taken once, and compared ever after."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from release.commands import COLLECTION, git, run
from release.mirror import DIGESTS, VERSION, lists

PINS = f"{COLLECTION}/roles/traefik/vars/main.yml"


def test_what_is_pinned(clone: Path) -> None:
    """By version and architecture, all of them text."""
    assert yaml.safe_load((clone / PINS).read_text())["edge_gateway_traefik_pins"] == {VERSION: DIGESTS}


@pytest.mark.parametrize(("now", "said"), [
    (DIGESTS, ""),
    ({**DIGESTS, "riscv64": "b" * 64}, ""),
    ({**DIGESTS, "amd64": "b" * 64}, "for amd64 is pinned with another checksum than the list has now"),
    ({"arm64": DIGESTS["arm64"]}, "for 386, amd64 is pinned with another checksum"),
    ({}, "names no archive for Linux"),
], ids=["the same", "one more", "another", "fewer", "none"])
def test_a_second_look(clone: Path, tmp_path: Path, now: dict[str, str], said: str) -> None:
    """The same, and more, is well; another checksum is an alarm, and nothing is written."""
    before = (clone / PINS).read_text()
    with lists(tmp_path) as mirror:
        mirror.write(now)
        ended = run(clone, ".ci/pin-traefik", mirror.url)
    assert (ended.returncode != 0, said in ended.stderr) == (bool(said), True), ended.stderr
    pinned = yaml.safe_load((clone / PINS).read_text())["edge_gateway_traefik_pins"][VERSION]
    assert pinned == (DIGESTS if said else now) and (not said or (clone / PINS).read_text() == before)


def test_no_release_without(clone: Path) -> None:
    """Of the version that the role installs, not of another one."""
    text = (clone / PINS).read_text()
    (clone / PINS).write_text(text.replace(f'"{VERSION}":', '"3.0.0":'))
    git(clone, "commit", "-q", "-a", "-m", "another version")
    ended = run(clone, ".ci/release", "99.1.0")
    assert ended.returncode == 2 and ended.stderr.startswith(f"The checksums of Traefik {VERSION} are not pinned; run .ci/pin-traefik")

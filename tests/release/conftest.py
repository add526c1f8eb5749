# SPDX-License-Identifier: GPL-3.0-or-later
"""This tree as a repository of its own, which a test may release from and spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from release.commands import COLLECTION, git, run
from release.mirror import DIGESTS, lists

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree as it stands, with one commit."""
    target = tmp_path_factory.mktemp("origin")
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    fragment = target / COLLECTION / "changelogs/fragments/0-test.yml"
    fragment.write_text("---\nbugfixes:\n  - a bug of the test is repaired.\n")
    with lists(tmp_path_factory.mktemp("mirror")) as mirror:
        mirror.write(DIGESTS)
        ended = run(target, ".ci/pin-traefik", mirror.url)
    assert ended.returncode == 0, ended.stderr
    git(target, "init", "-q", "-b", "main")
    git(target, "add", "-A")
    git(target, "commit", "-q", "-m", "everything")
    return target


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone to spoil."""
    git(tmp_path, "clone", "-q", str(origin), "clone")
    return tmp_path / "clone"

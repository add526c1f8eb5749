# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in a throw-away repository: what it makes, and what it refuses in one sentence."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from release.commands import COLLECTION, git, run


def test_a_release(clone: Path) -> None:
    """Version, changelog, commit, annotated tag, and a tarball of what users need."""
    ended = run(clone, ".ci/release", "99.1.0")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ansible-galaxy collection publish dist/edge-gateway-99.1.0.tar.gz" in ended.stdout
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "cat-file", "-t", "99.1.0") == "tag"
    assert git(clone, "rev-parse", "99.1.0^{}") == git(clone, "rev-parse", "HEAD")
    assert git(clone, "log", "-1", "--format=%s") == "Release 99.1.0"
    assert "\nversion: 99.1.0\n" in (clone / COLLECTION / "galaxy.yml").read_text()
    changelog = (clone / COLLECTION / "CHANGELOG.rst").read_text()
    assert "v99.1.0" in changelog and "a bug of the test is repaired" in changelog
    assert not list((clone / COLLECTION / "changelogs/fragments").glob("*.yml"))
    with tarfile.open(clone / "dist/edge-gateway-99.1.0.tar.gz") as tarball:
        names = tarball.getnames()
    committed = git(clone, "ls-files", COLLECTION).splitlines()
    files = {name.removeprefix(f"{COLLECTION}/") for name in committed} - {"galaxy.yml"}
    assert files | {"MANIFEST.json", "FILES.json"} == {name for name in names if "." in name.rsplit("/", 1)[-1] or name in files}

    again = run(clone, ".ci/release", "99.1.0")
    assert (again.returncode, again.stderr) == (2, "VERSION 99.1.0 has a tag already; choose a higher one.\n")


@pytest.mark.parametrize("version", ["v1", "1.2", "", "01.2.3", "1.2.3-rc1", "1.2.3; true"])
def test_a_wrong_version(origin: Path, version: str) -> None:
    ended = run(origin, ".ci/release", version)
    assert ended.returncode == 2 and not ended.stdout
    assert ended.stderr == f"VERSION '{version}' is no version of three numbers; write make release VERSION=1.2.3.\n"


def test_a_lower_version(clone: Path) -> None:
    git(clone, "tag", "99.10.0")
    ended = run(clone, ".ci/release", "99.9.0")
    assert (ended.returncode, ended.stderr) == (2, "VERSION 99.9.0 is lower than 99.10.0, which is released; choose a higher one.\n")


def test_a_dirty_tree(clone: Path) -> None:
    (clone / "new").touch()
    ended = run(clone, ".ci/release", "99.1.0")
    assert (ended.returncode, ended.stderr) == (2, "The tree holds changes that are not committed; commit or stash them first.\n")


def test_nothing_to_tell(clone: Path) -> None:
    git(clone, "rm", "-q", f"{COLLECTION}/changelogs/fragments/*")
    git(clone, "commit", "-q", "-m", "no news")
    ended = run(clone, ".ci/release", "99.1.0")
    assert ended.returncode == 2 and ended.stderr.startswith("There is no changelog fragment since the last release; ")


def test_a_failure_takes_all_back(clone: Path) -> None:
    """A fragment that is not understood: no version, no tag, no commit."""
    (clone / COLLECTION / "changelogs/fragments/0-test.yml").write_text("---\nbugfixes: 7\n")
    git(clone, "commit", "-q", "-a", "-m", "a bad fragment")
    before = git(clone, "rev-parse", "HEAD")
    assert run(clone, ".ci/release", "99.1.0").returncode != 0
    assert (git(clone, "rev-parse", "HEAD"), git(clone, "tag"), git(clone, "status", "--porcelain")) == (before, "", "")

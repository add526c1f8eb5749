# SPDX-License-Identifier: GPL-3.0-or-later
"""The definition of the execution environment, as far as it goes without a base image: what it is built of, and what it will install."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from release.commands import run


@pytest.fixture(scope="module")
def context(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder from which podman builds it."""
    target = tmp_path_factory.mktemp("environment") / "context"
    ended = run(origin, "ansible-builder", "create", "--context", str(target), "--output-filename", "Containerfile")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return target


def test_the_collection_is_brought_and_installed(context: Path) -> None:
    """Where the Containerfile copies it to, its requirements look for it."""
    required = yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"]
    assert required == [{"name": "/tmp/collection", "type": "dir"}]
    steps = (context / "Containerfile").read_text().splitlines()
    copied = steps.index("COPY _build/collection /tmp/collection")
    assert copied < next(at for at, step in enumerate(steps) if "ansible-galaxy collection install" in step)


def test_what_it_needs(context: Path, tmp_path: Path) -> None:
    """The collection as it will be installed there asks for an SSH client, and for nothing of Python."""
    collection = str(context / "_build/collection")
    installed = run(tmp_path, "ansible-galaxy", "collection", "install", "--offline", collection, "-p", str(tmp_path))
    assert installed.returncode == 0, installed.stdout + installed.stderr
    ended = run(tmp_path, "ansible-builder", "introspect", str(tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = yaml.safe_load(ended.stdout.split("---\n", 1)[-1])
    assert not found["python"]
    assert [line.split("#")[0].strip() for line in found["system"]] == ["openssh-client [platform:dpkg]", "openssh-clients [platform:rpm]"]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in a throw-away repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

COLLECTION = "collections/ansible_collections/edge/gateway"
# lint is a gate of its own, and half of the importer's time
ENVIRONMENT = {**os.environ, "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "False", "GIT_CONFIG_GLOBAL": "/dev/null",
               **{f"GIT_{who}_{what}": "tester@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}


def run(repository: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in the repository."""
    return subprocess.run(command, cwd=repository, env=ENVIRONMENT, text=True, capture_output=True, check=False)


def git(repository: Path, *arguments: str) -> str:
    """The output of git, which must succeed."""
    ended = run(repository, "git", *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()

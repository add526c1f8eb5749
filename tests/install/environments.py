# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment for each line of ansible-core, with that and nothing else, kept in .cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Optional

from .matrix import Core, text

TOP = Path(__file__).resolve().parents[2]
CACHE = TOP / ".cache"


class Missing(Exception):
    """What this machine does not have."""


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    # pyenv's own programs: what it puts on the path runs only the versions that are switched on
    yield from sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")), reverse=True)
    found = shutil.which(f"python{version}")
    if found:
        yield found


def interpreter(version: str) -> Optional[str]:
    """A Python of this version that runs on this machine."""
    question = "import sys; print('{}.{}'.format(*sys.version_info))"
    for program in _candidates(version):
        answer = subprocess.run([program, "-c", question], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == version:
            return program
    return None


def programs(core: Core) -> Path:
    """The folder of the programs of this version, made if need be; Missing when its Python is not here."""
    folder = CACHE / f"venv-core-{core.line}"
    wanted, stamp = f"ansible-core=={core.release} python{text(core.controller)}", folder / ".stamp"
    if not stamp.exists() or stamp.read_text() != wanted:
        python = interpreter(text(core.controller))
        if python is None:
            raise Missing(f"no Python {text(core.controller)} here")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", f"ansible-core=={core.release}"],
                       check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(wanted)
    return folder / "bin"

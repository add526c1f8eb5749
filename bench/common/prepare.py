# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What measurements need, made before the namespaces are closed."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Sequence

from .space import CACHE, REPO, BenchError, timed

TRAEFIK = CACHE / "traefik"


def need(*programs: str) -> None:
    """Raise when one of them is not installed; make the folder for all that is made."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise BenchError(f"not installed: {', '.join(missing)}")
    CACHE.mkdir(parents=True, exist_ok=True)


def compiled(source: Path, program: Path) -> None:
    """Make a program of one file in C."""
    timed(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source)], timeout=120)


def traefik(folder: Path = REPO / ".lab" / "mirror" / "traefik") -> None:
    """Unpack the newest archive of the lab's mirror."""
    archives: Sequence[Path] = sorted(folder.glob("v*/*.tar.gz"))
    if not archives:
        raise BenchError("there is no Traefik in the lab's mirror; 'make lab' fetches it")
    with tarfile.open(archives[-1]) as archive:
        member = archive.extractfile("traefik")
        assert member is not None
        with TRAEFIK.open("wb") as binary:
            shutil.copyfileobj(member, binary)
    TRAEFIK.chmod(0o755)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements need, made before the namespaces are closed: the load generator, pyinfra, Traefik."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path
from typing import Dict

from .space import CACHE, REPO, BenchError, say, timed

PYINFRA = "pyinfra==3.10.0"
SOURCE = Path(__file__).with_name("load.c")
NEEDED = ("conntrack", "gcc", "ip", "iptables-legacy-restore", "iptables-nft-restore", "nft", "nsenter", "ss", "sysctl", "taskset")


def tools() -> Dict[str, Path]:
    """Where the programs are."""
    return {"load": CACHE / "load", "traefik": CACHE / "traefik", "pyinfra": CACHE / "pyinfra" / "bin" / "pyinfra"}


def prepare() -> None:
    """Make what is missing."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        raise BenchError(f"not installed: {', '.join(missing)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    found = tools()
    timed(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(found["load"]), str(SOURCE)], timeout=120)
    _traefik(found["traefik"])
    if not found["pyinfra"].exists():
        say("installing pyinfra")
        environment = CACHE / "pyinfra"
        timed([sys.executable, "-m", "venv", str(environment)], timeout=120)
        timed([str(environment / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", PYINFRA], timeout=600)


def _traefik(program: Path) -> None:
    """Unpack the newest archive of the lab's mirror."""
    archives = sorted((REPO / ".lab" / "mirror" / "traefik").glob("v*/*.tar.gz"))
    if not archives:
        raise BenchError("there is no Traefik in the lab's mirror; 'make lab' fetches it")
    with tarfile.open(archives[-1]) as archive:
        member = archive.extractfile("traefik")
        assert member is not None
        with program.open("wb") as binary:
            shutil.copyfileobj(member, binary)
    program.chmod(0o755)

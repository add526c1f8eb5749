# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements need, made before the namespaces are closed: the load generator, pyinfra, Traefik."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

from ..common import prepare
from ..common.space import CACHE, say, timed

PYINFRA = "pyinfra==3.10.0"
SOURCE = Path(__file__).with_name("load.c")
NEEDED = ("conntrack", "gcc", "ip", "iptables-legacy-restore", "iptables-nft-restore", "nft", "nsenter", "ss", "sysctl", "taskset")


def tools() -> Dict[str, Path]:
    """Where the programs are."""
    return {"load": CACHE / "load", "traefik": prepare.TRAEFIK, "pyinfra": CACHE / "pyinfra" / "bin" / "pyinfra"}


def everything() -> None:
    """Make what is missing."""
    prepare.need(*NEEDED)
    found = tools()
    prepare.compiled(SOURCE, found["load"])
    prepare.traefik()
    if not found["pyinfra"].exists():
        say("installing pyinfra")
        environment = CACHE / "pyinfra"
        timed([sys.executable, "-m", "venv", str(environment)], timeout=120)
        timed([str(environment / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", PYINFRA], timeout=600)

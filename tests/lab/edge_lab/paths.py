# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are, the error that ends a command, and how progress is told."""

from __future__ import annotations

import os
from pathlib import Path

LAB_DIR = Path(__file__).resolve().parents[1]
REPO = LAB_DIR.parents[1]
LAUNCHER = LAB_DIR / "lab"
INVENTORY = REPO / "inventory" / "lab.yml"

# what was built once serves every lab of this clone; each lab has its state elsewhere
BUILT = REPO / ".lab"
STATE = Path(os.environ.get("EDGE_LAB_DIR") or BUILT).resolve()
PID_FILE = STATE / "lab.pid"
READY_FILE = STATE / "ready"
SSH_DIR = STATE / "ssh"
SSH_CONFIG = SSH_DIR / "config"
MIRROR_DIR = BUILT / "mirror"


class LabError(Exception):
    """What went wrong, in words for the person who typed the command."""


def say(message: str) -> None:
    """Print one line of progress."""
    print(f"lab: {message}", flush=True)

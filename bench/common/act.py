# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Be the process of a module, without Ansible around it, and tell what it took: ``act.py ORDER REPORT``.

The peak is VmHWM and not ru_maxrss: the latter starts, through fork and exec, at what the parent weighs.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path


def peak_kib() -> int:
    """The most memory that this process has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Import the module and run it; it ends this process itself."""
    begin = time.monotonic()
    order = json.loads(Path(sys.argv[1]).read_text())
    sys.path[:0] = order["paths"]
    module = import_module(order["module"])
    testing = import_module("ansible.module_utils.testing")
    imported = time.monotonic()
    try:
        with testing.patch_module_args(order["params"]):
            module.main()
    finally:
        done = time.monotonic()
        Path(sys.argv[2]).write_text(json.dumps({"import": imported - begin, "run": done - imported, "peak_kib": peak_kib()}))


if __name__ == "__main__":
    main()

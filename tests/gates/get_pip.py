# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for get-pip.py, which ansible-test would download from a host that need not be reachable."""

import subprocess
import sys

PIP = "pip==24.2"
run = [sys.executable, "-I", "-m"]
subprocess.run([*run, "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([*run, "pip", "install", "-q", "--disable-pip-version-check", PIP], check=True)

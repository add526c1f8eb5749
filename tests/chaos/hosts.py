# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts, for the programs here that need a whole systemd: commands on them, Ansible, a restart, and a look from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterable, List

from .figures import TOP

PROBE = TOP / "molecule/shared/files/probe.py"
LAB = Path(os.environ.get("EDGE_LAB_DIR") or TOP / ".lab")
EDGE = "edge1"
EDGE_ADDRESS, NODE = "10.89.50.11", "10.50.0.12"
NODE_ECHO, NODE_WEB = 32215, 8080
BOOT_SECONDS = 120
# a table as nft lists it, without what changes by itself; the elements of a map come in no order
VOLATILE = re.compile(r"counter packets \d+ bytes \d+|# handle \d+")


def ssh(host: str, command: str, stdin: str = "", *, check: bool = True, timeout: float = 120) -> str:
    """What a command on a host prints."""
    done = subprocess.run(["ssh", "-F", str(LAB / "ssh/config"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", host, command],
                          input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{host}: {command[:200]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def command(program: str, *arguments: str) -> List[str]:
    """One of Ansible's commands, as it is installed beside this Python."""
    return [str(Path(sys.executable).parent / program), *arguments]


def environment() -> Dict[str, str]:
    """What Ansible runs in: the settings of this repository alone."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}, "ANSIBLE_NOCOLOR": "1"}


def ansible(program: str, *arguments: str, timeout: float = 300) -> str:
    """What a run that must succeed prints."""
    done = subprocess.run(command(program, *arguments), cwd=TOP, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-500:]}")
    return done.stdout


def changed(shown: str) -> int:
    """How many tasks of a playbook's run have changed something."""
    return sum(map(int, re.findall(r"\bchanged=(\d+)", shown.partition("PLAY RECAP")[2])))


def table(listed: str) -> List[str]:
    """A listed table as lines and elements that can be compared."""
    return sorted(part.strip() for part in re.split(r"[,\n{}]", VOLATILE.sub("", listed)) if part.strip())


def elements(listed: str) -> int:
    """How many forwards a listed table holds."""
    return listed.count(f" : {NODE} . ")


def started(host: str) -> str:
    """When the host's systemd began, which tells one boot from another; nothing while it cannot be reached."""
    try:
        return ssh(host, "systemctl show -P UserspaceTimestampMonotonic", check=False, timeout=20).strip()
    except subprocess.TimeoutExpired:
        return ""


def reboot(host: str, how: str = "systemctl reboot") -> None:
    """Restart a host, and wait until it has started everything."""
    before = started(host)
    ssh(host, f"systemd-run --quiet --on-active=0 --timer-property=AccuracySec=1ms {how}", check=False)
    deadline = time.monotonic() + BOOT_SECONDS
    while started(host) in ("", before):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{host} has not restarted within {BOOT_SECONDS} s")
        time.sleep(0.2)
    ssh(host, "systemctl is-system-running --wait", check=False, timeout=BOOT_SECONDS)


def from_outside(ports: Iterable[int], names: Iterable[str]) -> List[str]:
    """Which forwards and routes do not lead a client to the node; each has ten seconds, a tunnel takes a moment after a restart."""
    wanted = [*(f"tcp:{port}=open" for port in ports), *(f"https://{name}/=200" for name in names)]
    shown = ssh("client", f"python3 - {EDGE_ADDRESS} {' '.join(wanted)}; echo looked", PROBE.read_text(), check=False).splitlines()
    return shown[:-1] if shown else ["the client does not answer"]

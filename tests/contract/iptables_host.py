# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An edge with iptables of either variant, and rules of somebody else on it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import List, Optional, Sequence

from ansible_collections.edge.gateway.plugins.module_utils.engines.iptables import IptablesBackend
from ansible_collections.edge.gateway.plugins.module_utils.host import Host, Result
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward, Forwards
from contract.world import sh

VARIANTS = ("nft", "legacy")
OTHER = {"nft": "legacy", "legacy": "nft"}
MASQUERADE = "-A POSTROUTING -o wg0 -j MASQUERADE"
NAMES = [f"{family}tables" for family in ("ip", "ip6")]
# rules, chains, policies and a comment with a line break and our words in it, in all tables that are ours too
FOREIGN = """*mangle
:FORWARD ACCEPT [0:0]
:mine - [0:0]
-A FORWARD -j mine
-A mine -o wg0 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -m comment --comment "edge-gateway: not ours" -j ACCEPT
-A DOCKER-USER -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -o wg1 -j MASQUERADE
-A POSTROUTING -o wg0 -p tcp -j MASQUERADE
-A DOCKER -p tcp -m tcp --dport 20001 -m comment --comment "f-1 EDGE-GATEWAY" -j RETURN
COMMIT
"""


def choose(variant: str) -> None:
    """Make the plain names mean one variant, as update-alternatives does (/etc is private here)."""
    for name in NAMES:
        for suffix in ("", "-save", "-restore"):
            link = Path("/etc/alternatives") / (name + suffix)
            link.unlink()
            link.symlink_to(f"/usr/sbin/{name}-{variant}{suffix}")


class Watched(Host):
    """Notes what is loaded; can be killed in front of the n-th load, and can be without a program or a path."""

    def __init__(self, loads: Optional[int] = None, missing: Sequence[str] = ()) -> None:
        self.loads, self.missing = loads, missing
        self.loaded: List[str] = []
        self.ran: List[str] = []

    def mode(self, path: str) -> Optional[os.stat_result]:
        """The host's answer, but for what is missing."""
        return None if path in self.missing else super().mode(path)

    def find(self, tool: str) -> Optional[str]:
        """The host's answer, but for what is missing."""
        return None if tool in self.missing else super().find(tool)

    def run(self, argv: Sequence[str], stdin: str = "", timeout: float = 60.0, check: bool = True, holds_lock: bool = False) -> Result:
        """Run it, unless the time has come."""
        self.ran.append(argv[0])
        if argv[0].endswith("-restore"):
            if len(self.loaded) == self.loads:
                raise KeyboardInterrupt
            self.loaded.append(f"{argv[0].partition('tables')[0]} {stdin.splitlines()[0][1:]}")
        return super().run(argv, stdin, timeout, check, holds_lock)


def backend(host: Optional[Host] = None, interface: str = "wg0") -> IptablesBackend:
    """The backend as a new run has it."""
    return IptablesBackend(host or Host(), interface)


def apply(forwards: Forwards) -> None:
    """One run."""
    backend().apply(forwards)


def holds(forwards: Forwards) -> None:
    """What is there is what these forwards need, part by part and as a whole."""
    rules, wanted = backend().read(), backend().wanted(forwards)
    assert rules.parts == wanted.parts
    assert rules.elements == wanted.elements
    assert rules == wanted and rules.structure == wanted.structure


def boot(forwards: Forwards) -> None:
    """Run the boot script by a shell that is not bash."""
    done = subprocess.run(["dash", "-s"], input=backend().boot_text(forwards), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.replace("# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n", "")
            .replace("# Warning: ip6tables-legacy tables present, use ip6tables-legacy-save to see them\n", "")) == (0, "")


def listing(name: str = "iptables") -> List[str]:
    """All tables in a fixed order, without times and counters."""
    text = sh(f"{name}-save")
    tables = sorted(re.findall(r"^\*.*?^COMMIT$", text, re.MULTILINE | re.DOTALL))
    return [re.sub(r" \[\d+:\d+\]$", "", line) for table in tables for line in table.splitlines()]


def others() -> List[List[str]]:
    """What is not ours, line by line."""
    ours = re.compile(r":EDGE-GATEWAY|-A EDGE-GATEWAY|.* -[jg] EDGE-GATEWAY|" + re.escape(MASQUERADE) + "$")
    return [[line for line in listing(name) if not ours.match(line)] for name in NAMES]


def load(text: str, name: str = "iptables") -> None:
    """Load rules of somebody else."""
    sh(f"{name}-restore", "--noflush", stdin=text)


def kinds(*numbers: int) -> Forwards:
    """One forward of each kind, or those of some numbers."""
    every = [
        Forward("plain", 22015, 22015, "10.50.0.12", 32215, "tcp", comment="opened by ops #1 @x/y:z.w_-"),
        Forward("range", 6000, 6010, "10.50.0.13", 6000, "both"),
        Forward("shifted", 7000, 7003, "10.50.0.13", 17000, "udp"),
        Forward("listed", 443, 443, "10.50.0.14", 8443, "both", ("192.0.2.0/25", "192.0.2.128/25", "203.0.113.7/32", "2001:db8::/32")),
        Forward("keeps", 25, 25, "10.50.0.15", 25, "tcp", source_nat="none"),
        Forward("hairpin", 8000, 8010, "10.50.0.16", 8000, "tcp", ("0.0.0.0/0",), hairpin=True),
        Forward("six", 22015, 22015, "fd50::12", 80, "both", ("2001:db8::/33", "::/0"), hairpin=True, comment="a" * 64),
        Forward("sixrange", 6000, 6010, "fd50::1:0:0:13", 6000, "udp", source_nat="none"),
    ]
    return {item.forward_id: item for number, item in enumerate(every) if not numbers or number in numbers}

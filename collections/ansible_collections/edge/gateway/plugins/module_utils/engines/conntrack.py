# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's flow table: a UDP flow that started before a change stays on its old way until it is deleted."""

from __future__ import annotations

from typing import Iterable, List, Tuple

from ..host import Host


def cut(host: Host, ports: Iterable[Tuple[str, int]]) -> List[str]:
    """Delete the flows to public ports of this host.

    Args:
        ports: (protocol, public port); the port of the original direction, since the reply carries the target's.

    Returns:
        Warnings for the user.
    """
    wanted = sorted(set(ports))
    if wanted and host.find("conntrack") is None:
        return ["conntrack is not installed: UDP flows that are already open keep their old way until they end; "
                "install the package conntrack"]
    for proto, port in wanted:
        # exit status 1 with "0 flow entries" is the usual case: there was none
        host.run(["conntrack", "-D", "-p", proto, "--orig-port-dst", str(port)], check=False)
    return []

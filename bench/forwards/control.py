# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane: what a user waits for when forwards are applied, by this collection and by its limits."""

from __future__ import annotations

import re
from typing import List

from ..common import space
from ..common.space import BenchError, say, sh
from ..common.stats import Samples
from . import cases
from .plays import Plays

YAML_MOST = 1000


def make_edge(namespace: str) -> None:
    """A namespace that looks like an edge: it has a mesh interface."""
    space.add_namespace(namespace)
    space.add_namespace(f"{namespace}-mesh")
    space.connect((namespace, "wg0", ["10.60.0.1/24"]), (f"{namespace}-mesh", "node", ["10.60.0.2/24"]))


def forget(namespace: str) -> None:
    """Back to a host that never had a forward: no rules of nftables, no state, no forwarding."""
    sh("nft", "flush", "ruleset", namespace=namespace)
    sh("sysctl", "-qw", "net.ipv4.ip_forward=0", namespace=namespace)
    space.forget_files()


def measure(samples: Samples, plays: Plays, sizes: List[int], number: int) -> None:
    """A round over all sizes; each size has limits and candidates side by side."""
    for size in sizes:
        say(f"plays with {size} forwards")
        _by_source(samples, plays, size, number)
        _inline(samples, plays, size, number)


def _by_source(samples: Samples, plays: Plays, size: int, number: int) -> None:
    """The file as source: from nothing, again, one more, one less; one more where there is none; and a play that does nothing."""
    def take(name: str, play: str, changes: bool) -> None:
        samples.add(f"play/{name}/{size}", number, plays.run(play, changes))

    plays.listing(size)
    forget(plays.namespace)
    take("ping", "ping", False)
    take("src", f"src-{size}", True)
    expect(plays.namespace, size)
    take("src-again", f"src-{size}", False)
    take("add-one", "add-one", True)
    expect(plays.namespace, size, one_more=True)
    take("delete-one", "delete-one", True)
    expect(plays.namespace, size)
    forget(plays.namespace)
    take("add-to-none", "add-one", True)
    expect(plays.namespace, 0, one_more=True)
    forget(plays.namespace)


def _inline(samples: Samples, plays: Plays, size: int, number: int) -> None:
    """The list as variables, next to a task that only carries it."""
    for kind in ("json", "yml") if size <= YAML_MOST else ("json",):
        variables = plays.listing(size, kind)
        samples.add(f"play/carry-{kind}/{size}", number, plays.run("carry", False, variables))
        forget(plays.namespace)
        samples.add(f"play/inline-{kind}/{size}", number, plays.run("inline", True, variables))
        expect(plays.namespace, size)
    forget(plays.namespace)


def expect(namespace: str, size: int, one_more: bool = False) -> None:
    """Look into the kernel: each public port that is wanted must stand there, and no other."""
    listing = sh("nft", "list", "table", "inet", "edge_gateway", namespace=namespace)
    found = {int(word) for word in re.findall(r"\b[2-6]\d{4}\b", re.sub("size 65536", "", listing))}
    wanted = set(range(cases.FIRST_PORT, cases.FIRST_PORT + size)) | ({cases.FIRST_PORT + cases.MOST} if one_more else set())
    if found != wanted:
        raise BenchError(f"of {len(wanted)} forwards {len(found & wanted)} stand in the kernel, and {sorted(found - wanted)[:5]} besides")

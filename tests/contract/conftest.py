# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""These tests change firewall, interfaces and files of the host: they run in a throw-away namespace or not at all."""

from __future__ import annotations

import os
from typing import Iterator

import pytest
from contract import mesh, world

OWN_MOUNTS = ("/etc/wireguard", "/etc/edge-gateway", "/etc/traefik", "/var/lib/edge-gateway", "/run")


def pytest_sessionstart() -> None:
    """Refuse, loudly, to touch the machine itself: the mark of the namespace and its private mounts must be there."""
    missing = [path for path in OWN_MOUNTS if not os.path.ismount(path)]
    if os.environ.get("EDGE_LAB_ISOLATED") != "1" or missing:
        raise pytest.UsageError("the contract tests would change this machine; run them as: "
                                "tests/lab/lab isolate .venv/bin/pytest tests/contract")


@pytest.fixture(autouse=True)
def empty_host() -> Iterator[None]:
    """Every test starts on a host that never had a gateway."""
    world.reset()
    yield
    world.leave_namespace()


@pytest.fixture(name="hub_key", scope="session")
def running_hub() -> Iterator[str]:
    """The mesh's hub, for all tests that join; its public key."""
    yield mesh.add_hub()
    world.remove_namespaces("hub", "edge")

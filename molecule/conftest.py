# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The lab's hosts for every scenario's tests, reached by ssh as Ansible reaches them."""

from __future__ import annotations

import pytest
import testinfra
from runs import SSH_CONFIG
from testinfra.host import Host


def _host(name: str) -> Host:
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(SSH_CONFIG))


@pytest.fixture(scope="session")
def hub() -> Host:
    """The controller and WireGuard hub."""
    return _host("hub")


@pytest.fixture(scope="session")
def edge() -> Host:
    """The edge gateway."""
    return _host("edge1")


@pytest.fixture(scope="session")
def node() -> Host:
    """A node of the mesh, on the site network."""
    return _host("node1")


@pytest.fixture(scope="session")
def client() -> Host:
    """Somebody outside, who knows the edge's public address."""
    return _host("client")

# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The machines of the whole run; the tests are its steps, in the order of their file."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import runs

from vm import machines

# without KVM a machine is ten times as slow as the lab's hosts
runs.LIMIT_SECONDS = 1500
CONSOLE_LINES = 30


def pytest_sessionstart() -> None:
    """Bridges and addresses must not be the machine's own."""
    if os.environ.get("EDGE_LAB_ISOLATED") != "1":
        raise pytest.UsageError("these tests run in namespaces of their own: make test-vm")


@pytest.fixture(scope="session", autouse=True)
def running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hub, edge1 and node1, up; after a failure the ends of their consoles are shown."""
    started = machines.start()
    up = False
    try:
        for machine in started:
            machines.wait_for(machine)
        up = True
        yield
    finally:
        for machine in started:
            machine.process.kill()
            machine.process.wait()
        if not up or request.session.testsfailed:
            for machine in started:
                lines = machine.console.read_text(errors="replace").splitlines()[-CONSOLE_LINES:]
                print(f"\n--- the console of {machine.name}, see {machine.console}", *lines, sep="\n")

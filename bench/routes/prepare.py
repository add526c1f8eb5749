# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements need: Traefik, wrk, and a target that all routes lead to."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Iterator, Sequence

from ..common import prepare, space
from ..common.space import CACHE, BenchError

SOURCE, PROGRAM = Path(__file__).with_name("target.c"), CACHE / "target"
TRAEFIK_ROUTE = "ansible_collections.edge.gateway.plugins.modules.traefik_route"
TARGET_PORT = 9000
TARGET = f"http://127.0.0.1:{TARGET_PORT}"


def everything() -> None:
    """Make what is missing."""
    prepare.need("gcc", "nsenter", "ss", "taskset", "wrk")
    prepare.compiled(SOURCE, PROGRAM)
    prepare.traefik()


@contextlib.contextmanager
def target(head: Sequence[str] = ()) -> Iterator[None]:
    """The target for a while."""
    with tempfile.NamedTemporaryFile(prefix="bench-") as log:
        running = space.start([*head, str(PROGRAM), str(TARGET_PORT)], "", Path(log.name))
        try:
            end = time.monotonic() + 10
            while f":{TARGET_PORT} " not in space.sh("ss", "-Hltn"):
                if running.poll() is not None or time.monotonic() > end:
                    raise BenchError(f"the target does not start: {Path(log.name).read_text()}")
                time.sleep(0.02)
            yield
        finally:
            space.stop(running)

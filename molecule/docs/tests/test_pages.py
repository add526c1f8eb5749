# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Every command block of the documentation works as it is written. The pages come in their order: each begins where the last one ended."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import TOP
from testinfra.host import Host

sys.path.insert(0, str(TOP / "tests"))
from docsite.blocks import blocks  # noqa: E402
from docsite.pages import documents  # noqa: E402
from reader import Reader  # noqa: E402

# edge2 is the client's machine, so somebody else has to be the client
OTHER_HOSTS = {"several_edges.rst": {"client": "hub"}}


@pytest.fixture(scope="module")
def reader(hub: Host, edge: Host, node: Host, client: Host) -> Iterator[Reader]:
    """One reader for all pages; his directory has a short name, since a socket's path may not be long."""
    home = Path(tempfile.mkdtemp(prefix="reader-"))
    yield Reader(home, {"hub": hub, "edge1": edge, "node1": node, "client": client})
    shutil.rmtree(home)


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.name)
def test_page(page: Path, reader: Reader) -> None:
    """What the page says is done, and what it shows is seen."""
    assert not reader.stuck, f"{reader.stuck} has failed, and this page begins where it should have ended"
    reader.exports.clear()
    hosts = reader.hosts
    reader.hosts = {**hosts, **{name: hosts[other] for name, other in OTHER_HOSTS.get(page.name, {}).items()}}
    reader.stuck = page.name
    for block in blocks(page):
        if not block.reason:
            reader.follow(block)
    reader.hosts, reader.stuck = hosts, ""

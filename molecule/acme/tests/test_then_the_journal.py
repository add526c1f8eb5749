# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The lines of Traefik's journal that unit tests parse, as recorded once, are what this Traefik has said in this scenario."""

from __future__ import annotations

import re

import pytest
from outside import journal
from runs import TOP
from testinfra.host import Host

RECORDED = (TOP / "tests/unit/data/traefik-3.7.15-acme-journal-2026-11-25.txt").read_text().splitlines()


def shape(line: str) -> str:
    """A line without the time, and without the server's own sentence on an error, which differs among servers."""
    return re.sub(r'(?<= :: )(?!POST :: |https:|urn:).*(?=" ACME CA=)', "SENTENCE", line.partition(" ")[2])


@pytest.fixture(scope="module")
def said(edge: Host) -> set[str]:
    """All that Traefik has said."""
    return {shape(line) for line in journal(edge)}


@pytest.mark.parametrize("line", RECORDED)
def test_traefik_still_says_this(said: set[str], line: str) -> None:
    """Word by word as far as the words are its own, for orders and renewals that went well and for orders that did not."""
    assert shape(line) in said

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd prints and reads; and what Traefik says of itself."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import traefik_program
from ansible_collections.edge.gateway.plugins.module_utils.formats.systemd import UnitStatus, environment_file, parse_status
from unit.samples import refusal

# systemd 252, "systemctl show --property=..."; it prints in an order of its own
RUNNING = """MainPID=449
ExecMainStartTimestampMonotonic=880964830
Result=success
LoadState=loaded
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no
InvocationID=5ed1ab4048e44ef39a4a727758b9d5d4
"""
UNKNOWN = """MainPID=0
ExecMainStartTimestampMonotonic=0
Result=success
LoadState=not-found
ActiveState=inactive
UnitFileState=
NeedDaemonReload=no
"""
VERSION = """Version:      3.7.15
Codename:     langres
Go version:   go1.26.9
Built:        2026-10-15T14:33:48Z
OS/Arch:      linux/amd64
"""
# Traefik 3.7.15
STARTED = ["2026-11-25T20:01:42Z INF Traefik version 3.7.15 built on 2026-10-15T14:33:48Z version=3.7.15", "2026-11-25T20:01:42Z INF ",
           "Version check is disabled."]
REFUSED = [*STARTED, '2026-11-25T20:01:42Z ERR Command error error="command traefik error: error while building entryPoint web: '
                     'building listener: error opening listener: listen tcp :8088: bind: address already in use"']
# Traefik 3.6.15, before it has read how to write its log
AS_JSON = ['{"level":"error","error":"command traefik error: http cannot be a standalone element (type static.HTTPConfig)",'
           '"time":"2026-11-25T20:08:11Z","message":"Command error"}']


def test_status() -> None:
    """Of a unit that runs, and of one that does not exist."""
    assert parse_status(RUNNING) == UnitStatus(True, True, True, 449, 880.96483, False, "success", "5ed1ab4048e44ef39a4a727758b9d5d4")
    assert parse_status(UNKNOWN) == UnitStatus(result="success")
    assert parse_status("") == UnitStatus()
    assert parse_status(RUNNING.replace("Reload=no", "Reload=yes")).stale


def test_environment_file() -> None:
    """Sorted; only four characters are special between double quotes. The lab's systemd reads back what was meant."""
    assert environment_file("e", {}) == ""
    assert environment_file("e", {"B": 5, "A": "a 'b' # c = "}) == 'A="a \'b\' # c = "\nB="5"\n'
    assert environment_file("e", {"A": 'q"b\\d$t`'}) == 'A="q\\"b\\\\d\\$t\\`"\n'
    assert environment_file("e", {"A": "tab\tü"}) == 'A="tab\tü"\n'


@pytest.mark.parametrize("variables", [
    {"A": "s3cret\nB=x"}, {"A": "s3cret\0"}, {"A": "s3cret\r"}, {"A": "s3cret\x1b"}, {"A": ["s3cret"]}, {"A": None}, {"A": True},
])
def test_a_value_that_no_file_can_hold(variables: Dict[str, Any]) -> None:
    """The message names the variable, and never its value."""
    said = refusal(environment_file, "some_option", variables)
    assert said.startswith("some_option.A has a value") and "s3cret" not in said


@pytest.mark.parametrize("name", ["", "A B", "1A", "A=", "A\n", "ä", "x" * 200])
def test_a_name_that_is_none(name: str) -> None:
    assert "is not a name" in refusal(environment_file, "some_option", {name: "s3cret"})


@pytest.mark.parametrize(("output", "version"), [
    (VERSION, "3.7.15"), ("Version: v3.7.0-rc.1\n", "3.7.0-rc.1"),
    ("", ""), ("Version:\n", ""), ("Traefik 3.7.15", ""), ("Version: a b", ""),
])
def test_version(output: str, version: str) -> None:
    assert traefik_program.version(output) == version


@pytest.mark.parametrize(("lines", "reason"), [
    (REFUSED, "error while building entryPoint web: building listener: error opening listener: "
              "listen tcp :8088: bind: address already in use"),
    (AS_JSON, "http cannot be a standalone element (type static.HTTPConfig)"),
    (STARTED, "Version check is disabled"),
    (["2026-11-25T20:01:22Z ERR it has no error field", "and more"], "it has no error field"),
    (["2026-11-25T20:01:22Z FTL x error=short", "later"], "short"),
    (['2026-11-25T20:01:22Z ERR x error="with \\"quotes\\" and \\\\"'], 'with "quotes" and \\'),
    (["panic: \x1b[31mred\x1b[0m", ""], "panic: [31mred [0m"), ([], ""), (["", " "], ""),
])
def test_reason(lines: List[str], reason: str) -> None:
    assert traefik_program.reason(lines) == reason


def test_a_reason_holds_no_secret() -> None:
    """Even one that is a part of another."""
    said = traefik_program.reason(["2026-11-25T20:01:22Z ERR x error=\"token s3cret-and-more or s3cret\""], ["s3cret", "s3cret-and-more"])
    assert said == "token *** or ***"
    assert len(traefik_program.reason(["x" * 5000])) == traefik_program.REASON_LENGTH

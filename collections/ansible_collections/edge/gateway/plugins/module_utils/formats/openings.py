# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of ours in other people's chains: marked, so that they are found again, and kept in a script that brings them back."""

from __future__ import annotations

import hashlib
import re
import shlex
from typing import Iterable, List

MARK = "edge-gateway-"
HEADER = """#!/bin/sh
# Written by edge.gateway: rules that let its forwards through the firewalls of others. Run it as often as you like.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
failed=0
"""
END = " || failed=1"


def marked(command: str) -> str:
    """A command that inserts a rule, with a comment in that rule that no other rule has."""
    words = shlex.split(command)
    mark = MARK + hashlib.sha256(command.encode()).hexdigest()[:8]
    if words[0] == "nft":
        return shlex.join([*words, "comment", mark])
    verdict = words.index("-j")
    return shlex.join([*words[:verdict], "-m", "comment", "--comment", mark, *words[verdict:]])


def script(commands: Iterable[str]) -> str:
    """The script that makes each rule that is not there, in chains that are there; empty without any."""
    lines = [f"! {chain_test(command)} || {rule_test(command)} || {command} || failed=1\n" for command in commands]
    return f"{HEADER}{''.join(lines)}exit $failed\n" if lines else ""


def chain_test(command: str) -> str:
    """What succeeds when the chain of a command is there: its owner may have taken it away, and may bring it back."""
    words = shlex.split(command)
    if words[0] == "nft":
        return f"nft -t list chain {shlex.join(words[3:6])} >/dev/null 2>&1"
    return f"{shlex.join([*words[:3], '-n', '-L', words[words.index('-I') + 1]])} >/dev/null 2>&1"


def rule_test(command: str) -> str:
    """What succeeds when the rule of a command is there."""
    words = shlex.split(command)
    if words[0] == "nft":
        return f"nft -t list chain {shlex.join(words[3:6])} 2>/dev/null | grep -qF '\"{words[-1]}\"'"
    return f"{shlex.join(['-C' if word == '-I' else word for word in words])} 2>/dev/null"


def commands_in(text: str) -> List[str]:
    """The commands of a script; a line that somebody has changed into something else is none."""
    found = [line[:-len(END)].rpartition(" || ")[2] for line in text.splitlines() if line.endswith(END)]
    return [command for command in found if _can_be_tested(command)]


def _can_be_tested(command: str) -> bool:
    try:
        return bool(chain_test(command))
    except (ValueError, IndexError):
        return False


def handles(listing: str, mark: str) -> List[str]:
    """Handles of the rules with this comment in ``nft -a list chain``."""
    return re.findall(rf'comment "{re.escape(mark)}" # handle ([0-9]+)$', listing, re.MULTILINE)

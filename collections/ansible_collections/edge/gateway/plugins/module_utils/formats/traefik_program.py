# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Traefik says of itself when it is run as a program: its version, and in the journal why it does not start."""

from __future__ import annotations

import re
from typing import Iterable, List

REASON_LENGTH = 300
_VERSION = re.compile(r"^Version: +v?([0-9][0-9A-Za-z.+-]{0,40})$", re.ASCII | re.MULTILINE)
# as text, or as JSON as long as the configuration of the log is not read
_PROBLEM = re.compile(r'^\S+ (?:ERR|FTL) (.*)$|^(\{"level":"(?:error|fatal)",.*)$')
_QUOTED = re.compile(r'\berror"?[=:]"((?:[^"\\]|\\.)*)"')
_PLAIN = re.compile(r"\berror=(\S+)")


def version(output: str) -> str:
    """The version in the output of ``traefik version``, empty when there is none."""
    found = _VERSION.search(output)
    return found.group(1) if found else ""


def reason(lines: List[str], secrets: Iterable[str] = ()) -> str:
    """Why it ended, in its own words: its last error, else the last line that it wrote; empty when it wrote none.

    Args:
        secrets: what must not be repeated, should it stand there.
    """
    problems = [found.group(1) or found.group(2) for line in lines for found in [_PROBLEM.match(line)] if found]
    words = _error_of(problems[-1]) if problems else next((line for line in reversed(lines) if line.strip()), "")
    # the longest first: one may be a part of another
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, "***")
    words = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(words.split()).rstrip(".")[:REASON_LENGTH]


def _error_of(line: str) -> str:
    """The error field of a log line, without the layers that only say where it passed."""
    found = _QUOTED.search(line)
    if found:
        words = re.sub(r"\\(.)", r"\1", found.group(1))
    else:
        plain = _PLAIN.search(line)
        words = plain.group(1) if plain else line
    return words[len("command traefik error: "):] if words.startswith("command traefik error: ") else words

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's log, as far as it tells why a certificate did not come (seen with 3.7.15; format ``common`` without colours)."""

from __future__ import annotations

import re
from typing import Dict, List

FAILED = ("Unable to obtain ACME certificate for domains", "Error renewing ACME certificate")
OBTAINED = "Server responded with a certificate."
REASON = re.compile(r'error="((?:[^"\\]|\\.)*)"')
DOMAINS = re.compile(r'domains=(\["[^\]]*\]|"[^"]*"|\S+)')
RENEWED = re.compile(r"ACME certificate: \{(?:Main:)?(\S+) (?:SANs:)?\[([^\]]*)\]\}")
NAME = re.compile(r"[A-Za-z0-9*_.-]+")
REASON_LENGTH = 300
# what every reason begins with: the names are told anyway, and what went wrong comes behind
KNOWN = (re.compile(r"^unable to generate a certificate for the domains \[[^\]]*\]: "),
         re.compile(r"^resolver: one or more domains had a problem: "), re.compile(r"/\.well-known/acme-challenge/[A-Za-z0-9_-]+"))


def order_failures(log: str) -> Dict[str, str]:
    """Why the last order of each name failed; a name whose certificate came afterwards is not among them."""
    failures: Dict[str, str] = {}
    for line in log.splitlines():
        if OBTAINED in line:
            for name in _names(line):
                failures.pop(name, None)
        elif any(words in line for words in FAILED):
            reason = REASON.search(line)
            if reason:
                failures.update(dict.fromkeys(_names(line), _plain(reason.group(1))))
    return failures


def _names(line: str) -> List[str]:
    found = DOMAINS.search(line)
    if found:
        return NAME.findall(found.group(1))
    renewed = RENEWED.search(line)
    return [renewed.group(1), *NAME.findall(renewed.group(2))] if renewed else []


def _plain(reason: str) -> str:
    words = " ".join(reason.replace('\\"', '"').replace("\\n", " ").split())
    for known in KNOWN:
        words = known.sub("", words, count=1)
    return words if len(words) <= REASON_LENGTH else words[:REASON_LENGTH - 3] + "..."

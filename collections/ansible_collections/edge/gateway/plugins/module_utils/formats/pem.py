# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in PEM, as far as it takes to know one again and to tell until when it is valid (RFC 5280, RFC 7468)."""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import re
from dataclasses import dataclass
from typing import List, Tuple

from ..errors import Unreadable

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)\s-----END CERTIFICATE-----")
_UTC, _GENERALIZED = 0x17, 0x18
_SEQUENCE, _VERSION = 0x30, 0xA0


@dataclass(frozen=True)
class Validity:
    """A certificate's fingerprint, and the times (seconds since the epoch) between which it is valid."""

    fingerprint: str
    not_before: int
    not_after: int


def chain(text: str) -> List[bytes]:
    """The certificates of a PEM text in DER, the host's own first.

    Raises:
        ValueError: there is none, or one is not base64.
    """
    blocks = _BLOCK.findall(text)
    if not blocks or len(blocks) != text.count("-----BEGIN CERTIFICATE-----"):
        raise Unreadable("is not PEM from its first line to its last")
    try:
        return [base64.b64decode("".join(block.split()), validate=True) for block in blocks]
    except binascii.Error:
        raise Unreadable("has a line that is not base64") from None


def validity(der: bytes) -> Validity:
    """What a certificate says about itself.

    Raises:
        ValueError: it is not a certificate.
    """
    try:
        # Certificate > TBSCertificate > [version], serialNumber, signature, issuer, validity
        _tag, outer, _rest = _element(der, _SEQUENCE)
        _tag, body, _rest = _element(outer, _SEQUENCE)
        tag, _value, rest = _element(body)
        for _field in range(3 if tag == _VERSION else 2):
            _tag, _value, rest = _element(rest)
        _tag, times, _rest = _element(rest, _SEQUENCE)
        tag, first, times = _element(times)
        last_tag, last, _rest = _element(times)
        return Validity(hashlib.sha256(der).hexdigest(), _moment(tag, first), _moment(last_tag, last))
    except (IndexError, UnicodeDecodeError):
        raise Unreadable("is not a certificate") from None


def _element(data: bytes, expected: int = 0) -> Tuple[int, bytes, bytes]:
    """Tag and value of the first element, and what follows it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length or (expected and tag != expected):
        raise Unreadable("is not a certificate")
    return tag, data[start:start + length], data[start + length:]


def _moment(tag: int, value: bytes) -> int:
    words = value.decode("ascii")
    if tag == _UTC:
        # RFC 5280, 4.1.2.5.1
        words = ("19" if words[:2] >= "50" else "20") + words
    elif tag != _GENERALIZED:
        raise Unreadable("is not a certificate")
    found = re.fullmatch(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z", words, re.ASCII)
    if not found:
        raise Unreadable("is not a certificate")
    year, month, day, hour, minute, second = map(int, found.groups())
    return calendar.timegm((year, month, day, hour, minute, second))

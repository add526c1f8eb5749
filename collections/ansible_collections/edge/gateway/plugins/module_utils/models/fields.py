# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of single values: any input in, one canonical form out, or InvalidInput.

Allow-lists of ASCII characters come before every library call: ``ipaddress`` passes newlines behind ``%``,
``int`` takes Unicode digits, ``re.match`` with ``$`` takes a trailing newline, ``b64decode`` skips rubbish.
"""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import re
import unicodedata
from datetime import datetime, timezone
from typing import Any, List, Mapping, Pattern, Tuple, Union

from ..errors import InvalidInput

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

COMMENT_LIMIT = 64


# of what thousands of forwards have, compiled once
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII).fullmatch
_COMMENT = re.compile(r"[A-Za-z0-9 ._:/#@-]*", re.ASCII).fullmatch
_OCTET = r"(0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}", re.ASCII).fullmatch


def matches(pattern: str, value: str) -> bool:
    """Whether the whole value matches, with ASCII classes only."""
    return _compiled(pattern).fullmatch(value) is not None


def found(pattern: str, value: str) -> List[Any]:
    """All places that match, with ASCII classes only."""
    return _compiled(pattern).findall(value)


@functools.lru_cache(maxsize=None)
def _compiled(pattern: str) -> Pattern[str]:
    # re keeps compiled patterns too, but its own look-up costs more than a short match
    return re.compile(pattern, re.ASCII)


def text(option: str, value: object) -> str:
    """A string, and nothing that merely looks like one."""
    if not isinstance(value, str):
        raise InvalidInput(option, value, "is not a string; quote it")
    return value


def identifier(option: str, value: object) -> str:
    """Name of one forward or route: it becomes a file name and a Traefik name."""
    name = text(option, value)
    if _IDENTIFIER(name) is None:
        raise InvalidInput(option, value, "is not a valid id; use 1 to 63 of a-z, 0-9, '.', '_', '-', "
                                          "starting with a letter or digit")
    return name


def node_id(option: str, value: object) -> str:
    """Name of this host at the controller."""
    name = text(option, value)
    if not matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise InvalidInput(option, value, "is not a valid node id; use 1 to 63 letters, digits, '.', '_' or '-'")
    return name


def interface(option: str, value: object) -> str:
    """Name of a network interface (Linux allows 15 bytes)."""
    name = text(option, value)
    if not matches(r"[a-z][a-z0-9_.-]{0,14}", name):
        raise InvalidInput(option, value, "is not a valid interface name; use up to 15 of a-z, 0-9, '_', '.', '-'")
    return name


def integer(option: str, value: object, low: int, high: int) -> int:
    """A whole number within bounds, given as a number or in plain decimal digits."""
    if isinstance(value, str) and matches(r"0|[1-9][0-9]{0,9}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(option, value, f"is not a whole number from {low} to {high}; correct it")
    return value


def port(option: str, value: object) -> int:
    """A TCP or UDP port, 1 to 65535."""
    return integer(option, value, 1, 65535)


def ports(option: str, value: object) -> Tuple[int, int]:
    """A port, or a range of ports like ``6000-6010``: the first and the last one."""
    if not isinstance(value, str):
        number = port(option, value)
        return number, number
    first, dash, last = value.partition("-")
    if not dash and matches(r"[1-9][0-9]{0,4}", first) and int(first) <= 65535:
        return int(first), int(first)
    if matches(r"[1-9][0-9]{0,4}", first) and matches(r"[1-9][0-9]{0,4}", last) and int(first) < int(last) <= 65535:
        return int(first), int(last)
    raise InvalidInput(option, value, "is not a port or a range of ports; write it like 22015 or 6000-6010, "
                                      "the smaller number first, up to 65535")


def boolean(option: str, value: object) -> bool:
    """True or false, or one of the words that YAML and Ansible take for them."""
    word = value.lower() if isinstance(value, str) else value
    if isinstance(word, bool):
        return word
    if word in ("true", "yes", "on"):
        return True
    if word in ("false", "no", "off"):
        return False
    raise InvalidInput(option, value, "is neither true nor false; write one of them")


def choice(option: str, value: object, choices: List[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidInput(option, value, f"is not one of {', '.join(choices)}; choose one of them")
    return value


def comment(option: str, value: object) -> str:
    """Free text that also reaches the firewall: the characters are those that no firewall language uses."""
    words = text(option, value)
    if len(words) > COMMENT_LIMIT or _COMMENT(words) is None:
        raise InvalidInput(option, value, f"has a character that is not allowed or is longer than {COMMENT_LIMIT}; "
                                          "use letters, digits, spaces and . _ : / # @ -")
    return words.strip(" ")


def moment(option: str, value: object) -> str:
    """A point in time (RFC 3339) in its one canonical form, UTC to the second: texts of two moments compare as the moments do.

    YAML makes a value of its own of an unquoted one, which Ansible writes with a space; RFC 3339 allows that.
    """
    words = str(value) if isinstance(value, datetime) else text(option, value)
    shape = r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
    parts = found(shape, words) if matches(shape, words) else []
    try:
        day, clock, zone = parts[0]
        parsed = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}").astimezone(timezone.utc)
    except (IndexError, ValueError, OverflowError):
        raise InvalidInput(option, value, "is not a point in time with its zone; write it like 2027-01-31T18:00:00Z") from None
    return parsed.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)


def seconds(moment_text: str) -> int:
    """The seconds since 1970 of what :func:`moment` returned."""
    return int(datetime.fromisoformat(moment_text.replace("Z", "+00:00")).timestamp())


def moment_of(since_1970: int) -> str:
    """The moment so many seconds after the start of 1970, as :func:`moment` has it."""
    return datetime.fromtimestamp(since_1970, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_numeric(words: str) -> bool:
    """Whether a host is written as an address (valid or not) rather than as a name."""
    return matches(r"[0-9.]+|.*:.*", words)


def address(option: str, value: object) -> Address:
    """An IPv4 or IPv6 address in plain notation, with no scope and no IPv4 inside IPv6."""
    words = text(option, value)
    if matches(r"[0-9a-fA-F.:]{2,45}", words):
        try:
            parsed = ipaddress.ip_address(words)
        except ValueError:
            parsed = None
        if isinstance(parsed, ipaddress.IPv4Address) and str(parsed) == words:
            return parsed
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
            return parsed
    raise InvalidInput(option, value, "is not an IP address in plain notation; write it like 10.50.0.12 "
                                      "(no leading zeros, no port)")


def unicast(option: str, value: object) -> Address:
    """An address that a packet can be sent to on some other host."""
    parsed = address(option, value)
    if is_local(parsed) or parsed.is_multicast or parsed.is_reserved or str(parsed).startswith("0."):
        raise InvalidInput(option, value, "is a loopback, link-local, multicast, reserved or unspecified address; "
                                          "give the address of another host")
    return parsed


def unicast_text(option: str, value: object) -> str:
    """An address as :func:`unicast` takes it, in its canonical notation."""
    found = _IPV4(value) if isinstance(value, str) else None
    # the usual case by hand: ipaddress takes ten times as long, which adds up over thousands of forwards
    if found and 1 <= int(found[1]) <= 223 and found[1] not in ("127", "169"):
        return str(value)
    return str(unicast(option, value))


def is_local(parsed: Address) -> bool:
    """Whether an address means this host or its link (cloud metadata lives there)."""
    return parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified


def network(option: str, value: object) -> Network:
    """A network in CIDR notation; host bits are cleared as WireGuard does."""
    words = text(option, value)
    if matches(r"[0-9a-fA-F.:]{2,45}(/(0|[1-9][0-9]{0,2}))?", words):
        host, _slash, length = words.partition("/")
        try:
            parsed = address(option, host)
            return ipaddress.ip_network(f"{parsed}/{length}" if length else str(parsed), strict=False)
        except (ValueError, InvalidInput):
            pass
    raise InvalidInput(option, value, "is not a network in CIDR notation; write it like 10.50.0.0/24")


def exact_network(option: str, value: object) -> Network:
    """A network whose host bits are clear: who writes 203.0.113.7/24 may mean one host, and would open 256."""
    parsed = network(option, value)
    words = text(option, value).partition("/")[0]
    if address(option, words) != parsed.network_address:
        raise InvalidInput(option, value, f"has bits set behind its prefix; write {parsed} for the network, "
                                          f"or {words}/{parsed.max_prefixlen} for that one address")
    return parsed


def key(option: str, value: object) -> str:
    """A WireGuard key: 32 bytes in canonical base64, as wg(8) prints it."""
    words = text(option, value)
    if matches(r"[A-Za-z0-9+/]{43}=", words):
        try:
            raw = base64.b64decode(words, validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) == 32 and any(raw) and base64.b64encode(raw).decode() == words:
            return words
    raise InvalidInput(option, value, "is not a WireGuard key; it must be 44 characters as printed by 'wg pubkey'")


def _a_label(words: str) -> str:
    """The ASCII form of an international name; empty when the old IDNA of Python would make it another name."""
    plain = unicodedata.normalize("NFC", words).lower()
    try:
        name = plain.encode("idna")
        return name.decode() if name.decode("idna") == plain else ""
    except UnicodeError:
        return ""


def hostname(option: str, value: object) -> str:
    """A DNS name, lower case, non-ASCII labels as A-labels (RFC 1123, IDNA)."""
    words = text(option, value)
    name = (words if words.isascii() else _a_label(words)).lower()
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if len(name) > 253 or not matches(rf"({label}\.)*{label}", name) or matches(r"(.*\.)?[0-9]+", name):
        raise InvalidInput(option, value, "is not a valid host name; write a DNS name like app.example.com "
                                          "(no port, no address, no '_'; international names as their A-label)")
    return name


def is_version(value: object, version: int) -> bool:
    """Whether a schema version read from a file is this one; ``true`` and ``"1"`` are not 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value == version


def as_written(entry: Mapping[str, Any], canonical: Mapping[str, Any]) -> bool:
    """Whether an entry of a file holds nothing but what its object would be written as.

    A field that this version does not know (an allow-list, say) must not be dropped in silence; one that is missing
    comes from an older version and has its default.
    """
    return entry.items() <= canonical.items()

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what hosts said. Everything from a host is untrusted: it may have any type, any length and any character."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, List, Mapping, NamedTuple, Optional

LONGEST_TEXT = 4000
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
MINUTE, HOUR, DAY = 60, 3600, 86400


def text(value: Any) -> str:
    """One line of printable characters; controls, and marks that turn the direction of writing, are shown as a replacement character."""
    if value is None or isinstance(value, (dict, list, tuple)):
        return ""
    line = " ".join(str(value)[:LONGEST_TEXT].split())
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def texts(value: Any) -> List[str]:
    """The texts of a list; a single text is a list of one."""
    entries = value if isinstance(value, (list, tuple)) else [value]
    return [found for found in map(text, entries) if found]


def mapping(value: Any) -> Mapping[str, Any]:
    """A dictionary; anything else is an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> List[Mapping[str, Any]]:
    """The dictionaries of a list."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, (list, tuple)) else []


def whole(value: Any) -> Optional[int]:
    """A number of 63 bits, None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None


def shortened(words: str, length: int) -> str:
    """At most so many characters, with a mark where some are left out."""
    return words if len(words) <= length else words[:length - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def counted(number: int, noun: str) -> str:
    """``1 route``, ``1,200 routes``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(octets: int) -> str:
    """Bytes for a person, in powers of 1000."""
    value, units = float(octets), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" or value >= 100 else f"{value:.1f} {units[0]}"


class Moment(NamedTuple):
    """A point in time, as seconds since 1970, UTC."""

    seconds: int

    @classmethod
    def read(cls, value: Any) -> Optional[Moment]:
        """From RFC 3339 in UTC with whole seconds, as modules write it; None for anything else."""
        try:
            return cls(int(datetime.strptime(text(value), MOMENT).replace(tzinfo=timezone.utc).timestamp()))
        except (ValueError, OverflowError):
            return None

    @property
    def exact(self) -> str:
        """For a machine."""
        return datetime.fromtimestamp(self.seconds, timezone.utc).strftime(MOMENT)

    @property
    def words(self) -> str:
        """For a person."""
        return datetime.fromtimestamp(self.seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")

    def seen_from(self, now: Moment) -> str:
        """``in 3 days``, ``5 hours ago``."""
        distance = self.seconds - now.seconds
        return f"in {duration(distance)}" if distance > 0 else f"{duration(-distance)} ago"


def duration(seconds: int) -> str:
    """A length of time in the unit that fits it, rounded down."""
    for unit, noun, enough in ((DAY, "day", 2), (HOUR, "hour", 2), (MINUTE, "minute", 1)):
        if seconds >= enough * unit:
            return counted(seconds // unit, noun)
    return f"{seconds} s"

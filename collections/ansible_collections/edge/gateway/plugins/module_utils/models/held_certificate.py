# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that Traefik holds, which names they cover, and when they end."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

DAY = 86400
# one that ends so soon is worth a word; of short-lived ones, a part of their life
SOON_SECONDS, SOON_PART = 14 * DAY, 0.2
WRITTEN = "%Y-%m-%dT%H:%M:%SZ"


class Certificate(NamedTuple):
    """One certificate.

    Attributes:
        names: the DNS names that it is for.
        issuer: common name of who issued it.
        serial: its serial number, in decimal digits.
        not_before, not_after: seconds since 1970, UTC.
    """

    names: FrozenSet[str]
    issuer: str
    serial: str
    not_before: int
    not_after: int

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Optional[Certificate]:
        """From an entry of Traefik's ``/api/certificates`` (Traefik 3.7 and later); None when it is something else."""
        sans = entry.get("sans")
        names = frozenset(str(name).lower() for name in [*(sans if isinstance(sans, list) else ()), entry.get("commonName") or ""] if name)
        try:
            times = [int(datetime.strptime(str(entry.get(name)), WRITTEN).replace(tzinfo=timezone.utc).timestamp())
                     for name in ("notBefore", "notAfter")]
        except ValueError:
            return None
        issuer = str(entry.get("issuerCN") or entry.get("issuerOrg") or "")
        return cls(names, issuer, str(entry.get("serialNumber", "")), *times)

    def covers(self, hostname: str) -> bool:
        """Whether it is for that name; ``*.example.com`` in it stands for one label, and for a route of that name."""
        return hostname in self.names or "*." + hostname.partition(".")[2] in self.names

    @property
    def soon(self) -> int:
        """From when on its end is near: a time before that, renewal is overdue."""
        return self.not_after - int(min(SOON_SECONDS, (self.not_after - self.not_before) * SOON_PART))

    def as_dict(self, now: int) -> Dict[str, Any]:
        """For output, with the time that is left."""
        return {"issuer": self.issuer, "serial": self.serial, "names": sorted(self.names),
                "not_after": datetime.fromtimestamp(self.not_after, timezone.utc).strftime(WRITTEN),
                "days_left": (self.not_after - now) // DAY}


def covering(certificates: Iterable[Certificate], hostname: str) -> Optional[Certificate]:
    """The certificate for a name: of several, an exact one, and the one that lasts longest."""
    fitting = [item for item in certificates if item.covers(hostname)]
    return max(fitting, key=lambda item: (hostname in item.names, item.not_after), default=None)


def troubles(certificates: Iterable[Certificate], now: int) -> Tuple[List[str], List[str]]:
    """Sentences about certificates that have ended, and about those that end soon."""
    ended, soon = [], []
    for item in sorted(certificates, key=lambda one: one.not_after):
        name = min(item.names, default="(no name)")
        if item.not_after <= now:
            ended.append(f"the certificate of {name} has ended")
        elif item.soon <= now:
            soon.append(f"the certificate of {name} ends in {_left(item.not_after - now)}")
    return ended, soon


def _left(seconds: int) -> str:
    return f"{seconds // DAY} days" if seconds >= 2 * DAY else f"{seconds // 3600} hours"

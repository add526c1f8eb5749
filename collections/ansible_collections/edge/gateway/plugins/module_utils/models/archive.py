# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of ours that make a host the one it is: what a backup holds, and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional, Tuple

from . import fields

FINGERPRINT_LENGTH = 8
ROOT, TRAEFIK = "root", "traefik"
KEY, CHOICES, HUB, JOIN, PEERS, FORWARDS = "key", "choices", "hub", "memberships", "peers", "forwards"
PAIR, NAMES, ROUTE, ACME = "certificate", "certificates", "route", "acme"


class Kind(NamedTuple):
    """Files of one kind.

    Attributes:
        folder: the place they lie in, as :class:`Places` calls it.
        pattern: of their names.
        mode, owner, group: as this collection, or Traefik, writes them.
    """

    name: str
    folder: str
    pattern: str
    mode: int
    owner: str = ROOT
    group: str = ROOT


# in the order in which they are put in place: a killed restore has at least the key, and no state without what it refers to
KINDS = (
    Kind(KEY, "config_dir", r"[a-z][a-z0-9_.-]{0,14}\.key", 0o600),
    Kind(CHOICES, "settings_dir", r"gateway\.json", 0o644),
    Kind(HUB, "settings_dir", r"hub\.json", 0o644),
    Kind(JOIN, "state_dir", r"join\.json", 0o600),
    Kind(PEERS, "state_dir", r"peers\.json", 0o600),
    Kind(FORWARDS, "state_dir", r"forwards\.json", 0o600),
    Kind(ACME, "acme_dir", r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.json", 0o600, TRAEFIK, TRAEFIK),
    Kind(PAIR, "certificates_dir", r"[a-z0-9][a-z0-9._-]{0,62}\.(crt|key)", 0o640, ROOT, TRAEFIK),
    Kind(NAMES, "dynamic_dir", r"_certificates\.yml", 0o640, ROOT, TRAEFIK),
    Kind(ROUTE, "dynamic_dir", r"[a-z0-9][a-z0-9._-]{0,62}\.yml", 0o640, ROOT, TRAEFIK),
)
# mode, owner and group of a directory that is not there yet
DIRECTORIES: Dict[str, Tuple[int, str, str]] = {
    "config_dir": (0o700, ROOT, ROOT), "settings_dir": (0o755, ROOT, ROOT), "state_dir": (0o700, ROOT, ROOT),
    "acme_dir": (0o700, TRAEFIK, TRAEFIK), "certificates_dir": (0o750, ROOT, TRAEFIK), "dynamic_dir": (0o750, ROOT, TRAEFIK),
}


@dataclass(frozen=True)
class Places:
    """Where a host keeps these files."""

    config_dir: str = "/etc/wireguard"
    settings_dir: str = "/etc/edge-gateway"
    state_dir: str = "/var/lib/edge-gateway"
    acme_dir: str = "/var/lib/traefik"
    certificates_dir: str = "/etc/traefik/certs"
    dynamic_dir: str = "/etc/traefik/dynamic"

    def folder(self, kind: Kind) -> str:
        """The directory of a kind."""
        return str(getattr(self, kind.folder)).rstrip("/")

    def kind_of(self, path: str) -> Optional[Kind]:
        """What a path stands for, None when no file of ours has it."""
        folder, _slash, name = path.rpartition("/")
        return next((kind for kind in KINDS if folder == self.folder(kind) and fields.matches(kind.pattern, name)), None)


@dataclass(frozen=True)
class KeptFile:
    """One file of a host. Its content is text, holds secrets, and is never shown."""

    path: str
    mode: int
    owner: str
    group: str
    content: str = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal digits."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def is_as_closed_as(self, kind: Kind) -> bool:
        """Whether mode and owner are those of its kind, or give less away."""
        return not self.mode & ~kind.mode and self.owner == kind.owner and self.group in (ROOT, kind.group)

    def __str__(self) -> str:
        size = len(self.content.encode())
        return f"{self.mode:04o} {self.owner}:{self.group}, {size} bytes, sha256 {self.digest[:FINGERPRINT_LENGTH]}..."


KeptFiles = Dict[str, KeptFile]


@dataclass(frozen=True)
class Archive:
    """A backup of one host.

    Attributes:
        node: the host's name in the inventory.
        taken: when, in UTC, as ``2026-11-26T03:05:04Z``.
    """

    node: str
    taken: str
    files: KeptFiles

    def of_kind(self, places: Places, name: str) -> List[KeptFile]:
        """Its files of one kind."""
        return of_kind(self.files, places, name)


def of_kind(files: KeptFiles, places: Places, name: str) -> List[KeptFile]:
    """Those of one kind, by path."""
    return [item for path, item in sorted(files.items()) for kind in [places.kind_of(path)] if kind and kind.name == name]


def in_order(files: KeptFiles, places: Places) -> List[Tuple[Kind, KeptFile]]:
    """Files with their kinds, in the order in which they are put in place."""
    return [(kind, item) for kind in KINDS for item in of_kind(files, places, kind.name)]

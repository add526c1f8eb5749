# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that a backup is kept in, on the control node."""

from __future__ import annotations

import contextlib
import stat
from typing import Callable, ContextManager, Mapping, NamedTuple, Optional

from ..errors import StateRefused, words_of
from ..formats import archive as text_form
from ..host import Host
from ..models.archive import Archive, KeptFile, KeptFiles, Places
from .base import BaseEngine

SUFFIX = ".backup"
MODE = 0o600
# ansible-vault writes four characters for a byte
MAX_BYTES = 5 * text_form.MAX_BYTES


class Cipher(NamedTuple):
    """How a file is protected.

    Attributes:
        encrypt: None to write plain text.
        is_encrypted: whether a text needs :attr:`decrypt`, which raises ValueError with the reason where it cannot.
    """

    encrypt: Optional[Callable[[bytes], bytes]]
    is_encrypted: Callable[[bytes], bool]
    decrypt: Callable[[bytes], bytes]


class BackupFile(BaseEngine[KeptFile]):
    """One backup: its objects are the files in it.

    Args:
        directory: where backups lie, by the names of their hosts.
        places: where the host that it is for keeps its files.
    """

    def __init__(self, host: Host, directory: str, node: str, places: Places, cipher: Cipher) -> None:
        super().__init__(host)
        if not text_form.is_node(node):
            raise StateRefused(f"node {node!r} cannot name a backup; give it a name of letters, digits, '.', '_', ':' and '-'", "node")
        self.directory, self.node, self.places, self.cipher = directory.rstrip("/") or "/", node, places, cipher
        self.path = f"{self.directory}/{node}{SUFFIX}"
        self.stood = self.host.read(self.path, most=MAX_BYTES)
        self._before = self.stood
        self.fresh: Optional[Archive] = None

    def lock(self) -> ContextManager[None]:
        """Nothing: each host has a file of its own, which is replaced atomically."""
        return contextlib.nullcontext()

    def archive(self) -> Archive:
        """The backup that is there.

        Raises:
            StateRefused: there is none, it cannot be decrypted, it is damaged, or another host's.
        """
        data = self.stood
        if data is None:
            raise StateRefused(f"{self.path} does not exist; take a backup with backup.yml, or correct edge_gateway_backup_dir (or "
                               "edge_gateway_restore_from, the name of the host that was backed up)", self.path)
        return self._whole(self._plain(data))

    def _whole(self, plain: bytes) -> Archive:
        found = text_form.parse(plain, self.places, self.path)
        if found.node != self.node:
            raise StateRefused(f"{self.path} is the backup of {found.node}; nothing was changed, name it {found.node}{SUFFIX} and restore "
                               f"it with edge_gateway_restore_from: {found.node}", self.path)
        return found

    def _plain(self, data: bytes) -> bytes:
        if not self.cipher.is_encrypted(data):
            return data
        try:
            return self.cipher.decrypt(data)
        except ValueError as problem:
            raise StateRefused(f"{self.path} cannot be decrypted ({words_of(problem)}); nothing was changed, give the vault secret that it "
                               "was encrypted with (--vault-id or --vault-password-file), or move it away", self.path) from None

    def load(self) -> KeptFiles:
        """What the backup holds; nothing where there is none, or one that nobody could restore."""
        if self.stood is None:
            return {}
        plain = self._plain(self.stood)
        with contextlib.suppress(StateRefused):
            return self._whole(plain).files
        return {}

    @property
    def _form(self) -> str:
        return f"({'encrypted' if self.cipher.encrypt else 'plain'} file of mode {MODE:04o})"

    def read(self) -> Mapping[str, object]:
        """The same, and how it is protected."""
        self.stood = self.host.read(self.path, most=MAX_BYTES)
        status = self.host.mode(self.path)
        if self.stood is None or status is None:
            return {}
        right = stat.S_IMODE(status.st_mode) == MODE and self.cipher.is_encrypted(self.stood) == bool(self.cipher.encrypt)
        return {**self.load(), self._form: right}

    def render(self, items: KeptFiles) -> Mapping[str, object]:
        """A backup holds its files, and is protected as this run has it."""
        return {**items, self._form: True}

    def check(self, before: KeptFiles, after: KeptFiles) -> None:
        """Any state of a host may be kept."""

    def ready(self, after: KeptFiles) -> None:
        """Nothing is needed."""

    def write(self, before: KeptFiles, after: KeptFiles) -> None:
        """Replace the file, or put back what stood there."""
        with self.host.own_directory(self.directory):
            if self.fresh is not None and after == self.fresh.files:
                data = text_form.render(self.fresh).encode()
                self.host.write(self.path, (self.cipher.encrypt(data) if self.cipher.encrypt else data).decode(), MODE)
            elif self._before is not None:
                self.host.write(self.path, self._before.decode(), MODE)
            else:
                self.host.remove(self.path)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups on the control node: where they lie, and how they are encrypted with the vault secrets of the run."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Dict, Iterator, Optional, Tuple

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, match_encrypt_secret
from ansible.plugins.action import ActionBase
from ansible_collections.edge.gateway.plugins.module_utils import spec
from ansible_collections.edge.gateway.plugins.module_utils.engines.backup_file import BackupFile, Cipher
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput, Unreadable, failure
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import Places

DEFAULT_ID = "default"


class BackupAction(ActionBase):  # type: ignore[misc]
    """An action on the backup of one host.

    Attributes:
        options: argument spec of the options that concern the control node.
    """

    options: spec.Spec = {}

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Act; a failure is one sentence, as a module's is."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, given = self.validate_argument_spec(argument_spec={**spec.BACKUP, **self.options})
        try:
            result.update(self.act(given, str(given["node"] or variables.get("inventory_hostname", "")), variables))
        except AnsibleError:
            raise
        except Exception as problem:  # noqa: BLE001  Ansible would print its text, and what a backup holds may stand in that
            result.update(failed=True, **failure(problem))
        return result

    def act(self, given: Dict[str, Any], node: str, task_vars: Dict[str, Any]) -> Dict[str, Any]:
        """What the action does; the result of the task."""
        raise NotImplementedError

    def backup(self, given: Dict[str, Any], node: str, encrypt: bool = False) -> BackupFile:
        """The backup of a host.

        Raises:
            InvalidInput: it is to be encrypted, and the run has no vault secret.
        """
        vault = VaultLib(self._loader._vault.secrets)
        # below the directory of the caller, as his shell means it
        directory = os.path.realpath(os.path.expanduser(given["directory"]))
        places = Places(dynamic_dir=given["dynamic_dir"])
        cipher = Cipher(_encrypting(vault) if encrypt else None, is_encrypted, _decrypting(vault))
        return BackupFile(Host(), directory, node, places, cipher)


def _encrypting(vault: VaultLib) -> Any:
    try:
        found: Optional[Tuple[str, Any]] = match_encrypt_secret(vault.secrets, encrypt_vault_id=constants.DEFAULT_VAULT_ENCRYPT_IDENTITY) \
            if vault.secrets else None
    except AnsibleError:
        found = None
    if found is None:
        raise InvalidInput("encrypt", True, "needs a vault secret, and this run has none to encrypt with; give --vault-password-file or "
                                            "--vault-id, or set edge_gateway_backup_encrypt: false to write the secrets as plain text")
    name, secret = found
    return lambda data: vault.encrypt(data, secret, vault_id=None if name == DEFAULT_ID else name)


def _decrypting(vault: VaultLib) -> Any:
    def decrypt(data: bytes) -> bytes:
        if not vault.secrets:
            raise Unreadable("this run has no vault secret")
        with _no_words("no vault secret of this run fits, or it is damaged"):
            return bytes(vault.decrypt(data))
    return decrypt


@contextlib.contextmanager
def _no_words(instead: str) -> Iterator[None]:
    """Whatever goes wrong is told in other words: a vault's own may differ from version to version."""
    try:
        yield
    except Exception:  # noqa: BLE001  what a damaged text makes of the decoders is not only their own errors
        raise Unreadable(instead) from None

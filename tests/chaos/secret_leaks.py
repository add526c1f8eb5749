# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted leaks, one for each place where a secret may be seen: a search that does not find one of them proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, List, Tuple
from unittest import mock

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edge.gateway.plugins.module_utils import entry, errors
from ansible_collections.edge.gateway.plugins.module_utils.engines.interface import Interface
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.modules import traefik_certificates, wg_join

from .secret_cases import TOKEN


def _told(problem: Exception) -> Dict[str, Any]:
    return {"msg": f"internal error: {problem}", "code": "internal"}


def _failed_where_it_is_handled(argument_spec: Dict[str, Any], action: entry.Action, **constraints: Any) -> None:
    module = AnsibleModule(argument_spec=argument_spec, **constraints)
    try:
        entry.check_paths(argument_spec, module.params)
        action({**module.params, "diff_wanted": True}, False)
    except Exception as problem:  # noqa: BLE001
        module.fail_json(**errors.failure(problem))


def _argument(interface: Interface, private_key: str) -> str:
    return interface.host.run(["echo", private_key]).out.strip()


def _readable(host: Host, path: str, text: str, _mode: int = 0) -> None:
    Path(path).write_text(text)
    Path(path).chmod(0o644)


def _copied(*_arguments: object) -> str:
    Path("/tmp/planted.log").write_text(f"X-Join-Token: {TOKEN}")
    return "2026-01-01T00:00:00Z"


Plant = Callable[[], ContextManager[Any]]
# what leaks, where, in which case, and whether something must fail for it
LEAKS: List[Tuple[str, str, Plant, str, bool]] = [
    ("the text of an exception", "stdout", lambda: mock.patch.object(entry, "failure", _told), "leave", True),
    ("a failure that is told while it is handled", "stdout", lambda: mock.patch.object(entry, "run", _failed_where_it_is_handled), "keys",
     True),
    ("a token that is not no_log", "stdout", lambda: mock.patch.dict(wg_join.ARGUMENTS["join_token"], no_log=False), "join", False),
    ("keys of certificates in syslog", "syslog", lambda: mock.patch.dict(
        traefik_certificates.ARGUMENTS["certificates"]["options"]["private_key"], no_log=False), "certificates", False),
    ("a key as an argument", "a command line", lambda: mock.patch.object(Interface, "public_key", _argument), "join-info", False),
    ("a key that all can read", "wg0.key of mode 0644", lambda: mock.patch.object(Host, "write", _readable), "keys", False),
    ("a token in a file", "/tmp/planted.log", lambda: mock.patch.object(Host, "now", _copied), "join", False),
]

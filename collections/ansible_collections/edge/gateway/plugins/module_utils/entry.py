# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Ansible comes in: the only place that knows ``AnsibleModule``, and where every error becomes ``fail_json``."""

from __future__ import annotations

import gc
from typing import Any, Callable, Dict

from ansible.module_utils.basic import AnsibleModule

from .errors import InvalidInput, failure

Action = Callable[[Dict[str, Any], bool], Dict[str, Any]]


class UnloggedModule(AnsibleModule):  # type: ignore[misc]
    """A module whose call is not written to the host's journal, see :func:`holds_secrets`.

    AnsibleModule's own ``no_log`` cannot do that: the task's overrides it.
    """

    def _log_invocation(self) -> None:
        pass


def run(argument_spec: Dict[str, Any], action: Action, **constraints: Any) -> None:
    """Run a module.

    Args:
        action: takes the parameters (and under ``diff_wanted`` whether the user asked for a diff) and whether this is a
            dry run; returns the module's result.
        constraints: passed on to AnsibleModule, such as ``mutually_exclusive``.
    """
    gc.disable()      # a run is short, and walking thousands of objects again and again is a tenth of it
    kind = UnloggedModule if holds_secrets(argument_spec) else AnsibleModule
    module = kind(argument_spec=argument_spec, **{"supports_check_mode": True, **constraints})
    failed: Dict[str, Any] = {}
    try:
        check_paths(argument_spec, module.params)
        result = action({**module.params, "diff_wanted": module._diff}, module.check_mode)
        for warning in result.pop("warnings", []):
            module.warn(warning)
        module.exit_json(**result)
    except Exception as problem:  # an uncaught one would print its text, secrets included, even under no_log
        failed = failure(problem)
    # not while it is handled: Ansible would add its traceback and text, and those of its causes, under ANSIBLE_DISPLAY_TRACEBACK
    module.fail_json(**failed)


def check_paths(argument_spec: Dict[str, Any], params: Dict[str, Any]) -> None:
    """Raise InvalidInput for a path with NUL or half a surrogate pair, which Python gives to no system call, or a control character."""
    for name, option in argument_spec.items():
        path = params.get(name)
        if option.get("type") == "path" and path and not path.isprintable():
            raise InvalidInput(name, path, "holds a character that no path should have; correct it")


def holds_secrets(argument_spec: Dict[str, Any]) -> bool:
    """Whether there is a secret among options of options.

    Ansible writes such a list or dictionary to the journal as Python does, where a secret of several lines looks otherwise than the one
    that it searches for and hides.
    """
    nested = [option["options"] for option in argument_spec.values() if option.get("options")]
    return any(any(option.get("no_log") for option in options.values()) or holds_secrets(options) for options in nested)

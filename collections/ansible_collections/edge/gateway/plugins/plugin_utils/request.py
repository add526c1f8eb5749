# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks for, checked on the control node by the modules' own rules, before any host is contacted.

What depends on the host (which ports it uses itself, what its mesh reaches) only the module can tell.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import AnsibleValidationError, UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.edge.gateway.plugins.module_utils.errors import MISSING, GatewayError, InvalidInput, failure

Spec = Dict[str, Dict[str, Any]]
# variables of ours and of Ansible, which are no fields of a request
OTHERS = ("edge_gateway_", "ansible_")
CALL = "edge_gateway_api_call"
STRICT = "edge_gateway_strict"


class CheckedRequest(ActionBase):  # type: ignore[misc]
    """The action of a module, which checks on the control node first.

    Attributes:
        spec: the module's argument spec.
        constraints: what the module gives AnsibleModule beside it, such as ``mutually_exclusive``.
    """

    spec: Spec = {}
    constraints: Mapping[str, Any] = {}

    def parse(self, params: Dict[str, Any]) -> None:
        """Parse the module's parameters as it does itself; what it would refuse on every host raises."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Check the arguments, then run the module with them."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        try:
            arguments = self.prepare(dict(self._task.args))
            self.check(arguments, task_vars or {})
        except AnsibleError:
            raise
        except Exception as problem:  # noqa: BLE001  Ansible would print its text, and what the task was given may stand in that
            return {**result, "failed": True, **failure(problem)}
        return self.report({**result, **self._execute_module(module_args=arguments, task_vars=task_vars)})

    def prepare(self, arguments: Dict[str, Any]) -> Dict[str, Any]:
        """The arguments as they are sent."""
        return arguments

    def report(self, result: Dict[str, Any]) -> Dict[str, Any]:
        """The result as it is returned."""
        return result

    def check(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
        """Raise for what the module would refuse on every host, and for fields of an API call that nobody knows.

        Raises:
            GatewayError: with the option's name.
        """
        fields = task_vars.get(CALL)
        if fields and boolean(task_vars.get(STRICT, True), strict=False):
            check_names(list(load_extra_vars(self._loader)), fields)
        done = ArgumentSpecValidator(self.spec, **self.constraints).validate(dict(arguments))
        for problem in done.errors:
            raise refused(problem, self.spec)
        self.parse(done.validated_parameters)


def refused(problem: AnsibleValidationError, spec: Spec) -> GatewayError:
    """What Ansible says of an argument, as an error of ours: with the option that it speaks of."""
    if isinstance(problem, UnsupportedError):
        name, _dot, supported = problem.msg.partition(". Supported parameters include: ")
        return InvalidInput(name, MISSING, f"is no option; correct its name, one of {supported.rstrip('.')}")
    names = [word for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", problem.msg) if word in spec]
    error = GatewayError(f"{problem.msg.rstrip('.')}; correct that", names[0] if names else "")
    error.code = InvalidInput.code
    return error


def check_names(extra: Sequence[str], fields: Sequence[str]) -> None:
    """Raise for a field of a request that nothing would look at: a misspelt allow-list opens a port to everyone.

    Args:
        extra: names of the variables that were given with ``-e``.
        fields: names that the playbook knows.
    """
    unknown: List[str] = sorted(name for name in extra if name not in fields and not name.startswith(OTHERS))
    if unknown:
        raise InvalidInput(unknown[0], MISSING, f"is no field of this call; correct its name, one of {', '.join(sorted(fields))}, or put "
                                                f"a variable of your own into the inventory ({STRICT}=false lets it pass)")

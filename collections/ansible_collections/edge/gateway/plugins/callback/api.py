# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of a run as one JSON document, for programs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: api
type: stdout
short_description: One JSON document for each run
version_added: 0.1.0
author:
  - edge.gateway contributors (@edge-gateway)
description:
  - Prints exactly one JSON document when the run ends, and nothing else, for programs that call playbooks of this collection.
  - C(ok) is true when the exit code is 0. C(hosts) has the return values of this collection's modules for each host, by the module's name
    (the last call of each), and its errors as C(code), C(option), C(message), C(remedy) and C(help)
    (an address). A run that reached no host at all is not ok.
  - JSON Schemas of the requests and answers are in C(docs/schemas) of the collection.
  - Warnings of Ansible itself go to stderr. Do not use C(-v), by which Ansible prints to stdout too, unless C(ANSIBLE_VERBOSE_TO_STDERR)
    is set. When Ansible cannot even begin (no such playbook, an inventory that cannot be read), stdout is empty and the exit code is not 0.
  - For ad-hoc calls (C(ansible HOST -m edge.gateway.gateway_health)), set C(ANSIBLE_LOAD_CALLBACK_PLUGINS=1) too.
options:
  indent:
    description: Spaces by which each level of the document is indented, for people. One line when V(0).
    type: int
    default: 0
    env:
      - name: EDGE_GATEWAY_API_INDENT
    ini:
      - section: callback_edge_gateway_api
        key: indent
requirements:
  - Set as stdout, by C(ANSIBLE_STDOUT_CALLBACK=edge.gateway.api) or in C(ansible.cfg).
"""

import atexit
import json
import os
import sys
from typing import Any, Dict, List, Sequence

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.edge.gateway.plugins.module_utils.errors import help_for
from ansible_collections.edge.gateway.plugins.plugin_utils.answer import SCHEMA, error_of, values_of

NO_HOSTS = {"code": "no_hosts", "option": "edge_gateway_hosts", "message": "no host of the inventory is meant",
            "remedy": "name hosts or a group of the inventory with edge_gateway_hosts, and see ansible-inventory --graph",
            "help": help_for("no_hosts")}
ABORTED = {"code": "aborted", "option": "", "message": "the run ended before it was complete", "remedy": "see stderr for the reason",
           "help": help_for("aborted")}
NO_HOSTS_EXIT = 4
OURS = "edge.gateway."


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Collects what happens, and prints it at the end of the last playbook, or when the process ends before that."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "edge.gateway.api"

    def __init__(self) -> None:
        super().__init__()
        self.hosts: Dict[str, Dict[str, Any]] = {}
        self.playbooks: List[str] = []
        self.complete = self.printed = False
        self.owner = os.getpid()
        atexit.register(self._print)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Another playbook begins."""
        self.playbooks.append(os.path.basename(playbook._file_name).rpartition(".")[0])
        self.complete = False

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task did well."""
        self._keep(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed; one whose failure the playbook expects is not an error."""
        self._keep(result, failed=True)
        if not ignore_errors:
            self._host(result)["errors"] += [error_of(values, result._task.get_name()) for values in failures(result._result)]

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        host = self._host(result)
        host["errors"].append({**error_of(result._result, result._task.get_name()), "code": "host_unreachable", "option": "",
                               "help": help_for("host_unreachable"),
                               "remedy": f"see that this works: ansible {result._host.get_name()} -m ansible.builtin.ping"})

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """All is done."""
        for name in stats.processed:
            totals = stats.summarize(name)
            host = self.hosts.setdefault(name, new_host())
            host["ok"] = not totals["failures"] and not totals["unreachable"]
            host["changed"] = bool(totals["changed"])
            if host["ok"]:
                host["errors"] = []      # what a playbook has rescued is no error
        self.complete = True
        # several playbooks may be named, and one that failed is the last
        if len(self.playbooks) >= len(planned()) or not all(host["ok"] for host in self.hosts.values()):
            self._print()
        if not self.hosts:
            # Ansible itself would end with 0, though nobody has done what was asked for
            raise SystemExit(NO_HOSTS_EXIT)

    def _host(self, result: Any) -> Dict[str, Any]:
        return self.hosts.setdefault(result._host.get_name(), new_host())

    def _keep(self, result: Any, failed: bool = False) -> None:
        host, action = self._host(result), str(getattr(result._task, "resolved_action", "") or result._task.action)
        host["warnings"] += [word for word in map(str, result._result.get("warnings") or ()) if word not in host["warnings"]]
        if action.startswith(OURS):
            with_diff = bool(context.CLIARGS.get("diff"))
            for values in result._result.get("results") or ([] if failed else [result._result]):
                if not values.get("failed"):
                    host["results"][action[len(OURS):]] = values_of(values, with_diff)

    def _print(self) -> None:
        if self.printed or os.getpid() != self.owner:
            return
        self.printed = True
        errors = [] if self.hosts and self.complete else [NO_HOSTS if self.complete else ABORTED]
        document = {
            "schema": SCHEMA, "playbooks": self.playbooks, "check_mode": bool(context.CLIARGS.get("check")),
            "ok": not errors and all(host["ok"] for host in self.hosts.values()),
            "changed": any(host["changed"] for host in self.hosts.values()), "hosts": self.hosts, "errors": errors}
        sys.stdout.write(json.dumps(document, default=str, indent=self.get_option("indent") or None) + "\n")
        sys.stdout.flush()


def planned() -> Sequence[str]:
    """The playbooks of this run; an ad-hoc call has none."""
    given = context.CLIARGS.get("args") or ()
    return () if isinstance(given, str) else given


def new_host() -> Dict[str, Any]:
    """What is known of a host before anything has happened to it."""
    return {"ok": False, "changed": False, "results": {}, "errors": [], "warnings": []}


def failures(result: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The results that failed: of a loop, some of its items."""
    return [values for values in result.get("results") or () if isinstance(values, dict) and values.get("failed")] or [result]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a request that the webhook received into one API call, or answers it with 400 and a sentence.

What it makes is all that the rules and the playbook see: the request's own body and headers go no further, since ansible-rulebook
hands a whole event to the playbook as an extra variable.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any, Dict

from aiohttp import web

DOCUMENTATION = r"""
---
short_description: Turn requests to the webhook into API calls of edge.gateway
description:
  - For C(eda.builtin.webhook) alone. Takes the request bodies of the older system on the older system's paths.
  - What it refuses is answered with status 400 and one sentence; nothing is run then.
"""

EXAMPLES = r"""
- eda.builtin.webhook:
    host: 127.0.0.1
    port: 8081
    token: "{{ edge_gateway_webhook_token }}"
  filters:
    - edge.gateway.api_call: {}
"""

ALIAS = "edge_gateway_module_utils"
log = logging.getLogger(__name__)


def _collection(name: str) -> Any:
    """A file of this collection's module_utils. Ansible's loader of collections does not run here, and another ``ansible_collections``
    may be installed; so the folder is loaded as a package of its own name.
    """
    folder = Path(__file__).resolve().parents[4] / "plugins" / "module_utils"
    if ALIAS not in sys.modules:
        spec = importlib.util.spec_from_file_location(ALIAS, folder / "__init__.py", submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder} is not a part of the collection; install it anew")
        sys.modules[ALIAS] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[ALIAS])
    return importlib.import_module(f"{ALIAS}.{name}")


def main(event: Dict[str, Any]) -> Dict[str, Any]:
    """One event in, one out.

    Raises:
        HTTPBadRequest: the request is refused; the webhook, in whose handler this runs, answers so.
    """
    try:
        call = _collection("models.call").Call.parse(event.get("meta", {}).get("endpoint"), event.get("payload"))
    except _collection("errors").GatewayError as problem:
        log.warning("refused: %s", problem.message)
        raise web.HTTPBadRequest(text=problem.message + "\n") from None
    # ansible-rulebook limits the run to these hosts
    return {"playbook": call.playbook, "gateway": call.gateway, **call.variables, "meta": {"hosts": call.gateway or "all"}}

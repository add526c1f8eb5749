# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API call that came in over HTTP: which playbook it runs, on which gateway, with what.

A body becomes variables of an Ansible run on the control node, where a text can be a program: Ansible takes every text of its extra
variables for a template, and variables like ``ansible_connection`` choose what is executed. So a body names options of one forward or
route and nothing else, and no text in it may be a template. Both hold for any depth.
"""

from __future__ import annotations

from typing import AbstractSet, Any, Dict, List, Mapping, NamedTuple, Tuple

from ..errors import MISSING, InvalidInput
from . import edits, fields, forward, route

# the paths of the older system, and one for what a monitor reports
PLAYBOOKS = {"http/routes": "http_route", "tcp/forwards": "tcp_forward", "join": "join", "health": "health", "drift": "site"}
LISTS = {"http_route": "routes", "tcp_forward": "forwards"}
NAMES: Mapping[str, AbstractSet[str]] = {"http_route": route.OPTIONS, "tcp_forward": forward.OPTIONS, "site": {"gateway", "kind"}}
# a name, and none of the signs by which Ansible takes a pattern, a list or a file for "--limit"
GATEWAY = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}"
# what begins a template anywhere in a text, and what makes a whole text one that has none of them (ansible-core 2.19)
TEMPLATES = ("{{", "{%", "{#")
TEMPLATE_HEADER = "#jinja2:"


class Call(NamedTuple):
    """One call.

    Attributes:
        playbook: its name in this collection.
        gateway: the host that it is about, or an empty string for all of them.
        variables: the extra variables that the playbook gets, free of templates.
    """

    playbook: str
    gateway: str
    variables: Mapping[str, Any]

    @classmethod
    def parse(cls, path: object, body: object) -> Call:
        """Build a call from an HTTP request.

        Args:
            path: the request's path without its first slash, such as ``tcp/forwards``, or ``edge1/tcp/forwards`` for one gateway.
            body: what its JSON body says.

        Raises:
            InvalidInput: it is no such path, or the body is not one that may be acted upon.
        """
        gateway, playbook = _place(path)
        if not isinstance(body, dict):
            raise InvalidInput("body", MISSING, "is not a JSON object; write it like {\"forward_id\": \"vm-123-ssh\", ...}")
        _refuse_templates(body)
        _refuse_names(playbook, body)
        if playbook in LISTS:
            return cls(playbook, gateway, {LISTS[playbook]: [_entry(playbook, body)]})
        return cls(playbook, _healed(gateway, body) if playbook == "site" else gateway, {})


def _place(path: object) -> Tuple[str, str]:
    words = path if isinstance(path, str) else ""
    for place, playbook in PLAYBOOKS.items():
        gateway, found, rest = words.rpartition(place)
        if found and not rest and (not gateway or fields.matches(GATEWAY + "/", gateway)):
            return gateway[:-1], playbook
    raise InvalidInput("path", path, f"is not one of {', '.join(PLAYBOOKS)}, or one of them behind the name of a gateway and a slash; "
                                     "correct it")


def _refuse_templates(body: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a body with a template in it. The text itself is not shown: it may stand beside a secret."""
    rest: List[Any] = [body]
    # without recursion: a body may be nested as deeply as its parser goes
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += [*value, *value.values()]
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str) and (value.lstrip().startswith(TEMPLATE_HEADER) or any(sign in value for sign in TEMPLATES)):
            raise InvalidInput("body", MISSING, f"holds a text with {', '.join(TEMPLATES)} or {TEMPLATE_HEADER}, which Ansible would "
                                                "execute; leave it out, or run the playbook yourself")


def _refuse_names(playbook: str, body: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a body that names a variable beside the options of its call."""
    known = NAMES.get(playbook, frozenset())
    for name in sorted(set(body) - known):
        raise InvalidInput("body", name, "is not an option of this call; leave it out, "
                                         + (f"or use one of {', '.join(sorted(known))}" if known else "it takes none"))


def _entry(playbook: str, body: Mapping[str, Any]) -> Dict[str, Any]:
    """The one entry of the playbook's list. It is parsed here to refuse early; the run does it again, on the host."""
    name, parse = ("route_id", route.Route.parse) if playbook == "http_route" else ("forward_id", forward.Forward.parse)
    # raises for what is none
    edits.edit_of(body, name, LISTS[playbook], parse)
    return {"state": "absent", name: body[name]} if body.get("state") == "absent" else dict(body)


def _healed(gateway: str, body: Mapping[str, Any]) -> str:
    """The gateway that a report of drift is about."""
    fields.choice("kind", body.get("kind", "drift"), ["drift"])
    name = fields.text("gateway", body.get("gateway", gateway))
    if not fields.matches(GATEWAY, name) or gateway not in ("", name):
        raise InvalidInput("gateway", name, "is not the name of one host; write it as the inventory does, once")
    return name

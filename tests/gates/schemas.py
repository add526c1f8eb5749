#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes JSON Schemas of the API's requests and answers, from the playbooks, the modules' argument specs and their documentation.

    python tests/gates/schemas.py            writes them into the collection (make schemas)

The schemas follow https://json-schema.org/draft/2020-12. A request may say less strictly than its schema what it wants (Ansible turns
"yes" into true); a request that fits is understood.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "collections/ansible_collections/edge/gateway"
TARGET = COLLECTION / "docs/schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# playbook -> the module that does its work
CALLS = {"http_route": "traefik_route", "http_routes": "traefik_route_info", "tcp_forward": "dnat_forward",
         "tcp_forwards": "dnat_forward_info", "join": "wg_join", "health": "gateway_health"}
TYPES = {"str": "string", "path": "string", "int": "integer", "bool": "boolean", "dict": "object", "list": "array", "float": "number",
         "raw": ["string", "number", "boolean", "object", "array"]}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
IDENTIFIER = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"}
# what a type of Ansible cannot say
CLOSER: dict[str, dict[str, Any]] = {
    "forward_id": IDENTIFIER, "route_id": IDENTIFIER, "expires": {"type": "string", "format": "date-time"},
    "public_port": {"anyOf": [PORT, {"type": "string", "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$"}]}, "target_port": PORT}
# what a request must hold: one of these, by playbook
FORMS = {"tcp_forward": ("forward_id", "forwards", ["public_port", "target_ip"]),
         "http_route": ("route_id", "routes", ["hostname", "target_url"])}


def module(name: str) -> Any:
    """A module of the collection."""
    return importlib.import_module(f"ansible_collections.edge.gateway.plugins.modules.{name}")


def words(description: Any) -> str:
    """A description of Ansible's documentation as one text."""
    return " ".join(description) if isinstance(description, list) else str(description)


def request_type(name: str, spec: dict[str, Any], documented: dict[str, Any]) -> dict[str, Any]:
    """One option of a request."""
    schema: dict[str, Any] = dict(CLOSER.get(name, {"type": TYPES[spec.get("type", "str")]}))
    if spec.get("choices"):
        schema["enum"] = spec["choices"]
    if spec.get("default") not in (None, "", []):
        schema["default"] = spec["default"]
    if spec.get("options") and schema.get("type") in ("object", "array"):
        entry = objects(spec["options"], documented.get("suboptions", {}))
        schema = {**schema, "items": entry} if schema["type"] == "array" else {**schema, **entry}
    elif schema.get("type") == "array":
        one = {"type": TYPES[spec.get("elements", "raw")]}
        # Ansible takes one value for a list of one
        schema = {"anyOf": [{**schema, "items": one}, one]}
    if documented.get("description"):
        schema["description"] = words(documented["description"])
    return schema


def objects(options: dict[str, Any], documented: dict[str, Any]) -> dict[str, Any]:
    """Several options, of which no other is allowed."""
    return {"type": "object", "additionalProperties": False,
            "properties": {name: request_type(name, spec, documented.get(name, {})) for name, spec in options.items()},
            "required": [name for name, spec in options.items() if spec.get("required")]}


def request(call: str) -> dict[str, Any]:
    """The body of a call: what is given with -e."""
    play = yaml.safe_load((COLLECTION / f"playbooks/{call}.yml").read_text())[0]
    fields = play.get("vars", {}).get("edge_gateway_api_call", [])
    code = module(CALLS[call])
    documented = yaml.safe_load(code.DOCUMENTATION).get("options", {})
    spec = {alias: option for name, option in getattr(code, "ARGUMENTS", {}).items() for alias in (name, *option.get("aliases", []))}
    schema = {"$schema": DIALECT, "title": f"Request of {call}", "description": words(play["name"]),
              **objects({name: spec[name] for name in fields}, {**documented, "wg_iface": documented.get("interface", {})}),
              "patternProperties": {"^edge_gateway_": {"description": "Variables of the collection, such as edge_gateway_hosts."}}}
    if call in FORMS:
        single, several, needed = FORMS[call]
        schema["oneOf"] = [
            {"required": [single, *needed], "properties": {"state": {"const": "present"}}},
            {"required": [single, "state"], "properties": {"state": {"const": "absent"}}}, {"required": [several]}, {"required": ["src"]}]
    return schema


def answer_type(documented: dict[str, Any], nested: bool = False) -> dict[str, Any]:
    """One return value; what is not known is null below the first level."""
    kind = TYPES[documented.get("type", "raw")]
    schema: dict[str, Any] = {"type": [kind, "null"] if nested and isinstance(kind, str) else kind,
                              "description": words(documented["description"])}
    contains = {name: answer_type(value, nested=True) for name, value in documented.get("contains", {}).items()}
    if kind == "array":
        schema["items"] = {"type": TYPES[documented.get("elements", "raw")], **({"properties": contains} if contains else {})}
    elif contains:
        # a dictionary of ids, or one of fixed names: its sample tells
        by_id = isinstance(next(iter(documented.get("sample", {}).values()), None), dict)
        schema.update({"additionalProperties": {"type": "object", "properties": contains}} if by_id else {"properties": contains})
    return schema


def answer(call: str) -> dict[str, Any]:
    """The document that the callback edge.gateway.api prints."""
    returned = yaml.safe_load(module(CALLS[call]).RETURN)
    values = {name: answer_type(value) for name, value in returned.items() if value["returned"].startswith("success")}
    result = {"type": "object", "required": ["changed", *(name for name in values if returned[name]["returned"] == "success")],
              "properties": {"changed": {"type": "boolean"}, **values}}
    text = {"type": "string"}
    error = {"type": "object", "required": ["code", "option", "message", "remedy", "help"],
             "properties": {"code": text, "option": text, "message": text, "remedy": text, "help": {**text, "format": "uri"},
                            "retryable": {"type": "boolean"}, "task": text}}
    errors = {"type": "array", "items": error}
    host = {"type": "object", "required": ["ok", "changed", "results", "errors", "warnings"],
            "properties": {"ok": {"type": "boolean"}, "changed": {"type": "boolean"}, "errors": errors,
                           "warnings": {"type": "array", "items": text},
                           "results": {"type": "object", "properties": {CALLS[call]: result}}}}
    return {"$schema": DIALECT, "title": f"Answer of {call}", "type": "object",
            "required": ["schema", "playbooks", "check_mode", "ok", "changed", "hosts", "errors"],
            "properties": {"schema": {"const": 1}, "playbooks": {"type": "array", "items": text}, "check_mode": {"type": "boolean"},
                           "ok": {"type": "boolean"}, "changed": {"type": "boolean"}, "errors": errors,
                           "hosts": {"type": "object", "additionalProperties": host}}}


def schemas() -> dict[str, str]:
    """All schemas as the files hold them."""
    files = {f"{call}.request.json": request(call) for call in CALLS}
    files.update({f"{call}.answer.json": answer(call) for call in CALLS})
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in files.items()}


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "collections"))
    TARGET.mkdir(parents=True, exist_ok=True)
    for file, content in schemas().items():
        (TARGET / file).write_text(content)

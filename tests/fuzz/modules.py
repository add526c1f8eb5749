# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as they are: their argument specs, from which options are made, and what they do with parameters."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple
from unittest import mock

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.formats.listing import packed
from unit.samples import ANSWER

from . import hostile, samples

PACKAGE = "ansible_collections.edge.gateway.plugins.modules"
FOLDER = Path(__file__).parents[2] / "collections/ansible_collections/edge/gateway/plugins/modules"
# of its action plugin only
ACTIONS = {"fleet_plan", "gateway_backup_info"}
# it arms a timer of systemd, in check mode too; tests of its own are in molecule
LEFT_OUT = {"gateway_confirm"}
PATHS = [
    "/etc/wireguard",
    "/var/lib/edge-gateway",
    "/etc/traefik/dynamic",
    "/etc/traefik/traefik.yml",
    "/nowhere/at/all",
    "relative",
    "/",
    "/tmp",
    "/etc/edge-gateway/../../tmp/x",
    "/proc/self/fd/1",
    "/dev/zero",
    "~root/x",
    "/etc/passwd",
    "/var/lib/edge-gateway/forwards.json",
    "$HOME/x",
]
Options = Dict[str, Any]


class Module(NamedTuple):
    """One module."""

    name: str
    spec: Dict[str, Dict[str, Any]]
    action: Callable[[Options, bool], Options]
    validator: ArgumentSpecValidator
    good: List[Options]


ROUTE_FORMS: List[Options] = [{**item, "wait": False} for item in samples.ROUTES]
FILE = {"path": "/etc/traefik/traefik.yml", "content": "api: {}\n", "mode": "0640", "group": "root"}
SECRET_FILE = {"path": "/etc/traefik/traefik.env", "secret_content": f"TOKEN={hostile.MARK}\n", "mode": "0600"}
WISHED_FILES: List[Options] = [
    {"files": [FILE, SECRET_FILE], "directories": [{"path": "/etc/traefik/certs", "mode": "0750"}], "absent": ["/etc/traefik/x"]}
]
JOIN: Options = {
    "node_id": "edge-1",
    "interface": "wg0",
    "persistent_keepalive": 25,
    "listen_port": 51820,
    "mtu": 1420,
    "allowed_ips": ["10.50.0.0/24"],
}
GOOD: Dict[str, List[Options]] = {
    "dnat_forward": [
        *samples.WISHES,
        {"forwards": samples.FORWARDS[:4]},
        {"forwards": [], "purge": True},
        {"forward_id": "a", "state": "absent"},
        {"src": "x.json", "summary": True},
        {"src": "x.yml"},
    ],
    "traefik_route": [
        *ROUTE_FORMS,
        {"routes": samples.ROUTES[1:4], "wait": False, "purge": True},
        {"route_id": "a", "state": "absent", "wait": False},
        {"src": "x.json", "wait": False},
        {**ROUTE_FORMS[0], "static": {"entryPoints": {"web": {"address": ":80"}}}},
    ],
    "wg_join": [
        {**JOIN, "controller_url": "https://controller.example.com:8443/api", "join_token": hostile.MARK},
        {**JOIN, "join_answer": ANSWER, "preshared_key": hostile.SECRET_KEY, "client_networks": ["198.51.100.0/24"]},
        {"state": "left", "interface": "wg0"},
        {**JOIN, "controller_url": "http://192.0.2.1", "join_token": "t", "probe_mtu": True},
    ],
    "wg_peer": [
        {**item, "preshared_key": hostile.SECRET_KEY, "hub": {"pools": ["10.50.0.0/24"], "endpoint": "203.0.113.7:51820"}}
        for item in samples.WG_PEERS
    ]
    + [{"peers": samples.WG_PEERS[:2], "purge": True, "hub": {"pools": ["10.50.0.0/24", "fd50::/64"], "mtu": 1380}}],
    "wg_key": [{"interface": "wg0"}, {"next_key": True}],
    "config_files": WISHED_FILES,
    "gateway_program": WISHED_FILES,
    "traefik_service": [{**WISHED_FILES[0], "binary": "/usr/local/lib/traefik/3.7.15/traefik", "version": "3.7.15", "timeout": 1}],
    "traefik_certificates": [
        {"certificates": [{"name": "spare", "certificate": samples.CERTIFICATE.decode(), "private_key": hostile.MARK}]}
    ],
    "inbound_filter": [
        {
            "open": [{"port": "443", "comment": "https"}, {"port": "6000-6010", "proto": "udp", "source_ranges": ["198.51.100.0/24"]}],
            "mesh": "wg0",
        },
        {"state": "absent"},
    ],
    "seed_import": [{"forwards": samples.FORWARDS[:2]}, {"seed_dir": "/var/lib/edge-gateway/seed"}],
    "gateway_import": [{"seed_dir": "/var/lib/edge-gateway/seed", "traefik_dir": "/etc/traefik/dynamic", "interface": "wg0"}],
    "gateway_backup": [{"node": "edge1", "_key": bytes(range(32)).hex()}],
    "gateway_restore": [{"node": "edge1", "_packed": packed(samples.BACKUPS[0])}],
    "gateway_health": [{"max_age": 1, "api_url": "http://127.0.0.1:1"}],
    "traefik_route_info": [{"api_url": "http://127.0.0.1:1"}],
}


def load(name: str) -> Module:
    """What a module hands to :func:`.entry.run`."""
    module = importlib.import_module(f"{PACKAGE}.{name}")
    with mock.patch.object(entry, "run") as run:
        module.main()
    (spec, action), constraints = run.call_args
    wanted = {key: value for key, value in constraints.items() if key != "supports_check_mode"}
    return Module(name, spec, action, ArgumentSpecValidator(spec, **wanted), GOOD.get(name, [{}]))


MODULES = {name: load(name) for name in sorted(path.stem for path in FOLDER.glob("*.py")) if name not in ACTIONS | LEFT_OUT | {"__init__"}}
POOL = samples.pool([[module.good for module in MODULES.values()], ANSWER])


def typed(dice: random.Random, option: Options) -> Any:  # noqa: PLR0911  one for each type
    """A value of an option's type, whatever it is called."""
    kind = option.get("type", "str")
    if "choices" in option and dice.random() < 0.7:
        return dice.choice(option["choices"])
    if kind == "dict" and "options" in option:
        return some(dice, option["options"])
    if kind == "list":
        inner = {**option, "type": option.get("elements", "str")}
        return [typed(dice, inner) for _ in range(dice.choice([0, 1, 1, 2, 65]))]
    if kind == "int":
        return dice.choice(hostile.NUMBERS)
    if kind == "bool":
        return dice.choice([True, False, "yes", 1])
    if kind == "path":
        return dice.choice(PATHS) if dice.random() < 0.6 else hostile.bent_text(dice, dice.choice(PATHS))
    if kind == "dict":
        return {hostile.text(dice): hostile.value(dice) for _ in range(dice.randint(0, 3))}
    return hostile.text(dice) if dice.random() < 0.7 else dice.choice(samples.TEXTS)


def some(dice: random.Random, spec: Dict[str, Options]) -> Options:
    """A few options of a spec."""
    return {name: value(dice, name, spec[name]) for name in dice.sample(sorted(spec), min(len(spec), dice.choice([1, 2, 3])))}


def value(dice: random.Random, name: str, option: Options) -> Any:
    """A value for an option: a good one of that name, a good one that was bent, one of its type, or anything."""
    kind = dice.random()
    good = POOL.get(name)
    if good and kind < 0.3:
        found = dice.choice(good)
    elif good and kind < 0.65:
        found = hostile.bent(dice, dice.choice(good))
    else:
        found = typed(dice, option) if kind < 0.92 else hostile.value(dice)
    return spoiled(dice, found) if option.get("no_log") and not name.startswith("_") else found


def spoiled(dice: random.Random, secret: Any) -> Any:
    """A secret by which it is known again."""
    return f"{secret}{hostile.MARK}" if isinstance(secret, str) and dice.random() < 0.5 else f"{hostile.MARK}{hostile.text(dice)}"


def parameters(dice: random.Random, module: Module) -> Options:
    """The parameters of a call: mostly good ones, with a few options that are not."""
    found = dict(dice.choice(module.good)) if dice.random() < 0.85 else {}
    for _ in range(dice.choice([0, 1, 1, 1, 2, 3])):
        found.update(some(dice, module.spec))
        while dice.random() < 0.5 and len(found) > 4:
            del found[dice.choice(sorted(found))]
    if dice.random() < 0.3:
        found = hostile.mutated(dice, found, module.good)
    # a secret that was moved into another option is none there
    for name, option in module.spec.items():
        if isinstance(found, dict) and not option.get("no_log") and "options" not in option and hostile.MARK in repr(found.get(name)):
            found[name] = hostile.text(dice)
        elif isinstance(found, dict) and isinstance(found.get(name), dict) and "options" in option:
            found[name] = unmarked(found[name], option["options"])
        elif isinstance(found, dict) and isinstance(found.get(name), list) and "options" in option:
            found[name] = [unmarked(entry, option["options"]) for entry in found[name]]
    if isinstance(found, dict) and "_packed" in module.spec and isinstance(found.get("src"), str) and dice.random() < 0.8:
        known = samples.LISTS if "forward_id" in module.spec else [*samples.as_bytes(samples.ROUTES[:4]), *samples.LISTS]
        found["_packed"] = packed(
            hostile.mangled(dice, dice.choice(known), known)
            if dice.random() < 0.5
            else hostile.document_bytes(dice, [item for item in known if item[:1] in b"[{"])
        )
    return found if isinstance(found, dict) else {}


def unmarked(entry: Any, spec: Dict[str, Options]) -> Any:
    """An entry of a list, the same way."""
    if not isinstance(entry, dict):
        return None if hostile.MARK in repr(entry) else entry
    return {
        name: item
        for name, item in entry.items()
        if hostile.MARK not in f"{name}{item!r}" or spec.get(name, {}).get("no_log") and hostile.MARK not in name
    }


Given = Tuple[str, Options]

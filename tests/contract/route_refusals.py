# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes handed in by every way there is, and what a refusal must look like."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List

import yaml
from contract import route_samples, world
from contract.edge_traefik import DYNAMIC, FOREIGN
from contract.forwarding import invoke
from contract.hostile_routes import GOOD, SECRET, Case
from contract.route_samples import Options
from unit.samples import one_sentence

STANDING: List[Options] = [
    {**GOOD, "route_id": "stands", "hostname": ["stands.test"]},
    {**GOOD, "route_id": "secure", "hostname": ["secure.test"], "entrypoint": ["websecure"],
     "tls_options": {"min_version": "VersionTLS13"}},
    {"route_id": "db", "hostname": ["db.test"], "target_url": ["tcp://10.50.0.20:5432"]},
]


@contextlib.contextmanager
def standing() -> Iterator[None]:
    """Some routes of ours and a file of someone else stand already."""
    DYNAMIC.mkdir(mode=0o750, exist_ok=True)
    for path in DYNAMIC.iterdir():
        path.unlink()
    route_samples.make_files()
    for address in ("10.99.0.1/32", "fd99::1/128"):
        world.sh("ip", "address", "replace", address, "dev", "lo")
    assert call(routes=STANDING)["changed"]
    (DYNAMIC / "mine.yml").write_text(FOREIGN)
    yield
    for address in ("10.99.0.1/32", "fd99::1/128"):
        world.sh("ip", "address", "delete", address, "dev", "lo")


def call(**params: Any) -> Dict[str, Any]:
    """A run of the module that does not wait for Traefik: what is refused here is refused without asking it."""
    return invoke("traefik_route", **{"dynamic_dir": str(DYNAMIC), "wait": False, **params})


def hand_in(way: str, route: Options, folder: Path, **more: Any) -> Dict[str, Any]:
    """One route, the way it is asked for."""
    if way == "options":
        return call(**route, **more)
    if way == "list":
        return call(routes=[route], **more)
    path = folder / f"routes.{way}"
    path.write_text(json.dumps([route]) if way == "json" else yaml.safe_dump([route]), encoding="utf-8")
    return call(src=str(path), remote_src=True, **more)


def fault(result: Dict[str, Any], way: str, option: str) -> str:
    """What is wrong with a refusal; nothing when it is in order. Of options and lists Ansible's own checks may be first with theirs.

    Ansible repeats what it was called with under ``invocation``, but for what it knows to be secret: users."""
    if not result.get("failed") or result.get("changed"):
        return f"not refused: {[result.get(name) for name in ('added', 'updated', 'routes')]}"[:300]
    message, ours = result["msg"], "code" in result
    found = [text for text, wrong in (
        ("the secret is shown", SECRET in json.dumps({**result, "invocation": option == "users" and result["invocation"]})),
        ("the option is not named", option not in message),
        ("a crash", "Traceback" in message or "Error(" in message or "unavailable" not in result.get("exception", "unavailable")),
        ("no refusal of ours", not ours and way not in ("options", "list")),
        (f"code {result.get('code')}", ours and result["code"] != "invalid_input"),
        (f"option {result.get('option')}", ours and option not in str(result.get("option"))),
        ("no remedy", ours and not re.search("[;:,] ?.", message))) if wrong]
    try:
        one_sentence(message if ours else message[:400].replace("\n", " "))
    except AssertionError:
        found.append("not one sentence")
    return f"{', '.join(found)}: {message[:300]!r}" if found else ""


def faults(way: str, cases: Iterable[Case], folder: Path, modes: Iterable[bool] = (True, False)) -> List[str]:
    """All that is wrong with the answers to these cases, and with what they leave in the directory."""
    found, before = [], world.files(DYNAMIC)
    for option, changes in cases:
        for dry in modes:
            wrong = fault(hand_in(way, {**GOOD, **changes}, folder, _ansible_check_mode=dry), way, option)
            if world.files(DYNAMIC) != before:
                wrong += " (and something was written)"
                call(routes=STANDING, purge=True)
                before = world.files(DYNAMIC)
            if wrong:
                found.append(f"{str(changes)[:200]}{' in check mode' if dry else ''}: {wrong}")
    return found

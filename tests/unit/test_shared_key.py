# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a node and its hub, made from the secret of a mesh, in the model and in the filter."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models import fields
from ansible_collections.edge.gateway.plugins.module_utils.models.shared_key import derive
from unit.samples import refusal

SECRET = "correct horse battery staple"
POOR: List[object] = [
    None, "", "hunter2", "x" * 19, 12345678901234567890123, True, [SECRET], {"a": SECRET}, SECRET.encode(), f"{SECRET}\ud800",
]
NAMELESS: List[object] = [None, "", "a b", "a\n", "a\0b", 5, ["a"], "x" * 64]
# in a process of its own: whoever has imported ansible.errors counts as a controller from then on, also for the other tests
FILTER = """
import json
from ansible.errors import AnsibleFilterError
from ansible_collections.edge.gateway.plugins.filter.preshared_key import FilterModule

class Vaulted:
    "A value marked !vault, as ansible-core before 2.19 hands it to a filter."
    __ENCRYPTED__ = True
    def __str__(self):
        return {secret!r}

def call(secret, node):
    try:
        return {{"key": FilterModule().filters()["preshared_key"](secret, node)}}
    except AnsibleFilterError as problem:
        return {{"refusal": str(problem), "cause": repr(problem.__cause__)}}

print(json.dumps([call(*case) for case in {cases}]))
"""


def filtered(cases: str) -> List[Dict[str, Any]]:
    """What the filter makes of these pairs of secret and node, which are written in Python."""
    done = subprocess.run([sys.executable, "-c", FILTER.format(secret=SECRET, cases=cases)], check=True, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    found: List[Dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_known_key() -> None:
    """HMAC-SHA256, written out in full: another way to make it would cut every mesh that stands."""
    digest = hmac.new(SECRET.encode(), b"edge.gateway preshared key 1\0edge-1", hashlib.sha256).digest()
    assert derive(SECRET, "edge-1") == base64.b64encode(digest).decode()
    assert derive(SECRET, "edge-1") == "sNle/WsLF6tS235vh82Uehhm4R3z5VHEUsvYwK/avjk="


@pytest.mark.parametrize("secret", [SECRET, "x" * 20, "ünïcödé sëcrét 12345 \u4e16", "a b\tc\nd" * 4, "x" * 10_000])
@pytest.mark.parametrize("node", ["a", "Edge-1.example", "x" * 63])
def test_any_key_is_one(secret: str, node: str) -> None:
    """WireGuard takes it."""
    assert fields.key("key", derive(secret, node)) == derive(secret, node)


def test_keys_differ() -> None:
    """By node, by case, and by secret."""
    keys = {derive(secret, node) for secret in (SECRET, SECRET + " ", SECRET.upper()) for node in ("edge-1", "edge-2", "Edge-1", "edge-11")}
    assert len(keys) == 12


@pytest.mark.parametrize("secret", POOR)
def test_a_poor_secret_is_refused_and_not_shown(secret: object) -> None:
    """Short, no text, or one that cannot be written down."""
    message = refusal(derive, secret, "edge-1")
    assert "preshared secret" in message
    for part in ("hunter2", "12345", "xxx", "horse"):
        assert part not in message


@pytest.mark.parametrize("node", NAMELESS)
def test_a_poor_name_is_refused_and_the_secret_not_shown(node: object) -> None:
    """Two names must never make one key."""
    assert SECRET not in refusal(derive, SECRET, node)


def test_the_filter() -> None:
    """Makes the same keys, also of a secret that is marked !vault; its refusals are Ansible's, and show the secret as little."""
    cases = [(secret, "edge-1") for secret in POOR] + [(SECRET, node) for node in NAMELESS]
    plain, vaulted, *refused = filtered(f"[({SECRET!r}, 'edge-1'), (Vaulted(), 'edge-1'), *{cases!r}]")
    assert plain == vaulted == {"key": derive(SECRET, "edge-1")} and len(refused) == len(cases)
    for found, (secret, _node) in zip(refused, cases):
        assert ("node_id" if secret == SECRET else "preshared secret") in found["refusal"]
        assert "horse" not in str(found) and "hunter2" not in str(found) and found["cause"] == "None"

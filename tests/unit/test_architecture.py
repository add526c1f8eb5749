# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The import rule: models <- formats <- engines <- converge <- modules, and one door to the machine."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

COLLECTION = Path(__file__).parents[2] / "collections/ansible_collections/edge/gateway"
UTILS = COLLECTION / "plugins/module_utils"

# what touches the machine, by any road
MACHINE = {"os", "subprocess", "shutil", "socket", "fcntl", "pathlib", "tempfile", "io", "pwd", "grp", "ssl", "http", "urllib",
           "threading", "time", "importlib"}
FORBIDDEN = {
    "models": MACHINE | {"ansible", "json", "yaml", "formats", "engines", "host", "converge", "entry"},
    "formats": MACHINE | {"ansible", "engines", "host", "converge", "entry"},
    # an engine goes through Host; those of EXCEPTIONS alone talk over the network themselves, or to the kernel
    "engines": {"os", "subprocess", "shutil", "fcntl", "pathlib", "tempfile", "ansible", "converge", "entry", "importlib", "urllib",
                "socket", "threading"},
}
EXCEPTIONS = {"http.py": {"socket", "threading"}, "lookup.py": {"socket", "threading"}, "netlink.py": {"socket"},
              "path_mtu.py": {"socket"}, "reply_probe.py": {"socket"}}
CALLS_ON_THE_MACHINE = {"open", "exec", "eval", "compile", "__import__"}
LONGEST_FILE = 300
LONGEST_FUNCTION = 40


def sources(layer: str) -> Iterator[Path]:
    """The Python files of one layer."""
    return (UTILS / layer).glob("*.py")


def imported(tree: ast.AST) -> Iterator[str]:
    """First names of all that a file imports, at any depth of nesting; relative ones without their dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.module.split(".")[0]
            if node.level:
                yield from (alias.name for alias in node.names)


def violations(layer: str, text: str) -> list[str]:
    """What a file of a layer imports or calls although its layer must not."""
    tree = ast.parse(text)
    found = sorted(set(imported(tree)) & FORBIDDEN[layer])
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return found + sorted(calls & CALLS_ON_THE_MACHINE)


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_layers_import_only_downwards(layer: str) -> None:
    """No file of a layer reaches up, or around Host."""
    wrong = {path.name: found for path in sources(layer)
             if (found := set(violations(layer, path.read_text())) - EXCEPTIONS.get(path.name, set()))}
    assert not wrong


@pytest.mark.parametrize(("layer", "line"), [
    ("models", "import os"), ("models", "from os import path"), ("models", "from ..engines import system"),
    ("models", "def f():\n    import subprocess"), ("models", "open('x')"), ("formats", "from ..host import Host"),
    ("engines", "from ..converge import converge"), ("engines", "import os.path"), ("engines", "from ansible import x"),
])
def test_the_rule_notices(layer: str, line: str) -> None:
    """The rule itself works: each of these would be found."""
    assert violations(layer, line)


def test_only_one_place_knows_ansible() -> None:
    """AnsibleModule is imported by entry.py alone, so that all else runs without Ansible."""
    users = {path.name for path in UTILS.rglob("*.py") if "ansible" in set(imported(ast.parse(path.read_text())))}
    assert users == {"entry.py"}


def test_check_mode_is_decided_once() -> None:
    """The only branch on check mode stands in converge()."""
    branches = [
        (path.name, node.lineno) for path in (COLLECTION / "plugins").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.If, ast.IfExp))
        and any(isinstance(name, (ast.Name, ast.Attribute)) and (getattr(name, "id", None) or getattr(name, "attr", None))
                in ("dry_run", "check_mode") for name in ast.walk(node.test))]
    assert [name for name, _line in branches] == ["converge.py"]


def test_files_and_functions_stay_short() -> None:
    """A file fits into a head, a function onto a screen."""
    long = []
    for path in (COLLECTION / "plugins").rglob("*.py"):
        text = path.read_text()
        if path.parent.name != "modules" and len(text.splitlines()) > LONGEST_FILE:
            long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION:
                long.append(f"{path.name}:{node.name}")
    assert not long

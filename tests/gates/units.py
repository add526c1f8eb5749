# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the unit tests of what runs on hosts by "ansible-test units", with the Pythons that hosts may have.

    python tests/gates/units.py              the oldest Python that is here
    python tests/gates/units.py 3.9 3.13     these
    python tests/gates/units.py all          all that are here; what is not is told

ansible-test wants the tests within the collection, apart by what runs on hosts and what does not. They are in one folder of the repository,
since most of the repository is no part of the collection; so it gets a copy, of exactly those that need nothing but what a host has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from install.environments import interpreter  # noqa: E402
from install.matrix import OLDEST_HOST_PYTHON, text  # noqa: E402

COLLECTION = TOP / "collections/ansible_collections/edge/gateway"
NEWEST_MINOR = 13
PYTHONS = [text((3, minor)) for minor in range(OLDEST_HOST_PYTHON[1], NEWEST_MINOR + 1)]
# what only a control node has, or only this repository: Ansible's own code, our plugins for it, other tools, files beside the collection;
# and certificates made for a test, of which the names of cases are made, so that two processes would not collect the same
ELSEWHERE = re.compile(r"from ansible\.(?!module_utils\b)|import ansible\b|plugin_utils|plugins\.(filter|action|callback|test)\b"
                       r"|jsonschema|cryptography|docutils|unit\.test_|backup_samples|parents\["
                       r"|^from (chaos|report|install|docsite|gates)\b", re.MULTILINE)
# the name under which ansible-test looks for a get-pip.py that it would download
GET_PIP = Path.home() / ".ansible/test/cache/get_pip_24_2.py"


def tree(folder: Path) -> Path:
    """The collection with the tests in the place where ansible-test takes them for those of hosts."""
    copy = folder / "ansible_collections/edge/gateway"
    shutil.copytree(COLLECTION, copy, ignore=shutil.ignore_patterns("__pycache__", "output"))
    tests = copy / "tests/unit/plugins/module_utils"
    left_out = [path.name for path in (TOP / "tests/unit").glob("*.py") if ELSEWHERE.search(path.read_text())]
    shutil.copytree(TOP / "tests/unit", tests / "unit", ignore=shutil.ignore_patterns("__pycache__", *left_out))
    # the helpers of the tests are imported as unit.samples and so on
    (tests / "conftest.py").write_text("import os\nimport sys\n\nsys.path.insert(0, os.path.dirname(__file__))\n")
    (copy / "tests/unit/requirements.txt").write_text("PyYAML\n")
    print(f"{len(list((tests / 'unit').glob('test_*.py')))} files of tests; left out: {', '.join(sorted(left_out))}", flush=True)
    return copy


def found(wanted: List[str]) -> Dict[str, str]:
    """The Pythons that are here, by version."""
    here = {version: program for version in wanted if (program := interpreter(version))}
    absent = [version for version in wanted if version not in here]
    if absent:
        print(f"skipped, not on this machine: Python {', '.join(absent)}", flush=True)
    return here


def main(arguments: List[str]) -> int:
    """The worst exit code of all runs."""
    pythons = found(PYTHONS if arguments in ([], ["all"]) else arguments)
    if not arguments:
        pythons = dict(list(pythons.items())[:1])
    if not pythons:
        return 1
    GET_PIP.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(TOP / "tests/gates/get_pip.py", GET_PIP)
    with tempfile.TemporaryDirectory(prefix="edge-units-") as name:
        collection, programs = tree(Path(name)), Path(name) / "bin"
        programs.mkdir()
        # pyenv's shims are on the path for every version, and run only some
        for version, program in pythons.items():
            (programs / f"python{version}").symlink_to(program)
        path = os.pathsep.join([str(Path(sys.executable).parent), str(programs), os.environ["PATH"]])
        codes = [subprocess.run(["ansible-test", "units", "--venv", "--python", version], cwd=collection, env={**os.environ, "PATH": path},
                                check=False).returncode for version in pythons]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

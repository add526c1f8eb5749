# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What the tests of this scenario do over and over: apply the role, and look at the process that runs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from runs import SSH_CONFIG, TOP, Run, playbook
from testinfra.host import Host

EDGE = "10.89.50.11"
NAME = "demo.edge.test"
CURL = f"curl --silent --insecure --max-time 5 --resolve {NAME}:443:{EDGE} https://{NAME}/"
ROLE = "molecule/traefik_service/role.yml"
FILES = TOP / "molecule/traefik_service/files"
NEW, OLD = "3.7.15", "3.6.15"
SERVICE_FILES = "sha256sum /etc/traefik/traefik.yml /etc/systemd/system/traefik.service; ls -A /etc/traefik /etc/traefik/dynamic"


def role(*arguments: str, **variables: Any) -> Run:
    """Apply the role with these variables."""
    return playbook(ROLE, "--diff", "-e", json.dumps(variables), *arguments)


def applied(**variables: Any) -> Run:
    """Predict and apply: the same report."""
    predicted, done = role("--check", **variables), role(**variables)
    assert done.returncode == 0, done.output
    assert predicted.tasks == done.tasks
    return done


def nothing_to_do(**variables: Any) -> None:
    """Apply what is there already."""
    again = role(**variables)
    assert again.returncode == 0 and again.count("changed") == 0, again.output


def failed(**variables: Any) -> str:
    """Apply the role, which must fail; the message of the task, as one line."""
    done = role(**variables)
    assert done.returncode == 2 and done.count("failed") == 1, done.output
    assert "Traceback" not in done.output
    return message(done)


def message(done: Run) -> str:
    """The message of the task that failed, as it was before it was wrapped for a terminal."""
    found = re.search(r"^    msg: (.*?)^    option:", done.stdout, re.MULTILINE | re.DOTALL)
    assert found, done.output
    return " ".join(found.group(1).split()).strip("'").replace("''", "'")


def process(edge: Host) -> str:
    """The main process; another one after every restart."""
    return str(edge.check_output("systemctl show --property=MainPID --value traefik.service"))


def version(edge: Host) -> str:
    """What the running Traefik calls itself."""
    answer = edge.check_output("python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/api/version').read().decode())\"")
    return str(json.loads(answer)["Version"])


def install_fake(edge: Host, folder: Path, fake_version: str, hangs: bool) -> None:
    """Put a program in the place where the role looks for this version. Static: nothing else may be executed there."""
    options = [f'-DVERSION="{fake_version}"', *(["-DHANGS"] if hangs else [])]
    subprocess.run(["gcc", "-static", "-Os", *options, "-o", folder / "fake", FILES / "fake.c"], check=True)
    target = f"/usr/local/lib/traefik/{fake_version}"
    edge.check_output(f"mkdir -p {target}")
    copy = ["scp", "-q", "-F", SSH_CONFIG, folder / "fake", f"edge1:{target}/traefik"]
    subprocess.run(copy, check=True)

# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-rulebook with the collection's rulebook, in front of the lab's edge1."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

REPO = Path(__file__).resolve().parents[2]
PROGRAM = REPO / ".cache" / "venv-eda" / "bin" / "ansible-rulebook"
TOKEN = "lab-webhook-token"
PORT = 8081
PATIENCE = 60
# the inventory is copied by ansible-rulebook, so that a path relative to it leads nowhere
SSH = {"all": {"vars": {"ansible_ssh_common_args": f'-F "{REPO}/.lab/ssh/config"', "ansible_control_path_dir": "~/.ansible/cp-eda"}}}


def pytest_sessionstart() -> None:
    """The webhook must not listen on the machine's own loopback interface."""
    if [name for _number, name in socket.if_nameindex()] != ["lo"]:
        raise pytest.UsageError("these tests run in a network namespace of their own: make eda")


class Gateway:
    """The API over HTTP, and the edge behind it."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def post(self, path: str, body: object, token: Optional[str] = TOKEN, raw: Optional[bytes] = None) -> Tuple[int, str]:
        """Status and text of the answer."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token is not None else {})}
        data = json.dumps(body).encode() if raw is None else raw
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}/{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()

    def runs(self) -> List[str]:
        """The plays so far, by their names."""
        return re.findall(r"^PLAY \[(.*?)\]", self.log.read_text(), re.MULTILINE)

    def until(self, found: Any, what: str) -> None:
        """Wait for something to become true."""
        end = time.monotonic() + PATIENCE
        while not found():
            assert time.monotonic() < end, f"not seen: {what}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.3)

    def recaps(self, count: int) -> None:
        """Wait until so many runs are over."""
        self.until(lambda: self.log.read_text().count("PLAY RECAP") >= count, f"{count} runs")


def on_edge(*command: str) -> str:
    """What a command on the edge prints."""
    return subprocess.run([str(REPO / "tests/lab/lab"), "run", "edge1", *command], check=True, capture_output=True, text=True,
                          timeout=60).stdout


def forwards() -> Dict[str, Dict[str, Any]]:
    """The forwards that the edge keeps, by id."""
    return {entry["forward_id"]: entry for entry in json.loads(on_edge("cat", "/var/lib/edge-gateway/forwards.json"))["forwards"]}


def table() -> str:
    """The edge's own table in the kernel; empty when there is none."""
    return on_edge("sh", "-c", "nft list table inet edge_gateway 2>/dev/null || true")


@pytest.fixture(name="gateway", scope="session")
def running_rulebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """As the page events.rst tells how to run it."""
    folder = tmp_path_factory.mktemp("eda")
    inventory = folder / "inventory"
    inventory.mkdir()
    (inventory / "lab.yml").write_text((REPO / "inventory/lab.yml").read_text())
    (inventory / "reach.yml").write_text(json.dumps(SSH))
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(REPO / "ansible.cfg"),
                   "ANSIBLE_COLLECTIONS_PATH": str(REPO / "collections"), "ANSIBLE_NOCOLOR": "1",
                   "edge_gateway_webhook_token": TOKEN}
    gateway = Gateway(folder / "log")
    with gateway.log.open("w") as log:
        process = subprocess.Popen([str(PROGRAM), "--rulebook", "edge.gateway.api", "--inventory", str(inventory),
                                    "--env-vars", "edge_gateway_webhook_token"],
                                   env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=folder)
        try:
            gateway.until(listens, "the webhook listens")
            yield gateway
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def listens() -> bool:
    """Whether the webhook takes connections."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", PORT)) == 0

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Traefik on this namespace's loopback, backends behind it, and the engine of the routes."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import ssl
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.routes import RouteEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of, entries_of
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url
from contract import world
from unit.servers import serving

MIRROR = world.REPO / ".lab" / "mirror" / "traefik" / "v3.7.15"
DYNAMIC = Path("/etc/traefik/dynamic")
API = "http://127.0.0.1:8080"
STATIC = f"""
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
entryPoints: {{web: {{address: "127.0.0.1:8000"}}, websecure: {{address: "127.0.0.1:8443"}}, traefik: {{address: "127.0.0.1:8080"}}}}
api: {{insecure: true}}
providers: {{providersThrottleDuration: 0.1s, file: {{directory: {DYNAMIC}, watch: true}}}}
"""
FOREIGN = """http:
  routers: {mine: {rule: "Host(`foreign.test`)", service: mine, entryPoints: [web]}}
  services: {mine: {loadBalancer: {servers: [{url: "http://127.0.0.1:1"}]}}}
"""


@dataclass(frozen=True)
class Backend:
    """A service that answers its name."""

    name: str
    url: str


@contextlib.contextmanager
def backends(*names: str) -> Iterator[List[Backend]]:
    """Services on the loopback interface."""
    with contextlib.ExitStack() as stack:
        found = []
        for name in names:
            body = name.encode()
            server = stack.enter_context(serving(lambda handler, _number, body=body: handler.reply(200, {}, body)))  # type: ignore[misc]
            found.append(Backend(name, f"http://127.0.0.1:{server.port}"))
        yield found


class Traefik:
    """A running Traefik."""

    def __init__(self, folder: Path, static: str = STATIC, user: int = 0, name: str = "traefik") -> None:
        self.folder, self.user = folder, user
        self.command = [str(unpacked(folder).rename(folder / name)), f"--configfile={folder}/traefik.yml"]
        (folder / "traefik.yml").write_text(static)
        DYNAMIC.mkdir(mode=0o750, exist_ok=True)
        self.start()

    def start(self) -> None:
        """Start it and wait for its API."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, user=self.user, group=self.user, extra_groups=[])
        end = time.monotonic() + 15
        while self.routers() is None:
            if time.monotonic() > end or self.process.poll() is not None:
                pytest.fail(f"Traefik does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Stop and start it; the routes in its directory are served again."""
        served = self.routers()
        self.stop()
        self.start()
        self.wait_for(served or [])

    @staticmethod
    def reported(kind: str) -> Dict[str, Dict[str, Any]]:
        """What the API reports of the file provider: ``http/routers`` or another kind, by name."""
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", f"/api/{kind}?per_page=100000")
            found = json.loads(connection.getresponse().read())
        return {item["name"]: item for item in found if item["provider"] == "file"}

    @classmethod
    def routers(cls) -> List[str] | None:
        """Names of the file provider's routers, None while the API does not answer."""
        try:
            return sorted(name.split("@")[0] for name in cls.reported("http/routers"))
        except (OSError, ValueError):
            return None

    def wait_for(self, names: Sequence[str]) -> None:
        """Until exactly these routers are there."""
        end = time.monotonic() + 10
        while self.routers() != sorted(names):
            if time.monotonic() > end:
                pytest.fail(f"Traefik has {self.routers()}, not {names}")
            time.sleep(0.02)


def unpacked(folder: Path) -> Path:
    """The program from the lab's mirror."""
    archives = sorted(MIRROR.glob("*.tar.gz"))
    if not archives:
        pytest.fail(f"there is no Traefik in {MIRROR}; 'tests/lab/lab up' fetches it")
    with tarfile.open(archives[0]) as archive:
        member = archive.extractfile("traefik")
        assert member is not None
        with (folder / "traefik").open("wb") as binary:
            shutil.copyfileobj(member, binary)
    (folder / "traefik").chmod(0o755)
    return folder / "traefik"


@contextlib.contextmanager
def started(folder: Path, static: str = STATIC, user: int = 0, name: str = "traefik") -> Iterator[Traefik]:
    """Traefik for a while, as a user of its own and under another name if these are given."""
    traefik = Traefik(folder, static, user, name)
    try:
        yield traefik
    finally:
        traefik.stop()


def entry(name: str, **changes: Any) -> Dict[str, Any]:
    """The options of one route."""
    return {"route_id": name, "hostname": f"{name}.test", "target_url": "http://10.50.0.12:8080", "entrypoint": "web", **changes}


def run(dry: bool = False, dynamic_dir: str = str(DYNAMIC), api_url: str = API, wait_timeout: float = 5, **params: Any) -> Outcome[Route]:
    """One run of the module's life, with wait."""
    return run_and_warn(dry, dynamic_dir, api_url, wait_timeout, **params)[0]


def run_and_warn(dry: bool = False, dynamic_dir: str = str(DYNAMIC), api_url: str = API, wait_timeout: float = 5,
                 **params: Any) -> Tuple[Outcome[Route], List[str]]:
    """The same, with what it warned of."""
    api = TraefikApi(url("api_url", api_url, ("http",)))
    watched = [item["route_id"] for item in entries_of(params, "route_id", "routes")]
    engine = RouteEngine(Host(), dynamic_dir, api, wait_timeout, watched=watched, allow_local_target=True)
    outcome = converge(engine, edit_of(params, "route_id", "routes", Route.parse), dry)
    return outcome, list(engine.warnings)


def walk(**params: Any) -> Dict[str, Any]:
    """Check mode (which touches nothing), the real run (which does what was predicted), and again (which does nothing)."""
    before = world.files(DYNAMIC)
    predicted = run(True, **params)
    assert world.files(DYNAMIC) == before
    real = run(**params)
    assert world.report(predicted) == world.report(real) and predicted.items == real.items
    after = world.files(DYNAMIC)
    for dry in (True, False):
        again = run(dry, **params).as_dict()
        assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"] and not again["repaired"]
    assert world.files(DYNAMIC) == after
    return world.report(real)


def module(**params: Any) -> Dict[str, Any]:
    """The module as a process."""
    return world.module("traefik_route", **{"dynamic_dir": str(DYNAMIC), "api_url": API, "allow_local_target": True, **params})


def fetch(host: str, path: str = "/", secure: bool = False) -> Tuple[int, str]:
    """Status and body of a request to Traefik."""
    connection: http.client.HTTPConnection
    if secure:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", 8443, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()


def document(path: Path) -> Dict[str, Any]:
    """What a file of the directory says."""
    found: Dict[str, Any] = yaml.safe_load(path.read_text())
    return found

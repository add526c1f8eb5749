# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik as a service, on a host whose systemd and Traefik are played: what is written, restarted, and taken back."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils import host as host_module
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines import stand, traefik_service
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_service import ServiceOptions, TraefikServiceEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, StateRefused, Unreachable, VerifyFailed
from ansible_collections.edge.gateway.plugins.module_utils.host import Host, Result
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import ConfigFile, Wish
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url
from unit.samples import one_sentence

GOOD, BETTER, ENDS, DEAF, FORGETFUL = "3.1.0", "3.2.0", "3.9.1", "3.9.2", "3.9.3"
TOKEN = "s3cret-token"


class PlayedHost(Host):
    """A host with real files in a folder, and one service that does what the version of its program stands for."""

    def __init__(self, place: Path) -> None:
        self.place, self.unit_file = place, place / "traefik.service"
        self.active, self.at_boot, self.started, self.process = False, False, 0.0, ""
        self.commands: List[str] = []

    def installed(self, version: str) -> str:
        """Where a version is installed."""
        return str(self.place / "versions" / version / "traefik")

    def install(self, version: str) -> None:
        """Install one."""
        path = Path(self.installed(version))
        path.parent.mkdir(parents=True)
        path.touch(mode=0o755)

    @property
    def version(self) -> str:
        """The version that runs."""
        return Path(self.process).parent.name

    def run(self, argv: Sequence[str], stdin: str = "", timeout: float = 60.0, check: bool = True, holds_lock: bool = False) -> Result:
        """What systemd, the journal and the programs answer."""
        if argv[0] == "systemctl":
            self.commands.append(argv[1])
            return Result(*self.systemctl(argv[1]), "")
        if argv[0] == "journalctl":
            return Result(0, f'2026-01-01T00:00:00Z ERR x error="it dislikes {TOKEN}"\n', "")
        assert argv[1] == "version"
        return Result(0, f"Version: {Path(argv[0]).parent.name}\n", "")

    # the command of systemctl before which the run is killed
    killed_at = ""

    def systemctl(self, verb: str) -> Tuple[int, str]:
        """Exit status and output."""
        if verb == self.killed_at:
            raise KeyboardInterrupt
        if verb == "show":
            known = self.unit_file.exists()
            return 0, (f"LoadState={'loaded' if known else 'not-found'}\nActiveState={'active' if self.active else 'inactive'}\n"
                       f"UnitFileState={'enabled' if self.at_boot else 'disabled'}\n"
                       f"MainPID={7 if self.active else 0}\nNeedDaemonReload=no\n"
                       f"ExecMainStartTimestampMonotonic={int(self.started * 1e6)}\nResult=success\nInvocationID=1\n")
        if verb == "restart":
            time.sleep(0.01)
            self.process = self.unit_file.read_text().partition("ExecStart=")[2].split()[0]
            self.active, self.started = self.version != ENDS, time.clock_gettime(time.CLOCK_MONOTONIC)
            return (0 if self.active else 1), ""
        if verb in ("enable", "disable"):
            self.at_boot = verb == "enable"
        elif verb == "stop":
            self.active = False
        return 0, ""

    def program(self, pid: int) -> str:
        """What the process runs."""
        return self.process

    def runs(self, pid: int, program: str) -> bool:
        """Whether it is this."""
        return self.process == program

    def mode(self, path: str) -> Any:
        """As if systemd ran here."""
        return super().mode("/" if path == "/run/systemd/system" else path)


class PlayedApi(TraefikApi):
    """What the played Traefik reports."""

    def __init__(self, host: PlayedHost) -> None:
        super().__init__(url("api_url", "http://127.0.0.1:8080", ("http",)))
        self.host = host

    def version(self) -> str:
        """One version never answers."""
        if not self.host.active or self.host.version == DEAF:
            raise Unreachable("it does not answer", "api_url")
        return self.host.version

    def entries(self, path: str) -> List[Dict[str, Any]]:
        """One version has lost a router; another one was never fine."""
        self.version()
        if path != "/api/http/routers":
            return []
        names = {"a": "enabled", "b": "enabled", "c": "disabled"}
        if self.host.version == FORGETFUL:
            del names["b"]
        return [{"name": f"{name}@file", "provider": "file", "status": status} for name, status in names.items()]


@pytest.fixture(name="host")
def a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedHost]:
    """A host on which three versions are installed, and nothing runs."""
    monkeypatch.setattr(host_module, "LOCK_FILE", str(tmp_path / "run" / "lock"))
    monkeypatch.setattr(traefik_service, "UNIT_FILE", str(tmp_path / "traefik.service"))
    monkeypatch.setattr(stand, "FILE", str(tmp_path / "state" / "before.json"))
    host = PlayedHost(tmp_path)
    for version in (GOOD, BETTER, ENDS, DEAF, FORGETFUL):
        host.install(version)
    (tmp_path / "dynamic").mkdir()
    yield host


def run(host: PlayedHost, version: str, dry: bool = False, *, token: str = TOKEN, binary: str = "") -> Outcome[ConfigFile]:
    """What the module does for one version."""
    binary = binary or host.installed(version)
    files = [{"path": str(host.unit_file), "mode": "0644", "content": f"[Service]\nExecStart={binary} --flag\n"},
             {"path": f"{host.place}/env", "mode": "0600", "secret_content": f'TOKEN="{token}"\n'}]
    wish = Wish.parse({"directories": [{"path": f"{host.place}/etc", "mode": "0750"}], "files": files})
    options = ServiceOptions(binary, version, f"{host.place}/dynamic", 0.3, f"{host.place}/versions")
    return converge(TraefikServiceEngine(host, wish, PlayedApi(host), options), wish.edit, dry)


def walk(host: PlayedHost, version: str, **changes: Any) -> Dict[str, Any]:
    """Predict, do, and do again: the same report, and nothing left to do."""
    predicted = run(host, version, True, **changes).as_dict()
    real = run(host, version, **changes).as_dict()
    assert predicted == real and not run(host, version, **changes).plan.changed
    host.commands.clear()
    return real


def refused(host: PlayedHost, version: str, kind: type, **changes: Any) -> str:
    """What a run says that must fail; the token is not in it."""
    with pytest.raises(kind) as caught:
        run(host, version, **changes)
    assert isinstance(caught.value, GatewayError) and TOKEN not in caught.value.message
    return one_sentence(caught.value.message)


def test_first_installation(host: PlayedHost) -> None:
    """Files, process and start at boot, predicted on a host that has none of them."""
    report = walk(host, GOOD)
    assert (host.active, host.at_boot, host.version) == (True, True, GOOD)
    assert report["added"] == [f"{host.place}/env", f"{host.place}/etc", str(host.unit_file)]
    assert TOKEN not in str(report)


def test_another_version_and_back(host: PlayedHost) -> None:
    """The one before is kept, those before it are not."""
    walk(host, GOOD)
    walk(host, BETTER)
    assert host.version == BETTER and host.names(f"{host.place}/versions") == [GOOD, BETTER]
    walk(host, GOOD)
    assert host.version == GOOD and host.names(f"{host.place}/versions") == [GOOD, BETTER]


def test_a_change_that_is_no_version_removes_none(host: PlayedHost) -> None:
    walk(host, GOOD)
    walk(host, GOOD, token="another-token")
    assert len(host.names(f"{host.place}/versions")) == 5


@pytest.mark.parametrize(("version", "message"), [
    (ENDS, "Traefik 3.9.1 did not start (it dislikes ***); what stood before has been restored"),
    (DEAF, "Traefik 3.9.2 did not answer at http://127.0.0.1:8080 0 seconds after its start"),
    (FORGETFUL, "Traefik 3.9.3 did not serve router b@file, which was served before, 0 seconds after its start"),
])
def test_what_does_not_work_is_taken_back(host: PlayedHost, version: str, message: str) -> None:
    """The old files, the old process; a router that was not fine before need not be fine."""
    walk(host, GOOD)
    before = host.unit_file.read_text()
    assert message in refused(host, version, VerifyFailed)
    assert (host.unit_file.read_text(), host.active, host.at_boot, host.version) == (before, True, True, GOOD)
    assert not run(host, GOOD).plan.changed


def test_a_first_installation_that_fails_leaves_nothing(host: PlayedHost) -> None:
    """No file, no process, no link for the boot."""
    refused(host, ENDS, VerifyFailed)
    assert not host.unit_file.exists() and not (host.place / "env").exists() and not (host.place / "etc").exists()
    assert (host.active, host.at_boot) == (False, False)


@pytest.mark.parametrize("moment", ["daemon-reload", "restart", "enable"])
@pytest.mark.parametrize("next_version", [BETTER, GOOD])
def test_a_killed_run_heals(host: PlayedHost, moment: str, next_version: str) -> None:
    """Whether the next run wants the same or what stood before."""
    walk(host, GOOD)
    host.killed_at, host.at_boot = moment, False
    with pytest.raises(KeyboardInterrupt):
        run(host, BETTER)
    host.killed_at = ""
    walk(host, next_version)
    assert (host.version, host.at_boot) == (next_version, True) and not Path(stand.FILE).exists()
    assert {GOOD, BETTER} <= set(host.names(f"{host.place}/versions"))


@pytest.mark.parametrize("moment", ["daemon-reload", "restart"])
def test_a_killed_run_and_then_one_that_fails(host: PlayedHost, moment: str) -> None:
    """What stood before both of them comes back: the files that the killed one has left never worked."""
    walk(host, GOOD)
    before = host.unit_file.read_text()
    host.killed_at = moment
    with pytest.raises(KeyboardInterrupt):
        run(host, ENDS)
    host.killed_at = ""
    assert TOKEN in Path(stand.FILE).read_text() and stat.S_IMODE(Path(stand.FILE).stat().st_mode) == 0o600
    refused(host, ENDS, VerifyFailed)
    assert (host.unit_file.read_text(), host.active, host.version) == (before, True, GOOD)
    assert not run(host, GOOD).plan.changed and not Path(stand.FILE).exists()


@pytest.mark.parametrize("text", [
    "", "{", "[]", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "files": {"/x": 5}}', '{"schema": true, "files": {}}',
])
def test_a_damaged_note_is_refused(host: PlayedHost, text: str) -> None:
    """It is no reason to forget what stood before."""
    walk(host, GOOD)
    Path(stand.FILE).parent.mkdir(exist_ok=True)
    Path(stand.FILE).write_text(text)
    assert stand.FILE in refused(host, BETTER, StateRefused) and host.version == GOOD


@pytest.mark.parametrize("dry", [True, False])
def test_a_file_that_was_written_anew_is_noticed(host: PlayedHost, dry: bool) -> None:
    """The process is older than its file, whoever wrote that."""
    walk(host, GOOD)
    text = host.unit_file.read_text()
    time.sleep(0.05)      # the file system's clock ticks slower than the other one
    host.unit_file.write_text(text)
    plan = run(host, GOOD, dry).plan
    assert plan.changed and plan.live["(traefik.service)"] == "running as it was before" and not plan.updated
    assert run(host, GOOD, True).plan.changed == dry


def test_a_file_from_the_future_tells_nothing(host: PlayedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was wrong when it was written; to restart for ever would help nobody."""
    walk(host, GOOD)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert not run(host, GOOD).plan.changed


def test_to_be_started_at_boot_takes_no_restart(host: PlayedHost) -> None:
    walk(host, GOOD)
    host.at_boot = False
    assert run(host, GOOD).plan.changed and host.at_boot and "restart" not in host.commands


def test_a_program_that_is_another_one_is_refused(host: PlayedHost) -> None:
    """Before anything is written."""
    walk(host, GOOD)
    assert "is Traefik 3.2.0 and not 3.9.9" in refused(host, "3.9.9", StateRefused, binary=host.installed(BETTER))
    assert "is no program on this host" in refused(host, "3.9.9", StateRefused)
    assert not run(host, GOOD).plan.changed and "restart" not in host.commands


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("name", ["x.yml", "sub/.hidden.YAML", "link.yml"])
def test_no_restart_beside_a_broken_file(host: PlayedHost, name: str, dry: bool) -> None:
    """Predicted, too. What needs no restart is done all the same."""
    walk(host, GOOD)
    path = host.place / "dynamic" / name
    path.parent.mkdir(exist_ok=True)
    if name == "link.yml":
        path.symlink_to("/nowhere")
    else:
        path.write_text("http: {")
    assert not run(host, GOOD, dry).plan.changed
    with pytest.raises(StateRefused) as caught:
        run(host, BETTER, dry)
    assert str(path) in one_sentence(caught.value.message)
    assert host.version == GOOD and "restart" not in host.commands


def test_the_unit_must_run_the_program(host: PlayedHost) -> None:
    """Else the module would start something else than it has looked at."""
    wish = Wish.parse({"directories": [], "files": [{"path": str(host.unit_file), "mode": "0644", "content": "ExecStart=/bin/true\n"}]})
    engine = TraefikServiceEngine(host, wish, PlayedApi(host), ServiceOptions(host.installed(GOOD), GOOD, f"{host.place}/dynamic", 1))
    with pytest.raises(GatewayError) as caught:
        converge(engine, wish.edit, True)
    assert "ExecStart=" in one_sentence(caught.value.message)

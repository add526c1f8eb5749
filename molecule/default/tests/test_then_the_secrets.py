# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Secrets in a run that tells all it can, keeps what it can, and fails: they are in the files meant for them, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from runs import Run, run
from showing import processes_watched, where_shown
from testinfra.host import Host

JOIN_TOKEN = "lab-join-token"
WRONG_TOKEN = "planted-join-token-5e1f07"
CREDENTIAL = "planted-dns-credential-77ab"
HASH = "$2y$05$PlantedHashOfAPasswordPlantedHashOfAPasswordPlanted12"
KEPT = "/root/.ansible/tmp"


class Runs:
    """What was run, and what was seen on the control node meanwhile.

    Attributes:
        folder: log, fact cache and temporary files of Ansible.
        commands: every command line that a process of the control node has had.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: set[bytes] = set()
        self.done: dict[str, Run] = {}

    def play(self, name: str, playbook: str, variables: dict[str, object], **more: str) -> None:
        """Run a playbook as loudly as can be; its variables come from a file, as out of a vault."""
        path = self.folder.parent / f"{name}.json"
        path.write_text(json.dumps(variables))
        loud = {
            "ANSIBLE_LOG_PATH": f"{self.folder}/log", "ANSIBLE_DISPLAY_TRACEBACK": "always", "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": f"{self.folder}/facts", "ANSIBLE_LOCAL_TEMP": f"{self.folder}/tmp", **more,
        }
        self.done[name] = run("ansible-playbook", playbook, "-vvvv", "--diff", "--limit", "edge1", "-e", f"@{path}", more=loud)
        path.unlink()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at the control node's processes meanwhile."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(0.02):
                for number in filter(str.isdigit, os.listdir("/proc")):
                    try:
                        self.commands.add(Path("/proc", number, "cmdline").read_bytes())
                    except OSError:
                        continue

        looking = threading.Thread(target=look)
        looking.start()
        yield
        ended.set()
        looking.join()


def certificate(folder: Path) -> dict[str, str]:
    """A certificate and its key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=kept.edge.test"]
    subprocess.run([*command, "-keyout", folder / "key", "-out", folder / "crt"], check=True, capture_output=True)
    return {"certificate": (folder / "crt").read_text(), "private_key": (folder / "key").read_text()}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One for all runs."""
    return certificate(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def runs(edge: Host, pair: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """The whole of site.yml, and a call that is refused; the second one keeps its files on the host."""
    found = Runs(tmp_path_factory.mktemp("ansible"))
    edge.check_output(f"rm -rf {KEPT}")
    with processes_watched(edge), found.watched():
        found.play("applied", "site.yml", {
            "edge_gateway_traefik_environment": {"HETZNER_API_TOKEN": CREDENTIAL},
            "edge_gateway_certificates": [{"name": "kept", **pair}],
            "edge_gateway_routes": [{
                "route_id": "locked", "hostname": "locked.edge.test", "target_url": "http://10.50.0.12:8080",
                "middlewares": [{"basic_auth": {"users": [f"bob:{HASH}"]}}]}],
        })
        found.play("refused", "playbooks/join.yml", {"join_token": WRONG_TOKEN}, ANSIBLE_KEEP_REMOTE_FILES="1", ANSIBLE_PIPELINING="0")
    yield found
    edge.check_output(f"rm -rf {KEPT}")


@pytest.fixture(scope="module")
def secrets(runs: Runs, edge: Host, pair: dict[str, str]) -> list[str]:
    """Those that were given, the host's own key, and the lab's token."""
    key = edge.check_output("cat /etc/wireguard/wg0.key")
    assert len(key) == 44
    return [WRONG_TOKEN, CREDENTIAL, HASH, pair["private_key"].splitlines()[1], key, JOIN_TOKEN]


def test_what_ansible_prints_and_keeps(runs: Runs, secrets: list[str]) -> None:
    """Output, log, fact cache, and what is left of temporary files."""
    applied, refused = runs.done["applied"], runs.done["refused"]
    assert applied.returncode == 0 and "secret_content: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in applied.output, applied.output
    assert refused.returncode == 2 and "refused the join token (HTTP 401)" in refused.output, refused.output
    kept = {path: path.read_text(errors="replace") for path in runs.folder.rglob("*") if path.is_file()}
    assert "log" in {path.name for path in kept} and any(path.parent.name == "facts" for path in kept), list(kept)
    for name, text in {"applied": applied.output, "refused": refused.output, **kept}.items():
        assert [secret for secret in secrets if secret in text] == [], name


def test_command_lines_of_the_control_node(runs: Runs, secrets: list[str]) -> None:
    """The lab's token stands in the inventory alone."""
    seen = b"\n".join(runs.commands)
    assert b"ansible-playbook" in seen
    assert [secret for secret in secrets if secret.encode() in seen] == []


def test_what_the_host_shows(runs: Runs, edge: Host, node: Host, secrets: list[str]) -> None:
    """Command lines, journal, and files that everybody can read."""
    assert edge.check_output(where_shown(secrets)) == ""
    assert node.run(where_shown(secrets)).stdout == ""


def test_files_for_secrets(runs: Runs, edge: Host, secrets: list[str]) -> None:
    """All files that hold one: root's own, and what Traefik has to read."""
    lines = "\n".join(secrets)
    found = edge.check_output(
        f"umask 077; cat >/run/secrets <<'END'\n{lines}\nEND\n"
        "find / -xdev -type f -newer /etc/os-release -not -path '/proc/*' -not -path '/sys/*' -not -path '/run/sampler*' -print0 "
        "| xargs -0 -r grep -laF -f /run/secrets | xargs -r stat -c '%a %U:%G %n' | sort -k3; rm /run/secrets"
    ).splitlines()
    assert [line for line in found if KEPT not in line] == [
        "640 root:traefik /etc/traefik/certs/kept.key", "640 root:traefik /etc/traefik/dynamic/locked.yml",
        "600 root:root /etc/traefik/traefik.env", "600 root:root /etc/wireguard/wg0.conf", "600 root:root /etc/wireguard/wg0.key",
    ]


def test_kept_remote_files_are_root_s_alone(runs: Runs, edge: Host) -> None:
    """ANSIBLE_KEEP_REMOTE_FILES: Ansible keeps the module with its arguments, which is why it is for looking for faults only."""
    names = edge.check_output(f"find {KEPT} -name 'AnsiballZ_wg_join.py'").splitlines()
    assert len(names) == 1
    assert WRONG_TOKEN in edge.check_output(f"cat {names[0]}"), "the documentation says that it is there"
    assert edge.check_output(f"find {KEPT} ! -user root -o -perm /077") == ""

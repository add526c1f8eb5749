# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""The edge is lost, and a new host is made of its backup: the same edge, for clients, for the mesh and for the ACME server.

What was set up by single calls is in no inventory: it comes back from the backup alone.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from outside import EDGE, FETCH_ROOT, Certificate, eventually, is_trusted, shown
from reports import module
from runs import TOP, Run, playbook, run
from showing import processes_watched, where_shown
from testinfra.host import Host

NAMES = ("http.edge.test", "tls.edge.test", "dns.edge.test")
STORE = "/var/lib/traefik/acme.json"
CA = "/usr/local/share/lab-acme-api-ca.pem"
# as Traefik has to be told of certificates with a short life; else it would renew these whenever it starts
PATIENT = {"acme_account": {"email": "ops@edge.test", "caServer": "https://{{ acme_server }}:14000/dir", "keyType": "EC256",
                            "caCertificates": [CA], "certificatesDuration": 480}}
FORWARD = {"forward_id": "by-hand", "public_port": "22001", "target_ip": "10.50.0.12", "target_port": 32215}
IDENTITY = "wg show wg0 public-key; ip -4 -brief address show wg0"


@dataclass(frozen=True)
class Story:
    """The edge before it was lost, what was done since, and what the ACME server saw of that."""

    certificates: dict[str, Certificate]
    identity: str
    secrets: list[str]
    runs: list[Run]
    asked: str
    options: tuple[str, ...]


def lab(*command: str) -> None:
    """A command of the lab."""
    subprocess.run([str(TOP / "tests/lab/lab"), *command], check=True, capture_output=True, timeout=120)


def secrets_of(edge: Host) -> list[str]:
    """What only the edge knows."""
    found = [edge.check_output("cat /etc/wireguard/wg0.key").strip()]
    for resolver in json.loads(edge.check_output(f"cat {STORE}")).values():
        found += [resolver["Account"]["PrivateKey"][:60], *(item["key"][:60] for item in resolver["Certificates"])]
    return found


@pytest.fixture(scope="module")
def story(client: Host, edge: Host, hub: Host, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Back up, lose the host, restore."""
    folder = tmp_path_factory.mktemp("backups")
    (folder / "password").write_text("one for all\n")
    options = ("--vault-password-file", str(folder / "password"), "-e", f"edge_gateway_backup_dir={folder}",
               "-e", f"@{TOP}/molecule/acme/vars/acme.yml", "-e", json.dumps(PATIENT))
    client.check_output(FETCH_ROOT)
    # routes that have never got a certificate would be asked for again
    for name in ("blocked", "elsewhere"):
        assert not module("traefik_route", f"route_id={name} state=absent")["failed"]
    assert playbook("playbooks/tcp_forward.yml", "-e", json.dumps(FORWARD)).returncode == 0
    certificates, identity, secrets = {name: shown(client, name) for name in NAMES}, edge.check_output(IDENTITY), secrets_of(edge)
    with processes_watched(edge):
        runs = [playbook("playbooks/backup.yml", *options, "--diff", "-vvv")]
    seen = edge.run(where_shown(secrets)).stdout
    assert runs[0].returncode == 0 and not seen, seen or runs[0].output
    lose(client, edge)
    begun = hub.check_output("date +%s").strip()
    runs += [playbook("playbooks/restore.yml", *options, "--diff", "-vvv")]
    assert runs[1].returncode == 0, runs[1].output[-3000:]
    for name in NAMES:
        eventually(f"a trusted answer for {name}", partial(is_trusted, client, name))
    asked = hub.check_output(f"journalctl --no-pager --output=cat --unit=lab-pebble --since=@{begun}")
    return Story(certificates, identity, secrets, runs, asked, options)


def lose(client: Host, edge: Host) -> None:
    """Another host stands where the edge was; it has what the scenario prepares, and nothing of ours."""
    lab("exec", "podman", "rm", "--force", "--time", "0", "edge1")
    lab("up")
    assert not edge.file("/etc/wireguard").exists and not edge.file("/etc/traefik").exists and not edge.user("traefik").exists
    ca = client.check_output(f"cat {CA}")
    edge.check_output(f"cat >{CA} <<'END'\n{ca}\nEND")


@pytest.mark.parametrize("name", NAMES)
def test_clients_see_the_same_certificate(story: Story, client: Host, name: str) -> None:
    """For the same request, trusted as before."""
    assert shown(client, name) == story.certificates[name]


def test_the_acme_server_is_not_asked_for_anything(story: Story) -> None:
    """Neither a certificate nor an account."""
    words = ("/order-plz", "/sign-me-up", "Issued certificate", "Added order")
    assert not [line for line in story.asked.splitlines() if any(word in line for word in words)]


def test_the_mesh_sees_the_same_edge(story: Story, edge: Host) -> None:
    """The same key, and the same address."""
    assert edge.check_output(IDENTITY) == story.identity


def test_forwards_work(story: Story, client: Host) -> None:
    """That of a single call too."""
    for port in (22000, 22001):
        assert "echo from node1" in client.run(f"echo hello | timeout 2 nc {EDGE} {port}").stdout


def test_nothing_that_was_printed_shows_a_secret(story: Story) -> None:
    """Though everything was printed that a user may ask for."""
    assert not [secret for secret in story.secrets for done in story.runs if secret in done.output]


def test_a_second_time_nothing_happens(story: Story) -> None:
    """The host is what the backup says."""
    again = playbook("playbooks/restore.yml", *story.options)
    assert again.returncode == 0 and again.count("changed") == 0, again.output[-3000:]


def test_a_running_traefik_takes_the_certificates_of_the_backup(story: Story, client: Host, edge: Host) -> None:
    """It keeps its own ones in memory; so it is stopped before they are replaced, and goes on with those of the backup."""
    ours = edge.check_output(f"sha256sum {STORE}")
    edge.check_output(f"echo >>{STORE}")
    folder = Path(story.options[1]).parent
    words = [*story.options[:2], "--module-name", "edge.gateway.gateway_restore", "--args"]
    refused = run("ansible", "edge", *words, f"directory={folder}", "--one-line").output
    assert f"{STORE} on this host is not what the backup holds" in refused
    before = edge.check_output("systemctl show --property=MainPID traefik")
    with processes_watched(edge):
        done = run("ansible", "edge", *words, f"directory={folder} force=true", "-vvv", "--diff")
    assert done.returncode == 0 and not [secret for secret in story.secrets if secret in done.output]
    # not in command lines, in the journal, or in files that everybody can read
    assert edge.run(where_shown(story.secrets)).stdout == ""
    assert edge.check_output(f"sha256sum {STORE}") == ours
    assert edge.check_output("systemctl show --property=MainPID traefik") != before
    eventually("a trusted answer", partial(is_trusted, client, NAMES[1]))
    assert shown(client, NAMES[1]) == story.certificates[NAMES[1]]

# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""To another version and back, and to versions that do not work: the routes are served by whatever stood before."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_traefik_service import (
    CURL,
    EDGE,
    FILES,
    NAME,
    NEW,
    OLD,
    SERVICE_FILES,
    applied,
    failed,
    install_fake,
    message,
    nothing_to_do,
    process,
    role,
    version,
)
from runs import SSH_CONFIG, TOP, playbook
from testinfra.host import Host

ENDS, HANGS, WRONG = "9.9.1", "9.9.2", "9.9.3"
ARCHIVE = TOP / f".lab/mirror/traefik/v{OLD}/traefik_v{OLD}_linux_amd64.tar.gz"
STOP = "/tmp/stop-load"
DROP_IN = "/etc/systemd/system/traefik.service.d"


@pytest.fixture(autouse=True)
def the_routes_are_served(client: Host) -> Iterator[None]:
    """Whatever a test does, at its end they are."""
    yield
    assert "hello from node1" in client.check_output(f"{CURL} --retry 5 --retry-all-errors")


@pytest.mark.parametrize("given", [
    {"edge_gateway_traefik_checksum": "", "edge_gateway_traefik_pins": {OLD: {"amd64": "0" * 64}}},
    {"edge_gateway_traefik_checksum": f"sha256:{'0' * 64}"},
    {"edge_gateway_traefik_checksum": f"sha256:{'0' * 64}", "edge_gateway_traefik_archive": str(ARCHIVE)},
], ids=["pinned", "given", "archive"])
def test_an_archive_that_is_another_one(edge: Host, given: dict[str, object]) -> None:
    """By the checksum that the collection has pinned, or that the user has given, from the mirror or by hand."""
    done = role(edge_gateway_traefik_version=OLD, **given)
    assert done.returncode == 2 and "checksum" in done.stdout and "0" * 64 in done.stdout, done.output
    assert edge.check_output("ls /usr/local/lib/traefik/*/traefik") == f"/usr/local/lib/traefik/{NEW}/traefik"
    assert version(edge) == NEW


def test_an_archive_by_hand(edge: Host) -> None:
    """With its checksum it is taken, in check mode too."""
    digest = "sha256:" + hashlib.sha256(ARCHIVE.read_bytes()).hexdigest().upper()
    given = {"edge_gateway_traefik_checksum": digest, "edge_gateway_traefik_archive": str(ARCHIVE)}
    assert role("--check", edge_gateway_traefik_version=OLD, **given).returncode == 0
    done = role(edge_gateway_traefik_version=OLD, edge_gateway_traefik_mirror="http://127.0.0.1:9", **given)
    assert done.returncode == 0, done.output
    assert version(edge) == OLD
    assert role(edge_gateway_traefik_version=NEW).returncode == 0
    edge.check_output(f"rm -r /usr/local/lib/traefik/{OLD}")


def test_back_to_an_older_version(edge: Host) -> None:
    """By its variable alone, predicted exactly. Two versions are kept: the one that runs and the one before."""
    edge.check_output("mkdir /usr/local/lib/traefik/3.5.0 /usr/local/lib/traefik/mine; touch /usr/local/lib/traefik/3.5.0/traefik")
    applied(edge_gateway_traefik_version=OLD)
    nothing_to_do(edge_gateway_traefik_version=OLD)
    assert version(edge) == OLD
    assert edge.check_output("ls /usr/local/lib/traefik") == f"{OLD}\n{NEW}\nmine"


def test_upgrade_under_load(edge: Host, client: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """How many requests it costs is printed: the old process ends its answers, and the new one starts in a moment."""
    client.check_output(f"rm -f {STOP}; cat >/tmp/load.py <<'END'\n{(FILES / 'load.py').read_text()}\nEND")
    command = ["ssh", "-F", str(SSH_CONFIG), "client", f"python3 /tmp/load.py {EDGE} {NAME} {STOP}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        done = role(edge_gateway_traefik_version=NEW)
        client.check_output(f"sleep 1; touch {STOP}")
        report = json.loads(load.communicate(timeout=90)[0])
    assert done.returncode == 0, done.output
    assert version(edge) == NEW
    with capsys.disabled():
        print(f"\nupgrade of Traefik: {report['lost']} of {report['sent']} requests lost, {report['longest_gap_ms']} ms without an answer")
    assert report["sent"] > 100
    assert report["longest_gap_ms"] < 5000


@pytest.mark.parametrize(("fake", "hangs", "reason"), [
    (ENDS, False, 'did not start (the fake cannot "serve" anything); what stood before has been restored'),
    (HANGS, True, "did not start (systemd calls it timeout, and it wrote nothing); what stood before has been restored"),
])
def test_a_version_that_does_not_start(edge: Host, tmp_path: Path, fake: str, hangs: bool, reason: str) -> None:
    """The run fails with its words, and the version before serves; a second run is no different."""
    install_fake(edge, tmp_path, fake, hangs)
    # the unit's own patience is 30 s, which is long for a test
    edge.check_output(f"mkdir -p {DROP_IN}; printf '[Service]\\nTimeoutStartSec=5s\\n' >{DROP_IN}/patience.conf; systemctl daemon-reload")
    before = edge.check_output(SERVICE_FILES)
    try:
        for _run in range(1 if hangs else 2):
            assert f"Traefik {fake} {reason}" in failed(edge_gateway_traefik_version=fake)
            assert version(edge) == NEW
            assert edge.check_output(SERVICE_FILES) == before
    finally:
        edge.check_output(f"rm -r {DROP_IN}; systemctl daemon-reload")


def test_a_program_of_another_version_is_not_even_tried(edge: Host) -> None:
    """Nothing is written, nothing is restarted."""
    script = r"printf '#!/bin/sh\necho Version: 3.0.0\n'"
    edge.check_output(f"d=/usr/local/lib/traefik/{WRONG}; mkdir $d; {script} >$d/traefik; chmod 755 $d/traefik")
    before, running = edge.check_output(SERVICE_FILES), process(edge)
    assert f"is Traefik 3.0.0 and not {WRONG}; nothing was changed" in failed(edge_gateway_traefik_version=WRONG)
    assert (edge.check_output(SERVICE_FILES), process(edge)) == (before, running)


def test_a_configuration_that_does_not_start(edge: Host) -> None:
    """Traefik's own reason, and what stood before."""
    static = {"entryPoints": {"extra": {"address": ":22"}}}
    said = failed(edge_gateway_traefik_static=static)
    assert "listen tcp :22: bind: address already in use); what stood before has been restored" in said
    assert version(edge) == NEW


def test_a_killed_run_heals(edge: Host) -> None:
    """The files are new, the process is not: the next run knows."""
    wrapper = "/usr/local/sbin/systemctl"
    edge.check_output(f"printf '#!/bin/sh\n[ \"$1\" != daemon-reload ] || kill -9 $PPID\nexec /usr/bin/systemctl \"$@\"\n' >{wrapper}")
    edge.check_output(f"chmod 755 {wrapper}")
    running = process(edge)
    try:
        assert role(edge_gateway_traefik_log_level="DEBUG").returncode == 2
    finally:
        edge.check_output(f"rm {wrapper}")
    assert "DEBUG" in edge.check_output("cat /etc/traefik/traefik.yml")
    assert process(edge) == running
    healed = applied(edge_gateway_traefik_log_level="DEBUG")
    assert "-(traefik.service) altered\n-(what an unfinished run has left) to be removed\n+(traefik.service) in place" in healed.stdout
    assert process(edge) != running
    assert role().count("changed") == 1


def test_no_restart_beside_a_broken_file(edge: Host) -> None:
    """It would start with no route at all. The refusal is predicted, too."""
    edge.check_output("ln -s /nowhere /etc/traefik/dynamic/theirs.yml")
    before, running = edge.check_output(SERVICE_FILES), process(edge)
    try:
        for mode in ((), ("--check",)):
            refused = role(*mode, edge_gateway_traefik_log_level="DEBUG")
            assert refused.returncode == 2
            assert "/etc/traefik/dynamic/theirs.yml is a link to nothing: Traefik would start with no route at all" in message(refused)
        # what needs no restart is no trouble
        nothing_to_do()
    finally:
        edge.check_output("rm /etc/traefik/dynamic/theirs.yml")
    assert (edge.check_output(SERVICE_FILES), process(edge)) == (before.replace("\ntheirs.yml", ""), running)


def test_what_was_stopped_and_disabled_comes_back(edge: Host) -> None:
    """Each is a part of its own."""
    edge.check_output("systemctl disable --quiet --now traefik.service")
    done = applied().stdout
    assert "-(traefik.service at boot) missing\n-(traefik.service) missing\n" in done


def test_after_a_reboot_nothing_has_to_be_done(edge: Host) -> None:
    """The process is younger than its files."""
    assert playbook("molecule/traefik_service/reboot.yml").returncode == 0
    nothing_to_do()

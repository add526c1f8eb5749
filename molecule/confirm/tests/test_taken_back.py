# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""A change that closes the way in goes away by itself, in time, whatever happens to the run and the host; a good one stays."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest
from runs import SSH_CONFIG, TOP, Run, attempt, eventually, playbook, run, run_and_kill
from testinfra.host import Host

CHANGE = "molecule/confirm/change.yml"
CUTS = int(os.environ.get("EDGE_CONFIRMS", "2"))
GOOD = CUTS * 5 // 2 if CUTS > 2 else 2
SECONDS, GRACE = 6, 2
CHAIN = "nft add chain inet edge_gateway lab '{ type filter hook input priority -300; policy accept; }'"
NEW_ONLY = f"{CHAIN}; nft add rule inet edge_gateway lab tcp dport 22 ct state new drop"
ALL = f"{CHAIN}; nft add rule inet edge_gateway lab tcp dport 22 drop"
# what the boot loads is broken too, so that a restart alone would not help
FOR_EVER = (f"{NEW_ONLY}; printf 'add chain inet edge_gateway lab {{ type filter hook input priority -300; policy accept; }}\\n"
            "add rule inet edge_gateway lab tcp dport 22 drop\\n' >>/etc/edge-gateway/forwards.nft")
STATE = ("cd /; sha256sum etc/edge-gateway/* etc/wireguard/* etc/traefik/traefik.yml etc/traefik/dynamic/* var/lib/edge-gateway/*.json "
         "etc/systemd/system/edge-gateway-[efm]* 2>/dev/null | grep -v history.json; "
         "nft list table inet edge_gateway | sed 's/packets.*bytes [0-9]*//'; "
         "systemctl is-active traefik wg-quick@wg0; wg show wg0 allowed-ips; ip rule")


def change(command: str, seconds: int = SECONDS) -> Run:
    """A run whose change is this command."""
    return playbook(CHANGE, "-e", json.dumps({"change": command, "seconds": seconds}))


@pytest.fixture(autouse=True)
def unchanged(edge: Host) -> Iterator[None]:
    """Every test leaves the host as it found it: files, rules, tunnel and services."""
    before = edge.check_output(STATE)
    yield
    deadline = time.monotonic() + 20
    while edge.check_output(STATE) != before and time.monotonic() < deadline:
        time.sleep(0.5)
    assert edge.check_output(STATE) == before
    assert edge.run("systemctl list-timers | grep rollback").stdout == ""
    assert edge.run("ls /var/lib/edge-gateway/rollback/armed").rc != 0
    # so that the next measurement is of the next change
    edge.check_output("rm -f /run/lab-changed")


def last(edge: Host, unit: str, words: str) -> float:
    """When a unit last said something, by the host's own clock."""
    return float(edge.check_output(f"journalctl --unit {unit} --output short-unix --no-pager | grep '{words}' | tail -n 1").split()[0])


def seconds_until_back(edge: Host) -> float:
    """From the change until all of it was taken back."""
    return last(edge, "edge-gateway-rollback", "taken back") - float(edge.check_output("cat /run/lab-changed"))


@pytest.mark.parametrize("number", range(CUTS))
def test_a_cut_is_taken_back_in_time(edge: Host, number: int) -> None:
    """New connections alone, or those that are open as well; and the run says what has happened."""
    done = change(NEW_ONLY if number % 2 else ALL)
    assert done.returncode == 2 and "the change was taken back at" in done.stdout, done.output
    assert "find out what closed the way in" in done.stdout
    assert 0 < seconds_until_back(edge) <= SECONDS + GRACE


@pytest.mark.parametrize("number", range(GOOD))
def test_a_good_change_stays(edge: Host, number: int) -> None:
    """Nothing is taken back later either: the timer has gone (the fixture looks)."""
    mark = edge.check_output("journalctl --unit edge-gateway-rollback --no-pager | grep -c 'taken back' || true")
    done = change(f"echo {number} >/run/lab-good", seconds=60)
    assert done.returncode == 0, done.output
    assert edge.check_output("cat /run/lab-good") == str(number)
    assert edge.check_output("journalctl --unit edge-gateway-rollback --no-pager | grep -c 'taken back' || true") == mark
    assert edge.run("ls /var/lib/edge-gateway/rollback/kept").rc != 0, "keys of before stay behind"
    # what is confirmed is nobody's any more: a late call must not find nothing to go back to, and remove all
    assert edge.run("sh /var/lib/edge-gateway/rollback/rollback restore again").rc == 1


def test_a_killed_run(edge: Host) -> None:
    """Nobody comes to confirm: the host does not wait for anybody."""
    run_and_kill(8, "ansible-playbook", CHANGE, "-e", json.dumps({"change": f"{NEW_ONLY}; sleep 60", "seconds": SECONDS}))
    eventually(edge, "ls /run/lab-changed", "lab-changed")
    eventually(edge, "nft list table inet edge_gateway | grep -c 'chain lab' || true", "0")
    assert seconds_until_back(edge) <= SECONDS + GRACE


def test_a_host_that_restarts_in_between(edge: Host) -> None:
    """What it would load at boot closes the way in as well."""
    boot = edge.check_output("cat /proc/sys/kernel/random/boot_id")
    change(f"{FOR_EVER}; systemd-run --on-active=1 systemctl reboot", seconds=600)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = attempt(edge, "cat /proc/sys/kernel/random/boot_id; ls /var/lib/edge-gateway/rollback")
        if "token" in found and not found.startswith(boot) and "armed" not in found:
            break
        time.sleep(1)
    else:
        pytest.fail("the host did not come back")
    # arming removes the one before
    assert edge.file("/var/lib/edge-gateway/rollback/taken-back").exists


def test_a_change_that_breaks_a_part(edge: Host) -> None:
    """The way in is open, but Traefik is down: taken back at once."""
    done = change("echo '{' >/etc/traefik/traefik.yml; systemctl restart traefik || true", seconds=120)
    assert done.returncode == 2 and "it broke" in done.stdout and "traefik" in done.stdout, done.output
    assert done.seconds < 60


def test_a_run_that_fails_half_way(edge: Host) -> None:
    """What it has done until then is taken back, and the failure is still the run's."""
    done = change("echo '# edited' >>/etc/edge-gateway/forwards.nft; false", seconds=120)
    assert done.returncode == 2 and "non-zero return code" in done.output


def test_two_runs(edge: Host) -> None:
    """The change of another run is not confirmed by ours, nor is it kept by arming again."""
    arm = ("ansible", "edge", "-m", "edge.gateway.gateway_confirm", "-a")
    first = run(*arm, "state=armed timeout=8 token=first")
    assert first.returncode == 0 and "until" in first.stdout, first.output
    second = run(*arm, "state=armed timeout=60 token=second")
    assert second.returncode == 2 and "waits to be confirmed" in second.stdout
    other = run(*arm, "state=taken_back token=second")
    assert other.returncode == 0 and "nothing was taken back" in other.output and edge.file("/var/lib/edge-gateway/rollback/armed").exists
    health = playbook("playbooks/health.yml")
    assert "a change waits to be confirmed" in health.stdout
    eventually(edge, "ls /var/lib/edge-gateway/rollback", "taken-back")


@pytest.fixture
def from_afar() -> Iterator[dict[str, str]]:
    """A way in from an address that is not on the edge's own network, so that its default route decides about the answers."""
    lab = str(TOP / "tests/lab/lab")
    found = subprocess.run([lab, "exec", "ip", "-json", "route", "get", "10.89.50.11"], capture_output=True, text=True, check=True).stdout
    place = ["10.99.0.1/32", "dev", json.loads(found)[0]["dev"]]
    subprocess.run([lab, "exec", "ip", "address", "add", *place], check=True)
    # with connections of its own: those of the other tests come from another address
    yield {"ansible_control_path_dir": "~/.ansible/cp-afar", "ansible_ssh_common_args": (
        f'-F {SSH_CONFIG} -o ProxyCommand="{lab} exec socat - TCP:%h:%p,bind=10.99.0.1"')}
    subprocess.run([lab, "exec", "ip", "address", "delete", *place], check=True)


@pytest.mark.parametrize("number", range(CUTS if CUTS > 2 else 1))
def test_a_controller_that_takes_all_traffic(edge: Host, from_afar: dict[str, str], number: int) -> None:
    """Everything through the tunnel, and somebody who means it; the answers to Ansible go there too."""
    given = {"edge_gateway_allowed_ips": ["0.0.0.0/0"], "edge_gateway_allow_default_route": True, "edge_gateway_allow_lockout": True,
             "edge_gateway_confirm": True, "edge_gateway_confirm_timeout": 10, **from_afar}
    done = playbook("site.yml", "--limit", "edge1", "-e", json.dumps(given))
    assert done.returncode == 2 and "the change was taken back" in done.stdout, done.output
    assert edge.check_output("wg show wg0 allowed-ips").split()[1:] == ["10.50.0.0/24"]
    # the last role began to count anew
    assert 10 <= last(edge, "edge-gateway-rollback", "taken back") - last(edge, "edge-gateway-rollback.timer", "Started") <= 10 + GRACE

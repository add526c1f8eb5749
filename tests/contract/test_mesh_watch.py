# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that the timer runs twice a minute: a hub that has moved is found again by its name."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest
from contract import mesh
from contract.mesh import CONF, HUB, Controller, join
from contract.world import REPO, WIREGUARD_DIR, inside, sh

SCRIPT = REPO / "collections/ansible_collections/edge/gateway/roles/wireguard/files/mesh-watch"
NEW, DEAD = "192.0.2.9", "192.0.2.77"


@pytest.fixture(name="hosts")
def own_hosts_file(tmp_path: Path) -> Iterator[Path]:
    """What the resolver of these tests knows, in place of /etc/hosts."""
    path = tmp_path / "hosts"
    path.write_text(f"{HUB} hub.example\n")
    sh("mount", "--bind", str(path), "/etc/hosts")
    yield path
    sh("umount", "/etc/hosts")


@pytest.fixture(name="ctl")
def joined_by_name(hub_key: str, hosts: Path) -> Iterator[Controller]:
    """An edge that has joined a hub that it knows by name."""
    mesh.remove_edge()
    with mesh.controller(hub_key) as found:
        found.answer["endpoint"] = "hub.example:51820"
        join(controller_url=found.url)
        assert mesh.hub_answers()
        yield found
    mesh.remove_edge()
    for action, address in (("add", HUB), ("delete", NEW)):
        sh("ip", "-n", "hub", "address", action, f"{address}/24", "dev", "eth0", check=False)


def watch() -> str:
    """One run; what it says."""
    with inside("edge"):
        return sh("dash", str(SCRIPT), "wg0", str(WIREGUARD_DIR))


def move_hub() -> None:
    """The hub is at another address, and the edge is started anew, as after a boot."""
    with inside("hub"):
        # else the second address of a network goes with the first
        sh("sysctl", "net.ipv4.conf.eth0.promote_secondaries=1")
        sh("ip", "address", "add", f"{NEW}/24", "dev", "eth0")
        sh("ip", "address", "delete", f"{HUB}/24", "dev", "eth0")
    with inside("edge"):
        sh("wg-quick", "down", str(CONF))
        sh("wg-quick", "up", str(CONF))


def comes_back() -> bool:
    """Whether the hub answers: WireGuard calls again at the earliest five seconds after it called in vain."""
    return any(mesh.hub_answers() for _try in range(5))


def test_the_file_names_the_address_and_keeps_the_name(ctl: Controller) -> None:
    """wg-quick never waits for DNS."""
    assert f"# endpoint name: hub.example:51820\nEndpoint = {HUB}:51820\n" in CONF.read_text()


def test_a_hub_that_has_moved(ctl: Controller, hosts: Path) -> None:
    """The tunnel comes back, the file knows the new address, and there is nothing to do again; nor for the next run of the module."""
    move_hub()
    hosts.write_text(f"{NEW} hub.example\n")
    before = CONF.read_text()
    assert watch() == f"wg0: its peer has not answered for a while; hub.example is now sought at {NEW}:51820\n"
    assert comes_back()
    assert CONF.read_text() == before.replace(f"Endpoint = {HUB}", f"Endpoint = {NEW}") and stat.S_IMODE(CONF.stat().st_mode) == 0o600
    assert watch() == "" and not join(controller_url=ctl.url).plan.changed
    assert [path.name for path in WIREGUARD_DIR.iterdir() if "tmp" in path.name] == []


def test_a_hub_that_answers_is_left_alone(ctl: Controller, hosts: Path) -> None:
    """Even when its name leads elsewhere now: what works is not touched."""
    hosts.write_text(f"{NEW} hub.example\n")
    before = CONF.stat()
    assert watch() == "" and CONF.stat() == before and mesh.peer()["endpoint"] == f"{HUB}:51820"


def test_several_addresses_have_their_turn(ctl: Controller, hosts: Path) -> None:
    """One is dead: the next call tries the next."""
    move_hub()
    hosts.write_text(f"{DEAD} hub.example\n{NEW} hub.example\n")
    said = [watch(), watch(), watch()]
    assert sorted(NEW in line for line in said[:2]) == sorted(DEAD in line for line in said[:2]) == [False, True] and said[2] != said[1]
    if NEW not in said[2]:
        watch()
    assert comes_back() and watch() == ""


def test_an_idle_peer_without_keepalive_is_left_alone(ctl: Controller, hosts: Path) -> None:
    """It is silent because nobody speaks to it; only when its name leads elsewhere, or it never answered to anything, it is sought."""
    join(controller_url=ctl.url, persistent_keepalive=0)
    with inside("edge"):
        sh("wg-quick", "down", str(CONF))
        sh("wg-quick", "up", str(CONF))
    hosts.write_text(f"{HUB} hub.example\n{DEAD} hub.example\n")
    before = CONF.read_text()
    assert watch() == "" and CONF.read_text() == before
    hosts.write_text(f"{DEAD} hub.example\n")
    assert f"at {DEAD}:51820" in watch()
    hosts.write_text(f"{HUB} hub.example\n{DEAD} hub.example\n")
    assert watch() == "" and not mesh.hub_answers(), "it was spoken to, in vain"
    assert f"at {HUB}:51820" in watch() and comes_back()


def test_a_peer_that_was_removed_stays_removed(ctl: Controller, hosts: Path) -> None:
    """Set by the script, it would come back without its networks."""
    hosts.write_text(f"{NEW} hub.example\n")
    with inside("edge"):
        sh("wg", "set", "wg0", "peer", mesh.peer()["key"], "remove")
        assert watch() == "" and sh("wg", "show", "wg0", "peers") == ""


@pytest.mark.parametrize("lines", ["", "127.0.0.1 hub.example\n", "::1 hub.example\n", "0.0.0.0 hub.example\n", "224.0.0.1 hub.example\n",
                                   "169.254.169.254 hub.example\n", "fe80::1 hub.example\n"])
def test_no_name_or_a_senseless_one(ctl: Controller, hosts: Path, lines: str) -> None:
    """A line in the journal, and nothing changes."""
    move_hub()
    hosts.write_text(lines)
    before = CONF.read_text()
    assert "cannot be looked up" in watch() and CONF.read_text() == before and mesh.peer()["endpoint"] == f"{HUB}:51820"


def test_an_ipv6_address(ctl: Controller, hosts: Path) -> None:
    """In brackets, as WireGuard writes it."""
    move_hub()
    hosts.write_text("2001:db8::9 hub.example\n")
    assert "at [2001:db8::9]:51820" in watch()
    assert "\nEndpoint = [2001:db8::9]:51820\n" in CONF.read_text() and mesh.peer()["endpoint"] == "[2001:db8::9]:51820"
    assert watch() == ""


def test_somebody_elses_file(ctl: Controller, hosts: Path) -> None:
    """Without our notice nothing is touched, not even the routing beside it."""
    move_hub()
    hosts.write_text(f"{NEW} hub.example\n")
    CONF.write_text(CONF.read_text().partition("\n")[2])
    (WIREGUARD_DIR / "wg0.routing").write_text("touch /run/pwned\n")
    before = CONF.read_text()
    assert watch() == "" and CONF.read_text() == before and not Path("/run/pwned").exists()


def test_a_run_under_way_is_waited_for(ctl: Controller, hosts: Path) -> None:
    """No run of Ansible finds the file changed between its reading and its writing."""
    move_hub()
    hosts.write_text(f"{NEW} hub.example\n")
    with Path("/run/edge-gateway/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with inside("edge"):
            running = subprocess.Popen(["dash", str(SCRIPT), "wg0", str(WIREGUARD_DIR)], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        assert f"Endpoint = {HUB}" in CONF.read_text() and running.poll() is None
    assert NEW in running.communicate(timeout=10)[0] and f"Endpoint = {NEW}" in CONF.read_text()


def test_killed_anywhere(ctl: Controller, hosts: Path) -> None:
    """The file is the old one or the new one; what is left over goes with the next run of the module."""
    move_hub()
    hosts.write_text(f"{NEW} hub.example\n")
    old = CONF.read_text()
    new = old.replace(f"Endpoint = {HUB}", f"Endpoint = {NEW}")
    dice = random.Random(5)
    for _number in range(15):
        with inside("edge"):
            sh("wg", "set", "wg0", "peer", mesh.peer()["key"], "endpoint", f"{HUB}:51820")
            CONF.write_text(old)
            running = subprocess.Popen(["dash", str(SCRIPT), "wg0", str(WIREGUARD_DIR)], stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(dice.uniform(0, 0.06))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert CONF.read_text() in (old, new)
    join(join_answer=ctl.answer, persistent_keepalive=24)
    assert not [path for path in WIREGUARD_DIR.iterdir() if path.name.endswith(".tmp")]


def test_the_next_run_of_the_module_finds_it_too(ctl: Controller, hosts: Path) -> None:
    """A stale peer's name is looked up by wg_join as well, predicted and done."""
    move_hub()
    hosts.write_text(f"{NEW} hub.example\n")
    assert join(True, join_answer=ctl.answer).plan.changed
    join(join_answer=ctl.answer)
    assert f"Endpoint = {NEW}:51820" in CONF.read_text() and comes_back()
    assert not join(join_answer=ctl.answer).plan.changed

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges in the lab: systemd hosts beside its own, made for a while; and Ansible, run inside the lab as on a control node.

Every systemd takes some of the kernel's inotify instances, of which all hosts of a machine share 128: there is room for a few hosts.
Each has several addresses instead, and each address counts as an edge of its own. That does for a run with nothing to do: connections,
processes and work are those of so many edges, and no host has more processors by being many.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Sequence

import yaml

from ..common import space
from ..common.space import REPO, BenchError, say

sys.path.insert(0, str(space.LAB.parent))
from edge_lab import cli, hosts, images, namespace  # noqa: E402  the lab's program is no package
from edge_lab.description import Description, Host, load  # noqa: E402
from edge_lab.paths import INVENTORY, READY_FILE, SSH_DIR, LabError  # noqa: E402

MOST = 50
FIRST_ADDRESS = 101
# what each systemd host takes of the machine's inotify instances (128 for all of root's processes), what is left to others, and how many
# hosts there are at the most: a second lab shall find room
INSTANCES, LEFT, MOST_HOSTS = 6, 8, 4
# they would take more of them, and no edge needs them
MASKED = ("dbus.service", "dbus.socket", "systemd-ask-password-console.path", "systemd-ask-password-wall.path", "systemd-logind.service")
SITE, TCP_FORWARD, PROVISION = REPO / "site.yml", REPO / "playbooks/tcp_forward.yml", REPO / "tests/lab/provision.yml"
RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)
# one sshd answers for several edges: it refuses the eleventh of those who have not logged in yet
MANY_AT_ONCE = "echo MaxStartups 100 >/etc/ssh/sshd_config.d/fleet.conf && systemctl reload ssh"
SSH = """Host *
  User root
  IdentityFile "{key}"
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""


def name(number: int) -> str:
    """Name of a host, or of an edge; numbers begin at 0."""
    return f"fleet{number + 1}"


def address(number: int) -> str:
    """Address of an edge, in the lab's outer network."""
    return f"10.89.50.{FIRST_ADDRESS + number}"


def room() -> int:
    """How many hosts there is room for."""
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    used = 0
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        # of processes that end meanwhile
        with contextlib.suppress(OSError):
            used += str(path.readlink()) == "anon_inode:inotify"
    found = (limit - used - LEFT) // INSTANCES
    if found < 2:
        raise BenchError(f"{used} of {limit} inotify instances are in use; stop other labs first")
    return found


def prepare() -> None:
    """The lab must be up, and its hub must serve."""
    try:
        cli.up()
        if "active" in hosts.in_lab("podman", "exec", "hub", "systemctl", "is-active", "lab-controller", "lab-mirror", check=False).split():
            return
    except LabError as error:
        raise BenchError(str(error)) from None
    space.timed([program("ansible-playbook"), str(PROVISION), "--limit", "hub"], env=clean({"ANSIBLE_CONFIG": str(REPO / "ansible.cfg")}))


def program(called: str) -> str:
    """One of Ansible's programs, beside this Python."""
    return str(Path(sys.executable).with_name(called))


def clean(more: Dict[str, str]) -> Dict[str, str]:
    """The environment without settings of somebody else's Ansible."""
    return {**{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}, **more}


@contextlib.contextmanager
def hosts_of(count: int, edges: int) -> Iterator[None]:
    """So many hosts that never had a gateway, with the addresses of so many edges."""
    lab, masks = load(INVENTORY), tuple(("/dev/null", f"/etc/systemd/system/{unit}") for unit in MASKED)
    made = tuple(Host(name(number), (("wan", address(number)),), masks) for number in range(count))
    say(f"making {count} hosts")
    with cli.locked():
        fingerprint, suite = READY_FILE.read_text(), cli.SUITES[0]
        try:
            _remove(made)   # of a run that was killed
            hosts.write_configuration(Description(lab.networks, lab.hosts + made))
            hosts.ensure(Description((), made), suite, images.ensure_image(suite), fingerprint)
            for number in range(count if edges > count else 0):
                on_host(number, "sh", "-c", MANY_AT_ONCE)
            for number in range(count, edges):
                on_host(number % count, "ip", "address", "add", f"{address(number)}/24", "dev", "wan")
            hosts.in_lab("ip", "neighbour", "flush", "all")     # an address may have been another host's
            yield
        except LabError as error:
            raise BenchError(str(error)) from None
        finally:
            _remove(made)
            hosts.write_configuration(lab)


def _remove(made: Iterable[Host]) -> None:
    hosts.in_lab("podman", "rm", "--force", "--ignore", "--time", "0", *(host.name for host in made), check=False)


def on_host(number: int, *command: str) -> str:
    """What a command in a host prints."""
    return hosts.in_lab("podman", "exec", name(number), *command)


def cpu_seconds(numbers: Iterable[int]) -> float:
    """Processor time that these hosts have had since they are there."""
    paths = hosts.in_lab("podman", "inspect", "--format", "{{.State.CgroupPath}}", *map(name, numbers)).split()
    files = [f"/sys/fs/cgroup{path}/cpu.stat" for path in paths]
    return sum(int(words) for words in re.findall(r"usage_usec (\d+)", hosts.in_lab("cat", *files))) / 1e6


@dataclass(frozen=True)
class Run:
    """A run of Ansible: how long it took, and the processor time of the control node in it."""

    seconds: float
    cpu: float
    out: str


class Control:
    """The control node: an inventory of these edges on so many hosts, and what is run with it."""

    def __init__(self, folder: Path, numbers: Sequence[int], count: int) -> None:
        self.folder, self.numbers, self.count = folder, numbers, len(numbers)
        self.hosts = {number: number % count for number in numbers}
        folder.mkdir()
        (folder / "ssh").write_text(SSH.format(key=SSH_DIR / "id"))
        (folder / "inventory.json").write_text(json.dumps(self._inventory()))
        self.shape = folder / "shape.json"
        self.env = clean({"ANSIBLE_CONFIG": str(REPO / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_NOCOLOR": "1",
                          "ANSIBLE_COLLECTIONS_PATH": str(REPO / "collections"), "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp")})

    def _inventory(self) -> Dict[str, Any]:
        """As ``inventory/lab.yml`` has it for edge1, for each of them."""
        lab = yaml.safe_load(INVENTORY.read_text())["all"]
        common = {**lab["vars"], **lab["children"]["edge"]["vars"], "ansible_ssh_common_args": f'-F "{self.folder}/ssh"'}
        del common["ansible_control_path_dir"]
        listed = {name(number): {"ansible_host": address(number), "edge_gateway_node_id": name(host)}
                  for number, host in self.hosts.items()}
        return {"all": {"vars": common, "children": {"edge": {"hosts": listed}}}}

    def run(self, called: str, *arguments: str, **settings: str) -> Run:
        """Run one of Ansible's programs inside the lab; it must succeed."""
        argv = [*namespace.enter(), program(called), "-i", str(self.folder / "inventory.json"), *arguments]
        before = _children()
        seconds, out = space.timed(argv, env={**self.env, **settings})
        return Run(seconds, _children() - before, out)

    def play(self, playbook: Path, changes: bool, *arguments: str, **settings: str) -> Run:
        """Run a playbook on all edges, which must report a change, or none."""
        done = self.run("ansible-playbook", str(playbook), *arguments, **settings)
        recap = [[int(word) for word in line[1:]] for line in RECAP.findall(done.out)]
        if len(recap) != self.count or any(not ok or bool(changed) != changes or bad or failed for ok, changed, bad, failed in recap):
            raise BenchError(f"{playbook.name} does not report {'a change' if changes else 'no change'} on {self.count} edges: "
                             + done.out[-3000:])
        return done

    def recording(self) -> Dict[str, str]:
        """Settings by which a run writes its tasks down in ``shape``."""
        return {"FLEET_SHAPE": str(self.shape), "ANSIBLE_CALLBACKS_ENABLED": "shape",
                "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback_plugins"))}

    def write(self, called: str, tasks: Sequence[Dict[str, Any]]) -> Path:
        """Make a playbook of one play."""
        path = self.folder / f"{called}.yml"
        path.write_text(json.dumps([{"name": "Bench", "hosts": "edge", "gather_facts": False, "tasks": list(tasks)}]))
        return path


def _children() -> float:
    """Processor time of all that was started from here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

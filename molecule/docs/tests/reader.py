# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Somebody who follows the documentation to the letter: writes the files it names, and types the commands it shows.

The reader has a directory and a home of his own, Ansible's programs, and a clone of this repository in ~/edge.gateway. The names
of the documentation lead to hosts of the lab: for ssh by the configuration written here, on the hosts by prepare.yml.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from docsite.blocks import OWN, Block, Command, missing
from runs import SSH_CONFIG, TOP, environment
from testinfra.host import Host

LIMIT_SECONDS = 300
# what has just been changed may take a moment until it is seen from outside
PATIENCE_SECONDS = 20
NAMES = {"hub.example.com": "10.89.50.2", "edge1.example.com": "10.89.50.11", "edge2.example.com": "10.89.50.21",
         "node1.example.com": "10.89.61.12"}
EDGES = ("edge1.example.com", "edge2.example.com")
# what the lab needs and no reader does: it cannot download, and packs its archives itself
LAB_VARIABLES = ("edge_gateway_traefik_mirror: http://10.89.50.2:9001/traefik\n"
                 "edge_gateway_traefik_checksum: 'sha256:{{ edge_gateway_traefik_mirror }}/v{{ edge_gateway_traefik_version }}/traefik_v{{ "
                 "edge_gateway_traefik_version }}_checksums.txt'\n")


@dataclass
class Reader:
    """One reader, and the hosts on which he has a terminal, by the names in their prompts."""

    home: Path
    hosts: dict[str, Host]
    exports: list[str] = field(default_factory=list)
    # the page that he could not follow to its end
    stuck: str = ""

    def __post_init__(self) -> None:
        """Furnish the place."""
        self.folder.mkdir()
        (self.home / "edge.gateway").symlink_to(TOP)
        aliases = "".join(f"Host {name}\n  HostName {address}\n" for name, address in NAMES.items())
        (self.home / "ssh_config").write_text(f"{aliases}Host *\nInclude {SSH_CONFIG}\n")
        for edge in EDGES:
            self.write_file(f"host_vars/{edge}.yml", LAB_VARIABLES)

    @property
    def folder(self) -> Path:
        """Where he works."""
        return self.home / "gateways"

    def follow(self, block: Block) -> None:
        """Do what the block says; fail with the place, the command and its output."""
        if block.name:
            assert not block.name.startswith("host_vars/"), "these variables are the lab's: keep the documentation's in group_vars"
            self.write_file(block.name, block.text)
        for command in block.commands:
            self._type(block, command)

    def write_file(self, name: str, text: str) -> None:
        """Write a file of the documentation."""
        path = (self.folder / name).resolve()
        assert path.is_relative_to(self.folder), name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _type(self, block: Block, command: Command) -> None:
        begun = time.monotonic()
        while True:
            code, output = self._on_host(command) if command.host else self._here(command)
            lacking = missing(command.expected, output)
            if code == 0 and not lacking:
                print(f"{block.place} {command.host or OWN} {time.monotonic() - begun:.1f} s: {command.text.splitlines()[0][:100]}")
                return
            if not command.host or time.monotonic() - begun > PATIENCE_SECONDS:
                why = f"does not show {lacking!r}" if lacking else f"ends with {code}"
                raise AssertionError(f"{block.place}: {command.text!r} {why}:\n{output}")
            time.sleep(0.5)

    def _on_host(self, command: Command) -> tuple[int, str]:
        done = self.hosts[command.host].run(f"{{ {command.text}\n}} 2>&1")
        return done.rc, str(done.stdout)

    def _here(self, command: Command) -> tuple[int, str]:
        if command.text.startswith("export "):
            self.exports.append(command.text)
            return 0, ""
        script = "\n".join(["set -o pipefail", *self.exports, command.text])
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self._environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_SECONDS, check=False)
        return done.returncode, done.stdout

    def _environment(self) -> dict[str, str]:
        return {**environment(), "HOME": str(self.home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "ANSIBLE_SSH_ARGS": f"-F {self.home}/ssh_config -o ControlMaster=auto -o ControlPersist=60s",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{self.home}/cp", "ANSIBLE_PIPELINING": "1", "ANSIBLE_PYTHON_INTERPRETER": "auto_silent"}

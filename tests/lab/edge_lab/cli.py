# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the lab."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import description, hosts, images, namespace
from .paths import BUILT, INVENTORY, READY_FILE, STATE, LabError, say

LOCK_SECONDS = 600
SUITES = ("bookworm", "trixie")


@contextlib.contextmanager
def locked(name: str = "lock") -> Iterator[None]:
    """Let one command at a time change this lab, or with the name "build" what is built for all of them."""
    folder = BUILT if name == "build" else STATE
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError("another lab command is still at work") from None
                time.sleep(0.2)
        yield


def mirror() -> None:
    """Make what tests in namespaces of their own need, which are no hosts."""
    with locked("build"):
        images.ensure_mirror()


def up() -> None:
    """Bring the lab up, with all that has to be built for it."""
    suite = os.environ.get("EDGE_LAB_SUITE") or SUITES[0]
    if suite not in SUITES:
        raise LabError(f"EDGE_LAB_SUITE is {suite!r}, not one of {', '.join(SUITES)}")
    with locked():
        wanted = description.load(INVENTORY)
        mirror()
        with locked("build"):
            stamp = images.ensure_image(suite)
        # the way hosts are made counts too
        fingerprint = wanted.fingerprint(f"{suite} {stamp} {Path(hosts.__file__).read_text()}")
        if namespace.holder() and hosts.is_ready(fingerprint, wanted):
            say("already up")
            return
        READY_FILE.unlink(missing_ok=True)
        hosts.write_configuration(wanted)
        if namespace.holder() and hosts.are_outdated(fingerprint):
            _down()
        if not namespace.holder():
            say("starting the namespaces")
            namespace.start()
            hosts.remove_all()  # what a lab that was cut off has left in the store
        hosts.import_image(suite, stamp)
        hosts.ensure(wanted, suite, stamp, fingerprint)
        say("up")


def down() -> None:
    """Remove the hosts and the namespaces; what was built for them is kept."""
    with locked():
        _down()


def _down() -> None:
    READY_FILE.unlink(missing_ok=True)
    if not namespace.holder():
        say("was down already")
        return
    hosts.remove_all()
    namespace.stop()
    say("down")


def clean() -> None:
    """Take the lab down and remove everything that was built for it."""
    with locked():
        _down()
        shutil.rmtree(STATE)


def status() -> None:
    """Tell whether the lab is up, and what runs in it."""
    pid = namespace.holder()
    if pid is None:
        say("down")
        return
    say(f"up, pid {pid}")
    print(hosts.in_lab("podman", "ps", "--all", "--format", "table {{.Names}} {{.Status}} {{.Image}}"), end="")


def execute(command: list[str]) -> None:
    """Replace this process by another one, with podman's settings for the lab."""
    os.execvpe(command[0], command, hosts.environment())


def parse(arguments: list[str]) -> argparse.Namespace:
    """Understand the command line."""
    parser = argparse.ArgumentParser(prog="lab", description="The lab: hosts to try the collection on.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    commands.add_parser("up", help="bring the lab up; builds what is missing")
    commands.add_parser("mirror", help="make Traefik's downloads, all that the command isolate needs")
    commands.add_parser("down", help="remove hosts and namespaces, keep what was built")
    commands.add_parser("clean", help="down, and remove everything that was built")
    commands.add_parser("status", help="tell what runs")
    run = commands.add_parser("run", help="run a command in a host")
    run.add_argument("host")
    taking_command = {
        "run": run,
        "exec": commands.add_parser("exec", help="run a command in the lab's namespaces"),
        "isolate": commands.add_parser("isolate", help="run a command in throw-away namespaces"),
        "_isolated": commands.add_parser("_isolated"),
    }
    for command in taking_command.values():
        command.add_argument("command", nargs=argparse.REMAINDER)
    connect = commands.add_parser("connect", help="join stdin and stdout with a TCP port in the lab (for ssh)")
    connect.add_argument("address")
    connect.add_argument("port")
    commands.add_parser("_hold")
    parsed = parser.parse_args(arguments)
    if parsed.name in taking_command and not parsed.command:
        taking_command[parsed.name].error("a command is missing")
    return parsed


def perform(arguments: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""
    name = arguments.name
    if name == "_isolated":
        return namespace.isolated(arguments.command)
    if name == "exec":
        execute([*namespace.enter(), *arguments.command])
    elif name == "run":
        execute(hosts.podman_exec(arguments.host, arguments.command))
    elif name == "isolate":
        namespace.isolate(arguments.command)
    elif name == "connect":
        namespace.connect(arguments.address, arguments.port)
    elif name == "_hold":
        namespace.hold(hosts.restart_rebooted)
    else:
        {"up": up, "mirror": mirror, "down": down, "clean": clean, "status": status}[name]()
    return 0


def main() -> int:
    """Run one command."""
    try:
        return perform(parse(sys.argv[1:]))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1

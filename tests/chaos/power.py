# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power is cut while state, boot file and route files are written: what had been acknowledged is on the disk, and whole.

    tests/lab/lab isolate .venv/bin/python -m chaos.power          (in tests; 200 cuts at full size)

A cut is a copy of the block device, taken under the running writer: what the file system has not yet given to the device is lost, as it
would be. Half of the cuts are with ext4's default options, half with noauto_da_alloc, under which a rename alone keeps nothing. A writer
that writes in place is cut too, in order to see that this test can fail.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, Tuple

from ansible_collections.edge.gateway.plugins.module_utils.engines.store import Store
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.formats import route_file
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route

from .figures import note, sized

FULL, FORWARDS = 200, 200
OPTIONS = ("defaults", "noauto_da_alloc")
MEGABYTES = 64
LONGEST = 0.4


def wanted(generation: int) -> Tuple[list[Forward], Route]:
    """What a run of this number asks for; each forward says so."""
    comment = f"run {generation}"
    forwards = [Forward.parse({"forward_id": f"f-{number}", "public_port": 20000 + number, "target_ip": "10.50.0.12", "comment": comment})
                for number in range(FORWARDS)]
    return forwards, Route.parse({"route_id": "shop", "hostname": "shop.test", "target_url": f"http://10.50.0.12:{1024 + generation}"})


def keep(place: Path, generation: int, in_place: bool) -> None:
    """What a run of the modules keeps, in their order and by their code."""
    host = Host()
    forwards, route = wanted(generation)
    Store(host, str(place / "state"), "forwards.json", "forwards").save([item.as_kept() for item in forwards])
    text = route_file.render(route)
    if in_place:
        (place / "dynamic/shop.yml").write_text(text)
    else:
        host.write_all(str(place / "dynamic"), {"shop.yml": text}, 0o640, watched=True)


def write(place: Path, in_place: bool) -> None:
    """Write one generation after the other, and tell each that is done."""
    for name in ("state", "dynamic"):
        (place / name).mkdir(mode=0o700, exist_ok=True)
    for generation in range(1, 60000):
        keep(place, generation, in_place)
        os.write(1, generation.to_bytes(2, "big"))


def generation_in(place: Path) -> Tuple[int, int]:
    """Which generation a disk holds, of forwards and of the route.

    Raises:
        ValueError, GatewayError, AssertionError: something is there that nobody asked for.
    """
    found = Store(Host(), str(place / "state"), "forwards.json", "forwards").load(Forward.parse, lambda item: item.forward_id)
    said = {item.comment for item in found.values()}
    assert len(said) == 1 and len(found) == FORWARDS, f"{len(found)} forwards of {said}"
    header = route_file.intact((place / "dynamic/shop.yml").read_bytes())
    if header is None:
        raise ValueError("the route's file is not whole")
    url, = route_file.restored([header])[0].target_url
    return int(said.pop().rpartition(" ")[2]), int(url.rpartition(":")[2]) - 1024


class Disk:
    """An ext4 file system in a file; use it in a ``with`` statement."""

    def __init__(self, image: Path, options: str) -> None:
        self.image, self.options = image, options
        self.place = image.with_suffix(".mnt")

    def __enter__(self) -> Path:
        self.place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "ext4", "-o", f"loop,{self.options}", str(self.image), str(self.place)], check=True)
        return self.place

    def __exit__(self, *_problem: object) -> None:
        subprocess.run(["umount", str(self.place)], check=True)


def made(folder: Path, options: str) -> Disk:
    """A new, empty disk."""
    image = folder / f"{options}.img"
    image.unlink(missing_ok=True)
    with image.open("wb") as stream:
        stream.truncate(MEGABYTES << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", str(image)], check=True)
    return Disk(image, options)


def cuts(disk: Disk, count: int, dice: random.Random, in_place: bool) -> Iterator[Tuple[Path, int]]:
    """Copies of the device under a running writer, each with the last generation that it had acknowledged before."""
    with disk as place:
        writer = subprocess.Popen([sys.executable, "-m", "chaos.power", "write", str(place), str(int(in_place))], stdout=subprocess.PIPE)
        assert writer.stdout
        told = writer.stdout.fileno()
        try:
            done = int.from_bytes(os.read(told, 2), "big")
            for number in range(count):
                time.sleep(dice.uniform(0, LONGEST))
                # so that the copy is of one moment
                os.kill(writer.pid, signal.SIGSTOP)
                while select.select([told], [], [], 0)[0]:
                    done = int.from_bytes(os.read(told, 2), "big")
                copy = disk.image.with_name(f"cut-{number}.img")
                subprocess.run(["cp", "--sparse=always", str(disk.image), str(copy)], check=True)
                os.kill(writer.pid, signal.SIGCONT)
                yield copy, done
                copy.unlink()
        finally:
            writer.kill()
            writer.wait()


def judge(copy: Path, options: str, done: int) -> str:
    """What is wrong with a host that boots from this disk; nothing when all is well."""
    with Disk(copy, options) as place:
        try:
            found = generation_in(place)
            if min(found) < done:
                return f"lost: generation {done} was acknowledged, {found} is there"
            keep(place, done + 2, in_place=False)
            left = [path.name for path in place.rglob("*") if path.name.endswith(".tmp")]
            return f"left over: {left}" if left or generation_in(place) != (done + 2, done + 2) else ""
        except (GatewayError, ValueError, AssertionError, OSError) as problem:
            return f"corrupt: {problem}"


def trouble(folder: Path, options: str, count: int, dice: random.Random, in_place: bool) -> list[str]:
    """What was wrong after so many cuts."""
    found = []
    for copy, done in cuts(made(folder, options), count, dice, in_place):
        said = judge(copy, options, done)
        found += [said] if said else []
    return found


def main() -> int:
    """Cut, and tell."""
    begun, count = time.monotonic(), sized(FULL, 8) // 2
    dice = random.Random(os.environ.get("EDGE_SEED", "1"))
    folder = Path(tempfile.mkdtemp(prefix="edge-power-"))
    try:
        wrong = [f"{options}: {said}" for options in OPTIONS for said in trouble(folder, options, count, dice, in_place=False)]
        naive = trouble(folder, OPTIONS[1], max(4, count // 5), dice, in_place=True)
    finally:
        shutil.rmtree(folder)
    print(*wrong, sep="\n")
    corrupt = sum("lost" not in said for said in wrong)
    note("power", "make chaos-power", 2 * count, f"{corrupt} corrupt, {len(wrong) - corrupt} lost (written in place: {len(naive)} of "
         f"{max(4, count // 5)})", time.monotonic() - begun)
    return 1 if wrong or not naive else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), sys.argv[3] == "1")
    else:
        sys.exit(main())

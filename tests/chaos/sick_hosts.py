# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host is made really sick, in namespaces of the run's own. Each is a context: well before, sick within, well after."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
from pathlib import Path
from typing import Iterator, Tuple

from ansible_collections.edge.gateway.plugins.module_utils.formats import netlink
from contract import world
from contract.edge_traefik import DYNAMIC, Traefik
from contract.world import CONFIG_DIR, STATE_DIR, WIREGUARD_DIR, sh

RUN = Path("/run/chaos-sick")
KEPT = (STATE_DIR, CONFIG_DIR, DYNAMIC, WIREGUARD_DIR)
NFT = "/usr/sbin/nft"
# of 2020, in Ubuntu 20.04: it cannot translate to an address and a port of one map, which came with 0.9.4
OLD_NFT = """#!/bin/sh
case "$*" in
  *-v*) echo "nftables v0.9.3 (Topsy)" ;;
  *) echo "/dev/stdin:4:24-45: Error: syntax error, unexpected dot, expecting comma or '}'" >&2; exit 1 ;;
esac
"""
# only the time of day: what measures how long something takes stays right
CLOCK = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t kind, struct timespec *now) {
  int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(kind, now);
  if (kind == CLOCK_REALTIME) now->tv_sec += SECONDS;
  return result;
}
time_t time(time_t *place) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (place) *place = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *restrict place, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  place->tv_sec = now.tv_sec;
  place->tv_usec = now.tv_nsec / 1000;
  return 0;
}
"""
# ctnetlink: IPCTNL_MSG_CT_NEW, NLM_F_REQUEST | NLM_F_CREATE, and flows that have been answered, which the kernel never gives up by itself
CONNTRACK, NEW, CREATE, ASSURED = 1, 0, 0x401, 2 | 4 | 8
COUNT, MOST = (Path("/proc/sys/net/netfilter") / name for name in ("nf_conntrack_count", "nf_conntrack_max"))


@contextlib.contextmanager
def mounted(*arguments: str) -> Iterator[None]:
    """A mount for a while."""
    sh("mount", *arguments)
    try:
        yield
    finally:
        sh("umount", arguments[-1])


@contextlib.contextmanager
def full(*folders: Path) -> Iterator[None]:
    """A disk without a free block below each folder, with what it holds."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            mode, copy = folder.stat().st_mode & 0o7777, RUN / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy)
            stack.enter_context(mounted("-t", "tmpfs", "-o", f"size=128k,mode={mode:o}", "none", str(folder)))
            shutil.copytree(copy, folder, dirs_exist_ok=True)
            with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as stream:
                while stream.write(b"x" * 512):
                    pass
        yield


@contextlib.contextmanager
def read_only(*folders: Path) -> Iterator[None]:
    """As the kernel leaves a file system whose disk has errors."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stack.enter_context(mounted("--bind", str(folder), str(folder)))
            sh("mount", "-o", "remount,bind,ro", str(folder))
        yield


@contextlib.contextmanager
def replaced(program: str, text: str = "") -> Iterator[None]:
    """Another program in the place of one; without a text it is as if it were not installed."""
    place = RUN / Path(program).name
    place.write_text(text)
    place.chmod(0o755 if text else 0o644)
    with mounted("--bind", str(place), program):
        yield


@contextlib.contextmanager
def without_nft() -> Iterator[None]:
    """No nft, on a host whose role has chosen nftables."""
    (CONFIG_DIR / "gateway.json").write_text('{"schema": 1, "backend": "nftables"}')
    with replaced(NFT):
        yield
    (CONFIG_DIR / "gateway.json").unlink()


def old_nft() -> contextlib.AbstractContextManager[None]:
    """One of 2020."""
    return replaced(NFT, OLD_NFT)


@contextlib.contextmanager
def clock(days: int) -> Iterator[None]:
    """Programs that are started meanwhile see another day; the machine's own clock belongs to others."""
    source, library = RUN / "clock.c", RUN / "clock.so"
    source.write_text(CLOCK.replace("SECONDS", str(days * 86400)))
    sh("gcc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl")
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"]


def flow(number: int) -> Tuple[bytes, bytes]:
    """Two ends of an UDP flow that nobody else has, as the kernel's attributes hold them: addresses, then ports."""
    return struct.pack(">I", 0x0A000000 + number), struct.pack(">I", 0x0B000001)


def attribute(kind: int, data: bytes, nested: bool = False) -> bytes:
    """One attribute of netlink, padded."""
    return struct.pack("=HH", 4 + len(data), kind | (0x8000 if nested else 0)) + data + b"\0" * (-len(data) % 4)


def creation(number: int) -> bytes:
    """The request that makes one flow."""
    ends = flow(number)
    ports = attribute(1, b"\x11") + attribute(2, b"\x10\x00") + attribute(3, b"\x20\x00")
    tuples = b"".join(
        attribute(kind, attribute(1, attribute(1, source) + attribute(2, target), True) + attribute(2, ports, True), True)
        for kind, (source, target) in ((1, ends), (2, ends[::-1])))
    swapped = tuples
    payload = swapped + attribute(3, struct.pack(">I", ASSURED)) + attribute(7, struct.pack(">I", 600))
    body = struct.pack(">BBH", socket.AF_INET, 0, 0) + payload
    return struct.pack("=IHHII", 16 + len(body), CONNTRACK << 8 | NEW, CREATE, 0, 0) + body


@contextlib.contextmanager
def full_conntrack() -> Iterator[None]:
    """No room for another flow. The limit is the kernel's for all namespaces and not ours to lower, so the table of this one is filled."""
    most = int(MOST.read_text())
    first = creation(0)
    place = [at for at in range(len(first)) if first[at:at + 4] == flow(0)[0]]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as kernel:
        kernel.setsockopt(socket.SOL_SOCKET, 32, 1 << 22)
        message = bytearray(first)
        batch = bytearray()
        for number in range(most):
            for at in place:
                message[at:at + 4] = struct.pack(">I", 0x0A000000 + number)
            batch += message
            if len(batch) > 100_000 or number == most - 1:
                kernel.send(batch)
                batch.clear()
    try:
        yield
    finally:
        sh("conntrack", "-F")


@contextlib.contextmanager
def no_ipv6() -> Iterator[None]:
    """As after booting with ipv6.disable=1: the kernel has no settings for it."""
    with mounted("-t", "tmpfs", "none", "/proc/sys/net/ipv6"):
        yield


@contextlib.contextmanager
def ipv6_off() -> Iterator[None]:
    """Switched off for all interfaces."""
    switch = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    switch.write_text("1")
    try:
        yield
    finally:
        switch.write_text("0")


@contextlib.contextmanager
def no_dns() -> Iterator[None]:
    """A name server that never answers."""
    file = RUN / "resolv.conf"
    file.write_text("nameserver 192.0.2.99\n")
    with mounted("--bind", str(file), os.path.realpath("/etc/resolv.conf")):
        yield


@contextlib.contextmanager
def dead(traefik: Traefik) -> Iterator[None]:
    """Killed."""
    traefik.stop()
    try:
        yield
    finally:
        traefik.start()


@contextlib.contextmanager
def hung(traefik: Traefik) -> Iterator[None]:
    """It takes connections and does nothing any more."""
    traefik.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        traefik.process.send_signal(signal.SIGCONT)


__all__ = ["netlink", "world"]

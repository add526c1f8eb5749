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
from typing import Iterator

import pytest
from contract.edge_traefik import DYNAMIC, Traefik
from contract.world import CONFIG_DIR, STATE_DIR, WIREGUARD_DIR, sh

RUN = Path("/run/chaos-sick")
KEPT = (STATE_DIR, CONFIG_DIR, DYNAMIC, WIREGUARD_DIR)
NFT = "/usr/sbin/nft"
# of 2019, in Ubuntu 20.04: it knows no counters in maps, which came with 1.0.0
OLD_NFT = """#!/bin/sh
case "$*" in
  *-v*) echo "nftables v0.9.3 (Topsy)" ;;
  *) echo '/dev/stdin:4:45-51: Error: syntax error, unexpected counter' >&2; exit 1 ;;
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
NETFILTER, CONNTRACK, NEW, CREATE, ASSURED = 12, 1, 0, 0x401, 2 | 4 | 8
BATCH, TARGET = 500, b"\x0b\x00\x00\x01"
MOST = Path("/proc/sys/net/netfilter/nf_conntrack_max")


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
            if folder.is_mount():
                sh("mount", "-o", "remount,ro", str(folder))
                stack.callback(sh, "mount", "-o", "remount,rw", str(folder))
            else:
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
    """One of 2019."""
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


def attribute(kind: int, data: bytes, nested: bool = False) -> bytes:
    """One attribute of netlink, padded."""
    return struct.pack("=HH", 4 + len(data), kind | (0x8000 if nested else 0)) + data + b"\0" * (-len(data) % 4)


def creation(source: bytes) -> bytes:
    """The request for one UDP flow from an address (ctnetlink: CTA_TUPLE_ORIG and _REPLY, CTA_STATUS, CTA_TIMEOUT)."""
    ports = attribute(1, b"\x11") + attribute(2, b"\x10\x00") + attribute(3, b"\x10\x00")
    ways = b"".join(
        attribute(kind, attribute(1, attribute(1, start) + attribute(2, end), True) + attribute(2, ports, True), True)
        for kind, start, end in ((1, source, TARGET), (2, TARGET, source)))
    state = attribute(3, struct.pack(">I", ASSURED)) + attribute(7, struct.pack(">I", 600))
    body = struct.pack(">BBH", socket.AF_INET, 0, 0) + ways + state
    return struct.pack("=IHHII", 16 + len(body), CONNTRACK << 8 | NEW, CREATE, 0, 0) + body


def create_flows(count: int) -> None:
    """So many, as fast as the kernel takes them."""
    mark = b"\xab\xcd\xef\x01"
    pieces = creation(mark).split(mark)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as kernel:
        for first in range(0, count, BATCH):
            sources = (struct.pack(">I", 0x0A000000 + number) for number in range(first, min(first + BATCH, count)))
            kernel.send(b"".join(source.join(pieces) for source in sources))


@contextlib.contextmanager
def full_conntrack() -> Iterator[None]:
    """No room for another flow. The limit is the kernel's for all namespaces and not ours to lower, so the table of this one is filled."""
    create_flows(int(MOST.read_text()))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, pytest.raises(PermissionError):
            client.sendto(b"x", ("127.0.0.1", 9))      # the kernel drops what it has no room to remember
        yield
    finally:
        sh("conntrack", "-F")


@contextlib.contextmanager
def no_ipv6() -> Iterator[None]:
    """As after booting with ipv6.disable=1: the kernel has no settings for it."""
    with mounted("-t", "tmpfs", "none", "/proc/sys/net/ipv6"):
        yield


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """By hand, or by a script: nobody tells us."""
    sh("nft", "flush", "ruleset")
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
def hosts(line: str = "") -> Iterator[None]:
    """These names are known without a name server, and no others."""
    file = RUN / f"hosts-{len(line)}"
    file.write_text(f"127.0.0.1 localhost\n{line}\n")
    with mounted("--bind", str(file), "/etc/hosts"):
        yield


@contextlib.contextmanager
def no_dns() -> Iterator[None]:
    """A name server that never answers."""
    file = RUN / "resolv.conf"
    file.write_text("nameserver 192.0.2.99\noptions timeout:1 attempts:1\n")
    with hosts(), mounted("--bind", str(file), os.path.realpath("/etc/resolv.conf")):
        yield


@contextlib.contextmanager
def without_traefik() -> Iterator[None]:
    """Its role was never here."""
    with mounted("-t", "tmpfs", "none", "/etc/traefik"):
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

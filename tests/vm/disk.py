# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk that all virtual machines boot from: Debian with its cloud kernel, made once and kept in .cache/vm.

Run as a program it makes what is missing; only then is the network used.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys

import jinja2
import yaml
from edge_lab import images
from edge_lab.description import Description, Host, load
from edge_lab.paths import INVENTORY, LAB_DIR, MIRROR_DIR, REPO, LabError

NAMES = ("hub", "edge1", "node1")
STATE = REPO / ".cache" / "vm"
DISK, KERNEL, INITRD, KEY = STATE / "disk.ext4", STATE / "vmlinuz", STATE / "initrd", STATE / "id"
NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs", "mmdebstrap": "mmdebstrap", "dpkg-scanpackages": "dpkg-dev"}
# the lab's hosts, with a kernel of their own in place of wireguard-go
PREINSTALLED = ("linux-image-cloud-amd64", "initramfs-tools", *(name for name in images.PREINSTALLED if name != "wireguard-go"))
MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
MASKED = (
    *(*images.MASKED, "e2scrub_reap.service", "systemd-networkd-wait-online.service"),
    *("serial-getty@ttyS0.service", "getty@tty1.service"),
)


SERVICES = LAB_DIR / "node_services.py"
SERVICES_UNIT = LAB_DIR / "units" / "lab-node-services.service.j2"


def mac(address: str) -> str:
    """The hardware address of the network card that has this address."""
    return ":".join(f"{byte:02x}" for byte in (2, 0, *map(int, address.split("."))))


def machines(wanted: Description) -> list[Host]:
    """The lab's hosts that become machines."""
    return [host for host in wanted.hosts if host.name in NAMES]


def _network_files(wanted: Description) -> dict[str, str]:
    """Each card's name, address and way out, told apart by the hardware address: the disk is the same for all machines."""
    files: dict[str, str] = {}
    for host in machines(wanted):
        for number, (network, address) in enumerate(host.addresses):
            match = f"[Match]\nMACAddress={mac(address)}\n"
            # nobody routes there: what should go through the mesh and does not is lost
            gateway = f"Gateway={address.rpartition('.')[0]}.254\n" if number == 0 else ""
            files[f"50-{host.name}-{network}.link"] = f"{match}[Link]\nName={network}\n"
            files[f"50-{host.name}-{network}.network"] = f"{match}[Network]\nAddress={address}/24\n{gateway}"
    return files


def _node_services() -> str:
    """The unit of what node1 offers; the others have it too, and pass it over."""
    variables = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]
    unit: str = jinja2.Template(SERVICES_UNIT.read_text()).render(inventory_hostname="node1", **variables)
    return unit.replace("[Unit]", "[Unit]\nConditionHost=node1", 1)


def _write(path: str, text: str) -> str:
    """The hook that writes a file of the new root."""
    return f"printf '%s' '{text}' >\"$1{path}\""


def _command(wanted: Description) -> list[str]:
    initramfs = "$1/etc/initramfs-tools"
    download = "apt-get -o APT::Sandbox::User=root -o Dir::Cache::archives=/srv/apt -y --download-only install"
    early = [
        f'mkdir -p "{initramfs}/conf.d" && printf "MODULES=list\\nCOMPRESS=gzip\\nRESUME=none\\n" >"{initramfs}/conf.d/vm"',
        f'printf "%s\\n" {" ".join(MODULES)} >"{initramfs}/modules"',
    ]
    hub = next(dict(host.addresses)["wan"] for host in wanted.hosts if host.name == "hub")
    hooks = [
        # what roles may install is a package source of its own, as in the lab
        'mkdir -p "$1/srv/apt/partial"',
        f'chroot "$1" {download} {" ".join(images.POOL_PACKAGES)}',
        'cd "$1/srv/apt" && rm -rf partial lock && dpkg-scanpackages -m . >Packages',
        'echo "deb [trusted=yes] file:/srv/apt ./" >"$1/etc/apt/sources.list"; rm -f "$1"/etc/apt/sources.list.d/*',
        'echo "/dev/vda / ext4 defaults 0 1" >"$1/etc/fstab"; : >"$1/etc/motd"',
        _write("/etc/hosts", f"127.0.0.1 localhost\n{hub} hub.lab.test\n"),
        # the strictest check of the way back that a host may have
        _write("/etc/sysctl.d/10-strict.conf", "net.ipv4.conf.all.rp_filter=1\nnet.ipv4.conf.default.rp_filter=1\n"),
        'mkdir -p -m 700 "$1/root/.ssh"',
        f'cp "{KEY}.pub" "$1/root/.ssh/authorized_keys"',
        *(_write(f"/etc/systemd/network/{name}", text) for name, text in _network_files(wanted).items()),
        f'mkdir "$1/usr/local/lib/lab" && cp "{SERVICES}" "$1/usr/local/lib/lab"',
        _write("/etc/systemd/system/lab-node-services.service", _node_services()),
        'chroot "$1" systemctl enable systemd-networkd lab-node-services',
        f'chroot "$1" systemctl mask {" ".join(MASKED)}',
    ]
    # mmdebstrap mounts into the new root; a mount namespace of its own keeps that away from the machine
    return [
        *("unshare", "--mount", "--propagation", "private"),
        *("mmdebstrap", "--variant=minbase", "--format=directory", f"--include={','.join(PREINSTALLED)}"),
        *(f"--essential-hook={hook}" for hook in early),
        *(f"--customize-hook={hook}" for hook in hooks),
        *("bookworm", str(STATE / "root")),
    ]


def _build(command: list[str]) -> None:
    root, part = STATE / "root", DISK.with_suffix(".part")
    shutil.rmtree(root, ignore_errors=True)
    part.unlink(missing_ok=True)
    with (STATE / "build.log").open("w") as log:
        for step in (command, ["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(part), "2G"]):
            done = subprocess.run(step, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
            if done.returncode != 0:
                raise LabError(f"{step[0]} failed, see {log.name}")
    shutil.copy(next(root.glob("boot/vmlinuz-*")), KERNEL)
    shutil.copy(next(root.glob("boot/initrd.img-*")), INITRD)
    shutil.rmtree(root)
    # machines that run keep the disk that they have
    part.rename(DISK)


def ensure() -> None:
    """Make the disk if its recipe has changed, and the mirror of Traefik's downloads."""
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if missing:
        raise LabError(f"programs are missing: apt-get install --no-install-recommends {' '.join(missing)}")
    MIRROR_DIR.parent.mkdir(exist_ok=True)
    images.ensure_mirror()
    if not KEY.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vm", "-f", str(KEY)], check=True)
    command = _command(load(INVENTORY))
    recipe = "\0".join(command) + KEY.with_suffix(".pub").read_text() + SERVICES.read_text()
    stamp, stamp_file = hashlib.sha256(recipe.encode()).hexdigest(), STATE / "stamp"
    if stamp_file.exists() and stamp_file.read_text() == stamp:
        return
    print("vm: making the disk (about a minute)", flush=True)
    stamp_file.unlink(missing_ok=True)
    _build(command)
    stamp_file.write_text(stamp)


def main() -> None:
    """One at a time: a second one would take the first one's work away."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another run makes the disk just now") from None
        ensure()


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"vm: {error}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that takes a change back, on a directory that stands for the root; and what counts as broken by a change."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import rollback
from ansible_collections.edge.gateway.plugins.module_utils.models.health import DEGRADED, FAILED, OK, Part
from ansible_collections.edge.gateway.plugins.modules.gateway_confirm import broken_since


def test_the_script_is_plain_shell() -> None:
    """By the shell of Debian, and without a mark left in it."""
    text = rollback.script("wg7", "/etc/traefik/dynamic/")
    assert "@" not in text.replace("@$interface", "").replace("^wg-quick@", "") and "interface=wg7" in text
    assert "dynamic=etc/traefik/dynamic\n" in text
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


@pytest.mark.parametrize(("before", "now", "worse"), [
    ({"mesh": OK}, FAILED, True), ({"mesh": DEGRADED}, FAILED, True), ({"mesh": FAILED}, FAILED, False), ({}, FAILED, False),
    ({"mesh": OK}, DEGRADED, False), ({"mesh": OK}, OK, False)])
def test_what_counts_as_broken(before: Dict[str, str], now: str, worse: bool) -> None:
    """What was broken before is not the change's doing."""
    assert bool(broken_since(before, {"mesh": Part(now, "down; see x")})) == worse


def rollback_script(tmp_path: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a directory in place of the root, and programs that only say what they were called for."""
    bin_dir, place = tmp_path / "bin", tmp_path / "place"
    for directory in (bin_dir, place, tmp_path / "run"):
        directory.mkdir(exist_ok=True)
    for tool in ("systemctl", "nft", "wg-quick", "iptables", "ip6tables", "flock"):
        (bin_dir / tool).write_text("#!/bin/sh\necho Id=x.service\necho UnitFileState=enabled\necho ActiveState=active\n")
        (bin_dir / tool).chmod(0o755)
    text, below = rollback.script("wg0", "/etc/traefik/dynamic"), f"{tmp_path}/root"
    for here, there in {rollback.DIRECTORY: str(place), "/run/edge-gateway": f"{tmp_path}/run", "cd / ": f"cd {below} ",
                        "--directory=/ ": f"--directory={below} ", "prints / ": f"prints {below} ", '"/$file': f'"{below}/$file',
                        '"/${file': f'"{below}/${{file', "/etc/edge-gateway/": f"{below}/etc/edge-gateway/", "/proc/sys": "/none"}.items():
        assert here in text, here
        text = text.replace(here, there)
    (place / "rollback").write_text(text)
    return subprocess.run(["sh", str(place / "rollback"), *command.split()], capture_output=True, text=True, check=False,
                          env={"PATH": f"{bin_dir}:/usr/bin:/bin"})


def tree(root: Path) -> Dict[str, Any]:
    """All files below, with content and mode."""
    return {str(path.relative_to(root)): (path.read_text(), path.stat().st_mode) for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with some files of ours, and one of somebody else."""
    found = tmp_path / "root"
    for name, content in {"etc/edge-gateway/forwards.nft": "rules", "etc/wireguard/wg0.conf": "tunnel", "etc/traefik/traefik.yml": "static",
                          "etc/traefik/dynamic/a.yml": "# Written by edge.gateway.traefik_route; x", "etc/traefik/dynamic/theirs.yml": "x",
                          "var/lib/edge-gateway/forwards.json": "state"}.items():
        path = found / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o640)
    return found


def test_the_script_brings_every_file_of_ours_back(tmp_path: Path, root: Path) -> None:
    """Changed, gone, new, or with another mode; what belongs to others stays as it is by then."""
    before = tree(root)
    assert rollback_script(tmp_path, "keep").returncode == 0
    (root / "etc/edge-gateway/forwards.nft").write_text("bad rules")
    (root / "etc/traefik/dynamic/a.yml").unlink()
    (root / "etc/traefik/dynamic/new.yml").write_text("# Written by edge.gateway.traefik_route; new")
    (root / "etc/wireguard/wg0.conf").chmod(0o600)
    (root / "etc/wireguard/wg0.routing").write_text("new")
    (root / "etc/traefik/dynamic/theirs.yml").write_text("theirs, and newer")
    done = rollback_script(tmp_path, "restore again")
    assert done.returncode == 0 and "was taken back" in done.stdout, done.stderr
    after = tree(root)
    theirs = "etc/traefik/dynamic/theirs.yml"
    assert after.pop(theirs)[0] == "theirs, and newer" and before.pop(theirs)
    assert after == before
    assert rollback_script(tmp_path, "restore again").returncode == 0 and tree(root).keys() - {theirs} == before.keys()


@pytest.mark.parametrize("step", ["forget", ""])
def test_without_all_of_it_the_script_touches_nothing(tmp_path: Path, root: Path, step: str) -> None:
    """Confirmed, or interrupted while it kept: what is not kept must not count as new, and go."""
    assert rollback_script(tmp_path, "keep").returncode == 0
    if step:
        rollback_script(tmp_path, step)
    else:
        (tmp_path / "place/complete").unlink()
        (tmp_path / "place/files").write_text("")
    before = tree(root)
    done = rollback_script(tmp_path, "restore again")
    assert done.returncode == 1 and "nothing is kept" in done.stderr
    assert tree(root) == before


def test_a_host_that_cannot_keep_it_all_is_not_armed(tmp_path: Path, root: Path) -> None:
    """A file that cannot be copied: better no change than no way back."""
    (root / "etc/edge-gateway/unreadable").symlink_to("/nowhere/at/all")
    (tmp_path / "place").mkdir()
    (tmp_path / "place/kept").write_text("in the way")
    assert rollback_script(tmp_path, "keep").returncode == 0      # a dangling link can be kept, and what is in the way goes
    (tmp_path / "bin/tar").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "bin/tar").chmod(0o755)
    assert rollback_script(tmp_path, "keep").returncode == 1
    assert not (tmp_path / "place/complete").exists()


@pytest.mark.parametrize("iptables", [False, True])
def test_the_unit_may_write_where_our_files_are(iptables: bool) -> None:
    """Also where routes lie in another directory; what rules of iptables need is there with them alone."""
    text = rollback.unit("/srv/routes/", iptables)
    assert "@" not in text.replace("=@system-service", "").replace(" @module", "").replace("~@resources", "")
    assert "ReadWritePaths=/etc /var/lib /run -/usr/local/lib -/srv/routes /proc/sys/net\n" in text
    assert ("CAP_SYS_MODULE" in text, "AF_INET6" in text, " @module" in text, "ProtectKernelModules=no" in text) == (iptables,) * 4

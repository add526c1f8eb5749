# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the forwards: damaged, on a full disk, refused by the kernel. The kernel is never emptied for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines.nftables import BOOT_FILE, NftablesBackend
from ansible_collections.edge.gateway.plugins.module_utils.errors import CommandFailed, GatewayError, InvalidInput, StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forwards
from contract import world
from contract.forwarding import entry, run, walk
from contract.world import STATE_DIR, ruleset, sh

STATE = STATE_DIR / "forwards.json"
DAMAGE: Dict[str, Callable[[], Any]] = {
    "empty": lambda: STATE.write_bytes(b""), "truncated": lambda: STATE.write_bytes(STATE.read_bytes()[:-20]),
    "object": lambda: STATE.write_text("{}"),
    "newer": lambda: STATE.write_text(STATE.read_text().replace('"schema": 1', '"schema": 2')), "missing": STATE.unlink,
    "tampered": lambda: STATE.write_text(STATE.read_text().replace("10.50.0.2", "127.0.0.1")),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("params", [{"forwards": [], "purge": True}, entry(9)], ids=["purge", "add"])
def test_a_damaged_state_is_refused_and_the_kernel_stays(damage: str, params: Dict[str, Any]) -> None:
    """Never read as 'nothing wanted', not even for a purge."""
    walk(forwards=[entry(1), entry(2)])
    walk(**entry(3))
    DAMAGE[damage]()
    before = (ruleset(), world.files(STATE_DIR))
    for dry in (True, False):
        with pytest.raises(StateRefused) as caught:
            run(dry, **params)
        assert "forwards.json" in caught.value.message and ".prev" in caught.value.message
    assert before == (ruleset(), world.files(STATE_DIR))


def test_a_full_disk_changes_nothing() -> None:
    """The state cannot be kept: the kernel stays as it is, and no half file is left."""
    walk(**entry(1))
    state, before = STATE.read_bytes(), ruleset()
    sh("mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", str(STATE_DIR))
    try:
        STATE.write_bytes(state)
        STATE.chmod(0o600)
        many = [entry(number, comment="x" * 64) for number in range(500)]
        with pytest.raises(GatewayError) as caught:
            run(forwards=many)
        assert "No space left" in caught.value.message and ruleset() == before
        assert STATE.read_bytes() == state
        assert not [path for path in STATE_DIR.iterdir() if path.name.endswith(".tmp")]
    finally:
        sh("umount", str(STATE_DIR))


def test_a_kernel_that_refuses_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """State and boot file go back with it, and the next run starts from there."""
    walk(**entry(1))
    before = (ruleset(), STATE.read_bytes(), Path(BOOT_FILE).read_bytes())

    def refuse(_backend: NftablesBackend, _forwards: Forwards) -> None:
        raise CommandFailed("nft says no; try again", "nft")

    with monkeypatch.context() as patch:
        patch.setattr(NftablesBackend, "apply", refuse)
        with pytest.raises(CommandFailed):
            run(**entry(2))
    assert before == (ruleset(), STATE.read_bytes(), Path(BOOT_FILE).read_bytes())
    assert walk(**entry(2))["added"] == ["f-2"]


def test_overlap_and_own_targets_are_refused_before_anything_happens() -> None:
    """A port that another forward has, and an address of this host."""
    walk(**entry(1))
    sh("ip", "address", "replace", "10.9.0.2/24", "dev", "lo")
    before = (ruleset(), world.files(STATE_DIR))
    for changes in ({"public_port": "20001"}, {"target_ip": "10.9.0.2"}):
        with pytest.raises(InvalidInput):
            run(**entry(2, **changes))
    assert before == (ruleset(), world.files(STATE_DIR))
    sh("ip", "address", "delete", "10.9.0.2/24", "dev", "lo")

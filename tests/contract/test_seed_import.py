# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The older system's host becomes ours: its forwards stand in our table, its own rules are gone, and nobody else's are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from contract import world
from contract.world import STATE_DIR, nft, ruleset, sh

FORWARDS = [{"forward_id": f"vm-{number}", "public_port": 22000 + number, "target_ip": f"10.50.0.{number}", "target_port": 32000 + number,
             "proto": "tcp"} for number in (1, 2, 3)]
# what somebody else has in the same chains
OTHERS = ["-t nat -A PREROUTING -p tcp --dport 9999 -j DNAT --to-destination 10.50.0.1:32001",
          "-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
          "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-A FORWARD -d 10.50.0.1 -p tcp --dport 443 -j ACCEPT"]


def rules(variant: str, restarts: int = 2) -> None:
    """What the agent did at each of its starts."""
    for _ in range(restarts):
        for item in FORWARDS:
            proto, target = item["proto"], f"{item['target_ip']}:{item['target_port']}"
            sh(variant, *f"-t nat -A PREROUTING -p {proto} --dport {item['public_port']} -j DNAT --to-destination {target}".split())
            sh(variant, *f"-A FORWARD -p {proto} -d {item['target_ip']} --dport {item['target_port']} -j ACCEPT".split())
    sh(variant, *["-t", "nat", "-A", "POSTROUTING", "-o", "wg0", "-j", "MASQUERADE"])


def listed(variant: str) -> List[str]:
    """The rules of one variant."""
    return [line for line in sh(f"{variant}-save").splitlines() if line.startswith("-A ")]


@pytest.fixture(name="seed_dir", params=["object", "list"])
def older_state(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The agent's data directory, in either shape that its state may have."""
    found: Any = FORWARDS if request.param == "list" else {item["forward_id"]: item for item in FORWARDS}
    (tmp_path / "state.json").write_text(json.dumps({"http_routes": {}, "tcp_forwards": found}))
    return str(tmp_path)


@pytest.fixture(autouse=True)
def no_legacy_rules() -> None:
    """nft flush ruleset does not reach them."""
    for table in Path("/proc/thread-self/net/ip_tables_names").read_text().split():
        sh("iptables-legacy", "-t", table, "-F")


@pytest.mark.parametrize("variant", ["iptables-nft", "iptables-legacy"])
def test_take_over(seed_dir: str, variant: str) -> None:
    """Predicted exactly; ours stand, theirs are gone, others' stay; again is no change."""
    for words in OTHERS:
        sh(variant, *words.split())
    before = listed(variant)
    rules(variant)
    result = act(seed_dir=seed_dir)
    assert result["added"] == ["vm-1", "vm-2", "vm-3"] and len(result["removed_rules"]) == 7
    assert listed(variant) == before
    assert ruleset().count('comment "vm-') == 3
    state = Path(seed_dir, "state.json").read_text()
    again = world.module("seed_import", seed_dir=seed_dir, allow_outside_mesh=True)
    assert not again["changed"] and again["removed_rules"] == [] and Path(seed_dir, "state.json").read_text() == state


def act(**params: Any) -> Dict[str, Any]:
    """Check mode, which must foretell all, and the real run."""
    params = {**params, "allow_outside_mesh": True, "_ansible_diff": True}
    before = (ruleset(), world.files(STATE_DIR))
    predicted = world.module("seed_import", **params, _ansible_check_mode=True)
    assert before == (ruleset(), world.files(STATE_DIR)) and predicted["changed"]
    real = world.module("seed_import", **params)
    for name in ("changed", "added", "updated", "removed", "repaired", "removed_rules", "diff", "forwards"):
        assert predicted[name] == real[name], name
    assert all(rule in real["diff"]["before"] and rule not in real["diff"]["after"] for rule in real["removed_rules"])
    return real


def test_a_forward_of_ours_stays_as_it_is(seed_dir: str) -> None:
    """Whoever changed it here after an earlier import does not lose that; its old rules go all the same."""
    world.module("dnat_forward", forward_id="vm-1", public_port="22001", target_ip="10.50.0.99", allow_outside_mesh=True)
    rules("iptables-nft")
    result = act(seed_dir=seed_dir)
    assert result["added"] == ["vm-2", "vm-3"] and result["updated"] == []
    assert [item["target_ip"] for item in result["forwards"]] == ["10.50.0.99", "10.50.0.2", "10.50.0.3"]
    assert listed("iptables-nft") == []


def test_rules_that_came_back_are_removed_again(seed_dir: str) -> None:
    """The old containers were started once more."""
    act(seed_dir=seed_dir)
    rules("iptables-nft", restarts=1)
    result = act(seed_dir=seed_dir)
    assert result["added"] == [] and len(result["removed_rules"]) == 7 and listed("iptables-nft") == []


def test_a_forward_that_we_refuse_stops_everything(tmp_path: Path) -> None:
    """Nothing is half taken over."""
    rules("iptables-nft", restarts=1)
    nft("table inet mine { chain c { }; }")
    before = (ruleset(), world.files(STATE_DIR))
    (tmp_path / "state.json").write_text(json.dumps({"tcp_forwards": [*FORWARDS, {**FORWARDS[0], "forward_id": "twice"}]}))
    result = world.module("seed_import", seed_dir=str(tmp_path), allow_outside_mesh=True)
    assert result["failed"] and "22001" in result["msg"] and before == (ruleset(), world.files(STATE_DIR))


def test_a_directory_without_a_state_is_named(tmp_path: Path) -> None:
    """With what belongs there."""
    result = world.module("seed_import", seed_dir=str(tmp_path))
    assert result["failed"] and "state.json" in result["msg"]

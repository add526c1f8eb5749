# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run beside other people's firewalls: it names the chain that drops, or opens it for those who asked, and takes that back."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List

import pytest
from contract import world
from contract.forwarding import run, walk
from contract.talk import SILENCE_SECONDS, Echo, tcp
from contract.world import CONFIG_DIR, TESTS, inside, nft, ruleset, sh

CLIENT, EDGE, EDGE_MESH, NODE = "198.51.100.2", "198.51.100.1", "10.50.0.1", "10.50.0.12"
PORT = 22015
OPENINGS = CONFIG_DIR / "openings"
FORWARD: Dict[str, Any] = {"forward_id": "vm-1", "public_port": str(PORT), "target_ip": NODE, "target_port": 8080}
RECORDED = TESTS / "unit/data"
DENY = "table inet admin { chain guard { type filter hook forward priority 5; policy drop; ct state established accept; }; }"


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """client -- edge -- node with a service."""
    for name in ("client", "gateway", "node"):
        world.add_namespace(name)
    world.connect(("client", "eth0", f"{CLIENT}/24"), ("gateway", "up0", f"{EDGE}/24"))
    world.connect(("node", "eth0", f"{NODE}/24"), ("gateway", "wg0", f"{EDGE_MESH}/24"))
    for name, router in (("client", EDGE), ("node", EDGE_MESH), ("gateway", CLIENT)):
        sh("ip", "-n", name, "route", "add", "default", "via", router)
    with inside("node"):
        echo = Echo("node", NODE, 8080)
    yield
    echo.close()
    world.remove_namespaces("client", "gateway", "node")


@pytest.fixture(name="edge", autouse=True)
def on_the_edge(network: None) -> Iterator[None]:
    """Be on an edge without rules."""
    with inside("gateway"):
        sh("nft", "flush", "ruleset")
        yield


def foreign(kind: str) -> None:
    """Load somebody's firewall."""
    if kind == "hand-written":
        nft(DENY)
        return
    name = {"docker": "foreign_docker-28-iptables-nft.txt", "ufw": "foreign_ufw-0.36.2-iptables.txt"}[kind]
    sh("iptables-nft-restore", stdin=(RECORDED / name).read_text())


def may_open(wanted: bool = True) -> None:
    """What the role writes for edge_gateway_open_foreign."""
    (CONFIG_DIR / "gateway.json").write_text(json.dumps({"schema": 1, "open_foreign": wanted}))
    (CONFIG_DIR / "gateway.json").chmod(0o600)


def arrives() -> bool:
    """Whether a client's connection gets through."""
    with inside("client"):
        return bool(tcp(EDGE, PORT, SILENCE_SECONDS))


def warnings(**params: Any) -> List[str]:
    """Warnings of check mode and of the real run, which must be the same."""
    predicted, real = run(True, **params).warnings, run(**params).warnings
    assert [text for text in predicted if "chain" in text] == [text for text in real if "chain" in text]
    return [text for text in real if "chain" in text]


def test_without_other_firewalls_nobody_is_warned() -> None:
    """The usual case."""
    assert warnings(**FORWARD) == [] and arrives()
    assert not OPENINGS.exists()


@pytest.mark.parametrize(("kind", "name"), [("docker", "FORWARD"), ("ufw", "FORWARD"), ("hand-written", "guard")])
def test_the_chain_that_drops_is_named(kind: str, name: str) -> None:
    """The forward is written, does not work, and the run says why; info and health say so too."""
    foreign(kind)
    (text,) = warnings(**FORWARD)
    assert name in text and "policy drop" in text and "edge_gateway_open_foreign" in text and not arrives()
    (info,) = world.module("dnat_forward_info")["forwards"]
    assert len(info["blocked_by"]) == 1 and name in info["blocked_by"][0] and info["active"]
    part = world.module("gateway_health")["parts"]["forwards"]
    assert part["status"] == "failed" and name in part["message"] and part["remedy"]
    assert not OPENINGS.exists()


@pytest.mark.parametrize("kind", ["docker", "ufw", "hand-written"])
def test_it_is_opened_for_those_who_ask_and_closed_again(kind: str) -> None:
    """Predicted exactly, idempotent, kept for the next boot; the last forward takes it away and leaves theirs as it was."""
    foreign(kind)
    before = theirs()
    may_open()
    result = walk(**FORWARD)
    assert "edge-gateway-" in result["diff"]["after"] and arrives()
    assert warnings(**FORWARD) == []
    assert world.module("dnat_forward_info")["forwards"][0]["blocked_by"] == []
    opened = theirs()
    for _ in range(2):
        sh("sh", str(OPENINGS))
        assert theirs() == opened
    walk(forward_id="vm-1", state="absent")
    assert theirs() == before and not OPENINGS.exists()


@pytest.mark.parametrize("kind", ["docker", "hand-written"])
def test_the_file_opens_it_again_after_they_wrote_their_rules_anew(kind: str) -> None:
    """As after a restart of Docker; and so does the next run."""
    foreign(kind)
    may_open()
    run(**FORWARD)
    for mend in (lambda: sh("sh", str(OPENINGS)), lambda: run(**FORWARD)):
        nft("delete table ip filter" if kind == "docker" else "delete table inet admin")
        foreign(kind)
        assert not arrives()
        mend()
        assert arrives() and "policy drop" in ruleset()


def test_who_no_longer_wants_it_has_it_closed() -> None:
    """The role's variable set back."""
    foreign("docker")
    before = theirs()
    may_open()
    run(**FORWARD)
    may_open(False)
    assert any("taken away" in text for text in run(True, **FORWARD).warnings)
    assert any("taken away" in text for text in run(**FORWARD).warnings)
    assert any("FORWARD" in text for text in run(**FORWARD).warnings)
    assert theirs() == before and not OPENINGS.exists()


def test_copies_of_an_opening_are_closed_too() -> None:
    """Somebody has saved and restored our rule along with his own."""
    foreign("docker")
    before = theirs()
    may_open()
    run(**FORWARD)
    sh("iptables-nft-restore", "--noflush", stdin=sh("iptables-nft-save", "-t", "filter"))
    may_open(False)
    run(**FORWARD)
    assert not [line for table in theirs() for line in table.splitlines() if "edge-gateway" in line] and len(before) == len(theirs())


def test_the_file_waits_for_chains_that_are_not_there() -> None:
    """Docker is gone for a while: nothing to open, and nothing fails."""
    foreign("docker")
    may_open()
    run(**FORWARD)
    nft("delete table ip filter")
    sh("sh", str(OPENINGS))
    foreign("docker")
    sh("sh", str(OPENINGS))
    assert arrives()


def test_a_flushed_chain_is_opened_itself_when_it_no_longer_leads_to_docker() -> None:
    """iptables -F FORWARD, with the policy of DROP still there: DOCKER-USER exists, and nobody jumps to it."""
    foreign("docker")
    may_open()
    run(**FORWARD)
    sh("iptables-nft", "-F", "FORWARD")
    assert not arrives()
    run(**FORWARD)
    assert arrives()
    assert not run(**FORWARD).as_dict()["changed"]


def theirs() -> List[str]:
    """Everybody else's rules without counters."""
    tables = [line.split()[1:] for line in sh("nft", "list", "tables").splitlines()]
    return [sh("nft", "-s", "list", "table", *words) for words in tables if words != ["inet", "edge_gateway"]]

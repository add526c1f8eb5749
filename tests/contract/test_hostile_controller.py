# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile or broken controller: a host that never joined stays as it is, one that has joined keeps its tunnel."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from contract import mesh, refusals, world
from contract.hostile_controller import OPERATOR, TABLE, Case, Scene, firewalled, taking, tls_certificate
from contract.mesh import EDGE, HUB, KEY, TOKEN, Controller, snapshot
from contract.world import STATE_DIR, WIREGUARD_DIR, inside, sh
from unit.samples import OTHER_KEY, one_sentence
from unit.servers import Server, replies, serving

# a process each: slower, but what Ansible sees
AS_PROCESSES = ("endpoint: a section that runs a command", "node_ip: a scope that runs a command", "allowed_ips: the default route",
                "body: captive portal", "body: 20000 deep", "body: half a surrogate pair", "transport: huge body",
                "transport: dripping body", "transport: redirect 307", "transport: HTTP 503", "controller_url: a user")


class Stage:
    """A hub whose controller turns hostile, and an edge."""

    def __init__(self, controller: Controller, trap: Server) -> None:
        self.controller, self.trap = controller, trap
        self.scene = Scene(dict(controller.answer), f"http://{HUB}:{trap.port}")
        self.standing: List[Any] = []

    @property
    def server(self) -> Server:
        """The controller's server."""
        assert self.controller.server is not None
        return self.controller.server

    def plays(self, case: Case) -> Dict[str, Any]:
        """Let the controller do this from now on; the options of the task."""
        def react(handler: Any, _number: int) -> None:
            self.scene.asked = json.loads(self.server.seen[-1][3])
            case.react(self.scene, handler)
        self.server.react = react
        url = case.params.get("controller_url", self.controller.url)
        return {**case.params, "controller_url": url.replace("PORT", str(self.server.port))}

    def bare(self) -> None:
        """The edge has never joined."""
        if mesh.interface_index():
            mesh.remove_edge()
        world.reset()

    def joined(self) -> List[Any]:
        """The edge has joined, and its tunnel works; all that a run may change."""
        if not self.standing or snapshot() != self.standing:
            self.bare()
            self.server.react = self.controller.react
            mesh.join(controller_url=self.controller.url)
            assert mesh.hub_answers()
            self.standing = snapshot()
        return self.standing

    def assert_quiet(self, message: str) -> None:
        """One sentence without a secret or hostile text, and nobody else has heard the token."""
        private_key = KEY.read_text().strip() if KEY.exists() else "none"
        for text in (TOKEN, private_key, "pwned", "hunter2", "Traceback"):
            assert text not in message
        assert self.trap.seen == [] and not Path("/run/pwned").exists()
        one_sentence(message)

    def assert_bare(self) -> None:
        """Nothing was written but the key, which is made before the request."""
        assert [path.name for path in WIREGUARD_DIR.iterdir()] in ([], ["wg0.key"])
        assert list(STATE_DIR.iterdir()) == [] and mesh.interface_index() == 0

    def assert_standing(self) -> None:
        """Not a file, not an address and not a route differs, and packets pass."""
        assert snapshot() == self.standing and mesh.hub_answers()


@pytest.fixture(name="empty_host", autouse=True)
def host_as_it_was_left() -> Iterator[None]:
    """Unlike elsewhere, a host stays joined from test to test: :class:`Stage` sees to what a test needs."""
    yield
    world.leave_namespace()


@pytest.fixture(name="stage", scope="module")
def hostile_hub(hub_key: str) -> Iterator[Stage]:
    """The hub, a controller, and a server that answers well but must not be asked."""
    mesh.remove_edge()
    with mesh.controller(hub_key) as found:
        with inside("hub"):
            trap = serving(replies((200, {}, json.dumps(found.answer).encode())), address=HUB)
            stage = Stage(found, trap.__enter__())
        yield stage
        trap.__exit__(None, None, None)
    mesh.remove_edge()
    world.reset()


@pytest.fixture(autouse=True)
def surroundings(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who came by SSH, and proxies in the environment: in no row may the token go there."""
    stage.trap.seen.clear()
    monkeypatch.setenv("SSH_CONNECTION", f"{OPERATOR} 50000 {EDGE} 22")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, stage.scene.trap)


def refusal(case: Case, params: Dict[str, Any]) -> GatewayError:
    """What a run in this process is refused with."""
    with pytest.raises(GatewayError) as caught:
        mesh.join(**params)
    problem = caught.value
    assert problem.code == case.code and problem.option
    assert any(name in problem.message for name in ("controller_url", "answer."))
    assert [word for word in case.words if word not in problem.message] == []
    return problem


@pytest.mark.parametrize("name", TABLE)
def test_a_host_that_never_joined(stage: Stage, name: str) -> None:
    """Refused in one sentence, and nothing appears but the key."""
    stage.bare()
    problem = refusal(TABLE[name], stage.plays(TABLE[name]))
    stage.assert_quiet(problem.message)
    stage.assert_bare()


@pytest.mark.parametrize("name", TABLE)
def test_a_host_that_has_joined(stage: Stage, name: str) -> None:
    """Refused, or warned about where only the network is at fault; the tunnel is the one that it was."""
    stage.joined()
    case = TABLE[name]
    params = stage.plays(case)
    if case.away:
        outcome = mesh.join(**params)
        message = next(text for text in outcome.warnings if "keeps its tunnel" in text)
        assert not outcome.plan.changed and [word for word in case.words if word not in message] == []
    else:
        message = refusal(case, params).message
    stage.assert_quiet(message)
    stage.assert_standing()


@pytest.mark.parametrize("joined", [False, True], ids=["never joined", "joined"])
@pytest.mark.parametrize("name", AS_PROCESSES)
def test_the_module_as_a_process(stage: Stage, name: str, joined: bool) -> None:
    """What Ansible gets is a result, never a traceback; programs are told what failed and whether to try again."""
    case = TABLE[name]
    if joined:
        stage.joined()
    else:
        stage.bare()
    params = {"join_token": TOKEN, "node_id": "edge-1", "timeout": 5, "retries": 0, **stage.plays(case)}
    with inside("edge"):
        result = world.module("wg_join", **params)
    if joined and case.away:
        assert not result.get("failed") and not result["changed"], result
        # ansible-core 2.19 wraps them
        texts = [text if isinstance(text, str) else text["event"]["msg"] for text in result["warnings"]]
        message = next(text for text in texts if "keeps its tunnel" in text)
    else:
        assert not refusals.fault(result, *case.words)
        assert (result["code"], result["retryable"]) == (case.code, case.away) and result["option"]
        message = result["msg"]
    # the task's own options are shown as they were given, the token masked
    told = json.dumps({key: value for key, value in result.items() if key != "invocation"})
    assert TOKEN not in json.dumps(result) and "hunter2" not in told and "pwned" not in told
    stage.assert_quiet(message)
    if joined:
        stage.assert_standing()
    else:
        stage.assert_bare()


@pytest.mark.parametrize("verdict", ["reject with tcp reset", "drop"])
def test_nobody_is_there(stage: Stage, verdict: str) -> None:
    """A first join fails, and the tunnel of a host that has joined stays."""
    case = Case(lambda scene, handler: None, (), params={"timeout": 1}, away=True)
    with inside("hub"):
        firewalled(stage.server.port, verdict)
    try:
        stage.bare()
        assert refusal(case, stage.plays(case)).retryable
        stage.assert_bare()
    finally:
        with inside("hub"):
            sh("nft", "flush", "ruleset")
    stage.joined()
    params = stage.plays(case)
    with inside("hub"):
        firewalled(stage.server.port, verdict)
    try:
        outcome = mesh.join(**params)
        assert not outcome.plan.changed and "keeps its tunnel" in str(outcome.warnings)
        stage.assert_standing()
    finally:
        with inside("hub"):
            sh("nft", "flush", "ruleset")


@pytest.mark.parametrize("changes", [{"node_ip": "10.50.0.6"}, {"controller_pubkey": OTHER_KEY}], ids=lambda changes: next(iter(changes)))
def test_another_identity(stage: Stage, changes: Dict[str, str]) -> None:
    """A well-formed answer that makes a joined host somebody else, or the controller, is refused; both values are shown."""
    stage.joined()
    (name, value), = changes.items()
    case = Case(lambda scene, handler: handler.reply(200, {}, json.dumps({**scene.good, **changes}).encode()), (name, value, "rejoin"),
                "invalid_input")
    message = refusal(case, stage.plays(case)).message
    assert stage.scene.good[name] in message
    stage.assert_quiet(message)
    stage.assert_standing()


def test_a_good_answer_among_hostile_surroundings(stage: Stage) -> None:
    """No row fails for the wrong reason: over plain http and with proxies named, a good controller is joined, and warned about."""
    stage.bare()
    stage.server.react = stage.controller.react
    outcome = mesh.join(controller_url=stage.controller.url)
    assert outcome.plan.changed and "not encrypted" in str(outcome.warnings)
    assert mesh.hub_answers() and stage.trap.seen == []


def test_an_impostor(stage: Stage, tmp_path: Path) -> None:
    """Joined over https with a CA of its own; later somebody else answers there: he gets no token, and the tunnel stays."""
    certificates = [tls_certificate(tmp_path / name, HUB) for name in ("controller", "impostor")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[0])
    stage.bare()
    with inside("hub"):
        serving_tls = serving(stage.controller.react, context, HUB)
        server = serving_tls.__enter__()
    plain, stage.controller.server = stage.server, server
    try:
        params: Dict[str, Any] = {"controller_url": f"https://{HUB}:{server.port}", "ca_path": str(certificates[0])}
        assert mesh.join(**params).warnings == [] and mesh.hub_answers()
        stage.standing = snapshot()
        context.load_cert_chain(certificates[1])
        server.seen.clear()
        with pytest.raises(GatewayError) as caught:
            mesh.join(**params, retries=5)
        assert "ca_path" in caught.value.message and server.seen == []
    finally:
        stage.controller.server = plain
        serving_tls.__exit__(None, None, None)
    stage.assert_quiet(caught.value.message)
    stage.assert_standing()
    # the next test joins at another URL
    stage.bare()


@pytest.mark.parametrize("joined", [False, True], ids=["never joined", "joined"])
def test_a_tunnel_to_this_host_itself(stage: Stage, joined: bool) -> None:
    """Packets would go round for ever, and the mesh would be gone."""
    if joined:
        stage.joined()
    else:
        stage.bare()
    case = taking(endpoint=f"{EDGE}:51820")
    stage.assert_quiet(refusal(case, stage.plays(case)).message)


def test_a_tunnel_inside_itself_by_name(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint's name leads into the networks behind the tunnel."""
    monkeypatch.setattr(Host, "resolve", lambda _self, _name: ["10.50.0.77"])
    stage.bare()
    case = taking(endpoint="hub.test:51820")
    stage.assert_quiet(refusal(case, stage.plays(case)).message)


def test_an_endpoint_that_no_dns_knows_is_named(stage: Stage) -> None:
    """The user looks for the option that is at fault."""
    stage.bare()
    with pytest.raises(GatewayError) as caught:
        mesh.join(**stage.plays(TABLE["endpoint: a name that is not known"]))
    assert "endpoint" in caught.value.message

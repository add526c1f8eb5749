# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of the older system, over HTTP, change the lab's edge1; hostile ones change nothing and run nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

from eda.conftest import Gateway, forwards, on_edge, table

FORWARD: Dict[str, Any] = {
    "forward_id": "vm-123-ssh", "public_port": 22015, "target_ip": "10.50.0.12", "target_port": 32215, "proto": "tcp"}
PATH = "tcp/forwards"


def test_nobody_gets_in_without_the_token(gateway: Gateway) -> None:
    before = len(gateway.runs())
    for token in (None, "", "wrong", "lab-webhook-token2"):
        assert gateway.post(PATH, FORWARD, token)[0] == 401
    assert len(gateway.runs()) == before


def test_a_forward_is_opened_and_closed(gateway: Gateway) -> None:
    """The seed's body as it stands; then the one that its DELETE has become."""
    assert gateway.post(PATH, FORWARD)[0] == 200
    gateway.until(lambda: "vm-123-ssh" in forwards(), "the forward")
    gateway.recaps(1)
    assert "22015" in table()
    assert gateway.post(f"edge1/{PATH}", {"forward_id": "vm-123-ssh", "state": "absent"})[0] == 200
    gateway.recaps(2)
    assert "22015" not in table()


def test_a_route_is_opened_and_closed(gateway: Gateway) -> None:
    count = len(gateway.runs())
    route = {"route_id": "vm-123", "hostname": "vm-123.service.com", "target_url": "http://10.50.0.12:8080", "entrypoint": "websecure",
             "certresolver": "dnsresolver"}
    assert gateway.post("http/routes", route)[0] == 200
    assert gateway.post("http/routes", {"route_id": "vm-123", "state": "absent"})[0] == 200
    gateway.recaps(count + 1)
    assert "vm-123.service.com" in on_edge("sh", "-c", "cat /etc/traefik/dynamic/vm-123.yml || true")
    gateway.recaps(count + 2)
    assert not on_edge("sh", "-c", "cat /etc/traefik/dynamic/vm-123.yml 2>/dev/null || true")


def test_drift_is_healed(gateway: Gateway) -> None:
    runs = len(gateway.runs())
    on_edge("nft", "delete", "table", "inet", "edge_gateway")
    assert not table()
    # a monitor goes on reporting
    for _ in range(3):
        assert gateway.post("drift", {"kind": "drift", "gateway": "edge1"})[0] == 200
    assert gateway.post("edge1/health", {})[0] == 200
    gateway.until(lambda: "Report the health of the edge gateways" in gateway.runs()[runs:], "the run after the healing")
    assert "22000" in table()
    assert gateway.runs()[runs:].count("Converge the edge gateways") == 1


def test_a_hostile_request_runs_nothing(gateway: Gateway, tmp_path: Path) -> None:
    """Each would execute a command here, on the control node, or lead elsewhere, if it became a variable."""
    canary = tmp_path / "canary"
    pipe = f"{{{{ lookup('ansible.builtin.pipe', 'touch {canary}') }}}}"
    header = f"#jinja2:variable_start_string:'[%',variable_end_string:'%]'\n[% lookup('ansible.builtin.pipe', 'touch {canary}') %]"
    before, runs = (forwards(), table()), len(gateway.runs())
    for body in ({**FORWARD, "comment": pipe}, {**FORWARD, "forward_id": pipe}, {**FORWARD, "state": pipe}, {**FORWARD, "comment": header},
                 {**FORWARD, "source_ranges": [pipe]}, {**FORWARD, pipe: 1}, {**FORWARD, "ansible_connection": "local"},
                 {**FORWARD, "ansible_python_interpreter": f"/bin/touch {canary}"}, {**FORWARD, "edge_gateway_hosts": "all"},
                 {**FORWARD, "src": "/etc/shadow"}, {"forwards": [FORWARD], "purge": True}, [FORWARD], "forwards", 5, None, {}):
        status, answer = gateway.post(PATH, body)
        assert status == 400 and answer.count("\n") == 1 and "Traceback" not in answer, (body, answer)
    for path in ("", "shell", pipe.replace(" ", "%20"), "all:hub/tcp/forwards", "@x/tcp/forwards", "tcp/forwards/x", "../tcp/forwards"):
        assert gateway.post(path, FORWARD)[0] == 400
    for gateway_name in ("edge1,hub", "@file", "~.*", "!x", "", pipe, ["edge1"], None):
        assert gateway.post("drift", {"kind": "drift", "gateway": gateway_name})[0] == 400
    for raw in (b"{", b"\xff", b"[" * 100_000, b"{" * 10, b"NaN", b"[" * 500 + b"]" * 500, b" " * 2_000_000):
        assert gateway.post(PATH, None, raw=raw)[0] in (400, 413, 500)
    # a header reaches nothing; a good call behind it all shows that the webhook still serves, and that nothing ran before it
    assert gateway.post("health", {})[0] == 200
    gateway.until(lambda: len(gateway.runs()) > runs, "a run")
    assert gateway.runs()[runs:] == ["Report the health of the edge gateways"]
    assert (forwards(), table()) == before
    assert not canary.exists()

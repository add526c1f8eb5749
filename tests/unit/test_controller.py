# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's client against a real HTTP server that answers, breaks, lies and drips."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from typing import Any, Callable, Dict

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import controller
from ansible_collections.edge.gateway.plugins.module_utils.engines.controller import Asking
from ansible_collections.edge.gateway.plugins.module_utils.errors import ControllerError, GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.models.answer import Answer
from ansible_collections.edge.gateway.plugins.module_utils.models.target import Url, url
from unit.samples import ANSWER, KEY, TOKEN, one_sentence
from unit.servers import Handler, Server, replies, serving

JSON = {"Content-Type": "application/json"}
GOOD = (200, JSON, json.dumps(ANSWER).encode())


def location(server: Server, path: str = "") -> Url:
    """Where a server listens."""
    return url("controller_url", f"http://127.0.0.1:{server.port}{path}", ("http", "https"), with_path=True)


def ask(server: Server, **options: Any) -> Answer:
    """Join there, in little time."""
    given = {"timeout": 3.0, "retries": 0, "delay": 0.05, **options}
    return controller.join(location(server), "edge-1", KEY, Asking(TOKEN, **given))


def failure(react: Callable[[Handler, int], None], **options: Any) -> ControllerError:
    """A join that must fail: in one line that names the URL and never the token."""
    with serving(react) as server, pytest.raises(ControllerError) as caught:
        ask(server, **options)
    assert f"http://127.0.0.1:{server.port}" in one_sentence(caught.value.message)
    assert TOKEN not in caught.value.message and TOKEN not in str(caught.value)
    return caught.value


def test_the_request_is_the_contract() -> None:
    """POST /join below the URL, the token in a header, id and public key in the body; nothing else."""
    with serving(replies(GOOD)) as server:
        answer = controller.join(location(server, "/base/"), "edge-1", KEY, Asking(TOKEN))
        (method, path, headers, body), = server.seen
    assert answer == Answer.parse(ANSWER)
    assert (method, path, json.loads(body)) == ("POST", "/base/join", {"node_id": "edge-1", "node_pubkey": KEY})
    assert headers["X-Join-Token"] == TOKEN and headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"
    assert TOKEN not in path and TOKEN.encode() not in body


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_2xx_with_an_answer_is_fine(status: int) -> None:
    """The contract says 2xx; unknown fields and the content type do not matter, a wrong one included."""
    with serving(replies((status, {"Content-Type": "text/plain"}, json.dumps({**ANSWER, "hint": "x"}).encode()))) as server:
        assert ask(server) == Answer.parse(ANSWER)


@pytest.mark.parametrize("first", [(500, {}, b"oops"), (502, {}, b"<html>"), (503, {"Retry-After": "999"}, b"")])
def test_a_controller_in_trouble_is_asked_again(first: Any) -> None:
    """500, then 200."""
    with serving(replies(first, GOOD)) as server:
        assert ask(server, retries=2) == Answer.parse(ANSWER)
        assert len(server.seen) == 2


@pytest.mark.parametrize(("status", "word"), [
    (401, "token"), (403, "token"), (404, "path"), (400, "request"), (409, "request"), (418, "418"),
])
def test_a_refusal_is_final(status: int, word: str) -> None:
    """Asking again does not make a wrong token right; the status and what to correct are told."""
    with serving(replies((status, JSON, b'{"error": "no"}'), GOOD)) as server:
        with pytest.raises(ControllerError) as caught:
            ask(server, retries=5)
        assert len(server.seen) == 1
    message = one_sentence(caught.value.message)
    assert str(status) in message and word in message and not caught.value.retryable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """It would carry the token to another host."""
    with serving(replies(GOOD)) as elsewhere:
        target = f"http://127.0.0.1:{elsewhere.port}/join"
        problem = failure(replies((status, {"Location": target}, b"")), retries=3)
        assert elsewhere.seen == []
    assert "redirect" in problem.message and not problem.retryable


BODIES: Dict[str, bytes] = {
    "html": b"<html>Welcome to our hotel</html>", "nothing": b"", "list": json.dumps([ANSWER]).encode(), "text": b'"10.50.0.5"',
    "null": b"null",
    "half": json.dumps(ANSWER).encode()[:-5], "nan": b'{"node_ip": NaN}',
    "twice": json.dumps(ANSWER).encode()[:-1] + b', "node_ip": "10.50.0.6"}',
    "deep": b"[" * 60_000, "empty object": b"{}", "not utf-8": b'{"node_ip": "\xff"}', "nul": b"\0" * 50,
    "gzip": gzip.compress(json.dumps(ANSWER).encode()),
    "big number": b'{"a": ' + b"9" * 6000 + b"}", "surrogate": b'{"node_ip": "\\ud800"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_an_answer_that_is_none(name: str) -> None:
    """A captive portal, a broken controller, a parser trap: refused at once, with no crash."""
    headers = {"Content-Encoding": "gzip"} if name == "gzip" else {}
    assert not failure(replies((200, headers, BODIES[name])), retries=0).retryable


@pytest.mark.parametrize("field", list(ANSWER))
@pytest.mark.parametrize("value", [None, "", "x\nPostUp = touch /tmp/pwned", 5, {"a": 1}, ["\x1b[31m"], "y" * 5000])
def test_a_hostile_field_is_refused_and_named(field: str, value: object) -> None:
    """Nothing of the answer passes that is not what it claims to be; the message stays one short line."""
    assert field in failure(replies((200, JSON, json.dumps({**ANSWER, field: value}).encode()))).message


@pytest.mark.parametrize("field", list(ANSWER))
def test_a_controller_that_echoes_the_token_does_not_get_it_printed(field: str) -> None:
    """Secrets never enter a message, whoever puts them there."""
    failure(replies((200, JSON, json.dumps({**ANSWER, field: TOKEN}).encode())))


def test_a_huge_answer_is_cut_off() -> None:
    """64 KiB and no more, whatever is announced."""
    def react(handler: Handler, _number: int) -> None:
        handler.reply(200, {"Content-Length": str(3 << 30)}, b"[" * 70_000)
        for _ in range(2000):
            handler.wfile.write(b"[" * 65_536)
    start = time.monotonic()
    assert "65536" in failure(react).message
    assert time.monotonic() - start < 2


def drip(handler: Handler, data: bytes) -> None:
    """Send data byte by byte, five bytes a second."""
    for number in range(len(data)):
        handler.wfile.write(data[number:number + 1])
        time.sleep(0.2)


@pytest.mark.parametrize("part", ["body", "headers", "silence"])
def test_a_dripping_answer_ends_with_the_deadline(part: str) -> None:
    """No socket time-out ever fires here: only a deadline for everything ends it, retries included."""
    def react(handler: Handler, _number: int) -> None:
        if part == "silence":
            time.sleep(3)
        elif part == "headers":
            drip(handler, b"HTTP/1.1 200 OK\r\nX-Filler: yes\r\n")
        else:
            handler.reply(200, {"Content-Length": "500"}, b"{")
            drip(handler, b" " * 20)
    start = time.monotonic()
    problem = failure(react, timeout=0.8, retries=10)
    assert time.monotonic() - start < 1.6
    assert problem.retryable and "timeout" in problem.message


@pytest.mark.parametrize("left", [0, -0.001])
def test_when_no_time_is_left(left: float) -> None:
    """A last try that begins a moment too late has run out of time like any other, and has not met a strange server."""
    problem = failure(lambda handler, number: time.sleep(0.3), timeout=left)
    assert problem.retryable and "timeout" in problem.message


def test_retries_stay_within_the_total_time() -> None:
    """The deadline counts for all tries together."""
    start = time.monotonic()
    failure(replies((500, {}, b"")), timeout=0.6, retries=1000, delay=0.1)
    assert time.monotonic() - start < 1.2


@pytest.mark.parametrize(("first", "options", "tries"), [
    ((503, {}, b""), {"retries": 2}, 3), ((500, {}, b"x" * 200_000), {"retries": 1, "delay": 0}, 2),
    # the next try would begin after the end
    ((503, {}, b""), {"retries": 99, "timeout": 0.5, "delay": 0.3}, 2),
])
def test_the_message_tells_how_often_and_how_long(first: Any, options: Dict[str, Any], tries: int) -> None:
    """So that the user sees whether retries and timeout are too small."""
    with serving(replies(first)) as server:
        with pytest.raises(ControllerError) as caught:
            ask(server, **options)
        assert len(server.seen) == tries and caught.value.retryable
    assert re.search(rf"asked {tries} times in 0\.[0-9] seconds", one_sentence(caught.value.message))


def test_a_refusal_after_trouble() -> None:
    """It is final all the same, and one try is not counted."""
    with serving(replies((503, {}, b""), (401, {}, b""))) as server:
        with pytest.raises(ControllerError) as caught:
            ask(server, retries=9)
        assert len(server.seen) == 2 and not caught.value.retryable
    assert "token" in caught.value.message and "asked 2 times" in one_sentence(caught.value.message)
    assert "asked" not in failure(replies((503, {}, b"")), retries=0).message


@pytest.mark.parametrize("noise", [
    b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
    b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n<",
], ids=["nothing", "half", "half a chunk", "half a failure"])
def test_a_connection_that_breaks_is_asked_again(noise: bytes) -> None:
    """A controller that restarts, or whose proxy does."""
    def react(handler: Handler, number: int) -> None:
        if number == 1:
            handler.wfile.write(noise)
        else:
            handler.reply(*GOOD)
    with serving(react) as server:
        assert ask(server, retries=1) == Answer.parse(ANSWER)


NOISE = {
    "nothing": b"", "rubbish": b"\x00\x01\x02", "ssh": b"SSH-2.0-OpenSSH\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "odd status": b"HTTP/1.1 999999 X\r\n\r\n", "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_what_is_no_http(noise: bytes) -> None:
    """A port with something else behind it."""
    def react(handler: Handler, _number: int) -> None:
        handler.wfile.write(noise)
    failure(react)


def test_nobody_listens() -> None:
    """Refused connections are worth another try."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ControllerError) as caught:
        controller.join(Url("http", "127.0.0.1", port), "edge", KEY, Asking(TOKEN, timeout=2, retries=1, delay=0.1))
    assert caught.value.retryable and "tcp" in one_sentence(caught.value.message)


def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token does not go to a proxy that the environment names."""
    with serving(replies((500, {}, b""))) as proxy, serving(replies(GOOD)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        ask(server)
        assert proxy.seen == [] and len(server.seen) == 1


@pytest.mark.parametrize("token", ["line\r\nX-Other: 1", "tok\n", "ünïcode-token-€"])
def test_a_token_that_no_header_can_carry(token: str) -> None:
    """It splits no request and is in no message."""
    with serving(replies(GOOD)) as server:
        with pytest.raises(GatewayError) as caught:
            controller.join(location(server), "edge", KEY, Asking(token, timeout=1, retries=0))
        assert server.seen == []
    assert token.strip() not in one_sentence(caught.value.message)


def test_plain_http_is_warned_about() -> None:
    """It works, and the user is told."""
    assert controller.warnings(Url("http", "ctl.test", 9000)) != [] and controller.warnings(Url("https", "ctl.test", 443)) == []

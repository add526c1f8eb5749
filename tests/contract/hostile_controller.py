# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a controller, what stands between, and its URL may do to an edge: one table."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

from contract.mesh import EDGE, HUB, NODE_IP, TOKEN
from contract.world import nft, sh
from unit.samples import OTHER_KEY
from unit.servers import Handler

JSON = {"Content-Type": "application/json"}
OPERATOR = "198.51.100.7"
PWNED = "touch /run/pwned"
SECTION = f"\n[Interface]\nPreUp = {PWNED}\n[Peer]\nPublicKey = {OTHER_KEY}"


@dataclass
class Scene:
    """What a hostile controller knows: a good answer, what it was asked, and a server that must never hear of the token."""

    good: Dict[str, Any]
    trap: str
    asked: Dict[str, Any] = field(default_factory=dict)


React = Callable[[Scene, Handler], None]


@dataclass(frozen=True)
class Case:
    """One row: what the controller does, and how the run must end.

    Attributes:
        words: what the sentence must name, besides the option.
        code: kind of failure, as programs see it.
        params: options of the task.
        away: network trouble, which a host that has joined outlives with a warning.
    """

    react: React
    words: Tuple[str, ...]
    code: str = "controller"
    params: Dict[str, Any] = field(default_factory=dict)
    away: bool = False


def says(data: bytes, status: int = 200, headers: Dict[str, str] = JSON) -> React:
    """Answer this."""
    return lambda scene, handler: handler.reply(status, headers, data)


def answer(code: str = "controller", **changes: object) -> Case:
    """A good answer but for one field, which the sentence must name."""
    def react(scene: Scene, handler: Handler) -> None:
        handler.reply(200, JSON, json.dumps({**scene.good, **changes}).encode())
    return Case(react, (list(changes)[0],), code)


def taking(**changes: object) -> Case:
    """A well-formed answer that is not accepted on this host."""
    return answer("invalid_input", **changes)


def without(name: str) -> Case:
    """An answer that lacks a field."""
    def react(scene: Scene, handler: Handler) -> None:
        handler.reply(200, JSON, json.dumps({key: value for key, value in scene.good.items() if key != name}).encode())
    return Case(react, (name, "missing"))


def body(data: bytes, *words: str, **headers: str) -> Case:
    """A body that is no answer."""
    return Case(says(data, headers={name.replace("_", "-"): value for name, value in headers.items()}), words)


def added(words: str, tail: bytes) -> Case:
    """A good answer with something behind its last field."""
    def react(scene: Scene, handler: Handler) -> None:
        handler.reply(200, JSON, json.dumps(scene.good).encode()[:-1] + tail)
    return Case(react, (words,))


def redirect(status: int, path: str = "/join") -> Case:
    """To a server that would answer well."""
    return Case(lambda scene, handler: handler.reply(status, {"Location": scene.trap + path}, b""), ("redirect", str(status)))


def trouble(react: React, *words: str) -> Case:
    """The network's fault, or a controller that is about to come back."""
    return Case(react, words, params={"timeout": 1}, away=True)


def location(value: str, *words: str, code: str = "invalid_input") -> Case:
    """A URL that nobody must be asked at."""
    return Case(says(b"{}"), words, code, {"controller_url": value, "timeout": 1})


def reflected(scene: Scene, handler: Handler) -> None:
    """The node's own key as the controller's."""
    handler.reply(200, JSON, json.dumps({**scene.good, "controller_pubkey": scene.asked["node_pubkey"]}).encode())


def name_of_endpoint(scene: Scene, handler: Handler) -> None:
    """An endpoint that no DNS knows."""
    handler.reply(200, JSON, json.dumps({**scene.good, "endpoint": "nowhere.invalid:51820"}).encode())


def drip(start: bytes, piece: bytes) -> React:
    """Begin an answer and never end it, so slowly that no socket time-out fires."""
    def react(_scene: Scene, handler: Handler) -> None:
        handler.wfile.write(start)
        for _ in range(20):
            time.sleep(0.1)
            handler.wfile.write(piece)
    return react


def flood(start: bytes) -> React:
    """Send as much as the other side takes, up to 3 GiB."""
    def react(_scene: Scene, handler: Handler) -> None:
        handler.wfile.write(start)
        for _ in range(48):
            handler.wfile.write(b"[" * (1 << 26))
    return react


def hang_up(start: bytes, reset: bool) -> React:
    """Close the connection in the middle."""
    def react(_scene: Scene, handler: Handler) -> None:
        handler.wfile.write(start)
        if reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return react


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NESTED = (300, 990, 20_000)

ENDPOINT = {
    "a section that runs a command": answer(endpoint=f"{HUB}:51820{SECTION}"),
    "a line that breaks wg-quick": answer(endpoint=f"{HUB}:51820\nPostUp = {PWNED}"),
    "a name that is not known": Case(name_of_endpoint, ("nowhere.invalid",), "invalid_input"),
    "loopback by name": taking(endpoint="localhost:51820"),
    "loopback": answer(endpoint="127.0.0.1:51820"), "nowhere": answer(endpoint="0.0.0.0:1"), "multicast": answer(endpoint="224.0.0.1:1"),
    "nowhere in IPv6": answer(endpoint="[::]:1"), "loopback in IPv6": answer(endpoint="[::1]:1"),
    "mapped loopback": answer(endpoint="[::ffff:127.0.0.1]:1"), "short loopback": answer(endpoint="127.1:1"),
    "hex loopback": answer(endpoint="0x7f000001:1"), "metadata": answer(endpoint="169.254.169.254:1"),
    "port 0": answer(endpoint=f"{HUB}:0"), "port 65536": answer(endpoint=f"{HUB}:65536"), "no port": answer(endpoint=HUB),
    "wide digits": answer(endpoint=f"{HUB}:５１８２０"), "a number": answer(endpoint=51820), "a list": answer(endpoint=[f"{HUB}:51820"]),
    "the token": answer(endpoint=f"{TOKEN}\n:51820"),
}
NODE_IP_ROWS = {
    "a line that runs a command": answer(node_ip=f"{NODE_IP}/32\nPostUp = {PWNED}"),
    "a scope that runs a command": answer(node_ip=f"fe80::1%\nPreUp = {PWNED} #/64"),
    "a scope behind a mesh address": answer(node_ip=f"fd50::5%\nPreUp = {PWNED} #"),
    "the host's own address": taking(node_ip=f"{EDGE}/32"), "another in the host's network": taking(node_ip="192.0.2.77"),
    "the host's network": answer(node_ip="192.0.2.77/16"), "shell characters": answer(node_ip=f"{NODE_IP}/32 $({PWNED}) *"),
    "vertical tab": answer(node_ip=f"{NODE_IP}/32\vPostUp=x"), "carriage return": answer(node_ip=f"{NODE_IP}/32\rPostUp=x"),
    "line separator": answer(node_ip=f"{NODE_IP}/32\u2028PostUp=x"), "newline at the end": answer(node_ip=f"{NODE_IP}\n"),
    "leading zero": answer(node_ip="010.50.0.5"), "mapped": answer(node_ip=f"::ffff:{NODE_IP}"), "loopback": answer(node_ip="127.0.0.1"),
    "a number": answer(node_ip=171_049_221), "true": answer(node_ip=True), "colours": answer(node_ip=f"\x1b[31m{NODE_IP}"),
    "the token": answer(node_ip=TOKEN), "five kilobytes": answer(node_ip="1" * 5000),
}
ALLOWED_IPS = {
    "a section that runs a command": answer(allowed_ips=f"10.50.0.0/24{SECTION}"),
    "a line": answer(allowed_ips=f"10.50.0.0/24\nPostUp = {PWNED}"),
    "the default route": taking(allowed_ips="0.0.0.0/0"), "the default route of IPv6": taking(allowed_ips=["10.50.0.0/24", "::/0"]),
    "in halves": taking(allowed_ips="0.0.0.0/1,128.0.0.0/1"), "in 64 pieces": taking(allowed_ips=[f"{4 * n}.0.0.0/6" for n in range(64)]),
    "in too many pieces": answer(allowed_ips=[f"10.{n}.0.0/16" for n in range(65)]),
    "the operator": taking(allowed_ips="10.50.0.0/24,198.51.100.0/24"), "the gateway": taking(allowed_ips=["10.50.0.0/24", f"{HUB}/32"]),
    "the host's network": taking(allowed_ips="192.0.2.0/24"), "around the host's network": taking(allowed_ips="192.0.0.0/16"),
    "its own endpoint": taking(allowed_ips="10.50.0.0/24,203.0.113.0/24", endpoint="203.0.113.7:51820"),
    "metadata": taking(allowed_ips="169.254.169.254/32"), "loopback": taking(allowed_ips="127.0.0.0/8"),
    "multicast": taking(allowed_ips="ff00::/8"), "plus": answer(allowed_ips="+10.0.0.0/8"), "minus": answer(allowed_ips="-10.0.0.0/8"),
    "a netmask": answer(allowed_ips="10.50.0.0/255.255.255.0"), "numbers": answer(allowed_ips=[10, 50]),
    "objects": answer(allowed_ips=[{}]),
}
CONTROLLER_PUBKEY = {
    "a section that runs a command": answer(controller_pubkey=f"{OTHER_KEY}{SECTION}"), "zero": answer(controller_pubkey="A" * 43 + "="),
    "not canonical": answer(controller_pubkey=OTHER_KEY[:-2] + "h="), "rubbish before": answer(controller_pubkey=f"!!{OTHER_KEY}"),
    "our own": Case(reflected, ("controller_pubkey",), "invalid_input"), "the token": answer(controller_pubkey=TOKEN),
}
BODY = {
    "captive portal": body(b"<html>Welcome to our hotel</html>", "JSON", Content_Type="text/html"), "nothing": body(b"", "JSON"),
    "broken JSON": body(b'{"node_ip": ', "JSON"), "null": body(b"null", "object"), "a list": body(b"[]", "object"),
    "an empty object": body(b"{}", "missing"), "another API": body(b'{"status": "ok"}', "missing"),
    "a repeated name": added("repeated", b', "node_ip": "10.50.0.6"}'), "NaN": added("NaN", b', "ttl": NaN}'),
    "infinity": added("Infinity", b', "ttl": -Infinity}'), "a huge integer": added("too large", b', "ttl": ' + b"9" * 6000 + b"}"),
    "half a surrogate pair": added("JSON", b', "note": "\\ud800"}'), "not UTF-8": added("JSON", b', "note": "\xff"}'),
    "NUL": body(b"\0" * 99, "JSON"),
    **{f"{number} deep": body(b'{"node_ip": ' + b"[" * number + b"]" * number + b"}", *(["deep"] if number > 999 else []))
       for number in NESTED},
    **{f"without {name}": without(name) for name in ("node_ip", "endpoint", "allowed_ips", "controller_pubkey")},
    "gzip": body(gzip.compress(b"{}"), "JSON", Content_Encoding="gzip"), "no content": Case(says(b"", 204), ("JSON",)),
    # 60 kB that would become 60 MB, and 300 kB that would become 300 MB
    "gzip bomb": body(gzip.compress(b"[" * 60_000_000, 9)[:60_000], "JSON", Content_Encoding="gzip"),
    "larger gzip bomb": body(gzip.compress(b"[" * 300_000_000, 1), "65536", Content_Encoding="gzip"),
}
TRANSPORT = {
    **{f"redirect {status}": redirect(status) for status in (301, 302, 303, 307, 308)},
    "redirect with a hostile target": redirect(302, f"/join?{TOKEN}&{PWNED}"),
    "redirect to a file": Case(says(b"", 302, {"Location": "file:///etc/shadow"}), ("redirect",)),
    "huge body": Case(flood(OK + b"Content-Length: 3221225472\r\n\r\n"), ("65536",)),
    "huge body without a length": Case(flood(OK + b"\r\n"), ("65536",)),
    "huge chunk": Case(flood(OK + b"Transfer-Encoding: chunked\r\n\r\nc0000000\r\n"), ("65536",)),
    "huge header": Case(flood(b"HTTP/1.1 200 OK\r\nX: "), ("controller_url",)),
    "dripping body": trouble(drip(OK + b"Content-Length: 500\r\n\r\n{", b" "), "timeout"),
    "dripping header": trouble(drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"), "timeout"), "silence": trouble(drip(b"", b""), "timeout"),
    "for ever 100": trouble(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
    **{f"HTTP {status}": trouble(says(b"<html>oops</html>", status), str(status)) for status in (500, 502, 503, 504)},
    "HTTP 500 with a huge page": trouble(flood(b"HTTP/1.1 500 Oops\r\n\r\n"), "500"),
    "hangs up at once": trouble(hang_up(b"", False), "tcp"), "reset": trouble(hang_up(b"", True), "tcp"),
    "hangs up in the middle": trouble(hang_up(OK + b"Content-Length: 99\r\n\r\n{", False), "tcp"),
    **{f"HTTP {status}": Case(says(TOKEN.encode(), status), (str(status),)) for status in (400, 401, 403, 404, 409, 418, 429)},
    "no HTTP": Case(hang_up(b"SSH-2.0-OpenSSH_9.2\r\n", False), ("controller_url",)),
}
CONTROLLER_URL = {
    "a file": location("file:///etc/shadow"), "a user": location("http://admin:hunter2@192.0.2.1"),
    "another host before @": location("http://192.0.2.1@203.0.113.1/"), "a query": location("http://192.0.2.1/?token=hunter2"),
    "a fragment": location("http://192.0.2.1/#hunter2"), "a line break": location("http://192.0.2.1/\r\nX-Other: 1"),
    "a tab": location("http://192.0.2\t.1/"), "NUL": location("http://192.0.2.1/\0"), "gopher": location("gopher://192.0.2.1"),
    "port 0": location("http://192.0.2.1:0"), "port 99999": location("http://192.0.2.1:99999"), "short": location("http://127.1"),
    # only the contract's POST would go there, and a warning is given; here is no route to it
    "metadata": location("http://169.254.169.254/", "169.254.169.254", code="controller"),
    "a name that is not known": location("http://nowhere.invalid/", "dns", code="controller"),
    "TLS where there is none": location(f"https://{HUB}:PORT", "tls", code="controller"),
}
TABLE: Dict[str, Case] = {
    f"{topic}: {name}": case for topic, rows in {
        "endpoint": ENDPOINT, "node_ip": NODE_IP_ROWS, "allowed_ips": ALLOWED_IPS, "controller_pubkey": CONTROLLER_PUBKEY,
        "body": BODY, "transport": TRANSPORT, "controller_url": CONTROLLER_URL,
    }.items() for name, case in rows.items()
}


def firewalled(port: int, verdict: str) -> None:
    """Nobody is heard at this port of the namespace that we are in."""
    rule = f"type filter hook input priority 0; policy accept;\ntcp dport {port} {verdict}\n"
    nft(f"table ip away {{\nchain in {{\n{rule}}}\n}}\n")


def tls_certificate(path: Path, address: str) -> Path:
    """A certificate that is its own CA, and its key, in one file."""
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
       "-subj", f"/CN={path.name}", "-addext", f"subjectAltName=IP:{address}", "-keyout", str(path), "-out", f"{path}.crt")
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's client against real TLS servers: own CAs, and every kind of certificate that must not be trusted."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.engines import controller
from ansible_collections.edge.gateway.plugins.module_utils.engines.controller import Asking
from ansible_collections.edge.gateway.plugins.module_utils.errors import ControllerError, GatewayError
from ansible_collections.edge.gateway.plugins.module_utils.models.answer import Answer
from ansible_collections.edge.gateway.plugins.module_utils.models.target import Url
from unit.samples import ANSWER, KEY, TOKEN, one_sentence
from unit.servers import replies, serving

GOOD = (200, {"Content-Type": "application/json"}, json.dumps(ANSWER).encode())
CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
# name of a certificate: the names that it is for, and its days
KINDS: Dict[str, Tuple[str, str, str]] = {
    "good": ("DNS:localhost, IP:127.0.0.1", "20200101000000Z", "20990101000000Z"),
    "expired": ("DNS:localhost, IP:127.0.0.1", "20200101000000Z", "20200601000000Z"),
    "not yet valid": ("DNS:localhost, IP:127.0.0.1", "20980101000000Z", "20990101000000Z"),
    "of another host": ("DNS:other.test, IP:192.0.2.1", "20200101000000Z", "20990101000000Z"),
}


def openssl(*arguments: object) -> None:
    """Run it."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(name="folder", scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and a certificate with its key of each kind, signed by it; one more that nobody signed."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "index.txt").touch()
    config = folder / "openssl.cnf"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", config)
    for name, (names, start, end) in {"ca": ("DNS:ca.test", "", ""), "self-signed": KINDS["good"], **KINDS}.items():
        config.write_text(CONFIG.format(folder=folder, names=names))
        made, private = folder / f"{name}.crt", folder / f"{name}.key"
        if name in KINDS:
            openssl("req", "-new", *key, "-subj", f"/CN={name}", "-keyout", private, "-out", folder / "request")
            openssl("ca", "-batch", "-notext", "-config", config, "-extensions", "server", "-startdate", start, "-enddate", end,
                    "-cert", folder / "ca.crt", "-keyfile", folder / "ca.key", "-in", folder / "request", "-out", made)
        else:
            extensions = "authority" if name == "ca" else "server"
            openssl("req", "-x509", *key, "-days", 2, "-subj", f"/CN={name}", "-extensions", extensions, "-keyout", private, "-out", made)
        (folder / f"{name}.pem").write_text(private.read_text() + made.read_text())
    return folder


@dataclass
class Tls:
    """A server's end: its certificate, and how often somebody began to talk."""

    path: Path
    hellos: List[Optional[str]] = field(default_factory=list)

    def context(self) -> ssl.SSLContext:
        """For the server's socket."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        context.sni_callback = lambda _socket, name, _context: self.hellos.append(name)
        return context


def ask(tls: Tls, host: str = "127.0.0.1", **options: Any) -> Answer:
    """Join there; a refusal would be worth several tries, as far as the options go."""
    with serving(replies(GOOD), tls.context()) as server:
        try:
            return controller.join(Url("https", host, server.port), "edge", KEY, Asking(TOKEN, timeout=5, retries=5, delay=0.1, **options))
        except ControllerError:
            assert server.seen == []      # the token was not sent
            raise


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_own_ca(folder: Path, host: str) -> None:
    """A controller of the user's own needs no public CA."""
    assert ask(Tls(folder / "good.pem"), host, ca_path=str(folder / "ca.crt")) == Answer.parse(ANSWER)


def test_a_certificate_that_is_its_own_ca(folder: Path) -> None:
    """Nobody signed it, but the user names it."""
    assert ask(Tls(folder / "self-signed.pem"), ca_path=str(folder / "self-signed.crt")) == Answer.parse(ANSWER)


@pytest.mark.parametrize("kind", [*KINDS, "self-signed"])
def test_no_validation(folder: Path, kind: str) -> None:
    """Where that is asked for, any certificate will do."""
    assert ask(Tls(folder / f"{kind}.pem"), validate_certs=False) == Answer.parse(ANSWER)


@pytest.mark.parametrize(("kind", "with_ca", "words"), [
    ("good", False, ("a CA that this host does not know", "ca_path")),
    ("self-signed", False, ("a CA that this host does not know", "ca_path")),
    ("self-signed", True, ("a CA that this host does not know", "ca_path")),
    ("expired", True, ("has expired", "renew", "clock")), ("not yet valid", True, ("not valid yet", "clock")),
    ("of another host", True, ("not for 127.0.0.1", "give the URL")),
])
def test_a_certificate_that_is_not_trusted(folder: Path, kind: str, with_ca: bool, words: Tuple[str, ...]) -> None:
    """One sentence with the remedy; asking again would not help, so nobody does."""
    tls = Tls(folder / f"{kind}.pem")
    with pytest.raises(ControllerError) as caught:
        ask(tls, ca_path=str(folder / "ca.crt") if with_ca else None)
    message = one_sentence(caught.value.message)
    assert message.startswith("controller_url https://127.0.0.1:") and [word for word in words if word not in message] == []
    assert not caught.value.retryable and len(tls.hellos) == 1
    if "clock" in words:
        assert time.strftime("shows %Y-%m-%d", time.gmtime()) in message


def test_another_name_of_the_same_host(folder: Path) -> None:
    """It is the name in the URL that counts."""
    with pytest.raises(ControllerError) as caught:
        ask(Tls(folder / "of another host.pem"), "localhost", ca_path=str(folder / "ca.crt"))
    assert "not for localhost" in one_sentence(caught.value.message)


def test_no_tls_at_all() -> None:
    """An http port under an https URL is told from a bad certificate, and final."""
    with serving(replies(GOOD)) as server, pytest.raises(ControllerError) as caught:
        controller.join(Url("https", "127.0.0.1", server.port), "edge", KEY, Asking(TOKEN, timeout=5, retries=5, delay=0.1))
    assert "check scheme and port" in one_sentence(caught.value.message) and not caught.value.retryable


@pytest.mark.parametrize("validate", [True, False])
def test_a_server_that_hangs_up_in_the_handshake(validate: bool) -> None:
    """That is the network's fault, or a proxy whose controller restarts: it is asked again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        calls: List[object] = []

        def hang_up() -> None:
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                with connection:
                    calls.append(connection.recv(4096))
        threading.Thread(target=hang_up, daemon=True).start()
        where = Url("https", "127.0.0.1", listener.getsockname()[1])
        with pytest.raises(ControllerError) as caught:
            controller.join(where, "edge", KEY, Asking(TOKEN, validate, timeout=5, retries=2, delay=0.1))
        assert caught.value.retryable and "tcp" in one_sentence(caught.value.message) and len(calls) == 3
        listener.shutdown(socket.SHUT_RDWR)      # wakes the thread


def test_a_ca_that_cannot_be_read() -> None:
    """The option is named."""
    with pytest.raises(GatewayError) as caught:
        controller.join(Url("https", "127.0.0.1", 1), "edge", KEY, Asking(TOKEN, ca_path="/etc/hostname", retries=0))
    assert caught.value.option == "ca_path"

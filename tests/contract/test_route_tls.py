# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS on both sides of the real Traefik, and routes for connections: handshakes, certificates and bytes as the two ends see them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from typing import Any, Iterator, List

import pytest
from contract import route_samples
from contract.edge_traefik import Backend, entry, fetch, run
from contract.route_samples import FILES, Options
from contract.route_traffic import ask, backend, client_tls, connected, connections, route, say, tcp_route, url

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CA = str(FILES / "cert.pem")


@pytest.fixture(autouse=True)
def another_route(no_routes: None, backends: List[Backend]) -> Iterator[None]:
    """A route that has nothing to do with the change is served before and after it, over old TLS and without a certificate."""
    route_samples.make_files()
    run(**entry("stays", target_url=backends[0].url, entrypoint=["web", "websecure"]))
    yield
    assert fetch("stays.test") == (200, "one") and ask("stays.test", context=client_tls(TLS12)).status == 200


def shaken(host: str, context: ssl.SSLContext) -> str:
    """The version of TLS that both ends agree on, and the status of a request; nothing when there is no handshake."""
    try:
        with connected(host, context) as channel:
            assert isinstance(channel, ssl.SSLSocket)
            version = str(channel.version())
        return f"{version} {ask(host, context=context).status}"
    except OSError:
        return ""


@pytest.mark.parametrize("hostname", ["web.test", "*.wild.test", ["web.test", "*.wild.test"]])
def test_versions_of_tls(hostname: Any) -> None:
    """Clients that are too old or too new are refused, by exact names and by wildcards."""
    names = [name.replace("*", "a") for name in ([hostname] if isinstance(hostname, str) else hostname)]
    for options, expected in (({"min_version": "VersionTLS13"}, ["", "TLSv1.3 200"]),
                              ({"max_version": "VersionTLS12"}, ["TLSv1.2 200", ""]), (None, ["TLSv1.2 200", "TLSv1.3 200"])):
        with backend() as server:
            route(server, hostname=hostname, entrypoint="websecure", tls_options=options)
            for name in names:
                assert [shaken(name, client_tls(version)) for version in (TLS12, TLS13)] == expected, (name, options)


def test_cipher_suites_and_protocols() -> None:
    """Of TLS 1.2 only the suites that are named, and of protocols too."""
    with backend() as server:
        route(server, entrypoint="websecure", tls_options={"cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
                                                          "alpn_protocols": ["http/1.1"]})
        for suite, works in (("ECDHE-RSA-AES256-GCM-SHA384", True), ("ECDHE-RSA-AES128-GCM-SHA256", False)):
            context = client_tls(TLS12)
            context.set_ciphers(suite)
            context.set_alpn_protocols(["h2", "http/1.1"])
            assert bool(shaken("web.test", context)) is works
        with connected("web.test", context_of("h2", "http/1.1")) as channel:
            assert isinstance(channel, ssl.SSLSocket) and channel.selected_alpn_protocol() == "http/1.1"


def context_of(*protocols: str) -> ssl.SSLContext:
    """A client that offers these protocols."""
    context = client_tls()
    context.set_alpn_protocols(list(protocols))
    return context


def test_certificates_of_clients() -> None:
    """Who has none is refused, where one is required; the route beside it asks for none."""
    with backend() as server:
        route(server, entrypoint="websecure", tls_options={"client_auth": {"ca_files": [CA],
                                                                          "client_auth_type": "RequireAndVerifyClientCert"}})
        assert (shaken("web.test", client_tls(TLS12)), shaken("web.test", client_tls(TLS12, certificate=True))) == ("", "TLSv1.2 200")
        with pytest.raises(OSError):
            ask("web.test", context=client_tls(TLS13))
        # nor by way of another name: Traefik tells that the name of the request is not the one of the handshake
        with connected("stays.test", client_tls()) as channel:
            channel.sendall(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n")
            assert b" 421 " in channel.recv(100)
        assert server.seen and all(headers["Host"] == "web.test" for _method, _path, headers, _body in server.seen)


@pytest.mark.parametrize("transport, status", [
    (None, 500), ({"insecure_skip_verify": True}, 200), ({"root_cas": [CA]}, 500), ({"root_cas": [CA], "server_name": "backend.test"}, 200),
    ({"root_cas": [CA], "server_name": "other.test"}, 500)])
def test_https_to_the_target(transport: Options, status: int) -> None:
    """Its certificate is checked against the authority and the name that were given, unless told not to."""
    with backend(secure=True) as server:
        run(**entry("web", target_url=url(server, "https"), servers_transport=transport))
        assert ask("web.test").status == status


def test_a_certificate_for_the_target() -> None:
    """One that asks for it gets it."""
    with backend(secure=True) as server:
        server.socket.context.verify_mode = ssl.CERT_REQUIRED  # type: ignore[attr-defined]
        server.socket.context.load_verify_locations(CA)  # type: ignore[attr-defined]
        run(**entry("web", target_url=url(server, "https"), servers_transport={"insecure_skip_verify": True}))
        assert ask("web.test").status != 200
        run(**entry("web", target_url=url(server, "https"), servers_transport={
            "insecure_skip_verify": True, "certificates": [{"cert_file": CA, "key_file": str(FILES / "key.pem")}]}))
        assert ask("web.test").status == 200


def test_h2c_to_the_target() -> None:
    """HTTP/2 without TLS: Traefik itself is such a target."""
    run(**entry("web", target_url="h2c://127.0.0.1:8000", middlewares=[{"headers": {"custom_request_headers": {"Host": "stays.test"}}}]))
    assert fetch("web.test") == (200, "one")


def test_timeouts_to_the_target() -> None:
    """One that does not answer in time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run(**entry("web", target_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
                    servers_transport={"forwarding_timeouts": {"response_header_timeout": "200ms"}}))
        assert ask("web.test").status == 504


def test_connections_with_tls_to_the_target() -> None:
    """Passed through: the client sees the target's own certificate, and no other host's connections come that way."""
    with connections(secure=True) as server:
        tcp_route(server["port"], passthrough=True, hostname=["db.test", "*.db.test"])
        for name in ("db.test", "a.db.test"):
            with connected(name, client_tls()) as channel:
                assert isinstance(channel, ssl.SSLSocket)
                assert channel.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert((FILES / "cert.pem").read_text())
                channel.sendall(b"hello")
                assert channel.recv(100) == b"got hello"
        assert say("a.b.db.test") != b"got hello" and len(server["first"]) == 2


def test_connections_whose_tls_ends_here() -> None:
    """The target gets plain bytes, with the options of TLS that were asked for."""
    with connections() as server:
        tcp_route(server["port"], tls_options={"min_version": "VersionTLS13"})
        assert say("db.test", b"plain") == b"got plain" and server["first"] == [b"plain"]
        with pytest.raises(OSError), connected("db.test", client_tls(TLS12)):
            pass


def told_port() -> int:
    """The port of a client, once the server has got what it said."""
    with connected("db.test", client_tls()) as channel:
        channel.sendall(b"hello")
        while b"hello" not in channel.recv(100):
            pass
        return int(channel.getsockname()[1])


def test_the_proxy_protocol() -> None:
    """Version 1 is a line, version 2 is bytes; both tell the client's address and port before anything else."""
    with connections() as server:
        tcp_route(server["port"], proxy_protocol=1)
        port = told_port()
        assert b"".join(server["first"]) == f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} 8443\r\nhello".encode()
        server["first"].clear()
        tcp_route(server["port"], proxy_protocol=2)
        port = told_port()
        local = socket.inet_aton("127.0.0.1")
        told = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H4s4sHH", 12, local, local, port, 8443)
        assert b"".join(server["first"]) == told + b"hello"
        server["first"].clear()
        tcp_route(server["port"])
        assert say("db.test") == b"got hello" and server["first"] == [b"hello"]


def test_who_may_connect() -> None:
    """Networks that are not listed are hung up on, and so is one connection too many."""
    with connections() as server:
        tcp_route(server["port"], {"ip_allow_list": {"source_range": ["203.0.113.0/24"]}})
        assert say("db.test") == b"" and server["first"] == []
        tcp_route(server["port"], {"ip_allow_list": {"source_range": ["127.0.0.0/8"]}}, {"in_flight_conn": {"amount": 1}})
        with connected("db.test", client_tls()) as channel:
            channel.sendall(b"hello")
            assert channel.recv(100) == b"got hello" and say("db.test") == b""
        assert eventually("db.test") == b"got hello"


def eventually(host: str) -> bytes:
    """An answer of a server that has to see first that someone has gone."""
    return next((found for found in (say(host) for _ in range(20)) if found), b"")


def test_targets_of_connections_take_turns() -> None:
    """Several share the load."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(connections()) for _ in range(2)]
        run(**entry("db", entrypoint="websecure", target_url=[f"tcp://127.0.0.1:{server['port']}" for server in servers]))
        assert {say("db.test") for _ in range(4)} == {b"got hello"}
        assert [len(server["first"]) for server in servers] == [2, 2]

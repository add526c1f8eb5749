# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP exchange, bounded in every way: no redirect, no proxy, no decompression, a size and a deadline.

``http.client`` instead of Ansible's ``fetch_url``, whose import alone costs a task 0.1 s.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from ..models.target import Url

SIZE_LIMIT = 64 * 1024
CUT_SHORT = "the connection was closed before the answer was complete"


class ExchangeFailed(Exception):
    """The exchange did not end in an answer; ``kind`` is dns, tcp, certificate, tls, timeout, size or protocol.

    With the kind certificate, ``reason`` is OpenSSL's number of what is wrong with it.
    """

    def __init__(self, kind: str, detail: str, reason: int = 0) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.reason = kind, detail, reason


@dataclass(frozen=True)
class Response:
    """An answer: status code, media type without parameters, and body (empty where the status tells of no success)."""

    status: int
    media_type: str
    body: bytes


def exchange(method: str, url: Url, path: str, deadline: float, *, headers: Optional[Mapping[str, str]] = None,
             body: bytes = b"", context: Optional[ssl.SSLContext] = None, size: int = SIZE_LIMIT) -> Response:
    """Send one request and read one answer.

    Args:
        deadline: seconds for everything, name look-up included. It runs in a thread of its own, since a slow look-up
            or an answer that drips byte by byte outlives every socket timeout; the thread dies with the process.

    Raises:
        ExchangeFailed: there was no complete answer.
    """
    outcome: Dict[str, Any] = {}
    deadline = max(deadline, 0.1)     # what is left of a longer time may be less than nothing, which no socket takes

    def work() -> None:
        try:
            outcome["response"] = _talk(method, url, path, deadline, headers=dict(headers or {}), body=body,
                                        context=context, size=size)
        except ExchangeFailed as problem:
            outcome["problem"] = problem
        except Exception as problem:  # a hostile answer may provoke anything; its text stays here
            outcome["problem"] = ExchangeFailed("protocol", type(problem).__name__)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(deadline)
    if "response" in outcome:
        response: Response = outcome["response"]
        return response
    raise outcome.get("problem") or ExchangeFailed("timeout", f"no complete answer within {deadline:.3g} seconds")


def _talk(method: str, url: Url, path: str, deadline: float, *, headers: Dict[str, str], body: bytes,
          context: Optional[ssl.SSLContext], size: int) -> Response:
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.host, url.port, timeout=deadline, context=context)
    else:
        connection = http.client.HTTPConnection(url.host, url.port, timeout=deadline)
    try:
        connection.request(method, url.path + path, body or None, {**headers, "Accept-Encoding": "identity"})
        return _read(connection.getresponse(), size)
    except socket.gaierror:
        raise ExchangeFailed("dns", f"the name {url.host} cannot be resolved") from None
    except ssl.SSLCertVerificationError as problem:
        raise ExchangeFailed("certificate", problem.verify_message, problem.verify_code) from None
    # before Python 3.10 an end within the handshake is a "zero return"
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, http.client.RemoteDisconnected, http.client.IncompleteRead):
        raise ExchangeFailed("tcp", CUT_SHORT) from None
    except ssl.SSLError as problem:
        raise ExchangeFailed("tls", problem.reason or "handshake failed") from None
    except (socket.timeout, TimeoutError):
        raise ExchangeFailed("timeout", f"no complete answer within {deadline:.3g} seconds") from None
    except http.client.HTTPException as problem:
        raise ExchangeFailed("protocol", type(problem).__name__) from None
    except OSError as problem:
        raise ExchangeFailed("tcp", problem.strerror or type(problem).__name__) from None
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, size: int) -> Response:
    # nobody needs the page of a failure, so that it may be as long as it likes, and end where it likes
    data = answer.read(size + 1) if answer.status < 300 else b""
    if len(data) > size:
        raise ExchangeFailed("size", f"the answer is larger than {size} bytes")
    if answer.length and answer.status < 300:     # read() with a limit does not tell
        raise ExchangeFailed("tcp", CUT_SHORT)
    return Response(answer.status, (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower(), data)

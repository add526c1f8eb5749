# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh controller: ``POST {controller_url}/join`` with the header ``X-Join-Token``."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from typing import List, Optional

from ..errors import ControllerError, InvalidInput, words_of
from ..formats.strict_json import parse_object
from ..models.answer import Answer
from ..models.target import Url
from .http import ExchangeFailed, Response, exchange

REFUSALS = {401: "the join token", 403: "the join token", 404: "the path", 400: "the request", 409: "the request"}
REMEDIES = {
    "tls": "check scheme and port, and that it speaks TLS 1.2 or later", "size": "check that this is the controller's URL",
    "protocol": "check that this is the controller's URL",
}
# OpenSSL's numbers (X509_V_ERR_...)
NOT_YET_VALID, EXPIRED, UNKNOWN_CA, OTHER_NAME = (9,), (10,), (18, 19, 20, 21), (62, 64)


@dataclass(frozen=True)
class Asking:
    """How to ask a controller. ``timeout`` and ``delay`` are seconds; ``timeout`` covers all tries together."""

    token: str
    validate_certs: bool = True
    ca_path: Optional[str] = None
    timeout: float = 20.0
    retries: int = 10
    delay: float = 2.0


def join(url: Url, node_id: str, public_key: str, asking: Asking) -> Answer:
    """Join, or join again with the same key for the same answer. Only network trouble and HTTP 5xx are worth another try.

    Raises:
        ControllerError: no usable answer; ``retryable`` tells whether such trouble was the reason.
    """
    body = json.dumps({"node_id": node_id, "node_pubkey": public_key}).encode()
    context = _context(url, asking)
    start = time.monotonic()
    end = start + asking.timeout
    for tries in range(1, asking.retries + 2):
        try:
            return _once(url, body, asking.token, end - time.monotonic(), context)
        except ControllerError as problem:
            now = time.monotonic()
            if not problem.retryable or tries > asking.retries or now + asking.delay >= end:
                asked = f" (asked {tries} times in {now - start:.1f} seconds)" if tries > 1 else ""
                raise ControllerError(problem.message + asked, problem.retryable) from None
        time.sleep(asking.delay)
    raise AssertionError("unreachable: the last try returns or raises")


def warnings(url: Url) -> List[str]:
    """What is risky about a controller's URL."""
    if url.scheme == "http":
        return [f"{url} is not encrypted: the join token can be read on the way; use https where the controller allows it"]
    return []


def _context(url: Url, asking: Asking) -> Optional[ssl.SSLContext]:
    if url.scheme != "https":
        return None
    try:
        context = ssl.create_default_context(cafile=asking.ca_path)
    except (OSError, ssl.SSLError):
        raise InvalidInput("ca_path", asking.ca_path, "cannot be read as PEM certificates on this host; "
                                                      "give the path of a CA file there") from None
    if not asking.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _once(url: Url, body: bytes, token: str, seconds: float, context: Optional[ssl.SSLContext]) -> Answer:
    headers = {"X-Join-Token": token, "Content-Type": "application/json", "Accept": "application/json"}
    try:
        response = exchange("POST", url, "/join", seconds, headers=headers, body=body, context=context)
    except ExchangeFailed as problem:
        if problem.kind == "certificate":
            raise ControllerError(f"controller_url {url} has a certificate {_distrust(url, problem)}", retryable=False) from None
        remedy = REMEDIES.get(problem.kind, "check that it runs and is reachable")
        raise ControllerError(f"controller_url {url} could not be asked ({problem.kind}: {problem.detail}); {remedy}, "
                              "and run again", retryable=problem.kind not in REMEDIES) from None
    return _read(url, response)


def _distrust(url: Url, problem: ExchangeFailed) -> str:
    """What is wrong with a certificate, and what to do."""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    if problem.reason in UNKNOWN_CA:
        return "of a CA that this host does not know; put the CA's certificate on the host and give its path as ca_path"
    if problem.reason in EXPIRED:
        return f"that has expired; renew it at the controller, or correct this host's clock, which shows {now}"
    if problem.reason in NOT_YET_VALID:
        return f"that is not valid yet; correct this host's clock, which shows {now}, or the certificate"
    if problem.reason in OTHER_NAME:
        return f"that is not for {url.host}; give the URL with a name that it is for, or issue it for this one"
    return f"that is refused ({problem.detail}); correct it at the controller"


def _read(url: Url, response: Response) -> Answer:
    if response.status in REFUSALS:
        raise ControllerError(f"controller_url {url} refused {REFUSALS[response.status]} (HTTP {response.status}); "
                              "correct it and run again", retryable=False)
    if 300 <= response.status < 400:
        raise ControllerError(f"controller_url {url} redirects (HTTP {response.status}), which is not followed with a "
                              "token; give the final URL", retryable=False)
    if not 200 <= response.status < 300:
        raise ControllerError(f"controller_url {url} answered HTTP {response.status}; see the controller's log "
                              "and run again", retryable=response.status >= 500)
    try:
        return Answer.parse(parse_object(response.body))
    except ValueError as problem:
        raise ControllerError(f"controller_url {url} answered something that {words_of(problem)}; "
                              "is it really the controller?", retryable=False) from None
    except InvalidInput as problem:
        # the value stays out: a hostile controller may answer with the token it was sent
        raise ControllerError(f"controller_url {url} answered an unusable join: {problem.option} {problem.problem}",
                              retryable=False) from None

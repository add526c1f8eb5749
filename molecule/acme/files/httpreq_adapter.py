#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS provider of the kind that lego calls httpreq, in front of pebble-challtestsrv's management API.

Usage: ACCOUNT=USER:PASSWORD httpreq_adapter.py ADDRESS PORT MANAGEMENT_URL. lego posts {"fqdn", "value"} to /present
and /cleanup; a request without the account's name and password changes nothing.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMANDS = {"/present": "set-txt", "/cleanup": "clear-txt"}
ALLOWED = "Basic " + base64.b64encode(os.environ["ACCOUNT"].encode()).decode()


class Provider(BaseHTTPRequestHandler):
    """Forwards what it is asked."""

    timeout = 10
    management = ""

    def do_POST(self) -> None:
        """Set or clear one TXT record."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != ALLOWED:
            self.send_error(401)
        elif self.path not in COMMANDS:
            self.send_error(404)
        else:
            record = json.loads(body)
            data = json.dumps({"host": record["fqdn"], "value": record["value"]}).encode()
            urllib.request.urlopen(f"{self.management}/{COMMANDS[self.path]}", data, timeout=5).close()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()


def main() -> None:
    """Serve for ever."""
    address, port, Provider.management = sys.argv[1:4]
    ThreadingHTTPServer((address, int(port)), Provider).serve_forever()


if __name__ == "__main__":
    main()

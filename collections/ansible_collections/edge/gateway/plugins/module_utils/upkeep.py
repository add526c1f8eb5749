# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that stays on a host for its timers: what must happen between two runs of Ansible, done by the same code.

It is no daemon and nothing waits for it at boot: systemd starts it when something has expired, or to write metrics.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from typing import Callable, Dict, List, Mapping, Optional

from .converge import converge
from .engines.forwards import ForwardEngine
from .engines.health import Places, examine
from .engines.history import Chronicle
from .engines.routes import RouteEngine
from .engines.system import mesh_interface
from .engines.traefik_api import TraefikApi
from .errors import GatewayError
from .formats import prometheus
from .host import Host
from .models.edits import Expiring, is_over, unexpired
from .models.target import url


def expire(host: Host, given: argparse.Namespace) -> List[str]:
    """Close the forwards and routes whose time has passed; whatever else differs on the host stays as it is if none has.

    Returns:
        A sentence for each.
    """
    chronicle, now = Chronicle(host, given.state_dir, "expiry"), host.now()
    done = []
    forwards = ForwardEngine(host, given.state_dir, None)
    if _any_over(forwards.load(), now):
        forwards.chronicle = chronicle
        done += [f"forward {name} has ended" for name in converge(forwards, partial(unexpired, now=now), False).plan.removed]
    # without asking Traefik: a route has to end though it may be down, and it watches the directory itself
    routes = RouteEngine(host, given.dynamic_dir, None, 0)
    if host.mode(given.dynamic_dir) is not None and _any_over(routes.load(), now):
        routes.chronicle = chronicle
        done += [f"route {name} has ended" for name in converge(routes, partial(unexpired, now=now), False).plan.removed]
    return done


def _any_over(items: Mapping[str, Expiring], now: str) -> bool:
    return any(is_over(item, now) for item in items.values())


def metrics(host: Host, given: argparse.Namespace) -> List[str]:
    """Write the health as a file of metrics."""
    api = TraefikApi(url("api-url", given.api_url, ("http", "https")))
    places = Places(mesh_interface(host, None), given.config_dir, given.state_dir, given.dynamic_dir, api, given.max_age * 3600)
    host.write(given.file, prometheus.render(examine(host, places), int(time.time())), 0o644)
    return []


ACTIONS: Dict[str, Callable[[Host, argparse.Namespace], List[str]]] = {"expire": expire, "metrics": metrics}


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one action; a failure is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="edge-gateway", description="What edge.gateway does on a host between two runs of Ansible.")
    parser.add_argument("action", choices=sorted(ACTIONS))
    parser.add_argument("--state-dir", default="/var/lib/edge-gateway")
    parser.add_argument("--config-dir", default="/etc/wireguard")
    parser.add_argument("--dynamic-dir", default="/etc/traefik/dynamic")
    parser.add_argument("--api-url", default="http://127.0.0.1:8080")
    parser.add_argument("--max-age", type=int, default=0)
    parser.add_argument("--file", default="/var/lib/prometheus/node-exporter/edge_gateway.prom")
    given = parser.parse_args(arguments)
    try:
        for sentence in ACTIONS[given.action](Host(), given):
            sys.stdout.write(sentence + "\n")
    except GatewayError as problem:
        sys.stderr.write(problem.message + "\n")
        return 1
    return 0

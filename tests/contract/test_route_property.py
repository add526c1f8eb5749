# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random routes over all documented options: the real Traefik reports each exactly as it was asked for, also after a restart.

EDGE_ROUTES_EXAMPLES=<number> tries more of them, EDGE_TEST_SEED=<number> others.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from contract import edge_traefik, route_reports, route_samples, world
from contract.edge_traefik import API, DYNAMIC, STATIC, Traefik
from contract.forwarding import invoke
from contract.route_samples import DOCUMENTED, Options
from contract.route_wishes import LENT, RouteWish, used

EXAMPLES = int(os.environ.get("EDGE_ROUTES_EXAMPLES", "150"))
SEED = int(os.environ.get("EDGE_TEST_SEED", "4"))
BATCH = 75
RESOLVER = """
certificatesResolvers: {le: {acme: {email: a@b.test, storage: "%s/acme.json", caServer: "https://127.0.0.1:1/dir", tlsChallenge: {}}}}
"""


@pytest.fixture(name="traefik", scope="module")
def traefik_with_a_resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traefik]:
    """One that knows a certificate resolver, whose authority does not answer."""
    folder = tmp_path_factory.mktemp("traefik")
    with edge_traefik.started(folder, STATIC + RESOLVER % folder) as found:
        yield found


def call(**params: Any) -> Options:
    """One run of the module with its arguments checked by Ansible."""
    return invoke("traefik_route", **{"dynamic_dir": str(DYNAMIC), "api_url": API, "wait_timeout": 15, **params})


def predicted_and_done(**params: Any) -> Options:
    """Check mode, which touches nothing; the real run, which does what was predicted; and again, which does nothing."""
    before = world.files(DYNAMIC)
    predicted = call(_ansible_check_mode=True, **params)
    assert world.files(DYNAMIC) == before
    real = call(**params)
    assert not real.get("failed"), real["msg"]
    told = (*world.PREDICTED, "routes", "count")
    assert {name: predicted.get(name) for name in told} == {name: real[name] for name in told}
    after = world.files(DYNAMIC)
    again = call(**params)
    assert not again["changed"] and not again["repaired"] and again["routes"] == real["routes"] and world.files(DYNAMIC) == after
    return real


def accepted(routes: List[Options], folder: Path) -> None:
    """Each alone is valid, in a directory with nothing but the file of someone else; what is refused is named with its reason."""
    refused = []
    (folder / "lent.yml").write_text(LENT)
    for route in routes:
        result = call(_ansible_check_mode=True, wait=False, **{**route, "dynamic_dir": str(folder)})
        if result.get("failed"):
            refused.append(f"{json.dumps(route)}: {result['msg']}")
    assert not refused, f"{len(refused)} of {len(routes)}:\n" + "\n".join(refused)


def in_traefik(routes: List[Options]) -> None:
    """Everything that Traefik reports is what was asked for, and nothing else is there."""
    wrong = route_reports.differences(routes, DYNAMIC)
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:40])


@pytest.mark.usefixtures("no_routes")
def test_random_routes(traefik: Traefik, tmp_path: Path) -> None:
    """In batches, each of which replaces the one before; handed in as a list and as a file in turn."""
    route_samples.make_files()
    (DYNAMIC / "lent.yml").write_text(LENT)
    wish, every = RouteWish(SEED), []
    for start in range(0, EXAMPLES, BATCH):
        routes = [wish.route() for _ in range(min(BATCH, EXAMPLES - start))]
        accepted(routes, tmp_path)
        source = tmp_path / "routes.json"
        source.write_text(json.dumps(routes))
        form: Dict[str, Any] = {"src": str(source), "remote_src": True} if start else {"routes": routes}
        result = predicted_and_done(purge=True, **form)
        assert result["added"] == sorted(route["route_id"] for route in routes)
        assert set(result["live"].values()) == {"enabled"}
        in_traefik(routes)
        info = invoke("traefik_route_info", dynamic_dir=str(DYNAMIC), api_url=API)
        assert info["routes"] == result["routes"], "the files say what was asked for"
        assert not route_reports.returned(routes, result["routes"])
        every += routes
    missing = sorted(set(DOCUMENTED["routes"]["suboptions"]) - {"state"} - set(used(every)))
    assert not missing, "every option has been tried"
    traefik.restart()
    in_traefik(routes)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change means in words, what two edges cannot both have, and a plan as text, Markdown and JSON."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.models import changes
from ansible_collections.edge.gateway.plugins.module_utils.models.fleet import Edge, conflicts, named
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from ansible_collections.edge.gateway.plugins.plugin_utils import plan
from unit.samples import one_sentence

FORWARD: Dict[str, Any] = {"forward_id": "a", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 22}
ROUTE: Dict[str, Any] = {"route_id": "a", "hostname": "a.example", "target_url": "http://10.50.0.12:8080"}
NOW = "2027-01-01T00:00:00Z"
GONE: Dict[str, Any] = {}


def forward_line(before: Dict[str, Any], after: Dict[str, Any], flows: int = 0) -> str:
    """The line about one forward; no options stand for no forward."""
    sides = [{"a": Forward.parse({**FORWARD, **side})} if side is not GONE else {} for side in (before, after)]
    line, = changes.of_forwards(sides[0], sides[1], ["a"], {"a": flows})
    return line


@pytest.mark.parametrize(("before", "after", "expected"), [
    (GONE, {"target_port": None}, "a: opens tcp 22015 to 10.50.0.12 for anyone"),
    (GONE, {"public_port": "5000-5010", "proto": "udp", "target_port": 6000, "source_ranges": ["203.0.113.0/24"]},
     "a: opens udp 5000-5010 to 10.50.0.12:6000-6010 for 203.0.113.0/24"),
    (GONE, {"expires": "2027-02-01T00:00:00Z"}, "a: opens tcp 22015 to 10.50.0.12:22 for anyone until 2027-02-01T00:00:00Z"),
    ({"expires": "2027-02-01T00:00:00Z"}, GONE, "a: closes tcp 22015 to 10.50.0.12:22 for anyone"),
    ({"proto": "both"}, GONE, "a: closes tcp and udp 22015 to 10.50.0.12:22 for anyone"),
    ({"x": 1}, {"target_ip": "fd00::1"}, "a: tcp 22015 moves from 10.50.0.12:22 to [fd00::1]:22"),
    ({"x": 1}, {"public_port": 22016}, "a: closes tcp 22015 to 10.50.0.12:22 for anyone and opens tcp 22016 to 10.50.0.12:22 for anyone"),
    ({"x": 1}, {"source_ranges": ["10.0.0.0/8"], "comment": "c"}, "a: tcp 22015 is for 10.0.0.0/8 instead of anyone, gets the comment 'c'"),
    ({"comment": "c"}, {"source_nat": "none"}, "a: tcp 22015 shows the node the client's address, loses its comment"),
    ({"source_nat": "none"}, {"hairpin": True}, "a: tcp 22015 shows the node the edge's address, may be used from the mesh too"),
    ({"expires": "2027-02-01T00:00:00Z"}, {"x": 1}, "a: tcp 22015 does not end by itself any more"),
    ({"x": 1}, {"expires": "2027-02-01T00:00:00Z"}, "a: tcp 22015 ends 2027-02-01T00:00:00Z"),
    ({"hairpin": True}, {"x": 1}, "a: tcp 22015 may no longer be used from the mesh"),
    ({"x": 1}, {"x": 1}, "a: repairs tcp 22015 to 10.50.0.12:22"),
    (GONE, GONE, "a: closes what is in effect though nobody asked for it"),
])
def test_forward(before: Dict[str, Any], after: Dict[str, Any], expected: str) -> None:
    """Every field that may differ has its words."""
    assert forward_line(before, after) == expected


@pytest.mark.parametrize(("flows", "words"), [(0, ""), (1, "; cuts 1 live flow"), (14, "; cuts 14 live flows")])
def test_flows(flows: int, words: str) -> None:
    assert forward_line({"proto": "udp"}, GONE, flows) == "a: closes udp 22015 to 10.50.0.12:22 for anyone" + words


@pytest.mark.parametrize("field", Forward._fields[6:])
def test_no_field_of_a_forward_changes_without_a_word(field: str) -> None:
    """A new field needs words too."""
    other: Any = {"source_ranges": ("10.0.0.0/8",), "source_nat": "none", "hairpin": True, "comment": "c", "expires": NOW}[field]
    item = Forward.parse(FORWARD)
    line, = changes.of_forwards({"a": item}, {"a": item._replace(**{field: other})}, ["a"], {})
    assert line != "a: tcp 22015 "


@pytest.mark.parametrize(("before", "after", "expected"), [
    (GONE, {"path_prefix": "/api"}, "a: serves a.example/api from http://10.50.0.12:8080"),
    (GONE, {"expires": NOW}, f"a: serves a.example from http://10.50.0.12:8080 until {NOW}"),
    ({"x": 1}, GONE, "a: stops serving a.example from http://10.50.0.12:8080"),
    ({"x": 1}, {"target_url": "http://10.50.0.13:8080"}, "a: hostname a.example moves from http://10.50.0.12:8080 to http://10.50.0.13:8080"),
    ({"hostname": ["a.example", "b.example"]}, {"hostname": ["a.example", "c.example"]}, "a: stops serving b.example, serves c.example"),
    ({"x": 1}, {"certresolver": "le", "priority": 5, "path_prefix": "/x"},
     "a: changes certificate resolver, path prefix, priority of a.example/x"),
    ({"x": 1}, {"x": 1}, "a: repairs a.example"),
    (GONE, GONE, "a: takes away a file that nobody asked for"),
])
def test_route(before: Dict[str, Any], after: Dict[str, Any], expected: str) -> None:
    """What a visitor of the host notices."""
    sides = [{"a": Route.parse({**ROUTE, **side})} if side is not GONE else {} for side in (before, after)]
    assert changes.of_routes(sides[0], sides[1], ["a"]) == [expected]


def test_a_changed_secret_is_told_without_it() -> None:
    """Of a password's hash only where it is."""
    sides = [{"a": Route.parse({**ROUTE, "middlewares": [{"basic_auth": {"users": [f"u:$2y$05${letter * 53}"]}}]})} for letter in "ab"]
    assert changes.of_routes(sides[0], sides[1], ["a"]) == ["a: changes middlewares of a.example"]


def test_parts_and_long_lists() -> None:
    assert changes.of_parts(["(firewall table)", "(boot file)"]) == ["repairs boot file", "repairs firewall table"]
    assert changes.shortened(["x"] * 50) == ["x"] * 50
    assert changes.shortened(["x"] * 53) == [*["x"] * 50, "and 3 more"]


def edge(forwards: List[Dict[str, Any]] = [], routes: List[Dict[str, Any]] = [], **variables: Any) -> Edge:  # noqa: B006
    """One edge of an inventory."""
    return Edge.parse({"edge_gateway_forwards": [{**FORWARD, **entry} for entry in forwards],
                       "edge_gateway_routes": [{**ROUTE, **entry} for entry in routes], **variables}, NOW)


ONE, TWO = "http://10.50.0.1", "http://10.50.0.2"
SHARED = {"edge_gateway_public_addresses": ["203.0.113.1"]}


@pytest.mark.parametrize(("one", "other", "shown"), [
    ({"routes": [{}]}, {"routes": [{}]}, None),
    ({"routes": [{"target_url": [ONE, TWO]}]}, {"routes": [{"target_url": [TWO, ONE]}]}, None),
    ({"routes": [{}]}, {"routes": [{"target_url": "http://10.50.0.13"}]}, "hostname a.example leads to"),
    ({"routes": [{}]}, {"routes": [{"target_url": "http://10.50.0.13", "path_prefix": "/x"}]}, None),
    ({"routes": [{}]}, {"routes": [{"target_url": "http://10.50.0.13", "entrypoint": "web"}]}, None),
    ({"forwards": [{}]}, {"forwards": [{"target_ip": "10.50.0.13"}]}, None),
    ({"forwards": [{}], **SHARED}, {"forwards": [{"target_ip": "10.50.0.13"}], **SHARED},
     "tcp 22015 of 203.0.113.1 leads to 10.50.0.12 port 22"),
    ({"forwards": [{}], **SHARED}, {"forwards": [{"target_ip": "10.50.0.13", "proto": "udp"}], **SHARED}, None),
    ({"forwards": [{}], **SHARED}, {"forwards": [{}], **SHARED}, None),
    ({"forwards": [{"public_port": "22000-22020", "target_port": 100}], **SHARED}, {"forwards": [{}], **SHARED}, "tcp 22015"),
    ({"forwards": [{"public_port": "22000-22020", "target_port": 7}], **SHARED}, {"forwards": [{}], **SHARED}, None),
    ({"edge_gateway_node_id": "e"}, {"edge_gateway_node_id": "e"}, "edge_gateway_node_id 'e'"),
    ({"edge_gateway_node_ip": "10.50.0.9,fd50::9"}, {"edge_gateway_node_ip": "fd50:0::9"}, "edge_gateway_node_ip fd50::9"),
    ({"forwards": [{}], **SHARED}, {"forwards": [{"target_ip": "10.50.0.13", "expires": NOW}], **SHARED}, None),
])
def test_conflicts(one: Dict[str, Any], other: Dict[str, Any], shown: str | None) -> None:
    """Only where clients would get something else by chance."""
    found = conflicts({"edge1": edge(**one), "edge2": edge(**other)})
    assert bool(found) == (shown is not None)
    if shown:
        assert shown in one_sentence(found[0]) and "edge1" in found[0] and "edge2" in found[0]


@pytest.mark.parametrize("given", [
    {"forwards": [{"public_port": "x"}]}, {"forwards": [{}, {}]}, {"forwards": [{}, {"forward_id": "b"}]}, {"routes": [{"hostname": ""}]},
    {"edge_gateway_routes": ["x"]}])
def test_what_one_edge_cannot_have(given: Dict[str, Any]) -> None:
    """Found here too, before that edge is contacted."""
    with pytest.raises(InvalidInput):
        edge(**given)


def test_names_of_nodes() -> None:
    """Whole addresses only, and the longer first."""
    nodes = [("10.50.0.12", "node12"), ("fd50::1", "six"), ("10.50.0.1", "node1")]
    assert named("from http://10.50.0.1:80 to 10.50.0.12:22, 10.50.0.123, 110.50.0.1 and [fd50::1]:5", nodes) == (
        "from http://node1 (10.50.0.1):80 to node12 (10.50.0.12):22, 10.50.0.123, 110.50.0.1 and [six (fd50::1)]:5")


KNOWN: Mapping[str, Mapping[str, Any]] = {
    "edge1": {"edge_gateway_forwards_applied": {"changes": ["a_b: opens"]}, "edge_gateway_routes_applied": {"skipped": True}},
    "edge2": {}, "edge3": {"edge_gateway_plan_error": "could not be reached"}}


def test_plan() -> None:
    """The same in each form."""
    plans = {name: plan.edge_plan(variables, []) for name, variables in KNOWN.items()}
    assert plan.text(plans) == ("Plan: 1 change on 3 edges, 1 cannot be run\nedge1:\n  forwards\n    a_b: opens\nedge2: nothing to do\n"
                                "edge3: could not be reached\n")
    assert plan.markdown(plans) == ("## Plan: 1 change on 3 edges, 1 cannot be run\n\n### edge1\n\n**forwards**\n\n- a\\_b: opens\n\n"
                                    "### edge2\n\nNothing to do.\n\n### edge3\n\n**Cannot be run:** could not be reached\n")
    assert json.loads(plan.rendered(plans, "json"))["edges"]["edge1"] == {"error": "", "count": 1, "changes": {"forwards": ["a_b: opens"]}}

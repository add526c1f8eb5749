# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about a fleet: complete, closed to the outside, and honest about what was not told."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.edge.gateway.plugins.filter.report_page import FilterModule
from ansible_collections.edge.gateway.plugins.plugin_utils.report import page as page_module
from ansible_collections.edge.gateway.plugins.plugin_utils.report.page import page
from report.sample import GENERATED, detail, edge, fleet, forward, moment, part, route

LOST = {"reachable": False, "health": {"unreachable": True, "msg": "ssh: Connection refused"}}
HOSTILE = "</script><script>alert(1)</script><img src=//evil.example onerror=alert(2)>\" ' `\u202e {{ 7 * 7 }} {% raw %}"
LOADS = {"src", "srcset", "poster", "background", "data", "action", "formaction", "ping", "manifest", "archive", "codebase", "cite",
         "xlink:href"}
VOID = {"meta", "link", "input", "br", "hr", "img", "base"}


class Document(HTMLParser):
    """A page as a browser would read it: its elements, and its text without style and script."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.inline: Dict[str, str] = {"style": "", "script": ""}
        self.words: List[str] = []
        self.titles: Dict[str, str] = {}
        self._open: List[str] = []
        self.feed(source)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        place = self._open[-1] if self._open else ""
        if place in self.inline:
            self.inline[place] += data
        else:
            self.words.append(data)
            name = "h1" if "h1" in self._open else "title" if self._open == ["html", "head", "title"] else ""
            self.titles[name] = self.titles.get(name, "") + data.strip()

    @property
    def text(self) -> str:
        """All that can be read, spaces folded."""
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> Iterator[Dict[str, Optional[str]]]:
        """The attributes of all elements of that name."""
        return (attributes for name, attributes in self.elements if name == tag)


def of(edges: Dict[str, Any]) -> Document:
    """The page of a fleet."""
    return Document(page({"generated": GENERATED, "edges": edges}))


def well(routes: int = 1, forwards: int = 1) -> Dict[str, Any]:
    """An edge without any trouble."""
    return edge("10.50.0.2", [route(number) for number in range(routes)], [forward(number) for number in range(forwards)])


@pytest.fixture(scope="module")
def sample() -> Document:
    """The page of the sample: 200 routes, 200 forwards, two edges, one broken."""
    return Document(page(fleet()))


def test_what_is_wrong_stands_first(sample: Document) -> None:
    """Who, what, what follows, and what to do: in this order, before anything else."""
    assert sample.titles["h1"] == "1 of 2 edges has failed: edge2.example.com"
    assert sample.titles["title"].startswith("✕ 1 of 2 edges has failed")
    begin = sample.text.partition("Map")[0]
    places = [begin.index(words) for words in (
        "has failed: edge2", "100 of 200 routes and 100 of 200 forwards lead nowhere", "interface wg0 is down",
        "What to do: see journalctl -u wg-quick@wg0, then run site.yml", "wiki-2.example.com ends in 9 days", "last run 3 days ago")]
    assert places == sorted(places)


def test_everything_is_on_it(sample: Document) -> None:
    """Each edge, route, forward, certificate and change."""
    for name, answers in fleet()["edges"].items():
        assert name in sample.text
        for entry in answers["routes"]["routes"]:
            assert entry["hostname"][0] in sample.text and entry["target_url"][0] in sample.text
        for entry in answers["forwards"]["forwards"]:
            assert entry["forward_id"] in sample.text
    rows = [attributes for attributes in sample.named("tr") if "data-status" in attributes]
    assert len(rows) == 200 + 200 + 200
    for words in ("8 added : vm-150-ssh", "and 3 more", "in 9 hours", "asked for by ops, ticket 4711", "only from 203.0.113.0/24",
                  "keeps the client's address", "27000-27015", "10.50.0.17:7000-7015", "48.2 GB in, 392 GB out", "Target down",
                  "basic_auth"):
        assert words in sample.text, words


def test_it_loads_nothing(sample: Document) -> None:
    """No address of anything but places in the page itself and pictures within it; no handler, no style in an attribute."""
    for tag, attributes in sample.elements:
        assert not LOADS & set(attributes), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        target = attributes.get("href")
        assert target is None or target.startswith("#") or (tag == "link" and target.startswith("data:image/svg+xml,")), (tag, attributes)
    assert {tag for tag, _attributes in sample.elements}.isdisjoint({"iframe", "object", "embed", "base", "form", "img", "audio", "video"})
    assert not re.search(r"url\(|@import|https?:|//[a-z]", sample.inline["style"])
    assert not re.search(r"fetch|XMLHttpRequest|WebSocket|sendBeacon|import\(|eval|innerHTML|https?:", sample.inline["script"])


def test_its_policy_lets_only_its_own_script_run(sample: Document) -> None:
    """By the digest of exactly what stands in the page."""
    policy = next(entry["content"] for entry in sample.named("meta") if entry.get("http-equiv") == "Content-Security-Policy") or ""
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert [rules[name] for name in ("default-src", "base-uri", "form-action", "img-src")] == ["'none'", "'none'", "'none'", "data:"]
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(sample.inline[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


def test_places_in_the_page_exist_and_are_unique(sample: Document) -> None:
    """Every link leads somewhere."""
    ids = [attributes["id"] for _tag, attributes in sample.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(attributes["href"])[1:] for tag, attributes in sample.elements if tag in ("a", "use")} <= set(ids)


def hostile(value: Any) -> Any:
    """The same shape with every text of a host made an attack."""
    if isinstance(value, dict):
        return {name: hostile(entry) if name not in ("role", "not_after", "time", "expires") else entry for name, entry in value.items()}
    if isinstance(value, list):
        return [hostile(entry) for entry in value]
    return HOSTILE + value if isinstance(value, str) else value


def test_text_of_hosts_stays_text() -> None:
    """In every place at once: the elements are those of a page of harmless text, and nothing is left that Ansible takes for a template."""
    attacked = {f"edge{HOSTILE}": hostile(fleet()["edges"]["edge1.example.com"])}
    answers = attacked[f"edge{HOSTILE}"]
    first = answers["routes"]["routes"][0]["route_id"]
    answers["health"]["parts"][HOSTILE] = part("failed", HOSTILE, HOSTILE)
    known = detail({"route_id": first, "hostname": [HOSTILE], "target_url": [HOSTILE]}, 3, errors=[HOSTILE])
    answers["routes"].update(live={first: HOSTILE}, details={first: known})
    source = page({"generated": GENERATED, "edges": attacked})
    document = Document(source)
    harmless = {tag for tag, _attributes in Document(page(fleet())).elements}
    assert {tag for tag, _attributes in document.elements} <= harmless | {"details", "summary"}
    assert sum(tag == "script" for tag, _attributes in document.elements) == 1
    assert not [name for _tag, attributes in document.elements for name in attributes if name.startswith("on") or name == "src"]
    assert "<script>alert(1)</script>" in document.text and "\u202e" not in source
    assert not re.search(r"\{\{|\{%|\{#", source)


def test_hosts_may_answer_anything() -> None:
    """A page is made of every mixture of types: each value of the sample in turn is replaced."""
    answers = edge("10.50.0.2", [route(0, middlewares=[{"headers": {}}], expires=moment(days=1))], [forward(0)])
    answers["health"]["history"] = fleet()["edges"]["edge1.example.com"]["health"]["history"][:1]
    junk: List[Any] = [None, -1.5, True, "x" * 5000, [[]], {"a": {"b": 1}}, 10**400]
    for path in list(places(answers)):
        for entry in junk:
            changed = copy.deepcopy(answers)
            put(changed, path, entry)
            assert "edge1" in page({"generated": GENERATED, "edges": {"edge1": changed}}), (path, entry)


def places(value: Any, path: Tuple[Any, ...] = ()) -> Iterator[Tuple[Any, ...]]:
    """Every place within a value."""
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(entry, (*path, key))


def put(value: Any, path: Tuple[Any, ...], entry: Any) -> None:
    """Replace what stands in a place."""
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = entry


def test_the_same_facts_make_the_same_page() -> None:
    """And the order in which hosts were asked is not one of them."""
    found = fleet()
    turned = {"generated": GENERATED, "edges": dict(reversed(list(found["edges"].items())))}
    assert page(found) == page(json.loads(json.dumps(turned)))


@pytest.mark.parametrize(("edges", "words"), [
    ({}, "No edge was looked at"),
    ({"a": well()}, "The edge works"),
    ({"a": well(), "b": well()}, "Both edges work"),
    ({name: well() for name in "abc"}, "All 3 edges work"),
    ({"a": well(), "b": LOST}, "1 of 2 edges cannot be reached: b"),
    ({"a": {}}, "1 of 1 edge was not looked at: a"),
    ({**{f"e{number}": LOST for number in range(9)}, "a": well()}, "9 of 10 edges cannot be reached"),
    ({"a": {**well(), "health": {"failed": False, "msg": "state is damaged; restore the file"}}}, "1 of 1 edge has failed: a"),
    ({"a": {**well(), "routes": {"msg": "Traefik was not found; run site.yml"}}}, "1 of 1 edge is degraded: a"),
])
def test_the_headline(edges: Dict[str, Any], words: str) -> None:
    """One line says how the fleet is."""
    assert of(edges).titles["h1"] == words


@pytest.mark.parametrize(("answers", "shown"), [
    (LOST, ["ssh: Connection refused", "What to do: check that the host is up", "routes not known", "1 edge did not tell"]),
    ({}, ["the run stopped before it was asked"]),
    ({**well(), "health": {"msg": "state is damaged; restore it"}}, ["health report: state is damaged", "What to do: restore it"]),
    ({"reachable": True, "health": {"module_stderr": "python: not found"}}, ["python: not found", "run health.yml for this edge alone"]),
    ({**well(), "mesh": {}}, ["mesh report: was not asked"]),
    ({**well(), "forwards": {"forwards": [forward(0, active=False)]}}, ["1 of 1 forward leads nowhere.", "Not in effect"]),
    ({**well(), "forwards": {"forwards": [forward(0, blocked_by=["chain ip filter FORWARD drops it; open it"])]}},
     ["Blocked", "chain ip filter FORWARD drops it; open it"]),
    ({**well(), "forwards": {"forwards": [forward(0, connections=None)]}}, ["not counted"]),
    ({**well(), "forwards": {"forwards": [forward(0, target_ip="fd50::15", expires=moment(hours=-3))]}}, ["[fd50::15]:22", "3 hours ago"]),
])
def test_what_went_wrong_is_shown(answers: Dict[str, Any], shown: List[str]) -> None:
    """An edge that could not be asked, or has dead forwards, tells so."""
    text = of({"edge1": answers}).text
    assert [words for words in shown if words not in text] == []


@pytest.mark.parametrize(("live", "word"), [
    ("enabled", "Served"), ("disabled", "Not served"), ("missing", "Not served"), ("warning", "Warning"), ("unknown", "Not known")])
def test_what_traefik_says_of_a_route(live: str, word: str) -> None:
    """In words."""
    answers = well()
    answers["routes"]["live"]["shop-0"] = live
    answers["routes"]["details"]["shop-0"]["errors"] = ["entryPoint websecure does not exist"]
    text = of({"edge1": answers}).text
    assert word in text and "entryPoint websecure does not exist" in text


def test_routes_outside_a_broken_mesh_still_work() -> None:
    """Only what takes the tunnel is cut off with it."""
    answers = edge("10.50.0.2", [route(0), route(1, target_url=["http://192.0.2.7:80"])], [])
    answers["health"]["parts"]["mesh"] = part("failed", "interface wg0 is down", "run site.yml")
    text = of({"edge1": answers}).text
    assert "1 of 2 routes leads nowhere." in text and "192.0.2.7 Cut off" not in text
    assert text.count("Mesh is down") == 1


def test_without_traefik_its_routes_are_dead() -> None:
    """Nobody can say so, since nobody answers."""
    answers = well()
    answers["routes"].update(live={"shop-0": "unknown"})
    answers["health"]["parts"]["traefik"] = part("failed", "does not answer", "see journalctl -u traefik, then run site.yml")
    assert "Traefik is down" in of({"edge1": answers}).text


def test_certificates_come_in_the_order_of_their_ends() -> None:
    """What is missing or has ended first; one that serves many names is one."""
    answers = edge("10.50.0.2", [route(number) for number in range(5)] + [route(5, certresolver="")], [])
    details = answers["routes"]["details"]
    days = {"shop-0": 60, "blog-1": 3, "wiki-2": -1, "mail-3": 20}
    for name, left in days.items():
        details[name]["certificates"][f"{name}.example.com"].update(not_after=moment(days=left), serial=name)
    details["mail-3"]["certificates"]["mail-3.example.com"]["reason"] = "rate limit"
    for name in ("files-4", "status-5"):
        details[name]["certificates"] = {f"{name}.example.com": {"issuer": "", "serial": "", "names": [], "not_after": "", "reason": ""}}
    text = of({"edge1": answers}).text.partition("Issuer Edge")[2]
    words = ["Missing none held files-4", "Ended 24 hours ago wiki-2", "Ends soon in 3 days blog-1",
             "Not renewed rate limit in 20 days mail-3", "Valid in 60 days shop-0"]
    found = [text.index(word) for word in words]
    assert found == sorted(found)
    assert "1 name served with the default certificate" in text and "status-5.example.com" in text


def test_a_large_fleet_still_has_a_map() -> None:
    """Edges and nodes beyond what can be read share a place; nothing is left out of the tables."""
    edges = {f"edge{number}": edge("10.50.0.2", [route(number, target_url=[f"http://10.50.1.{number}:80"])], []) for number in range(1, 41)}
    document = of(edges)
    assert "32 further edges" in document.text and "24 further nodes" in document.text
    drawn = [attributes for attributes in document.named("svg") if "map" in str(attributes.get("class"))]
    assert len(drawn) == 2 and max(float(str(attributes["viewbox"]).split()[3]) for attributes in drawn) < 1500
    assert sum("data-status" in attributes for attributes in document.named("tr")) == 40 * 2


def test_a_page_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    monkeypatch.setattr(page_module, "MOST_ROWS", 3)
    monkeypatch.setattr(page_module, "MOST_LISTED", 2)
    answers = well(routes=5)
    answers["routes"]["live"]["files-4"] = "disabled"
    document = of({"edge1": answers})
    assert "This page shows 3 of 5 routes, what is not well first." in document.text
    assert "5 routes 1 broken" in document.text and "files-4.example.com" in document.text.partition("Routes 5")[2]
    assert sum("data-status" in attributes for attributes in document.named("tr")) == 3 + 1 + 3


def test_status_is_never_told_by_colour_alone(sample: Document) -> None:
    """Each badge has a symbol and a word, and dead lines of the map are dashed."""
    badges = sum(str(attributes.get("class", "")).startswith("badge") for attributes in sample.named("span"))
    assert badges >= 600
    source = page(fleet())
    assert len(re.findall(r'<span class="badge \w+"><svg class="icon \w+"[^>]*><use href="#icon-\w+"/></svg>[A-Z]?\w', source)) == badges
    assert re.search(r"\.line\.failed \{[^}]*stroke-dasharray", sample.inline["style"])


def schemes() -> Iterator[Tuple[str, Dict[str, str]]]:
    """The colours of the light, the dark and the printed page."""
    with open(f"{page_module.HERE}/page.css", encoding="utf-8") as stream:
        blocks = re.findall(r":root \{(.*?)\}", stream.read(), re.DOTALL)
    base: Dict[str, str] = {}
    for name, block in zip(("light", "dark", "print"), blocks):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", block))
        base = base or colours
        yield name, {**base, **colours}


def contrast(first: str, second: str) -> float:
    """WCAG 2's contrast ratio of two colours."""
    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[place:place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    dark, bright = sorted((luminance(first), luminance(second)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("scheme", "colours"), list(schemes()), ids=lambda value: value if isinstance(value, str) else "")
def test_contrast(scheme: str, colours: Dict[str, str]) -> None:
    """WCAG AA: 4.5 for text, 3 for symbols and lines that mean something."""
    states = ("ok", "degraded", "failed", "unknown")
    text = [(ink, ground) for ink in ("text", "dim", "link") for ground in ("bg", "card", "sunk")]
    text += [(state, ground) for state in states for ground in (f"{state}-bg", "card", "bg")]
    text += [(ink, f"{state}-bg") for ink in ("text", "dim") for state in states]
    text += [] if scheme == "print" else [("on-hero", f"{state}-hero") for state in states]
    marks = [(f"line-{state}", "card") for state in states] + [("focus", "card"), ("ink", "failed"), ("ink", "ok"), ("ink", "degraded")]
    found = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in text + marks}
    assert {pair: value for pair, value in found.items() if value < (3 if pair in marks else 4.5)} == {}


@pytest.mark.parametrize("given", [None, [], "x", {}, {"generated": "yesterday", "edges": {}}])
def test_a_wrong_input_is_refused_in_a_sentence(given: Any) -> None:
    """By the filter."""
    with pytest.raises(AnsibleFilterError, match="; give"):
        FilterModule().filters()["report_page"](given)

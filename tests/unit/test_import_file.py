# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the older system, and the file that a person reviews: whatever a host says, it holds forwards, routes and comments."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import Any, Dict, List, Optional

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils.errors import InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.formats import import_file, route_file, seed_routes
from ansible_collections.edge.gateway.plugins.module_utils.formats.seed_routes import Found
from ansible_collections.edge.gateway.plugins.module_utils.models.forward import Forward
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route
from unit.samples import one_sentence

ENTRY = {"route_id": "vm-123", "hostname": "vm-123.service.com", "target_url": "http://10.50.0.12:8080", "entrypoint": "websecure",
         "certresolver": "dnsresolver"}
ROUTE = Route.parse(ENTRY)
# as the older system's agent writes it
FILE = """http:
  routers:
    vm-123:
      rule: "Host(`vm-123.service.com`)"
      entryPoints: ["websecure"]
      tls:
        certResolver: "dnsresolver"
      service: vm-123-svc

  services:
    vm-123-svc:
      loadBalancer:
        servers:
          - url: "http://10.50.0.12:8080"
"""


def files(**contents: Optional[str]) -> Found:
    """What files say, by their name without an ending."""
    return seed_routes.of_files([(f"{name}.yml", text if text is None else text.encode()) for name, text in contents.items()], "/d")


def changed(old: str, new: str) -> Found:
    """What the agent's file says with a change by hand."""
    assert old in FILE
    return files(vm=FILE.replace(old, new))


def test_the_agents_own_file() -> None:
    """Is the route that was asked for."""
    found = files(**{"vm-123": FILE})
    assert found.routes == {"vm-123": ROUTE} and not found.notes and "/d/vm-123.yml" in found.origins["vm-123"][0]


@pytest.mark.parametrize(("old", "new", "option", "value"), [
    ('"Host(`vm-123.service.com`)"', '"Host(`a.test`) || Host(`B.test`)"', "hostname", ("a.test", "b.test")),
    ('"Host(`vm-123.service.com`)"', '"Host(`a.test`) && PathPrefix(`/api`)"', "path_prefix", "/api"),
    ('\n        certResolver: "dnsresolver"', " {}", "certresolver", ""),
    ('["websecure"]\n      tls:\n        certResolver: "dnsresolver"', "web", "entrypoint", ("web",)),
    ('["websecure"]', "[websecure, other]", "entrypoint", ("websecure", "other")),
    ('          - url: "http://10.50.0.12:8080"', "          - url: http://10.50.0.12\n          - url: http://10.50.0.13", "target_url",
     ("http://10.50.0.12", "http://10.50.0.13")),
    ("service: vm-123-svc", "service: vm-123-svc@file", "route_id", "vm-123"),
    ("    vm-123:\n", "    VM-123:\n", "route_id", "vm-123"),
    ("    vm-123:\n", "    'a b':\n", "route_id", "vm"),
    ("service: vm", "priority: 7\n      service: vm", "extras", {"priority": 7}),
    ("        servers:", "        passHostHeader: false\n        servers:", "extras", {"pass_host_header": False}),
])
def test_changes_by_hand_that_a_route_can_say(old: str, new: str, option: str, value: object) -> None:
    """Names, paths, targets, rank."""
    found = changed(old, new)
    route, = found.routes.values()
    assert getattr(route, option) == value and not found.notes


@pytest.mark.parametrize(("old", "new", "word"), [
    ('"Host(`vm-123.service.com`)"', '"Host(`a.test`) && Method(`GET`)"', "rule"),
    ('"Host(`vm-123.service.com`)"', '"HostRegexp(`.*`)"', "rule"),
    ('"Host(`vm-123.service.com`)"', "[a]", "rule"),
    ('"Host(`vm-123.service.com`)"', '"Host(`a b`)"', "hostname"),
    ('      entryPoints: ["websecure"]\n', "", "serves it on all"),
    ('["websecure"]', '["web"]', "TLS"), ('["websecure"]', '["web", "websecure"]', "TLS"),
    ('      tls:\n        certResolver: "dnsresolver"\n', "", "TLS"),
    ('        certResolver: "dnsresolver"', "        certResolver: a\n        domains: [{main: b}]", "certResolver"),
    ('\n        certResolver: "dnsresolver"', "", "certResolver"),
    ('"dnsresolver"', '"a b"', "certresolver"),
    ("service: vm", "middlewares: [auth]\n      service: vm", "middlewares"),
    ("service: vm-123-svc", "service: other", "service"),
    ("service: vm-123-svc", "service: api@internal", "service"),
    ("loadBalancer:", "weighted:", "service"), ("        servers:", "        sticky: {cookie: {}}\n        servers:", "service"),
    ('- url: "http://10.50.0.12:8080"', "- url: http://10.50.0.12:8080\n            weight: 3", "more than a url"),
    ("http://10.50.0.12:8080", "http://u:secret@10.50.0.12/", "target_url"),
    ("http://10.50.0.12:8080", "file:///etc/passwd", "target_url"),
    ("http:\n", "http: &a\n", "service"), ("vm-123-svc:", "vm-123-svc: !!map", "alias or a tag"),
    ('"dnsresolver"', "*x", "plain YAML"), ('"dnsresolver"', '"{{ env `SECRET` }}"', "template"),
    ("http:\n", "http: [\n", "plain YAML"), ("http:\n", "http:\n  middlewares: {a: {compress: {}}}\n", "'http.middlewares'"),
    ("http:\n", "tcp: {routers: {}}\nhttp:\n", "'tcp'"), (FILE, "[]", "no dictionary"), (FILE, "a: 1\na: 2\n", "stands twice"),
    (FILE, "[" * 100, "deep"), (FILE, "x: \x80", "plain YAML"),
])
def test_what_a_route_cannot_say(old: str, new: str, word: str) -> None:
    """Is left out in one sentence that names the file; no secret of a URL in it."""
    found = changed(old, new)
    if word == "service" and "&a" in new:      # an anchor that nobody refers to changes nothing
        assert list(found.routes) == ["vm-123"]
        return
    assert len(found.notes) == 1 and word in one_sentence(found.notes[0]) and "/d/vm.yml" in found.notes[0]
    assert ("vm-123" in found.routes) == (word.startswith("'")) and "secret" not in found.notes[0]


def test_files_that_are_no_such_files() -> None:
    """Unreadable, of another language, not UTF-8, ours, or empty."""
    given = [("a.yml", None), ("c.toml", b""), ("d.yaml", b"\xff"), ("e.yml", b""),
             ("f.yml", route_file.render(ROUTE).encode()), ("x\n# y.yml", None)]
    found = seed_routes.of_files(given, "/d")
    assert not found.routes and [note.split("'")[1] for note in map(one_sentence, found.notes)] == [
        "/d/a.yml", "/d/c.toml", "/d/d.yaml", "/d/x\\n# y.yml"]


def test_no_more_is_read_than_fits() -> None:
    """One by one, and all together; the others are told."""
    mebi = seed_routes.MOST_BYTES
    names, notes = seed_routes.worth_reading({"big": mebi + 1, **{f"f{number:02}": mebi for number in range(40)}, "z": 0})
    assert names == [*(f"f{number:02}" for number in range(32)), "z"] and len(notes) == 9 and "'big'" in one_sentence(notes[0])
    assert len(seed_routes.worth_reading({f"f{number}": 0 for number in range(seed_routes.MOST_FILES + 5)})[1]) == 5


def test_an_alias_that_would_fill_the_memory() -> None:
    """Is never followed."""
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    bomb += "http: {routers: {r: {rule: *a39}}}\n"
    assert "alias" in one_sentence(files(vm=bomb).notes[0])


def test_services_may_stand_in_another_file_and_names_once() -> None:
    """As Traefik has it; the second router of a name is told."""
    routers, services = FILE.split("\n  services:")
    found = files(a=routers + "\n", b="http:\n  services:" + services, c=FILE)
    assert list(found.routes) == ["vm-123"] and "same name" in one_sentence(found.notes[0])


def test_the_files_win_over_the_state() -> None:
    """Since Traefik serves by them; what only the state knows, and where the two differ, is told."""
    other = {**ENTRY, "route_id": "gone"}
    state = seed_routes.of_state([{**ENTRY, "hostname": "old.test"}, other, {"route_id": "broken"}], "/s/state.json")
    found = seed_routes.compared(files(**{"vm-123": FILE}), state, "/s/state.json")
    assert found.routes == {"vm-123": ROUTE} and len(found.notes) == 3
    assert all(any(word in one_sentence(note) for note in found.notes) for word in ("http_routes[2]", "has it otherwise", "the route gone"))


def result(**more: Any) -> Dict[str, Any]:
    """What gateway_import returns."""
    forwards = [Forward.parse(entry).as_dict() for entry in (
        {"forward_id": "no", "public_port": "22015", "target_ip": "10.50.0.12", "target_port": 32215},
        {"forward_id": "1e3", "public_port": "1-9", "target_ip": "fd50::12", "proto": "both", "source_ranges": ["2001:db8::/32"],
         "source_nat": "none", "comment": "yes: #1"})]
    origins = {"forwards": {"no": ["the rule 'x'\n- y", "z"]}, "routes": {}}
    return {"forwards": forwards, "routes": [ROUTE.as_dict()], "origins": origins, "notes": [], **more}


def test_the_file_holds_what_was_found() -> None:
    """As variables of a host, shortest form; the same text each time; where each comes from stands before it."""
    text = import_file.render(result(), "edge1")
    loaded = yaml.safe_load(text)
    assert [Forward.parse(entry).as_dict() for entry in loaded["edge_gateway_forwards"]] == result()["forwards"]
    assert [Route.parse(entry) for entry in loaded["edge_gateway_routes"]] == [ROUTE]
    assert loaded["edge_gateway_forwards"][0] == {"forward_id": "no", "public_port": 22015, "target_ip": "10.50.0.12", "target_port": 32215}
    assert text == import_file.render(result(), "edge1") and "  # the rule 'x'\\n- y\n  # z\n  - forward_id: \"no\"\n" in text
    assert yaml.safe_load(import_file.render(result(forwards=[], routes=[]), "edge1")) == {
        "edge_gateway_forwards": [], "edge_gateway_routes": []}


@pytest.mark.parametrize("words", [
    "a\nedge_gateway_forwards: [evil]", "\u2028- x", "\x85x: 1", "\r\nx: 1", "{{ lookup('pipe', 'id') }}\x00", "é 🚪"])
def test_words_of_others_stay_in_their_comment(words: str) -> None:
    """Nothing that some reader of YAML takes for the end of a line."""
    text = import_file.render(result(notes=[words], origins={"forwards": {"no": [words]}, "routes": {"vm-123": [words]}}), words)
    assert yaml.safe_load(text) == yaml.safe_load(import_file.render(result(), "edge1"))
    assert all(" " <= char <= "~" or char == "\n" for char in text)


@pytest.mark.parametrize("wrong", [
    {"forwards": [{"forward_id": "a\nb", "public_port": "1", "target_ip": "10.50.0.12"}]}, {"forwards": [{}]},
    {"forwards": [{"forward_id": "a", "public_port": "1", "target_ip": "{{ x }}"}]}, {"routes": [{**ENTRY, "hostname": "{{ x }}"}]},
    {"routes": [{**ENTRY, "target_url": "http://{{ x }}:1"}]},
])
def test_a_host_that_returns_something_else(wrong: Dict[str, Any]) -> None:
    """Does not get it into the file."""
    with pytest.raises(InvalidInput):
        import_file.render(result(**wrong), "edge1")


ACT = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from ansible.errors import AnsibleFilterError
from ansible_collections.edge.gateway.plugins.filter.import_file import import_file
for value in json.loads(sys.argv[2]):
    try:
        print(import_file(value, "edge1").count("forward_id"))
    except AnsibleFilterError as problem:
        print(problem)
"""


def test_the_filter() -> None:
    """One sentence for anything but a result. In a process of its own, since Ansible's side changes how modules warn."""
    values: List[object] = [result(), None, {}, [], {**result(), "forwards": None}, {**result(), "origins": []}, result(forwards=[{}])]
    argv = [sys.executable, "-c", ACT, json.dumps([path for path in sys.path if path]), json.dumps(values)]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == "2" and "forwards[0].forward_id is missing" in one_sentence(lines[-1])
    assert all("register that module" in one_sentence(line) for line in lines[1:-1]) and len(lines) == len(values)


def test_what_a_person_has_changed() -> None:
    """Anything below the digest, by any hand; an empty file, or none, is nobody's work; another file is somebody's."""
    text = import_file.render(result(), "edge1")
    source = random.Random(20261126)
    assert not import_file.is_edited(text) and not import_file.is_edited("")
    start = text.index("edge_gateway_forwards:")
    for _ in range(200):
        place = source.randrange(start, len(text))
        assert import_file.is_edited(text[:place] + source.choice("x \n") + text[place:])
    for other in ("---\nmine: 1\n", text[:-1], text[10:], "x", text + "\n"):
        assert import_file.is_edited(other)

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a backup, and back: what is damaged, foreign or no file of an edge is refused with one sentence that shows no content."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, List, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused
from ansible_collections.edge.gateway.plugins.module_utils.formats import archive, archive_contents, sealed
from ansible_collections.edge.gateway.plugins.module_utils.models.archive import KINDS, Archive, Places, in_order
from unit.backup_samples import ACME, PRIVATE_KEY, SECRETS, backup, edge_files, kept, state
from unit.samples import KEY, one_sentence

PLACES = Places()
TEXT = archive.render(backup())
NAMES = f"{PLACES.dynamic_dir}/_certificates.yml"


def parse(text: str) -> Archive:
    """Read a backup."""
    return archive.parse(text.encode(), PLACES, "edge1.backup")


def refusal(text: str) -> str:
    """The sentence with which a backup is refused, without any secret."""
    with pytest.raises(StateRefused) as caught:
        parse(text)
    message = one_sentence(caught.value.message)
    assert message.startswith("edge1.backup ") and not [secret for secret in SECRETS if secret in message]
    return message


def changed(at: str, **values: Any) -> str:
    """The backup with other values of one file; its digest is right, unless it is what changes."""
    document = json.loads(TEXT)
    entry = next(entry for entry in document["files"] if entry["path"] == at)
    entry.update(values)
    if "sha256" not in values:
        entry["sha256"] = hashlib.sha256(entry["content"].encode()).hexdigest()
    return json.dumps(document)


def test_what_is_written_is_read_back() -> None:
    """All kinds of files, and a file to a line."""
    assert parse(TEXT) == backup()
    assert {kind.name for kind, _item in in_order(parse(TEXT).files, PLACES)} == {kind.name for kind in KINDS}
    assert len(TEXT.splitlines()) == len(backup().files) + 6


def test_the_key_is_put_in_place_first() -> None:
    """And no state without what it refers to: certificates before the file that names them."""
    order = [item.path for _kind, item in in_order(edge_files(), PLACES)]
    assert order[0] == "/etc/wireguard/wg0.key" and order.index(NAMES) > order.index(f"{PLACES.certificates_dir}/spare.key")


def test_the_name_in_the_mesh() -> None:
    """Of the membership on that interface."""
    assert archive_contents.node_id(backup(), PLACES, "wg0") == "edge-1"
    assert archive_contents.node_id(backup(), PLACES, "wg1") == ""


@pytest.mark.parametrize("path", [
    "/etc/shadow", "/etc/wireguard/../shadow", "/etc/wireguard/wg0.conf", "/etc/wireguard/a/wg0.key", "/etc/wireguard//wg0.key",
    "/etc/wireguard/wg0.key\n", "/etc/wireguard/.key", "etc/wireguard/wg0.key", "wg0.key", "", "/", "/etc/traefik/traefik.yml",
    "/etc/traefik/dynamic/.hidden.yml", "/etc/traefik/dynamic/a.toml", "/etc/traefik/certs/../dynamic/a.crt", "/var/lib/traefik/..json",
    "/var/lib/traefik/.json", "/etc/edge-gateway/forwards.nft", "/etc/edge-gateway/openings", "/var/lib/edge-gateway/forwards.json.prev",
    "/etc/systemd/system/traefik.service",
])
def test_another_path_is_refused(path: str) -> None:
    """However it is written; only names of the fixed list are those of an edge."""
    assert "not among the files that make an edge" in refusal(changed("/etc/wireguard/wg0.key", path=path))


@pytest.mark.parametrize("values", [
    {"mode": "0644"}, {"mode": "0620"}, {"mode": "0700"}, {"owner": "nobody"}, {"group": "users"}, {"group": "traefik"},
])
def test_a_file_that_others_could_read_is_refused(values: Dict[str, str]) -> None:
    """A backup cannot open a key."""
    assert "open to others" in refusal(changed("/etc/wireguard/wg0.key", **values))


@pytest.mark.parametrize("values", [
    {"mode": "4600"}, {"mode": "600"}, {"mode": "0o600"}, {"mode": 384}, {"content": None}, {"path": ["/etc/wireguard/wg0.key"]},
    {"link": "/etc/shadow"},
])
def test_what_is_no_file_is_refused(values: Dict[str, Any]) -> None:
    """Links and devices cannot even be written."""
    document = json.loads(TEXT)
    document["files"][0].update(values)
    assert "has a file without its path, mode, owner, digest or content" in refusal(json.dumps(document))


@pytest.mark.parametrize(("path", "content"), [
    ("/etc/wireguard/wg0.key", ""), ("/etc/wireguard/wg0.key", PRIVATE_KEY[:-2]), ("/etc/wireguard/wg0.key", f"{PRIVATE_KEY}\n{KEY}\n"),
    ("/etc/edge-gateway/gateway.json", '{"schema": 2}'), ("/etc/edge-gateway/gateway.json", '{"schema": 1, "more": 1}'),
    ("/etc/edge-gateway/hub.json", '{"pools": "10.50.0.0"}'), ("/etc/edge-gateway/hub.json", "[]"),
    ("/var/lib/edge-gateway/join.json", "{}"), ("/var/lib/edge-gateway/join.json", state("memberships", {"node_id": "x"})),
    ("/var/lib/edge-gateway/peers.json", state("peers", {"node_id": "x\ny"})),
    ("/var/lib/edge-gateway/forwards.json", state("forwards", {"forward_id": "a", "public_port": "80", "target_ip": "10.0.0.1;reboot"})),
    ("/var/lib/edge-gateway/forwards.json", '{"forwards": [], "schema": 9}'),
    ("/etc/traefik/dynamic/shop.yml", "http: {}"), ("/etc/traefik/dynamic/shop.yml", edge_files()[NAMES].content),
    ("/var/lib/traefik/acme.json", ""), ("/var/lib/traefik/acme.json", "{}"), ("/var/lib/traefik/acme.json", '{"a": {"Shell": "x"}}'),
    (NAMES, "tls: {}"), (NAMES, edge_files()[NAMES].content + "http: {}\n"), (NAMES, edge_files()[NAMES].content.replace("spare", "../x")),
    ("/etc/traefik/certs/spare.crt", "none"), ("/etc/traefik/certs/spare.key", "none"),
])
def test_a_content_that_we_do_not_write_is_refused(path: str, content: str) -> None:
    """Though its digest is right: each file is judged by its own parser."""
    assert "with a content that this version of edge.gateway does not write there" in refusal(changed(path, content=content))


def test_a_route_is_written_from_what_was_understood() -> None:
    """What stands below its header is derived, whoever has changed it."""
    path = "/etc/traefik/dynamic/shop.yml"
    hostile = edge_files()[path].content + "  more: {}\n"
    assert parse(changed(path, content=hostile)).files[path] == edge_files()[path]
    assert "does not write there" in refusal(changed(path, path="/etc/traefik/dynamic/other.yml"))


@pytest.mark.parametrize("left_out", ["/etc/traefik/certs/spare.crt", "/etc/traefik/certs/spare.key", NAMES])
def test_certificates_come_together(left_out: str) -> None:
    """A pair with the file that names it, or Traefik would not load its directory."""
    document = json.loads(TEXT)
    document["files"] = [entry for entry in document["files"] if entry["path"] != left_out]
    assert "does not write there" in refusal(json.dumps(document))


def test_an_altered_file_is_named() -> None:
    """By its digest."""
    assert "holds '/etc/wireguard/wg0.key' other than it was" in refusal(changed("/etc/wireguard/wg0.key", sha256="0" * 64))


def test_every_truncation_is_refused() -> None:
    """Wherever it ends."""
    for end in range(0, len(TEXT) - 2, 97):
        refusal(TEXT[:end])


def variants() -> List[Tuple[str, str]]:
    """Texts that are no backup, each with words of its refusal."""
    document = json.loads(TEXT)
    twice = [*document["files"], document["files"][0]]
    return [
        ("[]", "is not a JSON object"), ("{}", "is no backup of edge.gateway"), ("\x00", "is not JSON"),
        (json.dumps({**document, "schema": 2}), "has schema 2, and this version reads 1"),
        (json.dumps({**document, "schema": True}), "has schema True"),
        (json.dumps({**document, "more": 1}), "has parts that no backup has"),
        (json.dumps({**document, "files": {}}), "has parts that no backup has"),
        (json.dumps({**document, "files": [1]}), "has a file without"),
        (json.dumps({**document, "files": twice}), "twice"), (json.dumps({**document, "node": "../x"}), "does not tell whose it is"),
        (json.dumps({**document, "taken": "yesterday"}), "when it was taken"), (json.dumps({**document, "node": None}), "whose it is"),
        ('{"schema": 1, "schema": 1}', "has a repeated name"), (" " * (archive.MAX_BYTES + 1), "more than the 32 MiB"),
    ]


@pytest.mark.parametrize(("text", "words"), variants())
def test_what_is_no_backup_is_refused(text: str, words: str) -> None:
    """With what is wrong."""
    assert words in refusal(text)


def test_nothing_shows_a_content() -> None:
    """Neither as text nor as Python writes an object down."""
    shown = repr(backup()) + "".join(map(str, backup().files.values()))
    assert not [secret for secret in SECRETS if secret in shown]
    assert str(kept("/a", "abc")) == "0600 root:root, 3 bytes, sha256 ba7816bf..."


def test_what_is_sealed_is_opened_with_its_key_alone() -> None:
    """Nothing of it can be read on the way."""
    key, data = bytes(range(32)), TEXT.encode()
    text = sealed.sealed(data, key)
    assert sealed.opened(text, key) == data and len(text) < len(data)
    for wrong, other in ((text, bytes(32)), (text[:-8], key), ("*", key), (text[8:], key)):
        with pytest.raises(ValueError, match="is damaged"):
            sealed.opened(wrong, other)


def test_stores_of_traefik_are_known() -> None:
    """One object for each resolver; a new one has no certificates."""
    assert archive_contents.is_acme_store(json.dumps(ACME))
    assert archive_contents.is_acme_store('{"a": {"Account": null, "Certificates": null}}')
    assert not archive_contents.is_acme_store('{"a": []}') and not archive_contents.is_acme_store("{")

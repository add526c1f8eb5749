# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a backup: one JSON object, a file to a line, contents included.

It names files, and can hold neither links nor directories nor devices, which an archive of a file system could.
"""

from __future__ import annotations

from typing import Any, List

from ..errors import StateRefused, shown, words_of
from ..models import fields
from ..models.archive import Archive, KeptFile, KeptFiles, Places
from .archive_contents import Refuse, checked
from .strict_json import dump_rows, parse_object

SCHEMA = 1
FORMAT = "edge.gateway backup"
# forwards and routes by ten thousands fit; Host reads no larger file
MAX_BYTES = 32 * 1024 * 1024
MAX_FILES = 20000
FIELDS = {"path", "mode", "owner", "group", "sha256", "content"}
NODE = r"[A-Za-z0-9_][A-Za-z0-9._:-]{0,199}"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"


def render(archive: Archive) -> str:
    """The text of a backup."""
    rows = [{"path": item.path, "mode": f"{item.mode:04o}", "owner": item.owner, "group": item.group, "sha256": item.digest,
             "content": item.content} for _path, item in sorted(archive.files.items())]
    return dump_rows("files", rows, schema=SCHEMA, format=FORMAT, node=archive.node, taken=archive.taken)


def parse(data: bytes, places: Places, where: str) -> Archive:
    """The backup that a text holds, each file as :func:`.archive_contents.checked` writes it.

    Args:
        data: not encrypted any longer.
        places: where the host that it is for keeps its files.
        where: the backup, as a message names it.

    Raises:
        StateRefused: it is damaged, of another version, or holds what no backup of ours holds.
    """
    def refuse(problem: str) -> StateRefused:
        return StateRefused(f"{where} {problem}; nothing was changed, take a backup anew, or another copy of this one", where)

    if len(data) > MAX_BYTES:
        raise refuse(f"has more than the {MAX_BYTES >> 20} MiB of any backup")
    try:
        document = parse_object(data)
    except ValueError as problem:
        raise refuse(words_of(problem)) from None
    if document.get("format") != FORMAT:
        raise refuse("is no backup of edge.gateway")
    if not fields.is_version(document.get("schema"), SCHEMA):
        raise StateRefused(f"{where} has schema {shown(document.get('schema'))}, and this version reads {SCHEMA}; nothing was changed, "
                           "restore it with the version of edge.gateway that has taken it", where)
    entries, node, taken = document.get("files"), document.get("node"), document.get("taken")
    if set(document) != {"schema", "format", "node", "taken", "files"} or not isinstance(entries, list) or len(entries) > MAX_FILES:
        raise refuse("has parts that no backup has, or lacks some")
    if not is_node(node) or not isinstance(taken, str) or not fields.matches(TIME, taken):
        raise refuse("does not tell whose it is, or when it was taken")
    return Archive(str(node), taken, checked(_files(entries, refuse), places, refuse))


def is_node(value: object) -> bool:
    """Whether a host's name in the inventory can name a backup too."""
    return isinstance(value, str) and fields.matches(NODE, value)


def _files(entries: List[Any], refuse: Refuse) -> KeptFiles:
    found: KeptFiles = {}
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != FIELDS or not all(isinstance(value, str) for value in entry.values()) \
                or not fields.matches(r"0[0-7]{3}", entry["mode"]):
            raise refuse("has a file without its path, mode, owner, digest or content")
        item = KeptFile(entry["path"], int(entry["mode"], 8), entry["owner"], entry["group"], entry["content"])
        if item.digest != entry["sha256"]:
            raise refuse(f"holds {shown(item.path)} other than it was when the backup was taken (its digest differs)")
        if item.path in found:
            raise refuse(f"holds {shown(item.path)} twice")
        found[item.path] = item
    return found

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a backup: one JSON object, a file to a line, contents included.

It names files, and can hold neither links nor directories nor devices, which an archive of a file system could.
"""

from __future__ import annotations

from typing import Any, Dict, List

from ..errors import MISSING, InvalidInput
from ..models import fields
from ..models.archive import Archive, KeptFile, KeptFiles, Places
from .archive_contents import checked
from .strict_json import dump_rows, parse_object

SCHEMA = 1
FORMAT = "edge.gateway backup"
# forwards and routes by ten thousands fit; Host reads no larger file
MAX_BYTES = 32 * 1024 * 1024
MAX_FILES = 20000
REMEDY = "take a backup anew, or another copy of this one"


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
        InvalidInput: it is damaged, of another version, or holds what no backup of ours holds.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput(where, len(data), f"bytes are more than the {MAX_BYTES} of any backup; {REMEDY}")
    try:
        document = parse_object(data)
    except ValueError as problem:
        raise _damaged(where, str(problem)) from None
    if document.get("format") != FORMAT:
        raise _damaged(where, "is no backup of edge.gateway")
    if not fields.is_version(document.get("schema"), SCHEMA):
        raise InvalidInput(where, document.get("schema"), f"is a schema that this version does not know, which reads {SCHEMA}; restore it "
                                                          "with the version of edge.gateway that has taken it")
    entries = document.get("files")
    if set(document) != {"schema", "format", "node", "taken", "files"} or not isinstance(entries, list) or len(entries) > MAX_FILES:
        raise _damaged(where, "has parts that no backup has, or lacks some")
    files = checked(_files(entries, where), places, where)
    return Archive(_node(document["node"], where), _time(document["taken"], where), files)


def _damaged(where: str, problem: str) -> InvalidInput:
    return InvalidInput(where, MISSING, f"{problem}; {REMEDY}")


def _files(entries: List[Any], where: str) -> KeptFiles:
    found: KeptFiles = {}
    for entry in entries:
        item = _file(entry, where)
        if item.path in found:
            raise _damaged(where, "names a file twice")
        found[item.path] = item
    return found


def _file(entry: Dict[str, Any], where: str) -> KeptFile:
    if not isinstance(entry, dict) or set(entry) != {"path", "mode", "owner", "group", "sha256", "content"} \
            or not all(isinstance(value, str) for value in entry.values()):
        raise _damaged(where, "has a file without its path, mode, owner, digest or content")
    if not fields.matches(r"0[0-7]{3}", entry["mode"]):
        raise _damaged(where, "has a file without a mode")
    item = KeptFile(entry["path"], int(entry["mode"], 8), entry["owner"], entry["group"], entry["content"])
    if item.digest != entry["sha256"]:
        raise InvalidInput(where, item.path, f"is not as it was when the backup was taken (its digest differs); {REMEDY}")
    return item


def _node(value: object, where: str) -> str:
    if not isinstance(value, str) or not fields.matches(r"[A-Za-z0-9_][A-Za-z0-9._:-]{0,252}", value):
        raise _damaged(where, "does not tell whose it is")
    return value


def _time(value: object, where: str) -> str:
    if not isinstance(value, str) or not fields.matches(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", value):
        raise _damaged(where, "does not tell when it was taken")
    return value

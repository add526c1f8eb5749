# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the service stood before a run changed it, kept on the host until the run has ended: a killed one cannot put anything back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from ..errors import GatewayError, StateRefused, Unreadable
from ..formats.strict_json import parse_object
from ..host import Host
from ..models import fields
from ..models.config_file import ConfigFile, ConfigFiles

FILE = "/var/lib/edge-gateway/traefik-before.json"
SCHEMA = 1


@dataclass(frozen=True)
class Stand:
    """The files, whether the service ran, and whether it was started at boot."""

    files: ConfigFiles
    active: bool
    at_boot: bool


def load(host: Host) -> Optional[Stand]:
    """What an unfinished run has kept, None when all have ended."""
    data = host.read(FILE, own=True)
    if data is None:
        return None
    try:
        document = parse_object(data)
        if not fields.is_version(document.get("schema"), SCHEMA):
            raise Unreadable("is of another version")
        files = {path: _file(path, entry) for path, entry in document["files"].items()}
        return Stand(files, document["active"] is True, document["at_boot"] is True)
    except (ValueError, KeyError, TypeError, AttributeError, GatewayError):
        raise StateRefused(f"{FILE}, left by an unfinished run, cannot be understood; nothing was changed, look whether Traefik's "
                           "files are as you want them, remove it and run again", FILE) from None


def _file(path: str, entry: Mapping[str, Any]) -> ConfigFile:
    mode, group, content, owner = entry["mode"], entry["group"], entry["content"], entry["owner"]
    if not isinstance(mode, int) or not isinstance(content, (str, type(None))):
        raise Unreadable("is no file")
    return ConfigFile(path, mode, str(group), content, str(owner), secret=True)


def keep(host: Host, stand: Stand) -> None:
    """Write down how things stand, secrets included: the file is root's alone, and goes when the run ends."""
    directory = FILE.rpartition("/")[0]
    host.make_directory(directory)
    files = {path: {"mode": item.mode, "group": item.group, "content": item.content, "owner": item.owner}
             for path, item in stand.files.items()}
    host.write(FILE, json.dumps({"schema": SCHEMA, "active": stand.active, "at_boot": stand.at_boot, "files": files}, indent=1) + "\n")


def forget(host: Host) -> None:
    """The run has ended."""
    host.remove(FILE)

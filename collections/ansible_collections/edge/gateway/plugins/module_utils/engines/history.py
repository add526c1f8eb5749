# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what runs have changed, beside the state. It is told to people and never decides anything, so a damaged one starts anew."""

from __future__ import annotations

import json
from typing import Mapping, Sequence

from ..formats.strict_json import parse_object
from ..host import Host
from ..models.history import History

# of modules that have no state of their own
STATE_DIR = "/var/lib/edge-gateway"


class Chronicle:
    """The history file of one host.

    Args:
        module: whose runs are noted.
    """

    def __init__(self, host: Host, state_dir: str, module: str = "") -> None:
        self.host, self.directory, self.module = host, state_dir, module
        self.path = f"{state_dir}/history.json"

    def load(self) -> History:
        """What is known; nothing on a host without one, or with one that cannot be read."""
        data = self.host.read(self.path, own=True)
        try:
            return History() if data is None else History.parse(parse_object(data))
        except ValueError:
            return History()

    def note(self, ids: Mapping[str, Sequence[str]], changed: bool) -> None:
        """Add a run that has ended well."""
        self.host.make_directory(self.directory)
        history = self.load().with_run(self.host.now(), self.module, ids, changed)
        self.host.write(self.path, json.dumps(history.as_dict(), indent=1) + "\n")

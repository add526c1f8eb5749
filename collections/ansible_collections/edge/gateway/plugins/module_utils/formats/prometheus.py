# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of an edge as metrics, in the text format that a node exporter's textfile collector reads.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
"""

from __future__ import annotations

from typing import List, Mapping

from ..models.health import ORDER, Part, overall

PREFIX = "edge_gateway"


def render(parts: Mapping[str, Part], now: int) -> str:
    """The file's content.

    Args:
        now: seconds since 1970; tells a monitor that the file is fresh.
    """
    lines = _family("status", "Worst status of all parts: 0 ok, 1 degraded, 2 failed.", {"": ORDER.index(overall(dict(parts)))})
    lines += _family("part_status", "Status of each part: 0 ok, 1 degraded, 2 failed.",
                     {f'{{part="{name}"}}': ORDER.index(part.status) for name, part in parts.items()})
    for name, part in parts.items():
        for figure, value in part.figures.items():
            lines += _family(f"{name}_{figure}", f"{figure.replace('_', ' ').capitalize()} of the part {name}.", {"": value})
    lines += _family("checked_timestamp_seconds", "When these values were found, in seconds since 1970.", {"": now})
    return "\n".join(lines) + "\n"


def _family(name: str, words: str, samples: Mapping[str, float]) -> List[str]:
    whole = f"{PREFIX}_{name}"
    return [f"# HELP {whole} {words}", f"# TYPE {whole} gauge", *(f"{whole}{labels} {value}" for labels, value in samples.items())]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, as Markdown, and the cells that are in them."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

from .stats import Samples
from .targets import Target

NOTHING = "-"
HOW_TO_READ = "Figures are medians, the best round in parentheses. A ratio is the median of the ratios within each round."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def figure(value: Optional[float], digits: int = 2) -> str:
    """One number, or a dash."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def time(samples: Samples, name: str, digits: int = 2) -> str:
    """Something of which less is better."""
    return f"{samples.median(name):.{digits}f} ({samples.lowest(name):.{digits}f})" if samples.has(name) else NOTHING


def rate(samples: Samples, name: str) -> str:
    """Something of which more is better."""
    return f"{samples.median(name):.0f} ({samples.highest(name):.0f})" if samples.has(name) else NOTHING


def verdicts(targets: List[Target], judged: bool) -> str:
    """Each target and whether it is met."""
    def verdict(target: Target) -> str:
        if target.met is None:
            return "not measured"
        return ("pass" if target.met else "**FAIL**") if judged else "not judged"
    return table(["ratio", "measured", "target", "verdict"], [
        [target.what, figure(target.measured), f"{'>=' if target.at_least else '<='} {target.bound:g}", verdict(target)]
        for target in targets])


def document(title: str, about: Dict[str, str], sections: Sequence[str]) -> str:
    """All of it."""
    parts = [f"# {title}", "\n".join(f"- {name}: {value}" for name, value in about.items()), HOW_TO_READ, *sections]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"

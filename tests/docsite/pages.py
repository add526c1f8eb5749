# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents, in the order in which a reader comes to them."""

from __future__ import annotations

from pathlib import Path

import yaml

from .blocks import PAGES, TOP

README = TOP / "README.md"
# a copy of the README's section, see quick_start.py
QUICK_START = PAGES / "quick_start.rst"


def pages() -> list[Path]:
    """The pages of the site that are not generated: in the order of its table of contents, then those that only other pages name."""
    sections = yaml.safe_load((PAGES.parent / "extra-docs.yml").read_text())["sections"]
    listed = [PAGES / f"{name}.rst" for section in sections for name in section["toctree"]]
    return [*listed, *sorted(set(PAGES.glob("*.rst")) - set(listed))]


def documents() -> list[Path]:
    """What is followed command by command: the quick start is in the README."""
    return [README, *(page for page in pages() if page != QUICK_START)]

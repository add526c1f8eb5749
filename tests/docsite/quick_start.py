#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the site's page "Quick start" of the README, so that there is one quick start.

    python tests/docsite/quick_start.py            writes it into the collection

Only as much Markdown is understood as the section uses: headings, paragraphs, lists, fences, code, bold, and the links in LINKS.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

BEGIN, END = "<!-- the page quick_start.rst", "<!-- the end of quick_start.rst"
# where a link of the README leads on the site
LINKS = {"#the-mesh": "ansible_collections.edge.gateway.docsite.first_edge"}
HEAD = """.. Copyright: Contributors to the edge.gateway collection
   SPDX-License-Identifier: GPL-3.0-or-later
   Made of README.md by tests/docsite/quick_start.py; change it there.

.. _ansible_collections.edge.gateway.docsite.quick_start:

Quick start
***********

"""
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
_CODE = re.compile(r"(`[^`]+`)")
_FENCE = re.compile(r"```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?")
_REASON = re.compile(r"<!-- (not-run: .+) -->")


def _prose(line: str) -> str:
    return "".join(f"`{part}`" if _CODE.fullmatch(part) else _LINK.sub(lambda link: f":ref:`{link[1]} <{LINKS[link[2]]}>`", part)
                   for part in _CODE.split(line))


def _block(opening: re.Match[str], body: list[str]) -> list[str]:
    caption = [f"   :caption: {opening['title']}"] if opening["title"] else []
    return [f".. code-block:: {opening['language']}", *caption, "", *(f"   {line}".rstrip() for line in body)]


def section() -> list[str]:
    """The lines of the README between the two marks."""
    lines = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8").splitlines()
    begin, end = (next(number for number, line in enumerate(lines) if line.startswith(mark)) for mark in (BEGIN, END))
    return lines[begin + 1:end]


def convert(lines: list[str]) -> str:
    """The page of these lines of Markdown."""
    made: list[str] = []
    rest = iter(lines)
    for line in rest:
        fence, reason = _FENCE.fullmatch(line), _REASON.fullmatch(line)
        if fence:
            made += _block(fence, list(iter(lambda: next(rest), "```")))
        elif reason:
            made += [f".. {reason[1]}", ""]
        elif line.startswith("## "):
            made += [line[3:], "=" * len(line[3:])]
        else:
            made.append(_prose(line))
    return HEAD + "\n".join(made).strip("\n") + "\n"


def main() -> int:
    """Write the page."""
    pages = Path(__file__).resolve().parents[2] / "collections/ansible_collections/edge/gateway/docs/docsite/rst"
    (pages / "quick_start.rst").write_text(convert(section()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the page of the sample fleet and, where Chromium is installed, the pictures of it in docs/docsite/rst/images of the collection."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.edge.gateway.plugins.plugin_utils.report.page import page

from report.browser import PROGRAM, Browser
from report.sample import GENERATED, fleet

TOP = Path(__file__).resolve().parents[2]
PAGE, IMAGES = TOP / ".cache/report.html", TOP / "collections/ansible_collections/edge/gateway/docs/docsite/rst/images"
# name, width, colour scheme, height of the picture, its pixels to one of the page
PICTURES = [("light", 1100, "light", 1450, 1.0), ("dark", 1100, "dark", 1450, 1.0), ("phone", 390, "light", 1560, 1.5)]


def main() -> None:
    """The page first: it needs no browser."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(fleet()))
    print(f"{PAGE.relative_to(TOP)}: {PAGE.stat().st_size // 1000} kB")
    if PROGRAM is None:
        print("no pictures: install Chromium (Debian: apt-get install --no-install-recommends chromium fonts-dejavu-core)")
        return
    IMAGES.mkdir(parents=True, exist_ok=True)
    with Browser() as browser, browser.clock(GENERATED):
        for name, width, scheme, height, scale in PICTURES:
            browser.show(str(PAGE), width, scheme=scheme, scale=scale)
            picture = IMAGES / f"report-{name}.png"
            browser.picture(str(picture), height)
            print(f"{picture.relative_to(TOP)}: {picture.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser, where Chromium is installed (Debian: chromium): search, sort, map, keyboard, widths, and a quiet console."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.plugin_utils.report.page import page
from report.browser import PROGRAM, Browser
from report.sample import fleet

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")

VISIBLE = "Array.from(document.querySelectorAll('#{0} tbody tr')).filter((row) => row.offsetParent)"
CLICK = "new MouseEvent('click', {bubbles: true, cancelable: true})"
SEARCH = """(() => {{ const field = document.querySelector('#{0} input[type=search]'); field.value = '{1}';
    field.dispatchEvent(new Event('input')); }})()"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's page in a file."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(fleet()))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests: it takes a second to start."""
    with Browser() as running:
        yield running


@pytest.fixture
def shown(browser: Browser, report: Path) -> Iterator[Browser]:
    """The page, freshly opened in a wide window. At the end, nothing has complained, and nothing but the file was asked for."""
    browser.events = []
    browser.show(str(report), 1240)
    yield browser
    assert browser.complaints == []
    assert set(browser.requests) == {f"file://{report}"}


def rows(browser: Browser, section: str, column: int) -> List[str]:
    """What can be seen of a column."""
    found: Any = browser.run(f"{VISIBLE.format(section)}.map((row) => row.cells[{column}].innerText.trim())")
    return list(found)


def test_long_tables_begin_short(shown: Browser) -> None:
    """And open on demand."""
    assert len(rows(shown, "routes", 0)) == 25
    assert shown.run("document.querySelector('#routes button.all').innerText") == "Show all 200 routes"
    shown.run("document.querySelector('#routes button.all').click()")
    assert len(rows(shown, "routes", 0)) == 200


@pytest.mark.parametrize(("words", "count"), [("vm-1", 100), ("27000", 1), ("EDGE1 10.50.0.13", 10), ("ticket 4711", 1), ("<nobody>", 0)])
def test_search(shown: Browser, words: str, count: int) -> None:
    """All words must stand somewhere in the row; case does not matter."""
    shown.run(SEARCH.format("forwards", words))
    assert shown.run("document.querySelector('#forwards .shown').innerText") == f"{count} of 200 forwards"
    assert len(rows(shown, "forwards", 0)) == min(count, 25)
    assert len(rows(shown, "routes", 0)) == 25


def test_only_what_is_not_ok(shown: Browser) -> None:
    """A switch."""
    shown.run("document.querySelector('#routes input[type=checkbox]').click()")
    assert shown.run("document.querySelector('#routes .shown').innerText") == "101 of 200 routes"


@pytest.mark.parametrize(("section", "column", "first", "last"), [
    ("forwards", 1, "20000 tcp", "27000-27015 tcp, udp"), ("forwards", 5, "0 0 open", "4,995 0 open"),
    ("forwards", 3, "10.50.0.12:22", "10.50.0.21:27015"), ("certificates", 1, "in 9 days", "in 88 days"),
    ("routes", 4, "in 3 days", "never"),
])
def test_sort(shown: Browser, section: str, column: int, first: str, last: str) -> None:
    """By number where it is one, up at first, then down; the head says which."""
    head = f"document.querySelectorAll('#{section} th')[{column}]"
    shown.run(f"{head}.querySelector('button').click()")
    assert shown.run(f"{head}.getAttribute('aria-sort')") == "ascending"
    assert rows(shown, section, column)[0] == first
    shown.run(f"{head}.querySelector('button').click()")
    assert shown.run(f"{head}.getAttribute('aria-sort')") == "descending"
    assert rows(shown, section, column)[0] == last
    assert shown.run(f"document.querySelectorAll('#{section} [aria-sort]').length") == 1


def test_the_map_by_keyboard(shown: Browser) -> None:
    """Tab reaches a line, Enter shows what it carries, Escape goes back to it."""
    shown.run("document.querySelector('.map.wide .strand').focus()")
    shown.press("Enter", 13)
    strand = shown.run("document.querySelector('.map.wide .strand.chosen').getAttribute('href')")
    assert shown.run("document.activeElement.id") == strand[1:]
    assert shown.run(f"document.querySelectorAll('{strand} li').length") == 10
    assert shown.run("Array.from(document.querySelectorAll('.strand-panel')).filter((part) => part.offsetParent).length") == 1
    shown.press("Escape", 27)
    assert shown.run("document.querySelectorAll('.chosen, .strand-panel.open, .node-panel.open').length") == 0
    assert shown.run("document.activeElement.getAttribute('href')") == strand
    shown.press("Tab", 9)
    assert shown.run("document.activeElement.matches('.map.wide .strand')")


def test_a_node_shows_all_that_leads_to_it(shown: Browser) -> None:
    """From both edges, routes and forwards."""
    shown.run(f"document.querySelector('.map.wide a.box').dispatchEvent({CLICK})")
    assert shown.run("Array.from(document.querySelectorAll('.strand-panel')).filter((part) => part.offsetParent).length") == 4
    assert shown.run("location.hash") == ""


LONG = "a-name-of-sixty-three-letters-which-is-as-long-as-a-label-may-be"[:63]


@pytest.fixture(scope="module")
def stretched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page in which every name is as long as it may be."""
    path = tmp_path_factory.mktemp("report") / "stretched.html"
    text = json.dumps(fleet())
    for short in ("edge1", "edge2", "vm-100-ssh", "shop-0", "shop-105", "wiki-2"):
        text = text.replace(short, f"{short}{LONG}"[:63])
    path.write_text(page(json.loads(text.replace("10.50.0.13", "fd50:1234:5678:9abc:def0:1234:5678:9abc"))))
    return path


@pytest.mark.parametrize("width", [320, 390, 820, 960])
def test_no_width_scrolls_sideways(browser: Browser, stretched: Path, width: int) -> None:
    """From a small phone on, with every row open; each width has one map."""
    browser.show(str(stretched), width)
    browser.run(f"document.querySelectorAll('button.all, .map a.box').forEach((item) => item.dispatchEvent({CLICK}))")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("Array.from(document.querySelectorAll('svg.map')).filter((map) => map.getBoundingClientRect().width).length") == 1


def test_letters_of_the_map_stay_in_their_boxes(browser: Browser, stretched: Path) -> None:
    """In both drawings."""
    outside = """Array.from(document.querySelectorAll('svg.map')).filter((map) => map.getBoundingClientRect().width).flatMap((map) =>
        Array.from(map.querySelectorAll('.box')).flatMap((box) => { const edge = box.querySelector('rect').getBoundingClientRect();
        return Array.from(box.querySelectorAll('text')).filter((text) => text.getBoundingClientRect().right > edge.right)
            .map((text) => text.textContent); }))"""
    for width in (1240, 390):
        browser.show(str(stretched), width)
        assert browser.run(outside) == []


@pytest.mark.parametrize(("now", "words"), [("2026-11-26T03:59:00Z", ""), ("2026-11-26T05:30:00Z", ", 2 h old"),
                                            ("2026-11-29T03:00:00Z", ", 3 days old")])
def test_an_old_page_says_so(shown: Browser, report: Path, now: str, words: str) -> None:
    """Nobody takes yesterday's green for today's."""
    with shown.clock(now):
        shown.show(str(report), 1240)
    assert shown.run("document.getElementById('age').textContent") == words


def test_print_shows_every_row(shown: Browser, report: Path) -> None:
    """Light, and without what only a screen needs."""
    shown.show(str(report), 1000, scheme="dark", media="print")
    assert shown.run(f"{VISIBLE.format('routes')}.length") == 200
    assert shown.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.run("document.querySelector('.tools').offsetParent") is None


def test_without_scripts_all_is_there(shown: Browser, report: Path) -> None:
    """No row is hidden, no dead button shows, and a link of the map opens what it carries."""
    shown.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        shown.show(f"{report}#node-3", 1240)
        assert shown.run(f"{VISIBLE.format('routes')}.length") == 200
        assert shown.run("Array.from(document.querySelectorAll('button, input')).filter((item) => item.offsetParent).length") == 0
        assert shown.run("document.querySelector('#node-3').offsetHeight") > 100
        shown.show(f"{report}#strand-0", 1240)
        assert shown.run("Array.from(document.querySelectorAll('.strand-panel')).filter((part) => part.offsetParent).length") == 1
    finally:
        shown.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_script_from_elsewhere_does_not_run(browser: Browser, report: Path, tmp_path: Path) -> None:
    """Should escaping ever fail, the policy still holds."""
    attacked = tmp_path / "attacked.html"
    attack = "<script>document.title = 'owned'</script><img src='http://192.0.2.1/x.png'></main>"
    attacked.write_text(report.read_text().replace("</main>", attack))
    browser.events = []
    browser.show(str(attacked), 1240)
    assert browser.run("document.title").startswith("✕ 1 of 2 edges")
    assert [word for word in ("script-src", "img-src") if not any(word in complaint for complaint in browser.complaints)] == []
    browser.events = []

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation: every block is run (by the scenario docs) or says why not, and the quick start is the README's."""

from __future__ import annotations

from pathlib import Path

import pytest
from docsite import quick_start
from docsite.blocks import TOP, Block, Command, blocks, missing
from docsite.pages import QUICK_START, README, documents

# why a block is not run; a new reason is a decision, so it is written here
REASONS = {
    "it builds the lab that these blocks are run in",
    "needs a controller, which the mesh of these pages has not; the scenario default has one",
    "asks a public authority; the scenario acme orders by DNS from an authority of the lab",
    "needs Docker, which the lab has not; the scenario firewalls stands beside the rules that Docker loads",
    "a variable among those of your inventory",
    "it needs an otherwise idle machine for a quarter of an hour",
    "needs ansible-rulebook and Java 17; make eda calls it over HTTP",
}
RST = """
Title
*****

.. not-run: nobody has one

.. code-block:: console

   $ one

.. code-block:: yaml
   :caption: group_vars/edge.yml

   a: 1
   b:
     - 2

Text::

   bare
"""
MARKDOWN = """
<!-- not-run: nobody has one -->
```console
$ one
```

```yaml title="group_vars/edge.yml"
a: 1
```

    bare
"""


@pytest.mark.parametrize("page", [*documents(), QUICK_START, TOP / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        assert not block.problem(), f"{block.place}: {block.problem()}"
        assert block.reason in REASONS or not block.reason, f"{block.place}: a new reason, {block.reason!r}"


def test_no_reason_has_outlived_its_block() -> None:
    assert {block.reason for page in documents() for block in blocks(page)} - {""} == REASONS


def test_most_of_what_is_typed_is_run() -> None:
    found = [block for page in documents() for block in blocks(page) if block.commands]
    left_out = [block.place for block in found if block.reason]
    assert len(left_out) * 5 <= len(found), left_out


def test_the_quick_start_is_the_readmes() -> None:
    assert QUICK_START.read_text() == quick_start.convert(quick_start.section()), "run python tests/docsite/quick_start.py"


def test_blocks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.rst"
    page.write_text(RST)
    assert blocks(page) == [Block(page, 7, "console", "", "$ one\n", "nobody has one"),
                            Block(page, 11, "yaml", "group_vars/edge.yml", "a: 1\nb:\n  - 2\n", ""), Block(page, 18, "", "", "bare\n", "")]


def test_blocks_of_markdown(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(MARKDOWN)
    assert blocks(page) == [Block(page, 3, "console", "", "$ one\n", "nobody has one"),
                            Block(page, 7, "yaml", "group_vars/edge.yml", "a: 1\n", ""), Block(page, 11, "", "", "bare\n", "")]


def test_commands_and_what_they_print() -> None:
    text = "$ one \\\n    --more\nok=...\n\nclient:~$ two\nedge1:~# three\n# last\n"
    assert Block(README, 1, "console", "", text, "").commands == (
        Command("", "one \\\n    --more", ("ok=...",)), Command("client", "two", ()), Command("edge1", "three", ("# last",)))


@pytest.mark.parametrize(("language", "name", "text", "reason", "said"), [
    ("console", "", "make demo", "", "has no command"), ("yaml", "", "a: 1", "", "has no file name"),
    ("", "", "$ one", "", "the language ''"),
    ("bash", "", "one", "", "the language 'bash'"),
    ("yaml", "", "a: 1", "an excerpt", ""), ("text", "", "shown", "", "")])
def test_what_a_block_must_have(language: str, name: str, text: str, reason: str, said: str) -> None:
    assert said in Block(README, 1, language, name, text, reason).problem()
    assert bool(said) == bool(Block(README, 1, language, name, text, reason).problem())


@pytest.mark.parametrize(("expected", "output", "lacking"), [
    (("a  b", "c...e"), "a\nb\nc d e", ""), (("c", "a"), "a b c", "a"), (("...",), "", ""), (("x ... z",), "x y", "x ... z"), ((), "", "")])
def test_what_is_missing_in_an_output(expected: tuple[str, ...], output: str, lacking: str) -> None:
    assert missing(expected, output) == lacking

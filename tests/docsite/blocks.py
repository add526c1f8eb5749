# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of the documentation: which commands it tells readers to type, what they see then, and which files they write.

Understood are reStructuredText (``.. code-block:: LANGUAGE`` with ``:caption:``) and Markdown (fences, ``title="..."``). A comment
right before a block says why it is not run: ``.. not-run: REASON`` or ``<!-- not-run: REASON -->``. In a block of the language
``console`` a line that begins with a prompt is a command (``$`` for the reader's own machine, ``client:~$`` or ``edge1:~#`` for
another one), and the lines after it are what it prints, ``...`` standing for anything.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PAGES = TOP / "collections/ansible_collections/edge/gateway/docs/docsite/rst"
COMMANDS = "console"
# what is written into a file when the block has a name
FILES = ("yaml", "json", "ini", "python")
# what is only shown
SHOWN = ("text",)
OWN = "$"

_PROMPT = re.compile(r"(?:(?P<host>[a-z][a-z0-9]*):~[$#]|\$) (?P<command>.+)")
_RST = re.compile(r"( *)\.\. (?P<directive>code-block|code|sourcecode|parsed-literal|literalinclude|include)::[ ]*(?P<language>\S*).*")
_RST_REASON = re.compile(r" *\.\. not-run: (?P<reason>.+)")
_RST_OPTION = re.compile(r" +:(?P<name>[a-z-]+):[ ]*(?P<value>.*)")
_FENCE = re.compile(r"( *)(?P<fence>```+|~~~+)(?P<language>[\w+-]*)(?P<more>.*)")
_TITLE = re.compile(r'title="(?P<title>[^"]+)"')
_MARKDOWN_REASON = re.compile(r" *<!-- not-run: (?P<reason>.+) -->")


@dataclass(frozen=True)
class Command:
    """What is typed at a prompt, and what is printed then.

    Attributes:
        host: "" for the reader's own machine, else the name of a host of the lab.
        text: the command for a shell.
        expected: lines of its output, in order; "..." stands for anything.
    """

    host: str
    text: str
    expected: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """One block of a page; `name` is the file that it is, `reason` says why it is not run, both may be empty."""

    page: Path
    line: int
    language: str
    name: str
    text: str
    reason: str

    @property
    def place(self) -> str:
        """Where it is, for a message."""
        return f"{self.page.name}:{self.line}"

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands of the block, none unless it is a console's."""
        return _commands(self.text) if self.language == COMMANDS else ()

    def problem(self) -> str:
        """What is wrong with the block as documentation, or nothing."""
        if self.language == COMMANDS:
            return "" if self.reason or self.commands else "a block of the language console has no command: begin a line with '$ '"
        if self.language in SHOWN:
            return ""
        if self.language not in FILES:
            return f"nobody knows what to do with the language {self.language!r}"
        return "" if self.reason or self.name else f"a block of the language {self.language} has no file name, and no reason why not"


def _commands(text: str) -> tuple[Command, ...]:
    found: list[tuple[str, list[str], list[str]]] = []
    goes_on = False
    for line in text.splitlines():
        prompt = _PROMPT.fullmatch(line)
        if goes_on:
            found[-1][1].append(line)
            goes_on = line.endswith("\\")
        elif prompt:
            found.append((prompt["host"] or "", [prompt["command"]], []))
            goes_on = line.endswith("\\")
        elif found and line.strip():
            found[-1][2].append(line)
    return tuple(Command(host, "\n".join(typed), tuple(expected)) for host, typed, expected in found)


def missing(expected: tuple[str, ...], output: str) -> str:
    """The first line of what is expected that the output does not show, in order; nothing when all is there.

    Runs of blanks count as one, since a terminal wraps and aligns.
    """
    rest = " ".join(output.split())
    for line in expected:
        for words in (" ".join(part.split()) for part in line.split("...")):
            at = rest.find(words)
            if at < 0:
                return line
            rest = rest[at + len(words):]
    return ""


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, by the kind of file that it is."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return _rst(page, lines) if page.suffix == ".rst" else _markdown(page, lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _body(lines: list[str], start: int, indent: int) -> tuple[str, int]:
    """The indented lines from here on, and where they end."""
    end = start
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    return textwrap.dedent("\n".join(lines[start:end])).strip("\n") + "\n", end


def _rst(page: Path, lines: list[str]) -> list[Block]:
    found: list[Block] = []
    reason, at = "", 0
    while at < len(lines):
        line = lines[at]
        directive, comment = _RST.fullmatch(line), _RST_REASON.fullmatch(line)
        if comment:
            reason = comment["reason"]
        elif directive or (line.rstrip().endswith("::") and not line.lstrip().startswith("..")):
            start, name = at + 1, ""
            while directive and start < len(lines) and (option := _RST_OPTION.fullmatch(lines[start])):
                name = option["value"] if option["name"] == "caption" else name
                start += 1
            text, end = _body(lines, start, _indent(line))
            language = directive["language"] if directive and directive["directive"] == "code-block" else ""
            found.append(Block(page, at + 1, language, name, text, reason))
            reason, at = "", end
            continue
        elif line.strip():
            reason = ""
        at += 1
    return found


def _markdown(page: Path, lines: list[str]) -> list[Block]:
    found: list[Block] = []
    reason, at = "", 0
    while at < len(lines):
        line = lines[at]
        fence, comment = _FENCE.fullmatch(line), _MARKDOWN_REASON.fullmatch(line)
        if comment:
            reason = comment["reason"]
        elif fence:
            end = next(number for number in range(at + 1, len(lines)) if lines[number].strip() == fence["fence"])
            title = _TITLE.search(fence["more"])
            text = textwrap.dedent("\n".join(lines[at + 1:end])) + "\n"
            found.append(Block(page, at + 1, fence["language"], title["title"] if title else "", text, reason))
            reason, at = "", end
        elif line.startswith("    ") and at and not lines[at - 1].strip():
            text, end = _body(lines, at, 3)
            found.append(Block(page, at + 1, "", "", text, reason))
            reason, at = "", end
            continue
        elif line.strip():
            reason = ""
        at += 1
    return found

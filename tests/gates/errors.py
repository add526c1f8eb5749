#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the reference of messages: what stands below the marker in docs/docsite/rst/errors.rst, and the options that have sections.

    python tests/gates/errors.py            (make errors)

The messages are read out of the source: what is given to an error of errors.py (or to what becomes one) is a message, and the names of
what is put into it stand in angle brackets. An error whose words cannot be found is refused here, so that none is left out.
"""

from __future__ import annotations

import ast
import functools
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import yaml

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "collections/ansible_collections/edge/gateway"
PAGE = COLLECTION / "docs/docsite/rst/errors.rst"
OPTIONS = COLLECTION / "plugins/module_utils/documented.py"
MARKER = ".. What follows is written by \"make errors\".\n"
ERRORS = COLLECTION / "plugins/module_utils/errors.py"
HEALTH = COLLECTION / "plugins/module_utils/models/health.py"
# what takes a part of a sentence of others, and at which place
PARTS = {"Unreadable": 0, "ValueError": 0, "NotYaml": 0, "RepeatedName": 0, "TooDeep": 0, "_Refused": 0, "ExchangeFailed": 1,
         "refuse": 0, "_refuse": 0, "refused": 0, "_refused": 0, "_failed": 0, "_unknown": 0, "_unreachable": 0, "AnsibleFilterError": 0,
         "HTTPBadRequest": 0}
# errors that have their words in errors.py; they stand in the section of their code
OWN_WORDS = ("MissingTool", "SystemFailed")
# functions whose answers are parts of a sentence
WORDS = ("_distrust", "_misfit")
# functions whose long texts are messages, with their code
TELLING = {"_hostnames": "conflict", "_ports": "conflict", "_identities": "conflict"}
# what functions make of a value
SHOWN_AS = {"shown": "<value>", "words_of": "<problem>"}
# errors that only pass on what stands elsewhere, or what a program says
PASSED_ON = ("problem.message + asked", "f\"{problem.msg.rstrip('.')}; correct that\"", "'; '.join(found)", "problem.message + '\\n'",
             "f'{words_of(problem)}; {SHAPE.format(noun)}'", "problem", "why",
             "f\"'{' '.join(argv)}' failed: {first_line(result.err or result.out)}\"")
FEWEST_WORDS = 2
WIDTH = 140
# function of models/health.py -> part
PARTS_OF_HEALTH = {"_mesh_troubles": "mesh", "converged": "converge"}


@dataclass(frozen=True)
class Message:
    """One way to say that something is wrong.

    Attributes:
        code: of the error, or "" for a part of a sentence.
        option: that it is always about, else "".
        problem, remedy: its words, with <names> for what is put in.
    """

    code: str
    option: str
    problem: str
    remedy: str

    @property
    def anchor(self) -> str:
        """The id of the message on the page: docutils makes it of the words of the target."""
        return re.sub(r"[^a-z0-9]+", "-", self.problem.lower()).strip("-")


class Source:
    """One Python file."""

    def __init__(self, path: Path, codes: dict[str, str]) -> None:
        self.path, self.codes, self.tree = path, codes, ast.parse(path.read_text())
        self.constants: dict[str, str] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (
                    isinstance(node.value, ast.JoinedStr) or isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
                self.constants[node.targets[0].id] = self.texts(node.value)[0]

    def messages(self) -> Iterator[Message]:
        """All messages of the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.FunctionDef) and node.name in WORDS:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and inner.value is not None and not isinstance(inner.value, ast.Call):
                        yield from self._told("", "", inner.value)

            elif isinstance(node, ast.FunctionDef) and node.name in TELLING and self.path.name == "fleet.py":
                for inner in ast.walk(node):
                    if isinstance(inner, ast.JoinedStr) and "; " in ast.unparse(inner):
                        yield from self._told(TELLING[node.name], "", inner)

    def _call(self, node: ast.Call) -> Iterator[Message]:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in self.codes and name not in OWN_WORDS:
            place = 2 if name == "InvalidInput" else 0
            about, shown = ("", "") if place == 0 else (self.option(node.args[0]), self._shown(node.args[1]))
            yield from self._told(self.codes[name], about, node.args[place], f"{about or '<option>'} {shown}" if place else "")
        elif name in PARTS and len(node.args) > PARTS[name]:
            yield from self._told("", "", node.args[PARTS[name]], part=True)
        elif name == "HTTPBadRequest":
            yield from self._told("", "", node.keywords[0].value, part=True)

    @staticmethod
    def _shown(value: ast.expr) -> str:
        return "" if isinstance(value, ast.Name) and value.id == "MISSING" else "<value> "

    def _told(self, code: str, option: str, words: ast.expr, before: str = "", part: bool = False) -> Iterator[Message]:
        if ast.unparse(words) in PASSED_ON:
            return
        for text in self.texts(words):
            fixed = re.findall(r"\w+", re.sub(r"<[^>]*>", "", text))
            if len(fixed) >= FEWEST_WORDS:
                problem, _semicolon, remedy = text.partition("; ")
                yield Message(code, option, before + problem.strip(), remedy.strip())
            elif not part:
                raise SystemExit(f"{self.path.name}:{words.lineno}: the words of this error cannot be found: {ast.unparse(words)}")

    def option(self, node: ast.expr) -> str:
        """The option of an error where the code names it, without the number of an entry."""
        texts = self.texts(node)
        name = re.sub(r"^<\w+>", "", texts[0])
        return name if len(texts) == 1 and re.fullmatch(r"[a-z_][a-z_.]*", name) else ""

    def texts(self, node: ast.expr) -> list[str]:
        """What an expression may say."""
        if isinstance(node, ast.Constant):
            return [str(node.value)]
        if isinstance(node, ast.JoinedStr):
            return joined([self.texts(value) for value in node.values])
        if isinstance(node, ast.FormattedValue):
            either = isinstance(node.value, ast.IfExp) and isinstance(node.value.body, ast.JoinedStr)
            return self.texts(node.value) if either else [self.named(node.value)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return joined([self.texts(node.left), self.texts(node.right)])
        if isinstance(node, ast.IfExp):
            return [*self.texts(node.body), *self.texts(node.orelse)]
        return [self.named(node)]

    def named(self, node: ast.expr) -> str:
        """A name for a value that is put in, or the value where it is a constant of the file."""
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.constants[node.id]
        if isinstance(node, ast.Name):
            return f"<{node.id.lower()}>"
        if isinstance(node, ast.Attribute):
            return f"<{node.attr.lower()}>"
        if isinstance(node, ast.IfExp) and all(isinstance(one, ast.Constant) for one in (node.body, node.orelse)):
            return "/".join(text for text in (*self.texts(node.body), *self.texts(node.orelse)) if text)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SHOWN_AS:
            return SHOWN_AS[node.func.id]
        return "<...>"


def joined(parts: list[list[str]]) -> list[str]:
    """All texts that one after the other can make."""
    texts = [""]
    for part in parts:
        texts = [text + more for text in texts for more in part]
    return texts


def error_codes(paths: list[Path]) -> dict[str, str]:
    """Classes of errors, with their code."""
    codes = {"GatewayError": "failed"}
    for path in [ERRORS, *paths]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in codes for base in node.bases):
                codes[node.name] = next(str(ast.literal_eval(line.value)) for line in node.body if isinstance(line, ast.Assign)
                                        and getattr(line.targets[0], "id", "") == "code")
    return codes


def sources() -> list[Path]:
    """The files that can fail."""
    return [path for folder in ("plugins", "extensions") for path in sorted((COLLECTION / folder).rglob("*.py"))]


@functools.cache
def messages() -> list[Message]:
    """All messages of the collection, each once."""
    codes = error_codes(sources())
    found = {message for path in sources() for message in Source(path, codes).messages()}
    return sorted(found, key=lambda one: (one.code, one.option, one.problem, one.remedy))


def failures_of_roles() -> list[Message]:
    """What the tasks of roles and playbooks fail with."""
    found = {}
    for path in [*COLLECTION.glob("roles/*/tasks/*.yml"), *COLLECTION.glob("playbooks/*.yml")]:
        for words in failing(yaml.safe_load(path.read_text())):
            text = " ".join(re.sub(r"\{\{.*?\}\}", "<...>", words).split())
            if re.search(r"\w", text):
                found[text] = Message("task_failed", "", *text.partition("; ")[::2])
    return [found[text] for text in sorted(found)]


def failing(node: object) -> Iterator[str]:
    """The messages of tasks that fail, at any depth."""
    if isinstance(node, dict):
        yield from (str(value) for name, value in node.items() if name == "fail_msg")
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from failing(inner)


def health_sentences() -> dict[str, list[Message]]:
    """What each part of the health can say, with the remedies."""
    source = Source(HEALTH, {})
    found: dict[str, list[Message]] = {}
    for function in [node for node in source.tree.body if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            arguments = node.args[1:3] if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Part" else (
                node.elts if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) else [])
            if len(arguments) == len(("sentence", "remedy")):
                told = [Message("", "", sentence, source.texts(arguments[1])[0]) for sentence in source.texts(arguments[0])]
                part = PARTS_OF_HEALTH.get(function.name, function.name)
                found.setdefault(part, []).extend(one for one in told if one.remedy and re.search(r"[a-z]+ ", one.problem))
    return found


def escaped(text: str) -> str:
    """A text as reStructuredText that means nothing but itself."""
    return re.sub(r"([\\`*|_]|:(?=//))", r"\\\1", text)


def bullets(told: list[Message], anchors: set[str]) -> str:
    """Messages one below the other; the first of the same words is what an address leads to.

    Args:
        anchors: of the page so far; those of these messages are added.
    """
    lines, seen = [], set()
    for one in told:
        head = escaped(one.problem)
        if one.problem not in seen:
            if one.anchor in anchors:
                raise SystemExit(f"two messages would have the anchor {one.anchor}; word one of them otherwise")
            head = f"_`{escaped(one.problem)}`"
        seen.add(one.problem)
        anchors.add(one.anchor)
        lines.append(textwrap.fill(f"* {head}; {escaped(one.remedy)}" if one.remedy else f"* {head}", WIDTH, subsequent_indent="  ",
                                   break_on_hyphens=False, break_long_words=False))
    return "\n".join(lines) + "\n\n"


def heading(title: str, line: str) -> str:
    """A heading."""
    return f"{title}\n{line * len(title)}\n\n"


def generated() -> str:
    """All that stands below the marker."""
    told, anchors = messages(), set[str]()
    page = "\n" + heading("All messages", "=") + textwrap.fill(
        "Read from the source. What differs from case to case is in angle brackets; other messages end where these have ``<problem>``, "
        "``<detail>`` or ``<reason>``, with one of the `parts of messages`_. Every message has an anchor made of "
        "its words.", WIDTH) + "\n\n"
    page += heading("``invalid_input`` about any option", "-") + bullets(
        [one for one in told if one.code == "invalid_input" and not one.option], anchors)
    for option in options():
        page += heading(f"Option ``{option}``", "-") + bullets([one for one in told if one.option == option], anchors)
    for code in sorted({one.code for one in told} - {"", "invalid_input"}):
        page += heading(f"Messages of ``{code}``", "-") + bullets([one for one in told if one.code == code], anchors)
    page += heading("Messages of ``task_failed``", "-") + bullets(failures_of_roles(), anchors)
    page += heading("Parts of messages", "-") + bullets([one for one in told if not one.code], anchors)
    page += heading("Sentences of the health", "=")
    for part, sentences in health_sentences().items():
        page += heading(f"Sentences about ``{part}``", "-") + bullets(sentences, anchors)
    return page.rstrip("\n") + "\n"


def options() -> list[str]:
    """The options that have messages of their own."""
    return sorted({one.option for one in messages() if one.option})


def documented() -> str:
    """The Python file with these options, by which an error knows where it is documented."""
    licence = "".join(ERRORS.read_text().splitlines(keepends=True)[:3])
    names = textwrap.fill(", ".join(f'"{name}"' for name in options()), WIDTH - 4, initial_indent="    ", subsequent_indent="    ")
    return (f'{licence}"""The options that the reference of messages has a section about; written by "make errors"."""\n\n'
            f"from __future__ import annotations\n\nOPTIONS = frozenset((\n{names},\n))\n")


def page_with(text: str) -> str:
    """The page as it should be: its own text to the marker, then what is generated."""
    own, marker, _rest = PAGE.read_text().partition(MARKER)
    if not marker:
        raise SystemExit(f"{PAGE.name} has lost its line {MARKER!r}")
    return own + marker + text


if __name__ == "__main__":
    PAGE.write_text(page_with(generated()))
    OPTIONS.write_text(documented())

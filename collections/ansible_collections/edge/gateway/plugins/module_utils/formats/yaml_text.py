# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as this collection reads it: a repeated name is an error, and only plain digits are a number."""

from __future__ import annotations

import re
from typing import Any, Dict, Hashable, Iterable, List

from ..errors import Unreadable

DEEPEST = 20


class NoParser(Exception):
    """It cannot be told what the text means here: PyYAML is not installed, or a tag is unknown to it."""


class NotYaml(Unreadable):
    """The text is not YAML; says where."""


class RepeatedName(NotYaml):
    """A name stands twice in one dictionary, of which PyYAML would take the last."""


class TooDeep(NotYaml):
    """Nested so deeply that a parser may end the process."""


def available() -> bool:
    """Whether YAML can be read on this host."""
    try:
        import yaml  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def load(text: str, first: bool = False, plain: bool = False) -> object:
    """The value of one document.

    Args:
        first: pass over what comes after the first document, as Go's parser does; otherwise that is an error.
        plain: refuse tags, and aliases, by which a few lines make a value that no memory holds once it is written out.

    Raises:
        NotYaml: its text says where, in words for a person.
        NoParser: see there.
    """
    try:
        import yaml  # noqa: PLC0415  a host without PyYAML can do all but this
    except ImportError:
        raise NoParser from None
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, base), yaml, first, plain)
        return _first(text, _loader(base)) if first else yaml.load(text, _loader(base))
    except yaml.constructor.ConstructorError:
        raise NoParser from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        what = getattr(problem, "problem", None) or "it cannot be parsed"
        raise NotYaml(f"line {mark.line + 1}: {what}" if mark else str(what)) from None
    except (RecursionError, TypeError):
        raise NotYaml("a name in it is no text") from None
    except NotYaml:
        raise
    except (ValueError, AttributeError, LookupError):
        # !!int, !!timestamp or !!bool with no such thing behind it
        raise NoParser from None


def _first(text: str, loader: Any) -> object:
    parser = loader(text)
    try:
        return parser.get_data() if parser.check_data() else None
    finally:
        parser.dispose()


def _loader(base: Any) -> Any:
    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers: Dict[str, List[Any]] = {}

        def construct_mapping(self, node: Any, deep: bool = False) -> Dict[Hashable, Any]:
            names = [str(key.value) for key, _value in node.value]
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise RepeatedName(f"line {node.start_mark.line + 1}: the name {twice!r} stands twice")
            found: Dict[Hashable, Any] = super().construct_mapping(node, deep)
            return found

    # without these, 22:30 would be the number 1350, 010 would be 8, and 22_015 a port
    for first, resolvers in base.yaml_implicit_resolvers.items():
        Loader.yaml_implicit_resolvers[first] = [item for item in resolvers if not item[0].endswith((":int", ":float", ":timestamp"))]
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"(0|[1-9][0-9]*)\Z", re.ASCII), list("0123456789"))
    return Loader


def _check_events(events: Iterable[Any], yaml: Any, first: bool, plain: bool) -> None:
    # PyYAML's C parser goes down on its own stack, which ends the process without a word
    depth = 0
    for event in events:
        if first and isinstance(event, yaml.DocumentEndEvent):
            return
        if plain and (isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None):
            raise NotYaml(f"line {event.start_mark.line + 1}: it has an alias or a tag")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise TooDeep("it is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1

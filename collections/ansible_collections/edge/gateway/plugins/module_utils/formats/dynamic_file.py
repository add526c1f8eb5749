# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in Traefik's directory that are not ours: what they define, what they claim, and whether they stop the loading of all.

Traefik loads a directory as a whole: one file that it cannot read, and it keeps what it had; at its next start it has nothing.
"""

from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from ..models.route_rules import Claim
from .dynamic_doubts import KINDS, doubt
from .yaml_text import NoParser, NotYaml, load

# Traefik's parser knows no other version
OTHER_VERSION = re.compile(r"^%YAML[ \t]+(?!1\.1[ \t\r\n])", re.MULTILINE)
# marks of UTF-16, which Traefik reads too
WIDE = (b"\xff\xfe", b"\xfe\xff")
# for which Traefik takes every entrypoint
ANY = "*"
HOST = re.compile(r"Host(?:SNI)?\(`([^`]+)`\)")
SIMPLE = re.compile(r"\(?(Host(?:SNI)?\(`[^`]+`\)(?: *\|\| *Host(?:SNI)?\(`[^`]+`\))*)\)?(?: *&& *PathPrefix\(`([^`]*)`\))?")


class Foreign(NamedTuple):
    """One file of somebody else.

    Attributes:
        names: what it defines, by kind (``http routers``).
        claims: hosts that its simple rules claim; ``*`` for an entrypoint stands for all.
        broken: why no version of Traefik can load it, in words that follow "it"; an empty string otherwise.
        doubtful: why some version of Traefik will not load it.
        opaque: whether it cannot be understood here (a template, TOML), and so may define anything.
    """

    names: Dict[str, FrozenSet[str]] = {}      # noqa: RUF012  a tuple's default is shared, and nothing writes to it
    claims: Tuple[Claim, ...] = ()
    broken: str = ""
    doubtful: str = ""
    opaque: bool = False


def examine(name: str, data: bytes) -> Foreign:
    """What a file holds.

    Args:
        name: its name, for claims; the ending tells its language.
    """
    wide = data.startswith(WIDE) and data[2:4] != b"\0\0"
    try:
        text = "" if wide else data.decode("utf-8")
        if wide or "{{" in text or name.lower().endswith(".toml"):
            return Foreign(opaque=True)
        value = _loaded(text)
    except UnicodeError:
        return Foreign(broken="is not UTF-8")
    except NoParser:
        return Foreign(opaque=True)
    except NotYaml as problem:
        return Foreign(broken=f"is not YAML that Traefik takes ({problem})")
    if isinstance(value, dict):
        return Foreign(_names(value), tuple(_claims(name, value)), "", doubt(value))
    return Foreign() if value is None else Foreign(broken="holds no dictionary")


def _loaded(text: str) -> object:
    if OTHER_VERSION.search(text):
        raise NotYaml("it asks for a version other than 1.1")
    return load(text, first=True)


def _names(value: Dict[Any, Any]) -> Dict[str, FrozenSet[str]]:
    found = {}
    for protocol, kinds in KINDS.items():
        part = value.get(protocol)
        if not isinstance(part, dict):
            continue
        for kind in kinds:
            entries = part.get(kind)
            if isinstance(entries, dict):
                found[f"{protocol} {kind}"] = frozenset(map(str, entries))
    return found


def _claims(name: str, value: Dict[Any, Any]) -> List[Claim]:
    found = []
    for protocol in ("http", "tcp"):
        part = value.get(protocol)
        routers = part.get("routers") if isinstance(part, dict) else None
        for router in routers.values() if isinstance(routers, dict) else ():
            simple = simple_rule(str(router.get("rule", ""))) if isinstance(router, dict) else None
            if simple is None:
                continue
            hosts, path = simple
            points = router.get("entryPoints") or [ANY]
            found += [Claim(f"the file {name}", str(point), host, None if protocol == "tcp" else path)
                      for point in (points if isinstance(points, list) else [points]) for host in hosts]
    return found


def simple_rule(rule: str) -> Optional[Tuple[List[str], str]]:
    """Hosts and path prefix of a rule that holds nothing else; None for any other, which may match less."""
    found = SIMPLE.fullmatch(rule.strip())
    if found is None:
        return None
    path = found.group(2) or ""
    return [host.lower() for host in HOST.findall(found.group(1))], "" if path == "/" else path

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
from .yaml_text import NoParser, NotYaml, load

# what a file may define: protocol and kind
KINDS = {
    "http": ("routers", "services", "middlewares", "serversTransports", "models"),
    "tcp": ("routers", "services", "middlewares", "serversTransports", "models"),
    "udp": ("routers", "services"),
    "tls": ("options", "certificates", "stores"),
}
ROUTER_FIELDS = {
    "http": {"entryPoints", "middlewares", "service", "rule", "parentRefs", "ruleSyntax", "priority", "tls", "observability",
             "deniedEncodedPathCharacters"},
    "tcp": {"entryPoints", "middlewares", "service", "rule", "ruleSyntax", "priority", "tls"},
    "udp": {"entryPoints", "service"},
}
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
    try:
        text = data.decode("utf-8")
        if "{{" in text or name.lower().endswith(".toml"):
            return Foreign(opaque=True)
        value = load(text)
    except UnicodeError:
        return Foreign(broken="is not UTF-8")
    except NoParser:
        return Foreign(opaque=True)
    except NotYaml as problem:
        return Foreign(broken=f"is not YAML that Traefik takes ({problem})")
    if isinstance(value, dict):
        return Foreign(_names(value), tuple(_claims(name, value)), "", _doubt(value))
    return Foreign() if value is None else Foreign(broken="holds no dictionary")


def _doubt(value: Dict[Any, Any]) -> str:
    """The first thing that Traefik would not know; newer ones may."""
    for protocol, kinds in KINDS.items():
        if protocol not in value:
            continue
        part = value[protocol]
        if not isinstance(part, dict) or not part:
            return f"has nothing under {protocol}"
        for kind, entries in part.items():
            if kind not in kinds:
                return f"has {protocol}.{kind}, which Traefik does not know"
            if not entries:
                return f"has nothing under {protocol}.{kind}"
            found = _doubt_within(protocol, kind, entries)
            if found:
                return found
    return ""


def _doubt_within(protocol: str, kind: str, entries: Any) -> str:
    if kind == "certificates":
        return "" if isinstance(entries, list) else "has tls.certificates that are no list"
    if not isinstance(entries, dict):
        return f"has {protocol}.{kind} that is no dictionary"
    for name, entry in entries.items():
        where = f"{protocol}.{kind}.{name}"
        if not isinstance(entry, dict) or not entry and kind != "options":
            return f"has nothing under {where}"
        wrong = sorted(set(entry) - ROUTER_FIELDS[protocol]) if kind == "routers" else []
        if wrong:
            return f"has {where}.{wrong[0]}, which Traefik does not know"
        if kind == "services" and any(content == {} or content is None for content in entry.values()):
            return f"has nothing under {where}.{next(iter(entry))}"
    return ""


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

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of option values. One table of them says how options are parsed and what Ansible's argument spec has to hold.

Every kind has one canonical form, made of what JSON knows; an option that was not given (None) is left out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from ..errors import MISSING, InvalidInput
from . import fields
from .target import url

MAX_ENTRIES = 100
LONGEST_TEXT = 4096
# of names that a message can hold
A_FEW = 12


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    Attributes:
        parse: takes the option's name (for errors) and a value, returns the canonical one, raises InvalidInput.
        spec: what Ansible's argument spec says of such an option.
    """

    parse: Callable[[str, Any], Any]
    spec: Mapping[str, Any]


Table = Mapping[str, Kind]


def parse_table(option: str, value: object, table: Table, needed: Sequence[str] = ()) -> Dict[str, Any]:
    """A dictionary of options, in the order of its table.

    Args:
        option: the name of the whole, for errors.
        needed: names that must be given.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(option, value, f"is not a dictionary of options; give some of {listed(table)}")
    for name in value:
        if name not in table:
            raise InvalidInput(f"{option}.{name}", MISSING, f"is not an option that is known here; correct it, one of {listed(table)}")
    for name in needed:
        if value.get(name) is None:
            raise InvalidInput(f"{option}.{name}", MISSING, f"is missing; {option} does nothing without it")
    return {name: kind.parse(f"{option}.{name}", value[name]) for name, kind in table.items() if value.get(name) is not None}


def listed(names: Iterable[str]) -> str:
    """Names for a message: a few, the documentation has the rest."""
    words = list(names)
    return ", ".join(words) if len(words) <= A_FEW else ", ".join(words[:A_FEW]) + " and others (see the documentation)"


def spec_of(table: Table, needed: Sequence[str] = ()) -> Dict[str, Dict[str, Any]]:
    """Ansible's argument spec of a table."""
    return {name: {**kind.spec, **({"required": True} if name in needed else {})} for name, kind in table.items()}


def nested(table: Table, needed: Sequence[str] = ()) -> Kind:
    """A dictionary of options."""
    return Kind(lambda option, value: parse_table(option, value, table, needed), {"type": "dict", "options": spec_of(table, needed)})


def many(kind: Kind, most: int = MAX_ENTRIES) -> Kind:
    """A list of one to ``most`` values; a single one stands for a list of one."""
    def parse(option: str, value: object) -> List[Any]:
        return [kind.parse(option, entry) for entry in several(option, value, most)]

    rest = {name: value for name, value in kind.spec.items() if name != "type"}
    return Kind(parse, {"type": "list", "elements": kind.spec["type"], **rest})


def several(option: str, value: object, most: int = MAX_ENTRIES) -> Sequence[Any]:
    """The entries of a list, or the one that stands for it."""
    entries = value if isinstance(value, (list, tuple)) else [value]
    if not entries:
        raise InvalidInput(option, value, "is empty; give at least one entry, or leave the option out")
    if len(entries) > most:
        raise InvalidInput(option, f"{len(entries)} entries", f"is too long; give at most {most}")
    return entries


def one_of(*choices: str) -> Kind:
    """One of a few words."""
    return Kind(lambda option, value: fields.choice(option, value, list(choices)), {"type": "str", "choices": list(choices)})


def whole(low: int, high: int) -> Kind:
    """A whole number within bounds."""
    return Kind(lambda option, value: fields.integer(option, value, low, high), {"type": "int"})


def word(pattern: str, problem: str) -> Kind:
    """A text that matches a pattern as a whole, in ASCII."""
    def parse(option: str, value: object) -> str:
        text = fields.text(option, value)
        if not fields.matches(pattern, text):
            raise InvalidInput(option, value, problem)
        return text

    return Kind(parse, {"type": "str"})


def free_text(option: str, value: object) -> str:
    """A text that Traefik takes as it stands. Template braces are refused: Traefik executes what is in them."""
    text = fields.text(option, value)
    if "{{" in text or "}}" in text:
        raise InvalidInput(option, value, "holds template braces, which Traefik would execute; leave out {{ and }}")
    if not text.isprintable() or not text.strip() or len(text) > LONGEST_TEXT:
        raise InvalidInput(option, value, f"is empty, longer than {LONGEST_TEXT} characters or holds one that cannot be printed; "
                                          "correct it")
    return text


def _header_value(option: str, value: object) -> str:
    if value == "":
        return ""       # Traefik's way to remove a header
    text = free_text(option, value)
    if not text.isascii():
        raise InvalidInput(option, value, "is not plain ASCII, which HTTP headers are made of; correct it")
    return text


def _headers(option: str, value: object) -> Dict[str, str]:
    if not isinstance(value, Mapping) or not value or len(value) > MAX_ENTRIES:
        raise InvalidInput(option, value, f"is not a dictionary of 1 to {MAX_ENTRIES} headers; write it like {{X-Name: value}}")
    return {HEADER_NAME.parse(option, name): _header_value(f"{option}.{name}", content) for name, content in value.items()}


# units of Go's durations in milliseconds, in the order in which it writes them
UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
LONGEST_DURATION = 365 * 24 * UNITS["h"]


def _duration(option: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value}s"
    words = value if isinstance(value, str) else ""
    if fields.matches(r"[0-9]{1,9}", words):
        words += "s"
    if fields.matches(r"([0-9]{1,9}(\.[0-9]{1,3})?(h|ms|m|s))+", words):
        total = sum(_thousandths(number) * UNITS[unit] for number, unit in fields.found(r"([0-9.]+)(h|ms|m|s)", words))
        if total % 1000 == 0 and total // 1000 <= LONGEST_DURATION:
            return go_duration(total // 1000)
    raise InvalidInput(option, value, "is not a duration of at most a year in whole milliseconds; write it like 500ms, 10s or 1m30s")


def _thousandths(number: str) -> int:
    whole_part, _dot, rest = number.partition(".")
    return int(whole_part) * 1000 + int((rest + "000")[:3])


def go_duration(milliseconds: int) -> str:
    """A duration as Go writes it (time.Duration.String), which is how Traefik reports it: 1.5s, 1m30s, 1h0m0s."""
    if milliseconds < UNITS["s"]:
        return f"{milliseconds}ms" if milliseconds else "0s"
    hours, rest = divmod(milliseconds, UNITS["h"])
    minutes, rest = divmod(rest, UNITS["m"])
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + seconds


def _network(option: str, value: object) -> str:
    network = fields.exact_network(option, value)
    return str(network) if network.prefixlen < network.max_prefixlen else str(network.network_address)


def _url(option: str, value: object) -> str:
    words, mark, query = value.partition("?") if isinstance(value, str) else (value, "", "")
    if mark and not fields.matches(r"[A-Za-z0-9._~%:/?@=&+-]{1,1024}", query):
        raise InvalidInput(option, MISSING, "has a query that is not plain; write it like http://10.50.0.12:9000/verify?rd=https://a.test")
    return str(url(option, words, ("http", "https"), with_path=True)) + mark + query


def _user(option: str, value: object) -> str:
    # MD5 of Apache, bcrypt and SHA1 are the hashes that Traefik knows
    hashes = r"\$(apr1|2[aby])\$[A-Za-z0-9./$]{10,100}|\{SHA\}[A-Za-z0-9+/=]{28}"
    if not isinstance(value, str) or not fields.matches(rf"[A-Za-z0-9._@-]{{1,64}}:({hashes})", value):
        raise InvalidInput(option, MISSING, "holds an entry that is not name:hash; make one with 'htpasswd -nB name' "
                                            "(the hash, never the password itself)")
    return value


BOOL = Kind(fields.boolean, {"type": "bool"})
TEXT = Kind(free_text, {"type": "str"})
DURATION = Kind(_duration, {"type": "str"})
PORT = whole(1, 65535)
COUNT = whole(1, 2**31 - 1)
NUMBER = whole(0, 2**31 - 1)
STATUS = whole(100, 599)
HOSTNAME = Kind(fields.hostname, {"type": "str"})
NETWORK = Kind(_network, {"type": "str"})
URL = Kind(_url, {"type": "str"})
HEADERS = Kind(_headers, {"type": "dict"})
USER = Kind(_user, {"type": "str", "no_log": True})
HEADER_NAME = word(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}", "is not the name of an HTTP header; correct it")
TOKEN = word(r"[A-Za-z0-9_.*/+-]{1,128}", "is not a plain word; use letters, digits and _ . * / + -")
PATH = word(r"(?=.{1,255}$)(?!.*/\.\.?(/|$))(/[A-Za-z0-9._~@%+-]+)+/?|/", "is not a plain path; write it like /api (no . or .. in it)")
FILE = word(r"(/[A-Za-z0-9@._+-]+)+", "is not the absolute path of a file; write it like /etc/ssl/ca.pem")
# where a name may point to: a provider of Traefik, but for the ones it keeps to itself
REFERENCE = word(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}(@(?!internal$)[a-z]{2,32})?", "is not the name of something that another "
                 "configuration of Traefik holds; write it like name or name@provider (internal ones cannot be used)")


def words(value: object) -> str:
    """A canonical value for a person, the same whatever order it was given in."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {words(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(words, value)) + "]"
    if isinstance(value, str):
        return value if fields.matches(r"[A-Za-z0-9_./:@%+*$-][A-Za-z0-9_./:@%+*$ ()-]*", value) else repr(value)
    return str(value).lower()


def split_reference(name: str) -> Tuple[str, str]:
    """The name and the provider that it points to; the file provider unless one is named."""
    plain, _at, provider = name.partition("@")
    return plain, provider or "file"

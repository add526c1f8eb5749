# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile values and damaged copies of good ones: what every target draws from. A seed repeats it."""

from __future__ import annotations

import copy
import json
import random
from typing import Any, Dict, List, Sequence

# what must never be seen again in a message, a result or a diff
MARK = "S3CR3TxMARK"
# a secret that is accepted: 32 bytes in base64
SECRET_KEY = f"{MARK}{'A' * 32}="
# pieces that mean something to somebody on the way: shells, YAML, Go templates, iptables, nft, wg-quick, terminals, Python
PIECES = [
    "\n",
    "\r\n",
    "\0",
    "\t",
    "\v",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\ud800",
    "\U0001f600",
    "%",
    "%s",
    "%(x)s",
    "{}",
    "{{",
    "}}",
    '{{ env "X" }}',
    "{0}",
    "'",
    '"',
    "`",
    "\\",
    "\\n",
    "$(id)",
    "${x}",
    ";",
    "; flush ruleset",
    "|",
    "&",
    "#",
    "--",
    "-",
    "+",
    "=",
    ":",
    "::",
    "/",
    "//",
    "../",
    "..",
    ".",
    ",",
    "@",
    "*",
    "?",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "!",
    "~",
    "^",
    " ",
    "０",
    "٣",
    "²",
    "¼",
    "é",
    "e\u0301",
    "ß",
    "K",
    "ı",
    "İ",
    "\nPostUp = id",
    "\n[Peer]",
    "<<",
    "&a",
    "*a",
    "!!python/object:os.system",
    "!!timestamp x",
    "!!int x",
    "- ",
    "? ",
    "null",
    "true",
    "1e999",
    "0x1f",
    "0o17",
    "1_0",
    "-j ACCEPT",
    "-A ",
    "*nat",
    "COMMIT",
    "accept",
    " # handle 1",
    "dnat to 1.2.3.4",
    "\t(none)",
    "off",
]
NUMBERS = [
    0,
    1,
    -1,
    2,
    22,
    80,
    127,
    128,
    255,
    256,
    1279,
    1280,
    9000,
    9001,
    32767,
    65535,
    65536,
    99999,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**63,
    2**64,
    10**30,
    -(2**31),
    -(2**63),
    10**400,
]
FLOATS = [0.0, -0.0, 1.5, 22.0, 1e308, float("inf"), float("nan")]
TEXTS = [
    "",
    " ",
    "0",
    "-1",
    "65536",
    "00022",
    "22 ",
    "1-",
    "-1",
    "1-65535",
    "2-1",
    "0x16",
    "1e3",
    "true",
    "None",
    "null",
    "~",
    "nan",
    "a",
    "A",
    ".",
    "..",
    "/",
    "//",
    "/etc/passwd",
    "/dev/zero",
    "/proc/self/mem",
    "../../etc/cron.d/x",
    "a/b",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "0.0.0.0/0",
    "::",
    "::/0",
    "::1",
    "::ffff:10.0.0.1",
    "fe80::1%eth0",
    "224.0.0.1",
    "255.255.255.255",
    "169.254.169.254",
    "10.50.0.300",
    "010.0.0.1",
    "10.50.0.0/33",
    "10.50.0.1/24",
    "1.2.3.4/",
    "http://",
    "http://[",
    "http://[::1",
    "http://a:b@c",
    "http://a:99999",
    "tcp://x",
    "javascript:alert(1)",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+23:59",
    "2027-02-30T00:00:00Z",
    "2027-01-31T18:00:00",
    "A" * 43 + "=",
    "=" * 44,
    "-----BEGIN CERTIFICATE-----",
    "xn--",
    "xn--a",
    "a..b",
    "*.*",
    "-a",
    "a-",
    "{",
    "[",
    "[]",
    "{}",
    '"',
    "'",
]


def text(dice: random.Random) -> str:
    """A text: known to be awkward, put together from pieces, huge, or any characters at all."""
    kind = dice.random()
    if kind < 0.4:
        return dice.choice(TEXTS)
    if kind < 0.8:
        return "".join(dice.choice(PIECES) if dice.random() < 0.6 else dice.choice("aZ0.-/") for _ in range(dice.randint(1, 6)))
    if kind < 0.9:
        return (dice.choice([*PIECES, *TEXTS]) or "x") * dice.choice([9, 64, 300, 5000])
    return "".join(
        chr(dice.choice([dice.randint(0, 127), dice.randint(0, 0x2FFF), dice.randint(0, 0x10FFFF)])) for _ in range(dice.randint(1, 20))
    )


def value(dice: random.Random, depth: int = 2) -> Any:
    """A value of any type that JSON has."""
    kind = dice.random()
    if kind < 0.35 or depth == 0 and kind > 0.8:
        return text(dice)
    if kind < 0.6:
        return dice.choice(NUMBERS)
    if kind < 0.8:
        return dice.choice([None, True, False, dice.choice(FLOATS)])
    if kind < 0.82:
        return deep(dice.choice([19, 21, 90]), dice.random() < 0.5)
    if kind < 0.91:
        return [value(dice, depth - 1) for _ in range(dice.choice([0, 1, 2, 3, 70]))]
    return {dice.choice(["addr", "name", "a", "1", text(dice)]): value(dice, depth - 1) for _ in range(dice.randint(0, 3))}


def deep(levels: int, lists: bool) -> Any:
    """Something nested."""
    found: Any = 1
    for _level in range(levels):
        found = [found] if lists else {"a": found}
    return found


def bent_text(dice: random.Random, words: str) -> str:
    """A text with something put in, taken out, doubled or changed."""
    place = dice.randint(0, len(words))
    other = dice.randint(place, min(len(words), place + 8))
    kind = dice.randrange(6)
    if kind == 0:
        return words[:place] + dice.choice(PIECES) + words[place:]
    if kind == 1:
        return words[:place] + words[other:]
    if kind == 2:
        return words[:place] + words[place:other] * dice.choice([2, 3, 50, 5000]) + words[other:]
    if kind == 3:
        return words[:place] + chr(dice.choice([dice.randint(0, 127), dice.randint(0, 0x2FFF)])) + words[other:]
    if kind == 4:
        return words.swapcase()
    return dice.choice(PIECES) + words if dice.random() < 0.5 else words + dice.choice(PIECES)


def bent(dice: random.Random, good: Any) -> Any:
    """A value of a good one's kind, a little wrong; or of another kind."""
    kind = dice.random()
    if kind < 0.15:
        return value(dice)
    if isinstance(good, str):
        return bent_text(dice, good)
    if isinstance(good, bool) or good is None:
        return dice.choice([not good, str(good), 0, 1, "maybe"])
    if isinstance(good, int):
        return dice.choice([good + 1, -good, good * 65536, str(good), f"{good} ", 1.5, dice.choice(NUMBERS)])
    return mutated(dice, good)


def places(found: Any) -> List[Any]:
    """Containers within a value, itself too."""
    inner = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []
    return [*([found] if isinstance(found, (dict, list)) and found else []), *(place for item in inner for place in places(item))]


def mutated(dice: random.Random, good: Any, others: Sequence[Any] = ()) -> Any:
    """A document with one or a few of its parts changed, dropped, doubled, renamed, or taken from another document."""
    found = copy.deepcopy(good)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        containers = places(found)
        if not containers:
            return value(dice)
        place = dice.choice(containers)
        name = dice.choice(list(place) if isinstance(place, dict) else range(len(place)))
        kind = dice.randrange(8)
        if kind == 0:
            del place[name]
        elif kind == 1:
            place[name] = value(dice)
        elif kind == 2 and isinstance(place, dict):
            place[dice.choice([bent_text(dice, str(name)), text(dice)])] = place.pop(name)
        elif kind == 2:
            place.insert(name, copy.deepcopy(place[name]))
        elif kind == 3 and others:
            strangers = places(dice.choice(others))
            if strangers:
                place[name] = copy.deepcopy(dice.choice(strangers))
        else:
            place[name] = bent(dice, place[name])
    return found


def mangled(dice: random.Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Bytes after a few accidents: flips, cuts, repetitions, pieces put in, lines exchanged, a part of another sample."""
    for _ in range(dice.choice([1, 1, 2, 4])):
        place = dice.randint(0, len(data))
        other = dice.randint(place, min(len(data), place + dice.choice([1, 8, 80, 4000])))
        kind = dice.randrange(8)
        if kind == 0 and place < len(data):
            data = data[:place] + bytes([data[place] ^ (1 << dice.randrange(8))]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + data[other:]
        elif kind == 2:
            data = data[:place] + data[place:other] * dice.choice([2, 2, 40, 2000 if other - place < 80 else 2]) + data[other:]
        elif kind == 3:
            data = data[:place] + encoded(dice.choice(PIECES)) + data[place:]
        elif kind == 4:
            data = data[:place] + dice.randbytes(dice.choice([1, 4, 30])) + data[other:]
        elif kind == 5:
            data = data[:place]
        elif kind == 6 and others and dice.random() < 0.8:
            stranger = dice.choice(others)
            begin = dice.randint(0, len(stranger))
            data = data[:place] + stranger[begin : begin + dice.choice([8, 80, 4000])] + data[other:]
        elif kind == 6:
            data = data[:place] + dice.choice([b"[", b"{", b"\n", b" ", b'"', b"(", b"- "]) * dice.choice([30, 990, 50_000]) + data[other:]
        else:
            lines = data.split(b"\n")
            first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            data = b"\n".join(lines)
    return data[:200_000]


def encoded(words: str) -> bytes:
    """A text as bytes, half surrogate pairs too."""
    return words.encode("utf-8", "surrogatepass")


def as_json(document: Any) -> bytes:
    """A document as JSON, with what JSON should not hold too."""
    return encoded(json.dumps(document, ensure_ascii=False))


def document_bytes(dice: random.Random, samples: Sequence[bytes]) -> bytes:
    """A JSON document: a sample changed in its parts, in its bytes, or something else altogether."""
    chosen = dice.choice(samples)
    kind = dice.random()
    if kind < 0.02:
        return chosen
    if kind < 0.65:
        return as_json(mutated(dice, json.loads(chosen), [json.loads(dice.choice(samples))]))
    if kind < 0.95:
        return mangled(dice, chosen, samples)
    if kind < 0.96:
        # as deep as a parser goes, and deeper
        return b'{"a": ' + dice.choice([b"[", b'{"a": ']) * dice.choice([300, 990, 20_000])
    return as_json(value(dice))


Options = Dict[str, Any]

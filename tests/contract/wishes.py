# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random forwards that are valid together, and random changes of them."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Optional, Set, Tuple

NETWORKS = {
    4: ["198.51.100.0/24", "198.51.100.0/25", "198.51.100.128/25", "203.0.113.7/32", "203.0.113.6/32", "10.0.0.0/8", "0.0.0.0/1",
        "128.0.0.0/1", "255.255.255.255/32", "0.0.0.0/0"],
    6: ["2001:db8::/32", "2001:db8::/33", "2001:db8:8000::/33", "2001:db8::7/128", "2001:db8::6/128", "::/1", "8000::/1", "::/0",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"],
}
LETTERS = "abcXYZ019 ._:/#@-"
Options = Dict[str, Any]


def version_of(options: Options) -> int:
    """4 or 6."""
    return 6 if ":" in options["target_ip"] else 4


def ports_of(options: Options) -> range:
    """Its public ports."""
    first, _, last = options["public_port"].partition("-")
    return range(int(first), int(last or first) + 1)


def keys_of(options: Options) -> Set[Tuple[str, int, int]]:
    """What it takes: protocol, IP version, port."""
    protos = ("tcp", "udp") if options["proto"] == "both" else (options["proto"],)
    return {(proto, version_of(options), port) for proto in protos for port in ports_of(options)}


class Wish:
    """What was asked for so far, and a source of valid things to ask for next."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.forwards: Dict[str, Options] = {}
        self.number = 0

    def ports(self) -> str:
        """A port or a range, crowded so that neighbours happen, and sometimes at the edges of what there is."""
        draw = self.random
        first = draw.choice([1, 65535, 65000, draw.randint(20000, 20120), draw.randint(20000, 20120), draw.randint(20000, 30000)])
        size = draw.choice([1, 1, 1, 2, 3, 10, draw.randint(2, 300)])
        last = min(first + size - 1, 65535)
        return str(first) if first == last else f"{first}-{last}"

    def networks(self, version: int) -> List[str]:
        """A list that may be empty, overlap, repeat itself or mix the IP versions."""
        draw = self.random
        if draw.random() < 0.5:
            return []
        found = draw.choices(NETWORKS[version], k=draw.randint(1, 4))
        return [*found, *draw.sample(NETWORKS[10 - version], draw.choice([0, 0, 1]))]

    def options(self, name: str) -> Options:
        """All options of a forward."""
        draw = self.random
        version, port = draw.choice([4, 4, 6]), self.ports()
        first = int(port.split("-")[0])
        size = len(ports_of({"public_port": port}))
        target = draw.choice([None, first, draw.randint(1, 65536 - size), min(first + 1, 65536 - size)])
        nat = draw.choice(["masquerade", "masquerade", "none"])
        return {
            "forward_id": name, "public_port": port, "target_ip": draw.choice(["10.50.0.12", "10.50.0.13"]) if version == 4 else
            draw.choice(["fd50::12", "fd50::13"]), "target_port": target, "proto": draw.choice(["tcp", "udp", "both"]),
            "source_ranges": self.networks(version), "source_nat": nat, "hairpin": nat == "masquerade" and draw.random() < 0.4,
            "comment": "".join(draw.choices(LETTERS, k=draw.choice([0, 0, 5, 64]))),
            "expires": draw.choice(["", "", f"2{draw.randint(100, 999)}-01-31T18:00:00Z"]),
        }

    def new(self, others: List[Options], name: str = "") -> Optional[Options]:
        """A forward that fits beside others; none when chance found none."""
        taken = {key for item in others for key in keys_of(item)}
        if not name:
            self.number += 1
            name = f"r-{self.number}"
        return next((found for found in (self.options(name) for _ in range(20)) if not keys_of(found) & taken), None)

    def changed(self, options: Options, others: List[Options]) -> Options:
        """One or more of its options anew."""
        fresh = self.new(others, options["forward_id"])
        if fresh is None or self.random.random() < 0.3:
            return {**options, "comment": "".join(self.random.choices(LETTERS, k=9)), "source_ranges": self.networks(version_of(options))}
        if self.random.random() < 0.5:
            return fresh
        if version_of(fresh) != version_of(options):
            return options
        return {**options, **{name: fresh[name] for name in ("source_nat", "hairpin", "source_ranges")}}

    def step(self) -> Options:
        """The next thing to ask for; what it leads to is written down as if it had been done."""
        draw = self.random
        kind = draw.choice(["add", "add", "change", "delete", "list", "list", "purge", "nothing"])
        names = sorted(self.forwards)
        if kind == "nothing":
            return {"forwards": []}
        if kind == "add" or not names:
            found = self.new(list(self.forwards.values()))
            if found is None:
                return {"forwards": []}
            self.forwards[found["forward_id"]] = found
            return found
        if kind == "delete":
            name = draw.choice(names)
            del self.forwards[name]
            return {"forward_id": name, "state": "absent"}
        if kind == "change":
            name = draw.choice(names)
            self.forwards[name] = self.changed(self.forwards[name], [self.forwards[other] for other in names if other != name])
            return self.forwards[name]
        return self.many(kind == "purge")

    def many(self, purge: bool) -> Options:
        """A list with additions, changes, removals and repetitions in any order."""
        draw, entries = self.random, []
        for name in draw.sample(sorted(self.forwards), draw.randint(0, len(self.forwards))):
            fate = draw.choice(["keep", "change", "remove"])
            if fate == "remove":
                del self.forwards[name]
                entries.append({"forward_id": name, "state": "absent"})
                continue
            if fate == "change":
                others = [item for other, item in self.forwards.items() if other != name]
                self.forwards[name] = self.changed(self.forwards[name], others)
            entries.append(self.forwards[name])
        if purge:
            listed = {entry["forward_id"] for entry in entries}
            self.forwards = {name: item for name, item in self.forwards.items() if name in listed}
        for _ in range(draw.randint(0, 8)):
            found = self.new(list(self.forwards.values()))
            if found is not None:
                self.forwards[found["forward_id"]] = found
                entries.append(found)
        draw.shuffle(entries)
        return {"forwards": entries, "purge": purge}

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random damage to our nftables table."""

from __future__ import annotations

import json
import random
from typing import Any, Callable, Dict, List, Tuple

from contract.wishes import Options
from contract.world import nft, sh

TABLE = ("inet", "edge_gateway")


def objects() -> List[Tuple[str, Options]]:
    """What our table consists of, as nft tells programs."""
    listing = json.loads(sh("nft", "-j", "-a", "list", "table", *TABLE))["nftables"]
    return [(kind, body) for item in listing for kind, body in item.items()]


def written(value: Any) -> str:
    """An element's key or data in nft's language."""
    if not isinstance(value, dict):
        return str(value)
    (kind, body), = value.items()
    forms: Dict[str, Callable[[], str]] = {
        "elem": lambda: written(body["val"]), "range": lambda: f"{body[0]}-{body[1]}", "prefix": lambda: f"{body['addr']}/{body['len']}",
        "concat": lambda: " . ".join(map(written, body)), "jump": lambda: f"jump {body['target']}",
    }
    return forms[kind]()


def comment_of(element: Any) -> str:
    """Id of the forward that an element belongs to."""
    key = element[0] if isinstance(element, list) else element
    return str(key["elem"].get("comment", "")).split(" ", maxsplit=1)[0] if isinstance(key, dict) and "elem" in key else ""


class Vandal:
    """Damages our table by nft's own commands."""

    def __init__(self, draw: random.Random) -> None:
        self.random = draw
        self.objects = objects()
        self.sets = [body for kind, body in self.objects if kind in ("set", "map") and body.get("elem")]
        self.hurt = ""
        self.foreign = False

    def act(self) -> str:
        """Do one thing and tell it; the id of the forward whose element was hit is kept."""
        works: List[Callable[[], str]] = [
            self.delete_element, self.delete_element, self.delete_element, self.retarget, self.retarget, self.add_element, self.add_element,
            self.flush_set, self.flush_chain, self.delete_rule, self.add_rule, self.add_chain, self.add_set,
            lambda: "delete table inet edge_gateway", lambda: "flush ruleset", lambda: "flush table inet edge_gateway",
            lambda: "add table inet edge_gateway { flags dormant; }",
        ]
        script = self.random.choice(works)()
        nft(script + "\n")
        return script

    def _pick(self) -> Tuple[Options, Any]:
        body = self.random.choice(self.sets)
        return body, self.random.choice(body["elem"])

    def delete_element(self) -> str:
        """Of a map, a set, or an allow-list."""
        body, element = self._pick()
        self.hurt = comment_of(element)
        key = element[0] if isinstance(element, list) else element
        return f"delete element inet edge_gateway {body['name']} {{ {written(key)} }}"

    def retarget(self) -> str:
        """Another data for a key, under the same comment."""
        maps = [body for body in self.sets if isinstance(body["elem"][0], list) and "concat" in str(body["elem"][0][1])
                or str(body.get("map", "")).startswith("ip")]
        if not maps:
            return self.delete_element()
        body = self.random.choice(maps)
        element = self.random.choice(body["elem"])
        self.hurt = comment_of(element)
        key, data = map(written, element)
        other = data.replace("10.50.0.1", "10.66.6.").replace("fd50::", "fd66::")
        if " . " in data and self.random.random() < 0.5:
            address, _, port = data.partition(" . ")
            other = f"{address} . {int(port) % 65535 + 1}"
        note = element[0].get("elem", {}).get("comment") if isinstance(element[0], dict) else None
        remark = f' comment "{note}"' if note else ""
        return (f"delete element inet edge_gateway {body['name']} {{ {key} }}\n"
                f"add element inet edge_gateway {body['name']} {{ {key}{remark} : {other} }}")

    def add_element(self) -> str:
        """A port or a network that nobody asked for."""
        body, element = self._pick()
        note = self.random.choice(["", ' comment "stranger"', ' comment "r-1"', ' comment "r-5 words"'])
        self.foreign = not note and (isinstance(element, list) or body["type"] == "inet_service")
        if isinstance(element, list):
            return f"add element inet edge_gateway {body['name']} {{ 64999{note} : {written(element[1])} }}"
        if body["type"] == "inet_service":
            return f"add element inet edge_gateway {body['name']} {{ 64999{note} }}"
        stranger = "192.0.2.77" if body["type"] == "ipv4_addr" else "3fff::77"
        if any("/0" in written(item) or "/1" in written(item) for item in body["elem"]) or "0.0.0.0" in str(body["elem"]):
            return self.delete_element()
        return f"add element inet edge_gateway {body['name']} {{ {stranger} }}"

    def flush_set(self) -> str:
        """All elements at once."""
        body = self.random.choice(self.sets)
        return f"flush {'map' if 'map' in body else 'set'} inet edge_gateway {body['name']}"

    def _chain(self) -> str:
        return str(self.random.choice([body["chain"] for kind, body in self.objects if kind == "rule"]))

    def flush_chain(self) -> str:
        """All rules of a chain."""
        return f"flush chain inet edge_gateway {self._chain()}"

    def delete_rule(self) -> str:
        """One rule."""
        body = self.random.choice([body for kind, body in self.objects if kind == "rule"])
        return f"delete rule inet edge_gateway {body['chain']} handle {body['handle']}"

    def add_rule(self) -> str:
        """A rule of someone else's in our chain."""
        self.foreign = True
        word = self.random.choice(["add", "insert"])
        return f"{word} rule inet edge_gateway {self._chain()} {self.random.choice(['accept', 'counter', 'ip saddr 192.0.2.1 drop'])}"

    def add_chain(self) -> str:
        """A chain that hooks in, and one that does not."""
        self.foreign = True
        hook = self.random.choice(["", "type filter hook input priority 7; policy accept;"])
        return f"add chain inet edge_gateway foreign {{ {hook} }}"

    def add_set(self) -> str:
        """A set that is not ours."""
        self.foreign = True
        return "add set inet edge_gateway foreign { type inet_service; }"

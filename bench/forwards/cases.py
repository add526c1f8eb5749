# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forwards that every candidate gets, in the language of each. The measured one is the last."""

from __future__ import annotations

from typing import Any, Dict, List

FIRST_PORT, SERVICE = 20000, 7000
MOST = 40000
LISTS = 20
Forward = Dict[str, Any]


def forwards(count: int, last_target: str = "10.60.0.2") -> List[Forward]:
    """So many TCP forwards to nodes that are not there; only the last one leads to ``last_target``."""
    items: List[Forward] = [
        {"forward_id": f"f-{number:06}", "public_port": FIRST_PORT + number, "target_ip": f"10.50.{number // 250}.{number % 250 + 1}",
         "target_port": 8000 + number % 1000, "proto": "tcp", "comment": f"bench: number {number:06}"}
        for number in range(count)]
    items[-1].update(target_ip=last_target, target_port=SERVICE)
    return items


def one_more(count: int) -> Forward:
    """The forward after so many."""
    return forwards(count + 1)[-1]


def restricted(items: List[Forward], allowed: str) -> List[Forward]:
    """The same, each with one of 20 distinct allow-lists of ten networks; ``allowed`` is in all of them."""
    lists = [[allowed, *(f"203.{number}.{10 * other}.0/24" for other in range(9))] for number in range(LISTS)]
    return [{**item, "source_ranges": lists[number % LISTS]} for number, item in enumerate(items)]


def per_rule(items: List[Forward], mesh: str) -> str:
    """The seed's layout for iptables-restore: a DNAT and an ACCEPT for each, ESTABLISHED and RELATED after all of them."""
    nat = [f"-A PREROUTING -p tcp -m tcp --dport {item['public_port']} -j DNAT --to-destination {item['target_ip']}:{item['target_port']}"
           for item in items]
    accept = [f"-A FORWARD -p tcp -d {item['target_ip']}/32 -m tcp --dport {item['target_port']} -j ACCEPT" for item in items]
    return "\n".join([
        "*nat", *nat, f"-A POSTROUTING -o {mesh} -j MASQUERADE", "COMMIT",
        "*filter", ":FORWARD DROP [0:0]", *accept, "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "COMMIT", ""])


TRACKING = """table inet by_hand {
  chain forward {
    type filter hook forward priority 0
    ct state established,related accept
    ct state invalid drop
  }
}
"""


def one_rule(item: Forward, mesh: str, masquerade: bool = True) -> str:
    """What an expert writes by hand for one forward: one DNAT rule, masquerade, and a guard that keeps the mesh closed."""
    return f"""table inet by_hand {{
  chain prerouting {{
    type nat hook prerouting priority -100
    iifname != "{mesh}" tcp dport {item['public_port']} dnat ip to {item['target_ip']}:{item['target_port']}
  }}
  chain postrouting {{
    type nat hook postrouting priority 100
    oifname "{mesh}" ct status dnat {"masquerade" if masquerade else "accept"}
  }}
  chain forward {{
    type filter hook forward priority 0
    oifname "{mesh}" ct status dnat accept
    oifname "{mesh}" ct state established,related accept
    oifname "{mesh}" drop
    iifname "{mesh}" ct state established,related accept
    iifname "{mesh}" drop
  }}
}}
"""


def one_map(items: List[Forward], mesh: str) -> str:
    """The limit for rules: the same forwards as one hash map, written by hand, with nothing around it."""
    elements = ",\n".join(f"{item['public_port']} : {item['target_ip']} . {item['target_port']}" for item in items)
    return f"""table inet by_hand {{
  map forwards {{
    type inet_service : ipv4_addr . inet_service
    size 65536
    elements = {{ {elements} }}
  }}
  chain prerouting {{
    type nat hook prerouting priority -100
    iifname != "{mesh}" dnat ip to tcp dport map @forwards
  }}
}}
"""

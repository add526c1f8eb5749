# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell script that loads our iptables rules at boot, and whenever somebody has wiped them.

It gets by with a POSIX shell, sed, grep and the programs of iptables, and does what :func:`.iptables.change` does: whatever
stands, one transaction for each table makes it ours. Rules are in quoted here-documents, which the shell does not read.
"""

from __future__ import annotations

from typing import Dict, List

from . import iptables as own
from .iptables import NO_PART, Rules

PROGRAMS = {4: "iptables", 6: "ip6tables"}

HEADER = r"""#!/bin/sh
# Written by edge.gateway: the forwards of this host, for iptables. Changes are lost; run it as often as you like.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
set -f

say() {
    printf '%s\n' "$1"
}

# Make the input what is ours in one table, in one transaction: program, table, mesh interface. What is not ours stays.
load() {
    new=$(cat)
    # not "-t": that would load modules, or create tables, only to look
    old=$("$1-save") || return 1
    old=$(say "$old" | sed -n "/^[*]$2\$/,/^COMMIT\$/p") || return 1
    mine=$(say "$old" | sed -n -E 's/^:(EDGE-GATEWAY(-(MESH|GUARD|DNAT|HAIRPIN|KEEP|FOUND|FROM-[0-9a-f]{10}))?) .*/\1/p') || return 1
    [ -n "$new$mine" ] || return 0
    {
        say "*$2"
        for chain in $mine; do
            say ":$chain - [0:0]"
        done
        say "$old" | sed -n '/^-A EDGE-GATEWAY/d; s/^-A \(.* --comment "edge-gateway: [^"]*" -[jg] EDGE-GATEWAY.*\)$/-D \1/p'
        kept=
        [ "$2" != nat ] || masquerade "$3"
        say "$new"
        for chain in $mine; do
            case $new in
            *":$chain - [0:0]"*) ;;
            *) [ "$chain" = "$kept" ] || say "-X $chain" ;;
            esac
        done
        say COMMIT
    } | "$1-restore" -w 5 --noflush
}

# The masquerade has no comment. Where it stood before our chains it is somebody's, and an empty chain remembers that.
masquerade() {
    ours=
    marked=
    for chain in $mine; do
        case $chain in
        EDGE-GATEWAY) ours=yes ;;
        EDGE-GATEWAY-FOUND) marked=yes ;;
        esac
    done
    if [ -n "$ours" ] && [ -z "$marked" ]; then
        before=$(say "$old" | sed -n 's/^-A PREROUTING ! -i \([^ ]*\) .*--comment "edge-gateway: [^"]*" -j EDGE-GATEWAY$/\1/p' | sort -u)
        for name in $before; do
            [ "$name" = "$1" ] || ! stands "$name" || say "-D POSTROUTING -o $name -j MASQUERADE"
        done
    fi
    if ! stands "$1"; then
        [ -z "$new" ] || say "-A POSTROUTING -o $1 -j MASQUERADE"
    elif [ -z "$ours" ] || [ -n "$marked" ]; then
        [ -z "$new" ] || kept=EDGE-GATEWAY-FOUND
        [ -z "$new" ] || say ":EDGE-GATEWAY-FOUND - [0:0]"
    elif [ -z "$new" ]; then
        say "-D POSTROUTING -o $1 -j MASQUERADE"
    fi
}

# Whether the masquerade on an interface is there.
stands() {
    say "$old" | grep -cxF -e "-A POSTROUTING -o $1 -j MASQUERADE" >/dev/null
}

failed=0"""


def script(rules: Rules, interface: str) -> str:
    """The whole script; its exit status is not zero when anything could not be loaded."""
    words = [HEADER]
    for family in sorted({family for family, _table in rules.parts}):
        # a table that fails keeps those after it away, so that nothing leads into an open mesh; what goes, goes anyway
        leads_in = (family, "nat") in rules.parts
        for table in own.TABLES if leads_in else own.TABLES[::-1]:
            more = "&&" if leads_in and table != "nat" else "|| failed=1"
            words += [f"load {PROGRAMS[family]} {table} '{interface}' <<'END' {more}", *_lines(rules, family, table), "END"]
    return "\n".join([*words, "exit $failed\n"])


def _lines(rules: Rules, family: int, table: str) -> List[str]:
    """What one table needs, but for the masquerade: chains first, since rules name them."""
    part = rules.parts.get((family, table), NO_PART)
    entries: Dict[str, List[str]] = own.by_chain(rules, family) if table == "nat" else {}
    lines = [line for name, texts in part.chains.items() for line in own.filled(name, texts, entries.get(name, []))]
    jumps = [line for chain, texts in part.hooks.items() for line in own.hooked(chain, texts)]
    return [*(line for line in lines if line.startswith(":")), *(line for line in lines if not line.startswith(":")), *jumps]

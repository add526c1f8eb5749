# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of ours in other people's chains, as commands and as a script."""

from __future__ import annotations

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import openings

IPTABLES = "iptables-nft -t filter -I DOCKER-USER -o wg0 -m conntrack --ctstate DNAT -j ACCEPT"
NFT = "nft insert rule inet admin guard oifname wg0 ct status dnat accept"


@pytest.mark.parametrize("command", [IPTABLES, NFT])
def test_a_rule_is_marked_where_the_language_wants_it(command: str) -> None:
    """Two rules of one chain have two marks; the same rule has the same one."""
    marked = openings.marked(command)
    words = marked.split()
    mark = words[-1] if command == NFT else words[words.index("--comment") + 1]
    assert mark.startswith("edge-gateway-") and words[:-2] == NFT.split() or words[-2:] == ["-j", "ACCEPT"]
    assert marked == openings.marked(command) and mark not in openings.marked(command.replace("wg0", "wg1"))


def test_the_script_is_read_back() -> None:
    """What was opened can be closed later, by the script alone."""
    commands = [openings.marked(IPTABLES), openings.marked(NFT)]
    text = openings.script(commands)
    assert openings.commands_in(text) == commands
    assert "-C DOCKER-USER" in text and text.startswith("#!/bin/sh\n") and text.endswith("exit $failed\n")
    assert openings.script([]) == "" and openings.commands_in("") == []


def test_a_chain_with_an_odd_name_stays_one_word() -> None:
    """iptables takes nearly any name, and the script is read by a shell."""
    hostile = openings.marked("iptables -t filter -I 'a;reboot' -o wg0 -j ACCEPT")
    assert "'a;reboot'" in hostile and openings.commands_in(openings.script([hostile])) == [hostile]
    assert openings.script([hostile]).count("a;reboot") == openings.script([hostile]).count("'a;reboot'") == 3


def test_handles_of_marked_rules() -> None:
    """And of no others."""
    listing = ('table inet admin {\n\tchain guard { # handle 1\n\t\toifname "wg0" accept comment "edge-gateway-12345678" # handle 7\n'
               '\t\taccept comment "edge-gateway-1234567" # handle 8\n\t}\n}\n')
    assert openings.handles(listing, "edge-gateway-12345678") == ["7"]
    assert openings.handles(listing, "edge.gateway-12345678") == []

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fuzzing has found (tests/fuzz), each once more as a small test."""

from __future__ import annotations

import base64
import json
import time
import zlib
from typing import Any

import pytest
from ansible_collections.edge.gateway.plugins.module_utils import entry
from ansible_collections.edge.gateway.plugins.module_utils.engines import system
from ansible_collections.edge.gateway.plugins.module_utils.errors import (
    LONGEST_MESSAGE,
    CommandFailed,
    GatewayError,
    InvalidInput,
    StateRefused,
    first_line,
)
from ansible_collections.edge.gateway.plugins.module_utils.formats import dynamic_file, inbound, ip_json, listing, openings, pem
from ansible_collections.edge.gateway.plugins.module_utils.host import Host, Result
from ansible_collections.edge.gateway.plugins.module_utils.models.inbound import Opening
from unit.samples import one_sentence, refusal


@pytest.mark.parametrize("name", ["prot\x7f", "a\nb", "x" * 5000, "\ud800", "\u202e"])
def test_a_name_in_a_message_is_printable_and_short(name: str) -> None:
    """Names of options may be the user's own words."""
    one_sentence(InvalidInput(f"open[0].{name}", "tcp", "is no option of an open port; correct it").message)


def test_a_long_path_leaves_the_remedy_readable() -> None:
    """Of a word as long as a page its start is told; of a list as long as a page its start and its end."""
    problem = StateRefused(f"/var/{'a' * 9000} cannot be read; make it a regular file")
    assert one_sentence(problem.message).startswith("/var/aaa") and problem.remedy == "make it a regular file"
    words = GatewayError(f"{'a b ' * 9000}; correct it").message
    assert len(words) <= LONGEST_MESSAGE and words.endswith("; correct it")


def test_a_tools_complaint_is_cut() -> None:
    """Whatever it prints."""
    assert len(first_line("x" * 9000)) == 300


@pytest.mark.parametrize("filling", ["\n" * 20_000, "A" * 9 + "\n" * 20_000, "A \n" * 9000])
def test_blanks_in_a_certificate_take_no_time(filling: str) -> None:
    """The pattern must not try all ways to share them out."""
    begun = time.process_time()
    with pytest.raises(ValueError, match="PEM"):
        pem.chain(f"-----BEGIN CERTIFICATE-----\n{filling}")
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("text", ["", "{", "0", '{"a": 1}', '["a"]', "[" * 50_000, '[{"dst": "10.50.0.x/24"}]', '[{"ifname": 5}]',
                                  '[{"dst": 5}]', '[{"local": "192.0.2.x"}]',
                                  '[{"addr_info": 5}]', '[{"addr_info": [5]}]', '[{"mtu": "x"}]', '[{"flags": 5}]'])
def test_what_ip_does_not_print(text: str) -> None:
    """Is refused in one sentence."""
    with pytest.raises(CommandFailed) as caught:
        ip_json.parse(text)
    one_sentence(caught.value.message)


def test_what_an_entry_of_ip_lacks() -> None:
    """Is an error with its name; empty entries, of which ip prints some, are none."""
    (found,) = ip_json.parse('[{}, {"ifname": "lo", "addr_info": [{}]}]')
    with pytest.raises(CommandFailed, match="mtu"):
        found["mtu"]
    assert found.get("mtu") is None


def test_a_table_of_sockets_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused, since nobody can tell which ports are in use."""
    monkeypatch.setattr(Host, "read", lambda self, path: b"head\n 0: 0016 0000 0A 00\n")
    with pytest.raises(StateRefused) as caught:
        system.listening(Host())
    one_sentence(caught.value.message)


def test_ip_that_prints_rubbish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told by whoever asked."""
    monkeypatch.setattr(Host, "run", lambda self, argv, check=True: Result(0, "oops", ""))
    monkeypatch.setattr(Host, "find", lambda self, tool: tool)
    with pytest.raises(CommandFailed):
        system.addresses(Host())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nftables": 5}', '{"nftables": [5]}'])
def test_what_nft_does_not_print(text: str) -> None:
    """Is refused, for the inbound filter too."""
    with pytest.raises(StateRefused):
        inbound.parse_listing(text)


@pytest.mark.parametrize("value", [256, "10.0.0.0/8", {"a": 1}, True])
def test_networks_that_are_no_list(value: Any) -> None:
    """Of an open port."""
    assert "list of networks" in refusal(Opening.parse, {"port": "443", "source_ranges": value})


@pytest.mark.parametrize("text", ["-", "ä", "QUJD", base64.b64encode(zlib.compress(b"0" * 33 * 1024 * 1024)).decode(),
                                  listing.packed(b"[]" * 40)[:-8]])
def test_a_packed_list_that_is_none(text: str) -> None:
    """Damaged, cut off, or a bomb."""
    refusal(listing.unpacked, text)


@pytest.mark.parametrize("path", ["/a\0b", "/\ud800", "/a\nb"])
def test_a_path_that_no_file_has(path: str) -> None:
    """Python would raise what is no OSError."""
    refusal(entry.check_paths, {"state_dir": {"type": "path"}}, {"state_dir": path})


@pytest.mark.parametrize("path", ["relative/at/all", "", "/nowhere/at/all", "a\0b"])
def test_space_of_any_path(path: str) -> None:
    """The directory above a relative path has an end too."""
    assert Host().space(path)[1] > 0


def test_a_long_line_of_openings_takes_no_time() -> None:
    """The pattern that was here tried all ways."""
    begun = time.process_time()
    assert openings.commands_in("a || b ||" * 20_000) == []
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("value", ["!!timestamp x", "!!bool x", "!!int x", "!!float x", "!!binary x"])
def test_a_tag_that_does_not_fit(value: str) -> None:
    """Cannot be told here, so it is left to Traefik."""
    assert dynamic_file.examine("x.yml", f"a: {value}\n".encode()).opaque


@pytest.mark.parametrize("command", ["nft 'insert", "x", "iptables -w 5 -A FORWARD", "iptables -I"])
def test_a_line_of_openings_that_is_no_command(command: str) -> None:
    """Somebody has changed the file."""
    assert openings.commands_in(f"! a || b || {command} || failed=1\n") == []
    assert json.dumps(openings.commands_in("! a || b || nft insert rule inet x y accept comment m || failed=1\n"))

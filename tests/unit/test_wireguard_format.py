# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of wg-quick, its part for 'wg syncconf', and the dump read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.formats import wireguard
from ansible_collections.edge.gateway.plugins.module_utils.formats.wireguard import Peer
from ansible_collections.edge.gateway.plugins.module_utils.models.join import Membership
from ansible_collections.edge.gateway.plugins.module_utils.models.tunnel import Routing, TunnelConfig, TunnelPeer
from unit.samples import ANSWER, KEY, OTHER_KEY

PRIVATE = "EJFXaW5bUHRLAe3lG0WJCBSlUzf9vbTLRWxGgLaOwWQ="
RECORDED = Path(__file__).parent / "data" / "wg-1.0.20210914-show-dump-2026-11-23.txt"
HOOKS = ("PreUp", "PostUp", "PreDown", "PostDown", "SaveConfig", "Table", "DNS", "FwMark")


def member(**changes: Any) -> Membership:
    """A membership that has been answered."""
    return Membership.parse({"node_id": "edge", "interface": "wg0", "answer": ANSWER, **changes})


def rendered(endpoint: str = "203.0.113.7:51820", preshared_key: str = "", **changes: Any) -> str:
    """The file of such a membership."""
    return wireguard.render(wireguard.JOIN, member(**changes).config(endpoint, preshared_key), PRIVATE, "/etc/wireguard/wg0.routing")


def settings(text: str) -> Dict[str, List[str]]:
    """The file by section."""
    sections: Dict[str, List[str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            assert line not in sections, "a section twice"
            sections[line] = []
        elif line and not line.startswith("#"):
            sections[list(sections)[-1]].append(line)
    return sections


def test_render() -> None:
    """Address = node_ip/32, one peer, keepalive 25."""
    assert settings(rendered()) == {
        "[Interface]": [f"PrivateKey = {PRIVATE}", "Address = 10.50.0.5/32"],
        "[Peer]": [f"PublicKey = {KEY}", "Endpoint = 203.0.113.7:51820", "AllowedIPs = 10.50.0.0/24", "PersistentKeepalive = 25"],
    }


def test_render_options() -> None:
    """What a task may set besides, an IPv6 address, and several networks."""
    answer = {**ANSWER, "node_ip": "fd00::5", "allowed_ips": "fd00::/64,10.50.0.0/16"}
    found = settings(rendered("[2001:db8::1]:51820", answer=answer, listen_port=51821, mtu=1400))
    assert found["[Interface]"][1:] == ["Address = fd00::5/128", "ListenPort = 51821", "MTU = 1400"]
    assert "AllowedIPs = 10.50.0.0/16, fd00::/64" in found["[Peer]"] and "Endpoint = [2001:db8::1]:51820" in found["[Peer]"]


def test_render_never_writes_a_hook() -> None:
    """Nothing that runs a command or changes DNS is ever in the file."""
    text = rendered(listen_port=1, mtu=1400)
    assert not any(line.startswith(HOOKS) for line in text.splitlines())


def test_strip_keeps_what_syncconf_needs() -> None:
    """An empty or cut file would remove every peer and the key."""
    found = settings(wireguard.strip(rendered(listen_port=51821, mtu=1400), 40000))
    assert sorted(found["[Interface]"]) == ["ListenPort = 51821", f"PrivateKey = {PRIVATE}"]
    assert found["[Peer]"][:2] == [f"PresharedKey = {wireguard.NO_KEY}", f"PublicKey = {KEY}"] and len(found["[Peer]"]) == 5


def test_strip_keeps_the_live_port() -> None:
    """Without a port in the file, syncconf would choose another, and the hub would answer to the old one."""
    found = settings(wireguard.strip(rendered(), 40000))
    assert sorted(found["[Interface]"]) == ["ListenPort = 40000", f"PrivateKey = {PRIVATE}"]


def test_what_makes_it_anew() -> None:
    """The default route is wg-quick's, with rules of its own; all else changes in place."""
    def of(**changes: Any) -> object:
        return wireguard.needs_wg_quick(rendered(**changes))
    assert of() == of(persistent_keepalive=5) == of(listen_port=5) == of(allowed_ips=["10.0.0.0/8"])
    assert of() == of(mtu=1400) == of(answer={**ANSWER, "node_ip": "10.50.0.6"}) == of(client_networks=["0.0.0.0/0"])
    assert of() != of(allowed_ips=["0.0.0.0/0"]) != of(allowed_ips=["::/0"])


def test_a_shared_key_and_a_name() -> None:
    """Both stand with the peer; the name is a comment, since wg-quick would wait for DNS, and the shared key goes to syncconf too."""
    text = rendered(preshared_key=PRIVATE, answer={**ANSWER, "endpoint": "hub.example:51820"})
    assert "\n# endpoint name: hub.example:51820\nEndpoint = 203.0.113.7:51820\n" in text
    assert f"PresharedKey = {PRIVATE}" in settings(text)["[Peer]"]
    assert wireguard.strip(text, 1).count("PresharedKey") == 1 and wireguard.NO_KEY not in wireguard.strip(text, 1)


def test_clients_with_their_own_address() -> None:
    """They may come in, but the way out stays the host's: wg-quick makes no route, a script of ours does."""
    found = settings(rendered(client_networks=["0.0.0.0/0"]))
    assert found["[Interface]"][-3:] == ["Table = off", "PostUp = /bin/sh /etc/wireguard/wg0.routing",
                                         "PostDown = /bin/sh /etc/wireguard/wg0.routing down"]
    assert "AllowedIPs = 0.0.0.0/0, 10.50.0.0/24" in found["[Peer]"]


def test_peer_endpoint() -> None:
    """The endpoint of a file of ours."""
    assert wireguard.peer_endpoint(rendered("[2001:db8::1]:5")) == "[2001:db8::1]:5"
    assert wireguard.peer_endpoint("") is None and wireguard.peer_endpoint("[Peer]\n") is None


def test_parse_recorded_dump() -> None:
    """A real dump by wireguard-tools 1.0.20210914 on 2026-11-23 (its private key taken out)."""
    link = wireguard.parse_dump(RECORDED.read_text())
    assert link.public_key == "2zg7MCJNA9rJy2zK6Jaf9BJGUCJ+UUkJxTiJ14qUyhU=" and link.listen_port == 51820
    assert link.peers == (
        Peer("eqzPKQTbJJR5TW7kp0w4iUcjCC7XK3IJ+RD48F40w1Y=", "", "127.0.0.1:51821", ("10.50.0.2/32", "fd00::2/128"),
             1795400846, 92, 308, 25),
        Peer("c+AoixopNgaiSZ1wLkplI3EDxMGvYppVnQ5RgiVv1gQ=", "", "", (), 0, 0, 0, 0),
    )


@pytest.mark.parametrize("text", [
    "", "\n", "a\tb\tc\n", "a\tb\t1\toff\nx\n", "a\tb\tnot a port\toff\n", "a\tb\t1\toff\n" + "\t".join("abcdefgh") + "\n",
    "Unable to access interface",
])
def test_parse_refuses_anything_else(text: str) -> None:
    """Another format is said to be one."""
    with pytest.raises(ValueError):
        wireguard.parse_dump(text)


def hub_file(*peers: TunnelPeer, **changes: Any) -> str:
    """The file of a hub with these peers."""
    config = TunnelConfig(("10.50.0.1/24", "fd50::1/64"), peers, **{"routing": Routing(frozenset()), **changes})
    return wireguard.render(wireguard.HUB, config, PRIVATE, "/etc/wireguard/wg0.routing")



def test_render_a_hub() -> None:
    """Peers that call us have no endpoint, one that is only getting known no networks, and both addresses stand in one line."""
    text = hub_file(TunnelPeer(KEY, ("10.50.0.5/32", "fd50::5/128")), TunnelPeer(OTHER_KEY, (), preshared_key=PRIVATE), listen_port=51820)
    assert "\nAddress = 10.50.0.1/24, fd50::1/64\nListenPort = 51820\n" in text and "Endpoint" not in text
    assert text.count("[Interface]") == 1 and text.split("[Peer]\n")[1:] == [
        f"PublicKey = {KEY}\nAllowedIPs = 10.50.0.5/32, fd50::5/128\nPersistentKeepalive = 0\n\n",
        f"PublicKey = {OTHER_KEY}\nPresharedKey = {PRIVATE}\nPersistentKeepalive = 0\n"]
    assert hub_file().count("[Peer]") == 0


@pytest.mark.parametrize("shared", [(a, b, c) for a in (True, False) for b in (True, False) for c in (True, False)])
def test_strip_clears_the_shared_key_of_each_peer_that_has_none(shared: Any) -> None:
    """By name: an older 'wg syncconf' keeps what is not named. Each peer has one line of it, its own."""
    keys = [KEY, OTHER_KEY, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="]
    text = hub_file(*(TunnelPeer(key, ("10.50.0.5/32",) if number else (), preshared_key=PRIVATE if has else "")
                      for number, (key, has) in enumerate(zip(keys, shared))))
    stripped = wireguard.strip(text, 40000)
    head, *peers = stripped.split("[Peer]\n")
    assert head.split() == ["[Interface]", "ListenPort", "=", "40000", "PrivateKey", "=", PRIVATE] and len(peers) == 3
    for key, has, peer in zip(keys, shared, peers):
        assert [line for line in peer.splitlines() if "PresharedKey" in line] == [f"PresharedKey = {PRIVATE if has else wireguard.NO_KEY}"]
        assert peer.count(f"PublicKey = {key}\n") == 1 and peer.count("PersistentKeepalive = 0") == 1
    assert "AllowedIPs" not in peers[0] and "AllowedIPs = 10.50.0.5/32" in peers[1] and "[" not in "".join(peers)


def test_strip_of_a_hub_without_nodes() -> None:
    """Keeps the private key."""
    assert wireguard.strip(hub_file(listen_port=5), 40000).split() == ["[Interface]", "PrivateKey", "=", PRIVATE, "ListenPort", "=", "5"]


def test_strip_leaves_nothing_that_wg_does_not_know() -> None:
    """One word of wg-quick, and 'wg syncconf' refuses all of it."""
    known = {"[Interface]", "[Peer]", "PrivateKey", "ListenPort", "PublicKey", "PresharedKey", "Endpoint", "AllowedIPs",
             "PersistentKeepalive"}
    for text in (rendered(client_networks=["0.0.0.0/0"], mtu=1400, answer={**ANSWER, "endpoint": "hub.example:51820"}),
                 hub_file(TunnelPeer(KEY, ("10.50.0.5/32",)), mtu=1400)):
        assert {line.partition(" = ")[0] for line in wireguard.strip(text, 1).splitlines() if line} <= known


def test_is_by() -> None:
    """Each module knows its own files, also of another version; what stands in between, or in another's file, counts for nothing."""
    join, hub = rendered(), hub_file()
    for author, mine, other in ((wireguard.JOIN, join, hub), (wireguard.HUB, hub, join)):
        assert wireguard.is_by(author, mine) and not wireguard.is_by(author, other)
        assert wireguard.is_by(author, mine.replace("is undone by its next run", "will not last"))
        for text in ("", "[Interface]\n", "\n" + mine, other + mine, " " + mine, mine[:30]):
            assert not wireguard.is_by(author, text)


@pytest.mark.parametrize(("path", "quoted"), [
    ("/etc/wireguard/wg0.routing", "/etc/wireguard/wg0.routing"), ("/etc/my dir/wg0.routing", "'/etc/my dir/wg0.routing'"),
    ("/etc/$(id)/x", "'/etc/$(id)/x'"), ("/etc/a;b/x", "'/etc/a;b/x'"), ("/etc/it's/x", "'/etc/it'\"'\"'s/x'"),
])
def test_the_path_of_the_script_is_quoted(path: str, quoted: str) -> None:
    """wg-quick hands the line to a shell, as root."""
    text = wireguard.render(wireguard.HUB, TunnelConfig(("10.50.0.1/24",), (), routing=Routing(frozenset())), PRIVATE, path)
    assert f"\nTable = off\nPostUp = /bin/sh {quoted}\nPostDown = /bin/sh {quoted} down\n" in text


def test_routing_of_ours_needs_no_new_interface() -> None:
    """Where wg-quick makes no routes, a default network in AllowedIPs is none of its business."""
    assert wireguard.needs_wg_quick(hub_file(TunnelPeer(KEY, ("0.0.0.0/0", "::/0")))) == []
    assert wireguard.needs_wg_quick(hub_file(TunnelPeer(KEY, ("0.0.0.0/0", "::/0")), routing=None)) == ["0.0.0.0/0", "::/0"]

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs and endpoints: what is accepted and in which canonical form, and what must be refused."""

from __future__ import annotations

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.models.target import endpoint, url
from unit.samples import KEY, refusal

SCHEMES = ("http", "https", "h2c")


@pytest.mark.parametrize(("value", "canonical"), [
    ("http://10.50.0.12:8080", "http://10.50.0.12:8080"),
    ("http://10.50.0.12:80/", "http://10.50.0.12"),
    ("https://10.50.0.12:443", "https://10.50.0.12"),
    ("https://Node.Example:8443/", "https://node.example:8443"),
    ("h2c://10.50.0.12:9000", "h2c://10.50.0.12:9000"),
    ("http://[FD00::1]:8080", "http://[fd00::1]:8080"),
    ("http://[fd00:0:0::1]", "http://[fd00::1]"),
    ("http://münchen.test", "http://xn--mnchen-3ya.test"),
])
def test_url_accepted(value: str, canonical: str) -> None:
    """A target is written in one form, whatever way it was typed, and that form is stable."""
    assert str(url("target_url", value, SCHEMES)) == canonical
    assert str(url("target_url", canonical, SCHEMES)) == canonical


@pytest.mark.parametrize("value", [
    "", "10.50.0.12:8080", "//10.50.0.12", "http:10.50.0.12", "http://", "http:///x", "http://:80", "file:///etc/shadow",
    "ftp://10.50.0.12",
    "HTTP//x", "gopher://x", "http://u:p@10.50.0.12", "http://good@127.0.0.1:8080", "http://10.50.0.12@evil", "http://a\nb.c",
    "http://a.test\n",
    "\nhttp://a.test", " http://a.test", "http://a.test ", "http://a\tb", "http://a\0b", "http://10.50.0.12:0", "http://10.50.0.12:65536",
    "http://10.50.0.12:99999", "http://10.50.0.12:080", "http://10.50.0.12:", "http://10.50.0.12:８０", "http://10.50.0.12:+80",
    "http://10.50.0.12:8_0",
    "http://10.50.0.12:80:80", "http://127.1", "http://0x7f000001", "http://0x7f000001:8080", "http://0X7F000001", "http://0x7f.0.0.1",
    "http://2130706433",
    "http://017700000001", "http://0177.0.0.1", "http://010.50.0.12", "http://10.50.0", "http://[::ffff:127.0.0.1]:8080",
    "http://[fe80::1%25eth0]",
    "http://[fe80::1%eth0]", "http://fd00::1", "http://[fd00::1", "http://fd00::1]", "http://[]", "http://a.test/x",
    "http://a.test/{{ env \"X\" }}",
    "http://{{x}}.test", "http://a.test?x=1", "http://a.test/?x", "http://a.test#x", "http://a_b.test", "http://-a.test", "http://a..b",
    "http://a.test.",
    "http://a`b", "http://a\"b", "http://a\\b", "http://*.test", "http://a,b", None, 5, True, ["http://a.test"], b"http://a.test",
])
def test_url_refused(value: object) -> None:
    """Nothing that hides another host, another port, a secret, a template or a line break."""
    assert "target_url" in refusal(url, "target_url", value, SCHEMES)


@pytest.mark.parametrize("value", [
    "http://０x7f000001:8080", "http://0ｘ7f000001:8080", "http://１２７.0.0.1", "http://１２７。０。０。１:8080", "http://a.０x7f",
])
def test_url_refuses_numbers_in_other_digits(value: str) -> None:
    """Wide digits become ASCII in IDNA, and then resolvers read the name as an address of the edge itself."""
    refusal(url, "target_url", value, SCHEMES)


def test_url_scheme_must_be_one_that_the_option_takes() -> None:
    """The controller is not asked in h2c."""
    assert "http or https" in refusal(url, "controller_url", "h2c://10.0.0.1", ("http", "https"))


@pytest.mark.parametrize(("value", "canonical"), [
    ("http://10.0.0.1:9000", "http://10.0.0.1:9000"), ("https://ctl.example/api/v1/", "https://ctl.example/api/v1"),
    ("https://ctl.example/", "https://ctl.example"),
])
def test_url_of_a_controller_may_have_a_path(value: str, canonical: str) -> None:
    """A base path is kept, without the last slash."""
    assert str(url("controller_url", value, ("http", "https"), with_path=True)) == canonical


@pytest.mark.parametrize("tail", ["/?token=hunter2", "?hunter2", "/#hunter2", "/x?a=1#hunter2", ".test:hunter2@h"])
def test_what_may_be_a_secret_is_not_shown(tail: str) -> None:
    """Passwords stand before an @, tokens behind a ? or a #."""
    assert "hunter2" not in refusal(url, "controller_url", f"http://h{tail}", ("http", "https"), True)


@pytest.mark.parametrize("path", ["/a b", "/a?b", "/a#b", "/%0d%0aX: y", "/a\r\nX: y", "/{{x}}", "/ü", '/"'])
def test_url_of_a_controller_refuses_a_path(path: str) -> None:
    """A path that could split a request is refused."""
    refusal(url, "controller_url", f"http://10.0.0.1{path}", ("http", "https"), True)


@pytest.mark.parametrize(("value", "canonical"), [
    ("203.0.113.7:51820", "203.0.113.7:51820"), ("Hub.Example:1", "hub.example:1"), ("[2001:DB8::1]:65535", "[2001:db8::1]:65535"),
])
def test_endpoint_accepted(value: str, canonical: str) -> None:
    """An address or a name, and a port."""
    assert str(endpoint("endpoint", value)) == canonical


@pytest.mark.parametrize("value", [
    "", "203.0.113.7", "hub.example", ":51820", "127.0.0.1:51820", "0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "169.254.169.254:1",
    "[::]:1", "[::1]:1",
    "[fe80::1]:1", "[ff02::1]:1", "[::ffff:127.0.0.1]:1", "203.0.113.7:0", "203.0.113.7:65536", "203.0.113.7:-1", "203.0.113.7:051820",
    "203.0.113.7:５１８２０",
    "203.0.113.7:51_820", "203.0.113.7: 1", "203.0.113.7:51820\n",
    f"203.0.113.7:51820\n[Interface]\nPreUp=touch /tmp/pwned\n[Peer]\nPublicKey={KEY}",
    "203.0.113.7:51820\nPostUp = x", "203.0.113.7:51820 # x", "203.0.113.7\n:51820", "0x7f000001:1", "０x7f000001:1", "127.1:1",
    "2130706433:1", "a b:1",
    "u@h:1", "http://h:1", "h:1/x", "2001:db8::1:51820", "[2001:db8::1]", "[2001:db8::1%wg0]:1", None, 51820, ["203.0.113.7:51820"],
])
def test_endpoint_refused(value: object) -> None:
    """The tunnel's endpoint is another host, and nothing that writes a second line into wg0.conf."""
    refusal(endpoint, "answer.endpoint", value)

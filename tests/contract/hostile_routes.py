# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile and mistaken values of routes: what changes of a good route must be refused, and the option that the refusal names."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from contract import route_samples as samples
from contract.route_samples import HASHES, Options, holding

GOOD: Options = {"route_id": "new", "hostname": ["new.test"], "target_url": ["http://10.50.0.12:8080"], "entrypoint": ["web"]}
TCP: Options = {"target_url": ["tcp://10.50.0.20:5432"], "entrypoint": ["websecure"]}
SECRET = "S3CRET-pass-word"
Case = Tuple[str, Options]

IDS = ["", "A", "Web", "-a", ".a", ".", "..", "_base", "a" * 64, "a b", "a\n", "a/b", "../a", "../../cron.d/x", "ä", "a;b", 'a"b',
       "a\u0000b", "ａ", "a:b", "x@docker", "api@internal", "K", "{{ x }}", "a\\b", "a" * 256]
HOSTS = ["", " sp.test", "sp.test ", "p.test:8000", "a.test,b.test", "a.test b.test", "x.test`) || PathPrefix(`/", 'x"test', "x'test",
         "a.test\n", "a\n.test", "a\u0000.test", '{{ env "CF_DNS_API_TOKEN" }}.test', "{{x}}", "*", "*.", "*.*.test", "a.*.test",
         "*a.test", "**.test", "-a.test", "a-.test", "a..test", ".test", "a" * 64 + ".test", ".".join(["a" * 49] * 5) + ".test",
         "a_b.test", "http://a.test", "a.test/x", "user@a.test", "a.test?x", "[::1]", "10.0.0.1", "::1", "a\u202e.test", "a\u200b.test",
         "xn--.test", "xn--a-\u00e4.test", "a%20.test", "a\\.test", "(a|b).test", "^a.test$", "ａ.test ", "a\t.test", "a,test", "b.test)",
         "a`.test"]
PATHS = ["api", "/a b", "/a`b", "/`) || Host(`x.test", '/{{ env "X" }}', "/{{", "/a\n", "/a\nb", "/a\u0000", "/a\tb", "/ä", "/a?b",
         "/a#b", "/a\\b", "/../x", "/a/../b", "/a/./b", "http://x/", "/" + "a" * 5000, " /a", "/a "]
TARGETS = ["", "10.50.0.12", "10.50.0.12:80", "//10.50.0.12", "http://", "http:///x", "file:///etc/passwd", "ftp://h/", "unix:///run/x",
           "HTTP//x", "h2c://", "http://u:p@10.50.0.12", f"http://u:{SECRET}@10.50.0.12", "http://u@10.50.0.12",
           "http://10.50.0.12:99999", "http://10.50.0.12:0", "http://10.50.0.12:-1", "http://10.50.0.12:８０", "http://10.50.0.12:080x",
           'http://h/{{ env "X" }}', "http://{{x}}/", "http://10.50.0.12\n", "http://a\nb.c", "http://a\u0000b", "http://a b",
           " http://a", "http://a`b", 'http://a"b', "http://010.50.0.12", "http://10.50.12", "http://0x0a32000c", "http://167772172",
           "http://10.50.0.256", "http://[fd50::12%25wg0]", "http://[fe80::1%eth0]", "http://[::g]", "http://[fd50::12", "http://h?x=1",
           "http://h#x", "http://h\\@x", "http://" + "a" * 300, "javascript:alert(1)", "http://a..b", "http://-a", "http://h/\u00e4",
           "udp://10.50.0.12:53"]
LOCAL = ["http://127.0.0.1:8080", "http://127.1:8080", "http://[::1]:8080", "http://[::ffff:127.0.0.1]:8080", "http://0.0.0.0:8080",
         "http://[::]:8080", "http://169.254.169.254/", "http://[fe80::1]", "http://localhost:8080", "http://LOCALHOST:8080",
         "http://localhost.:8080", "http://a.localhost", "http://[fd00:ec2::254]", "http://100.100.100.200", "http://10.99.0.1",
         "http://[fd99::1]", "http://[::ffff:169.254.169.254]", "http://127.255.255.254", "http://metadata.google.internal",
         "http://2130706433", "http://0177.0.0.1", "http://224.0.0.1", "http://255.255.255.255"]
NETWORKS = ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.0/", "10.0.0.0/8 ", "010.0.0.0/8",
            "10.0.0/8", "anyone", "/8", "2001:db8::/129", "fe80::1%a/128", "2001:db8::%\n/32", "10.0.0.0/８", "10.0.0.0-10.0.0.9",
            "198.51.100.7,203.0.113.7", "0/0", "*"]
DURATIONS = ["", "10 s", "-1s", "1d", "abc", "1.5.1s", "s", "99999999999h", "１s", "1s\n", "1S", "+1s"]
TOKENS = ["a b", "a:b", "a=b", "a;b", "a,b", "a\r\nX: 1", "", "(a)", 'a"b', "a@b"]
PASSWORDS = [f"bob:{SECRET}", f"bob:{SECRET}$", "bob:", SECRET, f":{SECRET}", f"bob:$2y$05${SECRET}", f"bob:{{MD5}}{SECRET}",
             f"bob:$1${SECRET}", f"bob:{{SHA}}{SECRET}", f"bob: {HASHES[0][4:]}", f"b b\n:{SECRET}", f"bob:$5$rounds=5000${SECRET}",
             f"{{{{ {SECRET}"]
ADDRESSES = ["ftp://a.test/", "auth.test", "//auth.test/", f"http://u:{SECRET}@auth.test/", "http://auth.test:99999/",
             "file:///etc/passwd", ""]


def at(path: str, *values: Any, many: bool = False) -> Iterator[Case]:
    """One case for each value of a nested option; of a list the value as one of two entries."""
    for value in values:
        good = samples.VALUES.get(path, [["X"]])[0]
        yield path.rsplit(".", maxsplit=1)[-1], suited(path, holding(path, [*good, value] if many else value))


def beside(place: str, typo: str) -> Options:
    """An option that does not exist, in that place, beside those that are required."""
    inside: Dict[str, Any] = {typo: "x"}
    for path, option in samples.leaves():
        if path.rsplit(".", maxsplit=1)[0] == place and option.get("required"):
            inside[path.rsplit(".", maxsplit=1)[-1]] = samples.values(path, option)[0]
    return suited(place, holding(place, [inside] if place.endswith("certificates") else inside))


def suited(path: str, changes: Options) -> Options:
    """With a target of the kind that the option is for."""
    if path.startswith("tls_options"):
        return {"entrypoint": ["websecure"], **changes}
    return {**TCP, **changes} if path.startswith("middlewares.in_flight_conn") else changes


def text_cases() -> Iterator[Case]:
    """Of every option that holds free text: braces, line breaks, NUL, controls, and a text that never ends."""
    for path, option in samples.leaves():
        last = path.rsplit(".", maxsplit=1)[-1]
        inner = option.get("elements", option["type"])
        hostile = ['{{ env "CF_DNS_API_TOKEN" }}', "x{{", "x}}", "a\nb", "a\n", "a\r\nb", "a\u0000b", "a\u0007b", "a\u007fb",
        "a\u2028b", "x" * 70000]
        if "choices" in option:
            hostile = ["nope", "", hostile[0]]
        for value in hostile:
            if inner == "str":
                yield last, holding(path, [value] if option["type"] == "list" else value)
            elif option["type"] == "dict":
                yield last, holding(path, {"X-One": value})
                yield last, holding(path, {value: "x"})
        if option["type"] == "list":
            yield last, holding(path, [""])
            yield last, holding(path, [])


def number_cases() -> Iterator[Case]:
    """Of every whole number: negative, and more than any machine counts."""
    for path, option in samples.leaves():
        if option["type"] == "int":
            yield from at(path, -5, 2 ** 63, 10 ** 40)


def unknown_cases() -> Iterator[Case]:
    """In every place that holds options one that does not exist, misspelt or in Traefik's own spelling."""
    places = {path.rsplit(".", maxsplit=1)[0] for path, _ in samples.leaves() if path.count(".") or not path.startswith("middlewares")}
    for place in sorted(places - {"middlewares"}):
        for typo in ("nope", "sourceRange"):
            yield typo, beside(place, typo)
    yield "nope", {"middlewares": [{"nope": {"a": "b"}}]}
    yield "ipWhiteList", {"middlewares": [{"ipWhiteList": {"sourceRange": ["10.0.0.0/8"]}}]}
    yield "middlewares", {"middlewares": [{}]}
    yield "middlewares", {"middlewares": [{"compress": {}, "retry": {"attempts": 2}}]}
    yield "middlewares", {"middlewares": [{"name": "auth", "retry": {"attempts": 2}}]}


def _targets() -> Iterator[Case]:
    for value in TARGETS:
        yield "target_url", {"target_url": ["http://10.50.0.13", value]}
    for value in LOCAL:
        yield "target_url", {"target_url": [value]}
        tcp = value.rstrip("/").replace("http:", "tcp:")
        yield "target_url", {**TCP, "target_url": [tcp if tcp.count(":") > 1 and not tcp.endswith("]") else f"{tcp}:80"]}
        yield "address", holding("middlewares.forward_auth.address", value)
    for value in ("tcp://10.50.0.20", "tcp://10.50.0.20:1/x", "tcp://10.50.0.20:1?x", "tcp://:1", "tcp://u@10.50.0.20:1",
    "tcp://10.50.0.20:99999"):
        yield "target_url", {**TCP, "target_url": [value]}
    yield "target_url", {**TCP, "target_url": ["tcp://10.50.0.20:1", "http://10.50.0.20"]}


def _route_options() -> Iterator[Case]:
    names: Dict[str, List[Any]] = {"route_id": IDS, "path_prefix": PATHS, "priority": [0, -1, 2 ** 63, 2 ** 63 - 1, 10 ** 40, "high"],
                                   "certresolver": ["a b", "{{ x }}", "a\n", "ä", "x" * 300, "a\u0000", "a`b"]}
    for option, hostile in names.items():
        yield from ((option, {option: value}) for value in hostile)
    yield from (("hostname", {"hostname": ["good.test", value]}) for value in HOSTS)
    for value in ("", "a b", "web,websecure", "{{ x }}", "we\nb", "a\u0000", "ä", "x" * 300):
        yield "entrypoint", {"entrypoint": [value]}
    yield from ((option, {option: []}) for option in ("hostname", "target_url"))
    yield from (("hostname", {"hostname": pair}) for pair in (["a.test", "A.TEST"], ["münchen.test", "xn--mnchen-3ya.test"]))
    two = ["http://10.50.0.12", "http://10.50.0.13"]
    for weights in ([1], [1, 2, 3], [-1, 1], [2 ** 63, 1], [0, 0], ["x", 1]):
        yield "weight", {"target_url": two, "weight": weights}
    yield from (("weight", {"weight": [1, 2]}), ("weight", {**TCP, "weight": [1]}))
    yield "target_url", {"target_url": ["http://10.50.0.12", "http://10.50.0.12/"]}


def _combinations() -> Iterator[Case]:
    for option, value in (("path_prefix", "/x"), ("sticky", {"cookie": {}}), ("pass_host_header", False), ("health_check",
    {"path": "/"})):
        yield option, {**TCP, option: value}
    for kind in sorted(set(samples.KINDS) - set(samples.TCP_KINDS)):
        nested = next(path for path, _ in samples.leaves() if path.startswith(f"middlewares.{kind}."))
        yield kind, {**TCP, **holding(nested, samples.VALUES.get(nested, ["security", 1])[0])}
    yield "in_flight_conn", {"middlewares": [{"in_flight_conn": {"amount": 1}}]}
    yield from (("passthrough", {"passthrough": True}), ("proxy_protocol", {"proxy_protocol": 1}))
    yield from (("proxy_protocol", {**TCP, "proxy_protocol": value}) for value in (0, 3, -1, 2 ** 63))
    yield "certresolver", {**TCP, "passthrough": True, "certresolver": "le"}
    yield "tls_options", {**TCP, "passthrough": True, "tls_options": {"min_version": "VersionTLS13"}}
    yield "tls_options", {"tls_options": {"name": "mine", "min_version": "VersionTLS13"}}
    yield "headers", holding("middlewares.headers", {"frame_deny": False, "sts_seconds": 0})
    yield "source_criterion", holding("middlewares.rate_limit.source_criterion", {"request_host": True, "request_header_name": "X-Key"})
    yield "compress", holding("middlewares.compress", {"included_content_types": ["text/html"], "excluded_content_types": ["image/png"]})


def _nested() -> Iterator[Case]:
    yield from at("middlewares.ip_allow_list.source_range", *NETWORKS, many=True)
    yield from at("middlewares.ip_allow_list.ip_strategy.excluded_ips", *NETWORKS[:8])
    yield from at("middlewares.ip_allow_list.ip_strategy.ipv6_subnet", 129)
    yield from at("middlewares.basic_auth.users", *PASSWORDS, many=True)
    yield from at("middlewares.redirect_regex.regex", "")
    yield from at("middlewares.circuit_breaker.expression", "")
    yield from at("middlewares.forward_auth.address", *ADDRESSES)
    for path, option in samples.leaves():
        last = path.rsplit(".", maxsplit=1)[-1]
        if samples.is_duration(path):
            yield from at(path, *DURATIONS)
        if "port" in last.split("_"):
            yield from at(path, 0, 65536)
        if last in ("reject_status_code", "response_code", "status"):
            yield from at(path, 0, 99, 1000)
        if last.endswith(("_headers", "_cookies_to_response")) and option["type"] == "list" or last.endswith("_methods"):
            yield from at(path, *TOKENS, many=True)
        if option["type"] == "dict":
            yield from at(path, *({name: "x"} for name in (*TOKENS, "X-\u00e4")), *({"X": text} for text in ("\u00e4", "a\tb\u0085",
            "日本")), {})
    for path in ("health_check.method", "sticky.cookie.name", "middlewares.basic_auth.header_field",
    "middlewares.forward_auth.header_field",
                 "middlewares.rate_limit.source_criterion.request_header_name"):
        yield from at(path, *TOKENS)
    yield from at("sticky.cookie.path", "a", "/a;b", "/a\r\n", "/a b")
    yield from at("sticky.cookie.domain", "a;b", "a b", "a.test; Secure", "-")
    yield from at("health_check.path", "health", "/a b", "http://169.254.169.254/", "//evil.test/", "/ä")
    yield from at("health_check.hostname", *HOSTS[:8])
    yield from at("servers_transport.server_name", "a b", "a.test`", "a.test:443", "")
    yield from at("middlewares.strip_prefix.prefixes", "api", "/a b", many=True)
    yield from at("middlewares.add_prefix.prefix", "x", "/a b", "")
    yield from at("tls_options.cipher_suites", "", many=True)
    yield from at("tls_options.curve_preferences", "", many=True)
    yield from at("tls_options.client_auth.client_auth_type", "require", "")
    yield "ca_files", suited("tls_options", holding("tls_options.client_auth.client_auth_type", "RequireAndVerifyClientCert"))
    yield from at("middlewares.compress.encodings", ["gzip", "lzma"])
    yield from at("middlewares.headers.access_control_allow_origin_list", ["https://a.test\n"])


def cases() -> List[Case]:
    """All of them."""
    return [case for source in (_route_options, _targets, _combinations, _nested, text_cases, number_cases,
    unknown_cases) for case in source()]


def only_traefik_knows() -> List[Tuple[str, Any]]:
    """Option and value that are well formed, and that Traefik cannot use."""
    regexes = ["(", "*a", "(?=x)a", "a{2,1}", "(a)\\1"]
    conditions = ["NetworkErrorRatio() >", "nonsense", "Evil() > 1", "NetworkErrorRatio()", "((("]
    return [
        *(("middlewares.redirect_regex.regex", value) for value in regexes),
        *(("middlewares.circuit_breaker.expression", value) for value in conditions),
        *(("middlewares.buffering.retry_expression", value) for value in conditions[:3]),
        ("tls_options.cipher_suites", ["TLS_NOPE"]), ("tls_options.curve_preferences", ["X448"]),
        ("tls_options.client_auth.ca_files", ["/etc/traefik/samples/nowhere.pem"]),
        ("servers_transport.root_cas", ["/etc/traefik/samples/nowhere.pem"]),
        ("middlewares.basic_auth.users_file", "/etc/traefik/samples/nowhere"),
        ("middlewares.forward_auth.tls.ca", "/etc/traefik/samples/nowhere.pem"),
    ]


def type_cases() -> Iterator[Case]:
    """Values of a wrong type, which only a file can hold: Ansible's own checks do not read it."""
    wrong: Dict[str, List[Any]] = {
        "str": [True, 5, 1.5, ["a"], {"a": "b"}], "int": [True, False, 1.5, [1], {"a": 1}, "1_0", "１", " 1", "1\n", "+1"],
        "bool": ["perhaps", 5, [True], {}], "dict": [True, 5, ["a"], "a", [{"a": "b"}], {"X": ["a"]}, {"X": {"a": "b"}}, {"X": True},
        {"X": 5}],
        "list": [True, 5, {"a": "b"}, [True], [5], [["a"]], [{"a": "b"}]],
    }
    for path, option in samples.leaves():
        for value in wrong[option["type"]]:
            if value == 5 and samples.is_duration(path):
                continue        # seconds
            yield path.rsplit(".", maxsplit=1)[-1], suited(path, holding(path, value))
    for name, option in samples.DOCUMENTED["routes"]["suboptions"].items():
        if "suboptions" in option:
            yield from ((name, {name: value}) for value in (True, 5, "a", [["a"]], [True], [5], ["a"]))
            continue
        for value in wrong[option["type"]]:
            if name == "weight" and value in (5, [5]):
                continue        # of the one target
            yield name, {**(TCP if name in ("passthrough", "proxy_protocol") else {}), name: value}
    yield from (("weight", {"weight": [value]}) for value in (True, 1.5, "a", None, [1]))

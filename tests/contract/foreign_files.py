# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that others may have put into Traefik's directory, by what is strange about them."""

from __future__ import annotations

from typing import Dict, List

GOOD = """http:
  routers:
    x: {rule: "Host(`x.test`)", service: x, entryPoints: [web]}
  services:
    x: {loadBalancer: {servers: [{url: "http://127.0.0.1:1"}]}}
"""
ROUTER = 'http: {routers: {x: {rule: "Host(`x.test`)", service: x%s}}}\n'
SERVICE = "http: {services: {x: {loadBalancer: {servers: [{url: http://a}]%s}}}}\n"
VALUE = "http:\n  middlewares:\n    m:\n      headers:\n        customResponseHeaders:\n          X: %s\n"
ALIASES = "a: &a {X: y}\n"

WHOLE: Dict[str, str] = {
    "good": GOOD, "nothing": "", "comment": "# mine\n", "blank": "  \n\n", "marker": "---\n", "marker and good": "---\n" + GOOD,
    "end marker": GOOD + "...\n", "two documents": GOOD + "---\n" + GOOD.replace("x", "y"), "first document empty": "---\n---\n" + GOOD,
    "second document broken": GOOD + "---\nhttp: [\n", "text after the end": GOOD + "...\nhttp: [\n", "null": "null\n", "tilde": "~\n",
    "list": "- a\n", "text": "hello\n", "number": "5\n", "open bracket": "http: [\n", "open brace": "http: {\n",
    "open quote": 'http: "x\n',
    "tab indents": "http:\n\trouters:\n", "tab after colon": GOOD.replace(": x,", ":\tx,"), "tab at the end": GOOD.replace("\n", "\t\n"),
    "tab in a blank line": GOOD + "\t\n", "twice at the top": GOOD + GOOD, "twice inside": GOOD.replace("  services:", "  routers:"),
    "twice in a flow": "http: {routers: {x: {rule: a, service: b, rule: c}}}\n", "carriage returns": GOOD.replace("\n", "\r\n"),
    "old mac": GOOD.replace("\n", "\r"), "mark of order": "\ufeff" + GOOD,
    "wrong indent": GOOD.replace("  services:", " services:"), "colon without space": "http:{}\n", "no value": "http:\n",
    "yaml directive": "%YAML 1.2\n---\n" + GOOD, "yaml 1.1": "%YAML 1.1\n---\n" + GOOD, "yaml 2": "%YAML 2.0\n---\n" + GOOD,
    "unknown directive": "%FOO bar\n---\n" + GOOD, "tag directive": "%TAG ! tag:x,2000:\n---\n" + GOOD, "unknown field": "foo: bar\n",
    "unknown field beside": GOOD + "foo: {a: b}\n", "unknown empty": GOOD + "foo: {}\n", "unknown null": GOOD + "foo:\n",
    "extension field": GOOD + "x-common: {a: b}\n", "static option": GOOD + "entryPoints: {web: {address: ':80'}}\n",
    "other case": GOOD.replace("http", "HTTP", 1).replace("routers", "Routers"), "number as key": "1: a\n", "truth as key": "true: a\n",
    "null key": "~: a\n", "huge": GOOD + "# " + "x" * 2_000_000 + "\n",
    "deep": "http: " + "[" * 300 + "]" * 300 + "\n", "emoji": GOOD + "# \U0001f600\n", "next line": GOOD + "# a\x85b\n",
    "line separator": GOOD + "# a\u2028b\n", "bell": GOOD + "# \x07\n", "delete": GOOD + "# \x7f\n", "nul": GOOD + "# \x00\n",
    "escape": GOOD + "# \x1b\n", "no character": GOOD + "# \ufffe\n", "c1 control": GOOD + "# \x9b\n",
}
PLACES: Dict[str, str] = {
    f"{words}": text for words, text in [
        *((f"{name}: {empty}", f"{name}: {empty}\n") for name in ("http", "tcp", "udp", "tls") for empty in ("{}", "null", "[]", "a")),
        *((f"http.{name}: {empty}", f"http: {{{name}: {empty}}}\n") for name in ("routers", "services", "middlewares", "serversTransports")
          for empty in ("{}", "null", "[]")),
        *((f"tcp.{name}: {empty}", f"tcp: {{{name}: {empty}}}\n") for name in ("routers", "middlewares") for empty in ("{}", "null")),
        *((f"tls.{name}: {empty}", f"tls: {{{name}: {empty}}}\n") for name in ("options", "certificates", "stores")
          for empty in ("{}", "null", "[]")),
        *((f"entry of {name}: {empty}", f"http: {{{name}: {{x: {empty}}}}}\n") for name in ("routers", "services", "middlewares",
                                                                                        "serversTransports") for empty in ("{}", "null")),
        *((f"tls.{name}.x: {empty}", f"tls: {{{name}: {{x: {empty}}}}}\n") for name in ("options", "stores") for empty in ("{}", "null")),
        *((f"middleware {kind}: {empty}", f"http: {{middlewares: {{m: {{{kind}: {empty}}}}}}}\n") for kind in ("compress", "headers",
            "retry")
          for empty in ("{}", "null", "true")),
        *((f"loadBalancer: {empty}", f"http: {{services: {{x: {{loadBalancer: {empty}}}}}}}\n") for empty in ("{}", "null",
            "{servers: []}")),
        *((f"router with {more}", ROUTER % f", {more}") for more in (
            "tls: {}", "tls: null", "tls: true", "middlewares: []", "middlewares: null", "middlewares: m", "entryPoints: web",
            "entryPoints: []",
            "priority: 5", "priority: '5'", "priority: high", "priority: 1.5", "priority: -1", "ruleSyntax: v3", "nope: 1", "Priority: 5",
            "observability: {accessLogs: false}", "observability: {}", "parentRefs: [a]", "tls: {domains: [{main: a.test}]}",
            "tls: {nope: 1}")),
        *((f"balancer with {more}", SERVICE % f", {more}") for more in (
            "passHostHeader: false", "passHostHeader: 'false'", "passHostHeader: maybe", "sticky: {}", "nope: 1",
            "sticky: {cookie: {}}", "sticky: {cookie: null}", "healthCheck: {}", "healthCheck: {path: /}", "healthCheck: {interval: 10}",
            "healthCheck: {path: /, interval: 1h}", "strategy: p2c", "serversTransport: a")),
        ("two kinds of service", "http: {services: {x: {loadBalancer: {servers: [{url: a}]}, weighted: {services: [{name: y}]}}}}\n"),
        ("server that is text", "http: {services: {x: {loadBalancer: {servers: [http://a]}}}}\n"),
        ("servers that are a map", "http: {services: {x: {loadBalancer: {servers: {url: http://a}}}}}\n"),
        ("unknown kind of service", "http: {services: {x: {balancer: {}}}}\n"), ("old middleware",
        "http: {middlewares: {m: {ipWhiteList: {}}}}\n"),
        ("unknown middleware", "http: {middlewares: {m: {nope: {a: b}}}}\n"), ("unknown kind", "http: {nope: {a: b}}\n"),
        ("middleware of two kinds", "http: {middlewares: {m: {addPrefix: {prefix: /a}, retry: {attempts: 2}}}}\n"),
        ("rule that is a list", "http: {routers: {x: {rule: [a], service: x}}}\n"), ("certificate",
        "tls: {certificates: [{certFile: a}]}\n"),
        ("certificate with nothing", "tls: {certificates: [{}]}\n"), ("certificates as a map", "tls: {certificates: {certFile: a}}\n"),
        ("bad rule", 'http: {routers: {x: {rule: "Host(", service: x}}}\n'), ("missing service",
        'http: {routers: {x: {rule: "Host(`x`)"}}}\n'),
        ("udp", "udp: {routers: {x: {service: x}}, services: {x: {loadBalancer: {servers: [{address: 'a:1'}]}}}}\n"),
    ]
}
VALUES: List[str] = ["yes", "1", "1.5", "null", "~", "", "0x1f", "[a]", "{a: b}", "!foo a", "!!str 5", "!!int 5", "!!binary aGk=",
                     "!!python/name:os.system", "!!set {a}", "!<tag:x> a", "*nope", "&a b", "&a", '"\\q"', '"\\x41"', '"\\u00e4"', "'a",
                     "'it''s'", "a: b", "@a", "`a`", "%a", "a #c", "#c", '"a" b', '"a\n            b"', "|\n            a\n            b",
                     ">-\n            a", "|\n       a", "|9\n   a", "- a", "? a", ": a", "a,b", "[a,,b]", "[a,]", "{a: b,}", "{a}",
                     "{a: b c: d}", "a]", "a}", "]", "}", "-", "--- a", "&", "*", "\n          Y: &b z\n          Z: *b",
                     "\n          <<: {Y: z}", "\n          <<: [{Y: z}, {Z: a}]", "a\n            b", "a\n        b", "\ta", "a\t",
                     '"a\tb"', "{a\t: b}", "=", "<<", "a: ", "http://a:80", "a:b", "::", "?a", "-a", "0o14", "1e400", "1_000", ".inf",
                     ".nan", "190:20:30", "\u00e4", "\U0001f600", "'\u2028'", '"\\U0010ffff"', '"\\ud800"', '"a\\\n            b"']
# what cannot be told without Go's own parser and all of Traefik's types; Traefik loads none of these
UNTOLD: Dict[str, str] = {
    "mark of order inside": GOOD + "\ufeff# x\n", "list as key": "? [a, b]\n: c\n",
    "no as a truth value": SERVICE % ", passHostHeader: no",
    "time without unit": SERVICE % ", healthCheck: {path: /, interval: 10x}", "date": VALUE % "2020-01-01", "no number": VALUE % "!!int a",
    "no binary": VALUE % "!!binary a", "escaped slash": VALUE % '"\\/"', "empty tag": VALUE % "!", "merge of a text": VALUE % "{<<: a}",
}
OPAQUE: Dict[str, str] = {
    "template in a comment": GOOD + '# {{ env "HOME" }}\n', "template comment": GOOD + "# {{/* x */}}\n",
    "quoted braces": GOOD + '# {{ "{{" }}\n',
    "bad template": GOOD + "# {{ x }}\n", "open template": GOOD + "# {{\n",
    "template that makes yaml": "{{ range $i := list 1 }}http:{{ end }}\n",
}
PLAIN_BRACES: Dict[str, str] = {"closing braces": GOOD + "# }} and } } and { { x\n"}
TOML: Dict[str, str] = {
    "good": '[http.routers.x]\nrule = "Host(`x.test`)"\nservice = "x"\n[[http.services.x.loadBalancer.servers]]\nurl = "http://a"\n',
    "bad": "[http\n", "nothing": "", "unknown": "[nope]\na = 1\n", "comment": "# a\n",
}
BYTES: Dict[str, bytes] = {
    "latin-1 in a comment": GOOD.encode() + b"# \xe4\n", "latin-1 in a value": (VALUE % "X").replace("X: X", "X: \xe4").encode("latin-1"),
    "utf-16": GOOD.encode("utf-16"), "utf-16 without mark": GOOD.encode("utf-16-le"), "utf-32": GOOD.encode("utf-32"),
    "binary": bytes(range(256)),
    "half a character": GOOD.encode() + b"# \xc3", "surrogate": GOOD.encode() + b"# \xed\xa0\x80\n",
    "overlong": GOOD.encode() + b"# \xc0\xaf\n",
}
# broken content under names of which Traefik loads only some
NAMES: List[str] = ["x.yml", "x.YML", "x.yaml", "x.YaMl", ".x.yml", "#x.yml", "x y.yml", "sub/x.yml", ".git/x.yml", "sub/deeper/x.yaml",
                    "x.yml.bak", "x.yml~", "x.yml.tmp", ".x.yml.swp", "x.json", "x.txt", "x", "yml", ".yml", "x.yml/y.txt", "x.yml/y.yml",
                    "sub.d/x.conf", "ä.yml", "x.toml", "x.TOML"]

#!/usr/bin/python
# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_route
short_description: Serve HTTPS and TCP routes through Traefik
version_added: 0.1.0
description:
  - Writes one file per route into the directory that Traefik's file provider watches, and waits until Traefik reports it live.
  - Everything is checked before anything is written. That includes clashes of hosts and names with any other file in the directory, and
    whether the entrypoints, certificate resolvers, middlewares and TLS options that a route names exist.
  - Files that this module did not write are never changed or removed. One that stops Traefik from loading any file is named, and
    nothing is written while it is there.
  - When Traefik refuses a route, or does not load it in time, what stood before is restored and the run fails with Traefik's reason.
author:
  - edge.gateway contributors (@edge-gateway)
options:
  route_id:
    description:
      - Name of the route. 1 to 63 of a-z, 0-9, C(.), C(_) and C(-).
      - The file is C(<route_id>.yml). Router and service carry the same name.
      - One of O(route_id), O(routes) and O(src) is required.
    type: str
  hostname: &hostname
    description:
      - Host names that the route serves, exact or like C(*.example.com), which stands for one label and needs Traefik 3.7 or later.
      - International names are accepted and stored as A-labels.
    type: list
    elements: str
  target_url: &target_url
    description:
      - Where the requests go. C(http), C(https) or C(h2c), host and port. Several share the load.
      - A target like V(tcp://10.50.0.12:5432) makes a route for connections, which are told apart by their TLS name (SNI). TLS ends at
        the edge, or at the target with O(passthrough).
    type: list
    elements: str
  weight: &weight
    description: Share of each target, in the order of O(target_url). A target with V(0) gets nothing. C(tcp) targets get equal shares.
    type: list
    elements: int
  entrypoint: &entrypoint
    description: Traefik's entrypoints that the route is served on.
    type: list
    elements: str
    default: [websecure]
  path_prefix: &path_prefix
    description: Serve only paths below this one.
    type: str
    default: ''
  priority: &priority
    description:
      - Rank among routes that match the same request; the highest wins.
      - When left out, an exact name wins over a wildcard, and a longer path over a shorter one.
    type: int
  certresolver: &certresolver
    description:
      - Traefik's certificate resolver. The default certificate is served when left out.
      - Certificate authorities issue for a wildcard only by a DNS challenge.
      - A warning says when a host name does not point at this edge, so that a certificate cannot be issued.
    type: str
    default: ''
  middlewares: &middlewares
    description:
      - What is done with a request on its way, in this order. Each entry holds one kind with its options, named as in Traefik's
        documentation but in snake case.
      - Routes with C(tcp) targets take O(middlewares[].ip_allow_list) and O(middlewares[].in_flight_conn).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of a middleware that another file defines, like V(auth) or V(auth@docker). It must exist.
        type: str
      redirect_scheme:
        description: Redirect to another scheme.
        type: dict
        suboptions:
          scheme: {description: The scheme., type: str, choices: [https, http], required: true}
          port: {description: The port., type: int}
          permanent: {description: Whether browsers may remember it., type: bool}
      redirect_regex:
        description: Redirect requests whose URL matches.
        type: dict
        suboptions:
          regex: {description: Regular expression in Go's syntax., type: str, required: true}
          replacement: {description: 'The new URL, with C(${1}) for the first group.', type: str, required: true}
          permanent: {description: Whether browsers may remember it., type: bool}
      strip_prefix:
        description: Take a prefix off the path.
        type: dict
        suboptions:
          prefixes: {description: The prefixes., type: list, elements: str, required: true}
      add_prefix:
        description: Put a prefix before the path.
        type: dict
        suboptions:
          prefix: {description: The prefix., type: str, required: true}
      headers:
        description:
          - Set, replace or (with an empty value) remove headers, and answer CORS preflights.
          - Header values are shown in results and diffs; they are no place for secrets.
        type: dict
        suboptions:
          preset:
            description:
              - V(security) sets what a browser should be told by any site. HSTS for a year with subdomains, no framing, no sniffing
                of types, a strict referrer policy, no camera, location or microphone. Options beside it win.
            type: str
            choices: [security]
          custom_request_headers: {description: Headers of the request., type: dict}
          custom_response_headers: {description: Headers of the response., type: dict}
          access_control_allow_credentials: {description: CORS, type: bool}
          access_control_allow_headers: {description: CORS, type: list, elements: str}
          access_control_allow_methods: {description: CORS, type: list, elements: str}
          access_control_allow_origin_list: {description: CORS, type: list, elements: str}
          access_control_expose_headers: {description: CORS, type: list, elements: str}
          access_control_max_age: {description: 'CORS, seconds.', type: int}
          add_vary_header: {description: CORS, type: bool}
          sts_seconds: {description: Seconds of Strict-Transport-Security., type: int}
          sts_include_subdomains: {description: Whether it holds for subdomains., type: bool}
          sts_preload: {description: Whether browsers may list the site., type: bool}
          force_sts_header: {description: Set it over plain HTTP too., type: bool}
          frame_deny: {description: Forbid framing., type: bool}
          custom_frame_options_value: {description: Value of X-Frame-Options., type: str}
          content_type_nosniff: {description: Forbid guessing of types., type: bool}
          browser_xss_filter: {description: Value for old browsers., type: bool}
          content_security_policy: {description: Value of Content-Security-Policy., type: str}
          referrer_policy: {description: Value of Referrer-Policy., type: str}
          permissions_policy: {description: Value of Permissions-Policy., type: str}
      basic_auth:
        description: Ask for a name and a password. One of C(users) and C(users_file) is needed.
        type: dict
        suboptions:
          users:
            description: Entries like C(name:hash), as C(htpasswd -nB name) makes them. They are hidden in results and diffs.
            type: list
            elements: str
          users_file: {description: File on the host with such entries. Traefik reads it when it loads the route., type: str}
          realm: {description: Realm of the question., type: str}
          header_field: {description: Header that tells the target the user's name., type: str}
          remove_header: {description: Do not pass the Authorization header on., type: bool}
      forward_auth:
        description: Ask another service whether the request may pass.
        type: dict
        suboptions:
          address: {description: URL of that service., type: str, required: true}
          trust_forward_header: {description: Believe X-Forwarded headers of the client., type: bool}
          auth_response_headers: {description: Headers of its answer for the target., type: list, elements: str}
          auth_request_headers: {description: Headers of the request for it. All when left out., type: list, elements: str}
          add_auth_cookies_to_response: {description: Cookies of its answer for the client., type: list, elements: str}
          header_field: {description: Header that tells the target the user's name., type: str}
          preserve_request_method: {description: Ask with the method of the request., type: bool}
          tls:
            description: How to talk to it over TLS.
            type: dict
            suboptions:
              ca: {description: File with its certification authority., type: str}
              cert: {description: File with the certificate to show., type: str}
              key: {description: File with the key of that certificate., type: str}
              insecure_skip_verify: {description: Do not check its certificate., type: bool}
      ip_allow_list:
        description: Let only these networks in. Others get 403.
        type: dict
        suboptions:
          source_range: {description: Networks in CIDR notation., type: list, elements: str, required: true}
          ip_strategy: &ip_strategy
            description: Which address of X-Forwarded-For counts. Only behind trusted proxies.
            type: dict
            suboptions:
              depth: {description: Position from the right., type: int}
              excluded_ips: {description: Addresses to pass over., type: list, elements: str}
              ipv6_subnet: {description: Length of the prefix that counts as one client., type: int}
          reject_status_code: {description: Instead of 403., type: int}
      rate_limit:
        description: So many requests in a period, for each client.
        type: dict
        suboptions:
          average: {description: Requests in a period., type: int, required: true}
          period: {description: 'The period, like V(1s).', type: str}
          burst: {description: How many more at once., type: int}
          source_criterion: &source_criterion
            description: What a client is. Its address when left out.
            type: dict
            suboptions:
              ip_strategy: *ip_strategy
              request_header_name: {description: Value of this header., type: str}
              request_host: {description: The host that is asked for., type: bool}
      in_flight_req:
        description: So many requests at the same time.
        type: dict
        suboptions:
          amount: {description: How many., type: int, required: true}
          source_criterion: *source_criterion
      compress:
        description: Compress answers.
        type: dict
        suboptions:
          excluded_content_types: {description: Types to leave alone., type: list, elements: str}
          included_content_types: {description: Types to compress. All others are left alone., type: list, elements: str}
          min_response_body_bytes: {description: Smaller answers are left alone., type: int}
          encodings: {description: 'Encodings, best first.', type: list, elements: str, choices: [zstd, br, gzip]}
      retry:
        description: Ask again when the target does not answer.
        type: dict
        suboptions:
          attempts: {description: How many times in all., type: int, required: true}
          initial_interval: {description: 'First pause, which grows, like V(100ms).', type: str}
      circuit_breaker:
        description: Stop asking a target that fails.
        type: dict
        suboptions:
          expression: {description: 'When it opens, like V(NetworkErrorRatio() > 0.30).', type: str, required: true}
          check_period: {description: How often to judge., type: str}
          fallback_duration: {description: How long it stays open., type: str}
          recovery_duration: {description: How long it takes to close., type: str}
          response_code: {description: Status for the client meanwhile., type: int}
      buffering:
        description: Read whole bodies before passing them on, up to a size.
        type: dict
        suboptions:
          max_request_body_bytes: {description: Larger requests get 413., type: int}
          mem_request_body_bytes: {description: Up to this size in memory., type: int}
          max_response_body_bytes: {description: Larger answers become 500., type: int}
          mem_response_body_bytes: {description: Up to this size in memory., type: int}
          retry_expression: {description: When to ask again., type: str}
      in_flight_conn:
        description: So many connections at the same time for each client, on a route with C(tcp) targets.
        type: dict
        suboptions:
          amount: {description: How many., type: int, required: true}
  health_check: &health_check
    description: Ask each target regularly, and leave out those that do not answer well.
    type: dict
    suboptions:
      path: {description: What to ask for., type: str, required: true}
      interval: {description: 'How often, like V(10s).', type: str}
      unhealthy_interval: {description: How often while it is unhealthy., type: str}
      timeout: {description: How long to wait for the answer., type: str}
      port: {description: Another port of the target., type: int}
      hostname: {description: Value of the Host header., type: str}
      scheme: {description: Another scheme., type: str, choices: [http, https]}
      method: {description: Instead of GET., type: str}
      status: {description: Status that is expected. Any 2xx or 3xx when left out., type: int}
      headers: {description: Headers of the question., type: dict}
      follow_redirects: {description: Whether to follow redirects., type: bool}
  sticky: &sticky
    description: Keep a client at the target that it got first.
    type: dict
    suboptions:
      cookie:
        description: The cookie that does it. It may be empty.
        type: dict
        required: true
        suboptions:
          name: {description: Its name. Made up when left out., type: str}
          secure: {description: Only over HTTPS., type: bool}
          http_only: {description: Not for scripts., type: bool}
          same_site: {description: Its SameSite value., type: str, choices: [none, lax, strict]}
          max_age: {description: Seconds that it is kept. A session when left out., type: int}
          path: {description: Its path., type: str}
          domain: {description: Its domain., type: str}
  pass_host_header: &pass_host_header
    description: Whether the target sees the name that the client asked for. V(true) when left out.
    type: bool
  servers_transport: &servers_transport
    description: How to talk to the targets.
    type: dict
    suboptions:
      server_name: {description: Name that the target's certificate must have., type: str}
      insecure_skip_verify: {description: Do not check the target's certificate., type: bool}
      root_cas: {description: Files with the certification authorities of the targets., type: list, elements: str}
      certificates:
        description: Certificates to show to the targets.
        type: list
        elements: dict
        suboptions:
          cert_file: {description: File of the certificate., type: str, required: true}
          key_file: {description: File of its key., type: str, required: true}
      max_idle_conns_per_host: {description: Idle connections kept for each target., type: int}
      disable_http2: {description: Talk HTTP/1.1 only., type: bool}
      forwarding_timeouts:
        description: Timeouts, like V(30s).
        type: dict
        suboptions:
          dial_timeout: {description: For the connection., type: str}
          response_header_timeout: {description: For the answer to begin., type: str}
          idle_conn_timeout: {description: For idle connections., type: str}
          read_idle_timeout: {description: For a silent HTTP/2 connection., type: str}
          ping_timeout: {description: For the answer to an HTTP/2 ping., type: str}
  tls_options: &tls_options
    description:
      - What is asked of clients. All routes of a host on an entrypoint must ask the same; Traefik would fall back to its defaults for all.
    type: dict
    suboptions:
      name: {description: 'Name of options that another file defines, instead of the others.', type: str}
      min_version: {description: Oldest version of TLS., type: str, choices: [VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13]}
      max_version: {description: Newest version of TLS., type: str, choices: [VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13]}
      cipher_suites: {description: Cipher suites of TLS 1.2., type: list, elements: str}
      curve_preferences: {description: 'Curves, best first.', type: list, elements: str}
      sni_strict: {description: Refuse clients whose name has no certificate., type: bool}
      alpn_protocols: {description: 'Protocols, best first.', type: list, elements: str}
      client_auth:
        description: Ask for a certificate of the client.
        type: dict
        suboptions:
          ca_files: {description: Files with the certification authorities of the clients. Needed to verify., type: list, elements: str}
          client_auth_type:
            description: How much is asked for.
            type: str
            required: true
            choices: [RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert]
  passthrough: &passthrough
    description: With C(tcp) targets, let TLS end at the target.
    type: bool
  proxy_protocol: &proxy_protocol
    description: With C(tcp) targets, tell the target the client's address by this version of the PROXY protocol. V(1) or V(2).
    type: int
  expires: &expires
    description:
      - When the route ends by itself, as a point in time of RFC 3339 like V(2027-01-31T18:00:00Z). Never when left out.
      - A timer that the role P(edge.gateway.upkeep#role) installs closes it within a minute after that time, without Ansible.
      - In a list, an entry whose time has passed counts as V(absent); a single one is refused.
    type: str
  state: &state
    description: Whether the route is wanted. V(absent) needs only the id.
    type: str
    choices: [present, absent]
    default: present
  routes:
    description:
      - Many routes at once, instead of the single form.
      - An empty list only makes sure that what was asked for earlier is in effect.
      - Ansible itself is slow with lists of thousands; use O(src) for those.
    type: list
    elements: dict
    suboptions:
      route_id:
        description: Name of the route.
        type: str
        required: true
      hostname: *hostname
      target_url: *target_url
      weight: *weight
      entrypoint: *entrypoint
      path_prefix: *path_prefix
      priority: *priority
      certresolver: *certresolver
      middlewares: *middlewares
      health_check: *health_check
      sticky: *sticky
      pass_host_header: *pass_host_header
      servers_transport: *servers_transport
      tls_options: *tls_options
      passthrough: *passthrough
      proxy_protocol: *proxy_protocol
      expires: *expires
      state: *state
  src:
    description:
      - A JSON or YAML file with the list of O(routes), or with an object that holds the list under C(routes).
      - It is looked for beside the playbook or role and in its folder C(files), and may be encrypted with Ansible Vault.
      - JSON is read much faster than YAML.
    type: path
  remote_src:
    description: Whether O(src) is a file of the managed host.
    type: bool
    default: false
  _packed:
    description: What this module's action plugin has read from O(src). Not for users.
    type: str
  purge:
    description: With O(routes) or O(src), remove every route of this collection that is not listed.
    type: bool
    default: false
  summary:
    description: Leave the list of routes and those that are live out of the result, and the diff unless it is asked for. For long lists.
    type: bool
    default: false
  wait:
    description:
      - Return only when Traefik itself reports the routes enabled as they were written, and fail with its error text otherwise.
      - It works whether or not Traefik notices the new files by itself.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for Traefik. One more for every 200 routes that the run touches.
    type: int
    default: 10
  wait_certificate:
    description:
      - Seconds to wait until the certificates of routes with O(certresolver) are there, and fail with the reason of Traefik's log
        otherwise. The routes stay. V(0) does not wait.
      - Needs Traefik 3.7 or later.
    type: int
    default: 0
  allow_local_target:
    description: Accept targets on the edge itself, loopback and link-local addresses, cloud metadata among them.
    type: bool
    default: false
  static:
    description: The static configuration as data, instead of O(static_config); for who is about to write that file.
    type: dict
extends_documentation_fragment:
  - edge.gateway.attributes
  - edge.gateway.places.traefik
  - edge.gateway.places.static
seealso:
  - module: edge.gateway.traefik_route_info
"""

EXAMPLES = r"""
- name: Serve a virtual machine's web page
  edge.gateway.traefik_route:
    route_id: vm-123
    hostname: vm-123.service.com
    target_url: http://10.50.0.12:8080
    certresolver: dnsresolver

- name: An application behind a password, with security headers and two targets of which one gets more
  edge.gateway.traefik_route:
    route_id: admin
    hostname: admin.example.com
    target_url: [http://10.50.0.12:8080, http://10.50.0.13:8080]
    weight: [3, 1]
    health_check: {path: /health, interval: 10s}
    middlewares:
      - ip_allow_list: {source_range: [203.0.113.0/24]}
      - basic_auth: {users: "{{ vault_admin_users }}"}
      - headers: {preset: security}
    certresolver: letsencrypt

- name: A database, told apart by its TLS name, which learns the client's address
  edge.gateway.traefik_route:
    route_id: db
    hostname: db.example.com
    target_url: tcp://10.50.0.20:5432
    passthrough: true
    proxy_protocol: 2

- name: Exactly these routes and no others
  edge.gateway.traefik_route:
    routes:
      - {route_id: shop, hostname: [shop.example.com, www.shop.example.com], target_url: http://10.50.0.14:8080}
      - {route_id: api, hostname: shop.example.com, path_prefix: /api, target_url: http://10.50.0.15:3000}
    purge: true

- name: Exactly the routes of a file, thousands of them
  edge.gateway.traefik_route:
    src: routes.json
    purge: true
    summary: true

- name: Take it down
  edge.gateway.traefik_route:
    route_id: vm-123
    state: absent
"""

RETURN = r"""
changes:
  description: What the run means, a line for each object and part that differs; check mode says the same as the run then does.
    The first fifty with O(summary).
  type: list
  elements: str
  returned: success
  sample: ['shop: hostname a.example moves from http://10.50.0.14:80 to http://10.50.0.15:80']
routes:
  description: All routes of this collection that exist after the run, with the names of the options. Hashes of passwords are left out.
  type: list
  elements: dict
  returned: success, without O(summary)
  sample:
    - route_id: vm-123
      hostname: [vm-123.service.com]
      path_prefix: ''
      target_url: ['http://10.50.0.12:8080']
      entrypoint: [websecure]
      certresolver: dnsresolver
count:
  description: How many routes exist after the run.
  type: int
  returned: success
live:
  description:
    - What Traefik reports for each route. C(enabled), C(disabled), C(warning), C(missing), or C(unknown) when it was not asked.
    - With O(summary), only of routes that are not enabled.
  type: dict
  returned: success
  sample: {vm-123: enabled}
added:
  description: Ids that this run added.
  type: list
  elements: str
  returned: success
updated:
  type: list
  elements: str
  returned: success
  description: Ids that this run changed.
removed:
  type: list
  elements: str
  returned: success
  description: Ids that this run removed.
repaired:
  type: list
  elements: str
  returned: success
  description: Ids whose file was altered by someone else, and has been put right.
code:
  description: Kind of failure, for programs.
  type: str
  returned: failure
  sample: invalid_input
option:
  description: Option, file or tool at fault.
  type: str
  returned: failure
  sample: hostname
"""

from typing import Any, Callable, Dict, Mapping

from ansible_collections.edge.gateway.plugins.module_utils import entry, spec
from ansible_collections.edge.gateway.plugins.module_utils.converge import converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.history import STATE_DIR, Chronicle
from ansible_collections.edge.gateway.plugins.module_utils.engines.listing import with_entries, with_packed_ids
from ansible_collections.edge.gateway.plugins.module_utils.engines.routes import RouteEngine
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_api import TraefikApi
from ansible_collections.edge.gateway.plugins.module_utils.engines.traefik_static import read
from ansible_collections.edge.gateway.plugins.module_utils.host import Host
from ansible_collections.edge.gateway.plugins.module_utils.models.changes import shortened
from ansible_collections.edge.gateway.plugins.module_utils.models.edits import edit_of, entries_of
from ansible_collections.edge.gateway.plugins.module_utils.models.middleware import MIDDLEWARE
from ansible_collections.edge.gateway.plugins.module_utils.models.options import many
from ansible_collections.edge.gateway.plugins.module_utils.models.route import Route, Routes, check_names
from ansible_collections.edge.gateway.plugins.module_utils.models.route_options import EXTRAS
from ansible_collections.edge.gateway.plugins.module_utils.models.target import url

ROUTE: spec.Spec = {
    "hostname": {"type": "list", "elements": "str"}, "path_prefix": {"type": "str", "default": ""},
    "target_url": {"type": "list", "elements": "str"}, "entrypoint": {"type": "list", "elements": "str", "default": ["websecure"]},
    "certresolver": {"type": "str", "default": ""}, "middlewares": dict(many(MIDDLEWARE).spec),
    **{name: dict(kind.spec) for name, kind in EXTRAS.items()}, **spec.STATE,
}
IDS = ("added", "updated", "removed", "repaired")
ARGUMENTS: spec.Spec = {
    "route_id": {"type": "str"}, **ROUTE,
    "routes": {"type": "list", "elements": "dict", "options": {"route_id": {"type": "str", "required": True}, **ROUTE}},
    "src": {"type": "path"}, "remote_src": {"type": "bool", "default": False},
    # what the action plugin read: a list that is too long for the system's log, and that may hold hashes of passwords
    "_packed": {"type": "str", "no_log": True},
    "purge": {"type": "bool", "default": False}, "summary": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True}, "wait_timeout": {"type": "int", "default": 10},
    "wait_certificate": {"type": "int", "default": 0}, "allow_local_target": {"type": "bool", "default": False}, "static": {"type": "dict"},
    **spec.TRAEFIK, **spec.STATIC,
}
CONSTRAINTS = {"mutually_exclusive": [("route_id", "routes", "src")]}


def wish(params: Mapping[str, Any], host: Host) -> Callable[[Routes], Routes]:
    """The edit that the task asks for; only a file of the host itself needs the host."""
    return edit_of(entries(params, host), "route_id", "routes", Route.parse, host.now())


def entries(params: Mapping[str, Any], host: Host) -> Dict[str, Any]:
    """The parameters, with the list of ``src``."""
    return with_entries(host, params, "routes", check_names)


def route(params: Dict[str, Any], dry_run: bool) -> Dict[str, Any]:
    """Bring the routes to what the task asks for."""
    host = Host()
    params = {**entries(params, host), "src": None}
    edit = wish(params, host)
    api = TraefikApi(url("api_url", params["api_url"], ("http", "https")))
    watched = {str(each["route_id"]) for each in entries_of(params, "route_id", "routes")}
    engine = RouteEngine(host, params["dynamic_dir"], api if params["wait"] else None, params["wait_timeout"],
                         wait_certificate=params["wait_certificate"], watched=watched, allow_local_target=params["allow_local_target"])
    engine.static = read(host, params["static_config"], params["static"], engine.warnings)
    engine.chronicle = Chronicle(host, STATE_DIR, "traefik_route")
    outcome = converge(engine, edit, dry_run)
    live = engine.live(outcome.plan.after)
    whole = not params["summary"]
    result = {**outcome.as_dict(diff=whole or params["diff_wanted"]), "count": len(outcome.plan.after)}
    if whole:
        return {**result, "live": live, "routes": [item.shown() for item in outcome.items]}
    result["live"] = {name: status for name, status in live.items() if status != "enabled"}
    result["changes"] = shortened(result["changes"])
    return with_packed_ids(result, IDS) if params["_packed"] else result


def main() -> None:
    entry.run(ARGUMENTS, route, **CONSTRAINTS)


if __name__ == "__main__":
    main()

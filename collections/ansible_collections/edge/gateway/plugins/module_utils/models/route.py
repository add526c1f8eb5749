# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One route of Traefik. The rules among several, and between them and the host, are in ``route_rules``."""

from __future__ import annotations

import functools
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from ..errors import MISSING, InvalidInput
from . import fields, middleware, options
from .middleware import Middleware
from .route_options import EXTRAS, extras
from .target import Url, url

NEEDED = ("route_id", "hostname", "target_url")
OPTIONAL = ("entrypoint", "path_prefix", "certresolver", "middlewares", *EXTRAS, "state")
OPTIONS = frozenset([*NEEDED, *OPTIONAL])
SCHEMES = ("http", "https", "h2c", "tcp")
# the entrypoint for plain HTTP; TLS ends on all others
PLAIN_ENTRYPOINT = "web"
DEFAULT_ENTRYPOINT = "websecure"
# what a route for connections has no use for: options that speak of HTTP requests
HTTP_ONLY = ("path_prefix", "health_check", "sticky", "servers_transport", "pass_host_header")
TCP_ONLY = ("passthrough", "proxy_protocol")

LONGEST_PATH = 255
# parts of a path that Traefik takes out of every request
DOTS = frozenset([".", ".."])

Routes = Dict[str, "Route"]


class Route(NamedTuple):
    """Requests for ``hostname`` (below ``path_prefix``) go to one of ``target_url``; with ``tcp`` targets, whole connections do.

    Attributes:
        target_url: canonical URLs.
        middlewares: what is done with a request, in this order.
        extras: the options that few routes have, by name, in canonical form; never changed in place.
    """

    route_id: str
    hostname: Tuple[str, ...]
    target_url: Tuple[str, ...]
    entrypoint: Tuple[str, ...] = (DEFAULT_ENTRYPOINT,)
    path_prefix: str = ""
    certresolver: str = ""
    middlewares: Tuple[Middleware, ...] = ()
    extras: Mapping[str, Any] = {}      # noqa: RUF012  a tuple's default is shared, and nothing writes to it

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> Route:
        """Build a route from task parameters or from the header of a route file.

        Args:
            params: option name to value; None means "not given", and what is no option of a route is not looked at.
            where: prefix for option names in errors, such as ``routes[3].``.
        """
        try:
            return cls._parse(params)
        except InvalidInput as problem:
            raise problem.within(where) from None

    @classmethod
    def _parse(cls, params: Mapping[str, Any]) -> Route:
        for name in NEEDED:
            if params.get(name) in (None, "", []):
                raise InvalidInput(name, MISSING, "is missing; every route needs route_id, hostname and target_url")
        urls = tuple(_target(target) for target in options.several("target_url", params["target_url"]))
        given = params.get("middlewares")
        tcp = urls[0].startswith("tcp:")
        route = cls(
            fields.identifier("route_id", params["route_id"]),
            tuple(_pattern(name) for name in options.several("hostname", params["hostname"])),
            urls, _entrypoints(params.get("entrypoint")), _path(params.get("path_prefix")), _resolver(params.get("certresolver")),
            tuple(middleware.parse(f"middlewares[{number}]", entry, tcp) for number, entry in enumerate(_list(given))) if given else (),
            extras(params))
        _check_together(route)
        return route

    @classmethod
    def restore(cls, kept: Mapping[str, Any]) -> Route:
        """The route that :meth:`as_dict` described, unchecked: for what is known to be our own writing, thousands at a time."""
        if len(kept) == PLAIN_KEPT:
            return cls(kept["route_id"], tuple(kept["hostname"]), tuple(kept["target_url"]), tuple(kept["entrypoint"]),
                       kept["path_prefix"], kept["certresolver"])
        return cls(kept["route_id"], tuple(kept["hostname"]), tuple(kept["target_url"]), tuple(kept["entrypoint"]),
                   kept["path_prefix"], kept["certresolver"], tuple(kept.get("middlewares", ())),
                   {name: kept[name] for name in EXTRAS if name in kept})

    @property
    def tcp(self) -> bool:
        """Whether it routes connections by their TLS name, rather than HTTP requests."""
        return self.target_url[0].startswith("tcp:")

    @property
    def targets(self) -> Tuple[Url, ...]:
        """The targets in their parts."""
        return tuple(_url(target) for target in self.target_url)

    @property
    def pass_through(self) -> bool:
        """Whether TLS ends at the target instead of here."""
        return bool(self.extras.get("passthrough", False))

    @property
    def expires(self) -> str:
        """When it ends by itself, as :func:`.fields.moment` has it; empty for never."""
        return str(self.extras.get("expires", "")) if self.extras else ""

    def as_dict(self) -> Dict[str, Any]:
        """The route with the names of the options, as its file holds it. The hashes of users are in it, see :meth:`shown`."""
        kept: Dict[str, Any] = {
            "route_id": self.route_id, "hostname": list(self.hostname), "path_prefix": self.path_prefix,
            "target_url": list(self.target_url), "entrypoint": list(self.entrypoint), "certresolver": self.certresolver}
        if self.middlewares:
            kept["middlewares"] = list(self.middlewares)
        if self.extras:
            kept.update(self.extras)
        return kept

    def shown(self) -> Dict[str, Any]:
        """The route as modules return it: without secrets."""
        kept = self.as_dict()
        if self.middlewares:
            kept["middlewares"] = [middleware.shown(entry) for entry in self.middlewares]
        return kept

    def __str__(self) -> str:
        where = ", ".join(f"{name}{self.path_prefix}" for name in self.hostname)
        words = [f"{where} -> {', '.join(self.target_url)}  on {', '.join(self.entrypoint)}"]
        if self.certresolver:
            words.append(f"certificate by {self.certresolver}")
        if self.middlewares or self.extras:
            kept = self.shown()
            words += [f"{name} {options.words(kept[name])}" for name in ("middlewares", *EXTRAS) if name in kept]
        return ", ".join(words)


# the entries of as_dict() that every route has
PLAIN_KEPT = 6


def check_names(entry: Mapping[str, Any], where: str) -> None:
    """Raise InvalidInput for an entry of a file that names something else than the options of a route."""
    if not OPTIONS.issuperset(entry):
        unknown = sorted(str(name) for name in set(entry) - OPTIONS)[0]
        raise InvalidInput(f"{where}{unknown}", MISSING, "is not an option of a route; correct its name, one of "
                           + ", ".join([*NEEDED, *OPTIONAL]))


def _check_together(route: Route) -> None:
    names = route.hostname
    if len(names) > 1 and len(set(names)) != len(names):
        raise InvalidInput("hostname", list(names), "names one host twice; keep one of the two")
    if len(route.target_url) > 1 and len({target.startswith("tcp:") for target in route.target_url}) > 1:
        raise InvalidInput("target_url", list(route.target_url), "mixes tcp with HTTP; make two routes")
    if len(set(route.target_url)) != len(route.target_url):
        raise InvalidInput("target_url", list(route.target_url), "names one target twice; keep one of the two, and give it more weight")
    if PLAIN_ENTRYPOINT in route.entrypoint:
        _check_plain(route)
    if route.tcp:
        _check_tcp(route)
    if route.extras:
        _check_extras(route)


def _check_plain(route: Route) -> None:
    only = set(route.entrypoint) == {PLAIN_ENTRYPOINT}
    for name, value in (("certresolver", route.certresolver), ("tls_options", route.extras.get("tls_options"))):
        if value and only:
            raise InvalidInput(name, value, f"is of no use on the entrypoint {PLAIN_ENTRYPOINT}, which is plain HTTP; "
                                            "add websecure or leave it out")
    if route.tcp:
        raise InvalidInput("entrypoint", PLAIN_ENTRYPOINT, "is plain HTTP, where no TLS name tells connections apart; "
                                                           f"a tcp route needs one like {DEFAULT_ENTRYPOINT}")


def _check_tcp(route: Route) -> None:
    given = {"path_prefix": route.path_prefix, **route.extras}
    wrong = next((name for name in HTTP_ONLY if given.get(name) not in (None, "")), None)
    if wrong:
        raise InvalidInput(wrong, given[wrong], "speaks of HTTP requests, which a route with tcp targets does not see; leave it out")
    if "weight" in route.extras:
        raise InvalidInput("weight", route.extras["weight"], "is not for tcp targets, which Traefik gives equal shares; leave it out")
    if not all(target.port for target in route.targets):
        raise InvalidInput("target_url", list(route.target_url), "has no port; write it like tcp://10.50.0.12:5432")
    if route.pass_through and (route.certresolver or "tls_options" in route.extras):
        name = "certresolver" if route.certresolver else "tls_options"
        raise InvalidInput(name, MISSING, "cannot go with passthrough, where TLS ends at the target; leave one of them out")


def _check_extras(route: Route) -> None:
    given = route.extras
    wrong = next((name for name in TCP_ONLY if name in given and not route.tcp), None)
    if wrong:
        raise InvalidInput(wrong, given[wrong], "is for routes of connections; give a target like tcp://10.50.0.12:5432, or leave it out")
    weight = given.get("weight")
    if weight is not None and (len(weight) != len(route.target_url) or not any(weight)):
        raise InvalidInput("weight", weight, f"does not go with {len(route.target_url)} targets; give one number for each, "
                                             "not all of them 0")
    tls = given.get("tls_options", {})
    if "name" in tls and len(tls) > 1:
        raise InvalidInput("tls_options.name", tls["name"], "cannot go with other options of TLS; give the name of some that exist, "
                                                            "or the options")
    auth = tls.get("client_auth", {})
    if "Verify" in auth.get("client_auth_type", "") and "ca_files" not in auth:
        raise InvalidInput("tls_options.client_auth.ca_files", MISSING, f"is missing; {auth['client_auth_type']} needs an authority to "
                                                                        "verify certificates with")
    low, high = tls.get("min_version", ""), tls.get("max_version", "")
    if low and high and low > high:
        raise InvalidInput("tls_options.max_version", high, f"is below min_version {low}; exchange them")


def _list(value: object) -> List[Any]:
    if isinstance(value, (list, tuple)) and len(value) <= options.MAX_ENTRIES:
        return list(value)
    raise InvalidInput("middlewares", MISSING, f"is not a list of at most {options.MAX_ENTRIES}; write it like [{{compress: {{}}}}]")


@functools.lru_cache(maxsize=65536)
def _url(value: str) -> Url:
    return url("target_url", value, SCHEMES)


def _target(value: object) -> str:
    return str(_url(value) if isinstance(value, str) else url("target_url", value, SCHEMES))


def _pattern(value: object) -> str:
    words = fields.text("hostname", value)
    if words.startswith("*."):
        return "*." + fields.hostname("hostname", words[2:])
    return fields.hostname("hostname", words)


def _entrypoints(value: object) -> Tuple[str, ...]:
    if value in (None, "", [], DEFAULT_ENTRYPOINT, [DEFAULT_ENTRYPOINT]):
        return (DEFAULT_ENTRYPOINT,)
    names = tuple(_name("entrypoint", name) for name in options.several("entrypoint", value))
    if len(set(names)) != len(names):
        raise InvalidInput("entrypoint", list(names), "names one entrypoint twice; keep one of the two")
    return names


def _resolver(value: object) -> str:
    return "" if value is None or value == "" else _name("certresolver", value)


def _name(option: str, value: object) -> str:
    name = fields.text(option, value)
    if not fields.matches(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise InvalidInput(option, value, "is not a name that Traefik's static configuration can hold; "
                                          "use letters, digits, '_' and '-'")
    return name


def _path(value: object) -> str:
    if value is None or value in ("", "/"):
        return ""
    path = fields.text("path_prefix", value)
    long = len(path) > LONGEST_PATH
    if long or not fields.matches(r"(/[A-Za-z0-9._~-]+)+/?", path) or DOTS.intersection(path.split("/")):
        raise InvalidInput("path_prefix", value, f"is not a plain path of at most {LONGEST_PATH} characters; write it like /api "
                                                 "(no . or .. between slashes, which Traefik takes out of every request)")
    return path

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Supplied certificates on a host: looked at before anything is written, and put where Traefik finds them."""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import List

from ..errors import MISSING, InvalidInput, StateRefused, words_of
from ..formats import certificates as files
from ..formats import pem
from ..host import Host
from ..models.certificate import Certificate
from ..models.config_file import ConfigFiles, Wish
from .config_files import ConfigFileEngine


class CertificateEngine(ConfigFileEngine):
    """The files of all certificates. Those that an earlier run has written, and nobody asks for any longer, go."""

    def __init__(self, host: Host, certificates: List[Certificate], folder: str, dynamic_dir: str, group: str) -> None:
        self.certificates, self.folder = certificates, folder
        self.dynamic = f"{dynamic_dir}/{files.NAME}"
        text = (host.read(self.dynamic) or b"").decode("utf-8", "replace")
        self.foreign = bool(text) and not text.startswith(files.MARKER)
        for item in certificates:
            self._look_at(item)
        wanted = files.files_of(certificates, folder, dynamic_dir, group)
        earlier = {path for path in files.named_in(text) if path.rpartition("/")[0] == folder}
        super().__init__(host, Wish(wanted, frozenset({*earlier, self.dynamic} - set(wanted))))
        self.secret |= {path for path in earlier if path.endswith(".key")}

    def _look_at(self, item: Certificate) -> None:
        """Raise unless it is a certificate; its validity is looked at later."""
        try:
            for der in pem.chain(item.certificate):
                pem.validity(der)
        except ValueError as problem:
            raise InvalidInput("certificate", MISSING, f"of {item.name} {words_of(problem)}; give it in PEM, with the certificates that "
                                                       "lead to its root behind it") from None

    def check(self, before: ConfigFiles, after: ConfigFiles) -> None:
        """Refuse a pair that does not match, and a new certificate that is not valid now."""
        # the dynamic directory is the business of others; a prediction may come before they have made it
        super().check(before, _without(after, self.dynamic))
        if self.foreign:
            raise StateRefused(f"{self.dynamic} was not written by edge.gateway; move it away and run again", self.dynamic)
        now = time.time()
        for item in self.certificates:
            self._match(item)
            valid = pem.validity(pem.chain(item.certificate)[0])
            stood = before.get(f"{self.folder}/{item.name}.crt")
            if valid.not_after <= now and stood is not None and stood.content == item.certificate:
                self.warnings.append(f"certificate {item.name} has expired on {_day(valid.not_after)}; renew it")
            elif not valid.not_before <= now < valid.not_after:
                raise InvalidInput("certificate", MISSING, f"of {item.name} is valid from {_day(valid.not_before)} to "
                                                           f"{_day(valid.not_after)} and not now; give one that is")

    def ready(self, after: ConfigFiles) -> None:
        """Raise without the dynamic directory or the group."""
        super().ready(after)
        directory = self.dynamic.rpartition("/")[0]
        if self.dynamic in after and self.host.mode(directory) is None:
            raise StateRefused(f"dynamic_dir {directory} does not exist; apply the role edge.gateway.traefik, "
                               "which creates it before Traefik starts", "dynamic_dir")

    def _match(self, item: Certificate) -> None:
        with self.host.private_file(f"{item.certificate}{item.private_key}") as path, contextlib.suppress(ssl.SSLError, ValueError):
            # an encrypted key would ask for its passphrase at the terminal
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")
            return
        raise InvalidInput("private_key", MISSING, f"of {item.name} does not belong to its certificate (or has a passphrase); "
                                                   "give the key that the certificate was made for, without one")

    def write(self, before: ConfigFiles, after: ConfigFiles) -> None:
        """The pairs before the file that names them, and the other way round for those that go.

        That file never goes while there are certificates, and tells first which pairs come or go: after a kill the next run finds them
        all, also those that nobody asks for any longer.
        """
        live = self.load()
        stands, wanted = live.get(self.dynamic), after.get(self.dynamic)
        pairs = _without(after, self.dynamic)
        coming = [path for path in _without(after, self.folder) if path not in live and path != self.dynamic]
        going = [path for path in live if path not in after and path != self.dynamic]
        some = stands or wanted
        if some:
            begun = files.at_work(stands or files.empty(some), coming)
            ended = files.at_work(wanted or files.empty(some), going)
            super().write(live, {**live, self.dynamic: begun})
            super().write(live, {**live, **pairs, self.dynamic: begun})
            super().write(live, {**live, **pairs, self.dynamic: ended})
            super().write(live, {**pairs, self.dynamic: ended})
        super().write(live, after)


def _without(items: ConfigFiles, path: str) -> ConfigFiles:
    return {name: item for name, item in items.items() if name != path}


def _day(moment: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))

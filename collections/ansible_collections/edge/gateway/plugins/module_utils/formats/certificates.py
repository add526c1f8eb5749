# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that make Traefik serve supplied certificates: the pairs, and one dynamic file that names them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Iterable, List, Set

from ..models.certificate import Certificate
from ..models.config_file import ConfigFile, ConfigFiles
from . import pem

MARKER = "# Written by edge.gateway: certificates that were supplied as files."
NAME = "_certificates.yml"
FILE_MODE, DIRECTORY_MODE = 0o640, 0o750
_AT_WORK = "# comes or goes: "
_NAMED = re.compile(rf"^(?: +(?:- )?(?:certFile|keyFile): |{_AT_WORK})(/[A-Za-z0-9@._/-]+)$", re.MULTILINE)


def files_of(certificates: List[Certificate], folder: str, dynamic_dir: str, group: str) -> ConfigFiles:
    """All files that have to be there; none without a certificate, since Traefik refuses an empty list.

    Raises:
        ValueError: a certificate is none.
    """
    wanted = {folder: ConfigFile(folder, DIRECTORY_MODE, group, None)} if certificates else {}
    for item in certificates:
        crt, key = f"{folder}/{item.name}.crt", f"{folder}/{item.name}.key"
        wanted[crt] = ConfigFile(crt, FILE_MODE, group, item.certificate)
        wanted[key] = ConfigFile(key, FILE_MODE, group, item.private_key, secret=True)
    if certificates:
        path = f"{dynamic_dir}/{NAME}"
        wanted[path] = ConfigFile(path, FILE_MODE, group, _dynamic(certificates, folder))
    return wanted


def _dynamic(certificates: List[Certificate], folder: str) -> str:
    # Traefik watches only the directory of this file. Its comment changes with the files that it names, and so it is read again
    lines = [MARKER, *(f"# {item.name}: {pem.validity(pem.chain(item.certificate)[0]).fingerprint}, "
                       f"key {hashlib.sha256(item.private_key.encode()).hexdigest()[:16]}" for item in certificates)]
    lines += ["tls:", "  certificates:"]
    for item in certificates:
        lines += [f"    - certFile: {folder}/{item.name}.crt", f"      keyFile: {folder}/{item.name}.key"]
    for item in certificates:
        if item.default:
            lines += ["  stores:", "    default:", "      defaultCertificate:",
                      f"        certFile: {folder}/{item.name}.crt", f"        keyFile: {folder}/{item.name}.key"]
    return "".join(line + "\n" for line in lines)


def empty(item: ConfigFile) -> ConfigFile:
    """The dynamic file without certificates, in which Traefik finds nothing."""
    return replace(item, content=f"{MARKER}\n")


def at_work(item: ConfigFile, paths: Iterable[str]) -> ConfigFile:
    """The dynamic file while these paths come or go."""
    return replace(item, content="".join([item.content or "", *(f"{_AT_WORK}{path}\n" for path in sorted(paths))]))


def named_in(text: str) -> Set[str]:
    """The files that a dynamic file of ours names, also those that a killed run was at; none if it is not ours."""
    return set(_NAMED.findall(text)) if text.startswith(MARKER) else set()

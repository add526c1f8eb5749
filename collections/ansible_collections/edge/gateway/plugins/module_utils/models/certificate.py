# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are supplied as files, instead of being asked for by Traefik itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, Mapping

from ..errors import MISSING, InvalidInput
from . import fields

CERTIFICATE_BEGIN = "-----BEGIN CERTIFICATE-----"
KEY_BEGIN = r"-----BEGIN ((RSA|EC) )?PRIVATE KEY-----"


@dataclass(frozen=True)
class Certificate:
    """A certificate with those that lead to its root, and its key, both as PEM text; ``default``: for names that no other fits."""

    name: str
    certificate: str
    private_key: str = field(repr=False)
    default: bool = False

    @classmethod
    def parse(cls, params: Mapping[str, Any], where: str = "") -> Certificate:
        """Build it from task parameters, with a prefix for option names in errors. No message has the text of a key in it."""
        name = fields.identifier(where + "name", params.get("name"))
        certificate, key = params.get("certificate"), params.get("private_key")
        if not isinstance(certificate, str) or CERTIFICATE_BEGIN not in certificate.splitlines():
            raise InvalidInput(where + "certificate", MISSING, f"of {name} is not a certificate in PEM; give the text that "
                                                               f"begins with '{CERTIFICATE_BEGIN}'")
        if not isinstance(key, str) or not any(fields.matches(KEY_BEGIN, line) for line in key.splitlines()):
            raise InvalidInput(where + "private_key", MISSING, f"of {name} is not a private key in PEM without a passphrase; "
                                                               "give the text that begins with '-----BEGIN PRIVATE KEY-----'")
        return cls(name, certificate.strip() + "\n", key.strip() + "\n", fields.boolean(where + "default", params.get("default", False)))


def parse_all(entries: List[Mapping[str, Any]]) -> List[Certificate]:
    """All certificates of a task, by name; a name stands for one, and at most one is the default."""
    found = [Certificate.parse(entry, f"certificates[{number}].") for number, entry in enumerate(entries)]
    for number, item in enumerate(found):
        if item.name in {other.name for other in found[:number]}:
            raise InvalidInput(f"certificates[{number}].name", item.name, "is named twice; keep one of the two")
        if item.default and any(other.default for other in found[:number]):
            raise InvalidInput(f"certificates[{number}].default", True, "is set for another certificate too; keep one of the two")
    return sorted(found, key=lambda item: item.name)

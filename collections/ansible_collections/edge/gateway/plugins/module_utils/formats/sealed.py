# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup on its way from the host, sealed for the one who asked for it.

Ansible prints what a module returns when it is asked for details (the ssh connection does at ``-vvv``, whatever the module says), and
a file to fetch would lie on a disk, readable by the user who logs in. So the backup comes as the module's answer, enciphered
with a key that went the other way in a ``no_log`` option, is used once, and is forgotten.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib

from ..errors import Unreadable


def sealed(data: bytes, key: bytes) -> str:
    """Data, small and enciphered: XOR with the output of SHAKE256 (FIPS 202) for a key of 32 random bytes, which is used only once.

    It keeps a secret, and proves nothing: what is opened must be checked as what comes from anywhere.
    """
    return base64.b64encode(_xor(zlib.compress(data), key)).decode()


def opened(text: str, key: bytes) -> bytes:
    """What :func:`sealed` has sealed.

    Raises:
        ValueError: it has been changed, or the key is another one.
    """
    try:
        return zlib.decompress(_xor(base64.b64decode(text), key))
    except (binascii.Error, zlib.error):
        raise Unreadable("is damaged") from None


def _xor(data: bytes, key: bytes) -> bytes:
    stream = hashlib.shake_256(key).digest(len(data))
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")

# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that the two ends of a tunnel share, made from one secret of the whole mesh."""

from __future__ import annotations

import base64
import hashlib
import hmac

from ..errors import MISSING, InvalidInput
from . import fields

SHORTEST_SECRET = 20
# so that the same secret, used elsewhere, makes other keys
PURPOSE = b"edge.gateway preshared key 1"


def derive(secret: object, node_id: object) -> str:
    """The key that a node shares with its hub: HMAC-SHA256 of the node's id, in WireGuard's notation.

    Raises:
        InvalidInput: the secret is no text, or so short that it can be guessed; it is not shown.
    """
    # a lone surrogate is no text: it cannot be encoded, and the error would carry the secret along
    if not isinstance(secret, str) or len(secret) < SHORTEST_SECRET or any("\ud800" <= letter <= "\udfff" for letter in secret):
        raise InvalidInput("preshared secret", MISSING, f"is not a text of at least {SHORTEST_SECRET} characters; "
                           "make one with 'wg genpsk'")
    name = fields.node_id("node_id", node_id)
    return base64.b64encode(hmac.new(secret.encode(), PURPOSE + b"\0" + name.encode(), hashlib.sha256).digest()).decode()

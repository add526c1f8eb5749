# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the reference of messages has a section about; written by "make errors"."""

from __future__ import annotations

OPTIONS = frozenset((
    "_key", "_packed", "absent", "answer", "answer.controller_pubkey", "answer.endpoint", "answer.node_ip", "body", "ca_path",
    "certificate", "certresolver", "client_networks", "comment", "controller_url", "dest", "encrypt", "endpoint", "entrypoint",
    "expires", "files", "gateway", "gateway.json", "group", "hairpin", "hostname", "hub", "hub.pools", "join_answer", "join_token",
    "max_removals", "middlewares", "mode", "next_pubkey", "node_id", "node_ip", "node_pubkey", "open", "owner", "path", "path_prefix",
    "preshared_key", "private_key", "public_port", "purge", "rotate_key", "route_id", "secret_content", "source_nat", "source_ranges",
    "src", "state", "target_ip", "target_port", "target_url", "tls_options", "tls_options.client_auth.ca_files",
    "tls_options.max_version", "tls_options.name", "weight",
))
